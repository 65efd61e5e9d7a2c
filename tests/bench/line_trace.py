"""Lines whose rate changes: traces in ``tests/bench/traces``, and the modem that follows one."""

import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.netns import Namespace
from tests.lab.village import Modem

FOLDER = Path(__file__).parent / "traces"
NEAR, FAR = "near", "far"


@dataclass(frozen=True, slots=True)
class TracePoint:
    """What the line carries from `at_s` on, in bit/s."""

    at_s: float
    down: int
    up: int


@dataclass(frozen=True, slots=True)
class LineTrace:
    name: str
    points: tuple[TracePoint, ...]

    def capacity(self, begins: float, ends: float, *, upwards: bool) -> float:
        """Mean of what the line carries between two times, in bit/s."""
        bounds = [*(point.at_s for point in self.points), float("inf")]
        total = 0.0
        for number, point in enumerate(self.points):
            seconds = max(0.0, min(ends, bounds[number + 1]) - max(begins, point.at_s))
            total += seconds * (point.up if upwards else point.down)
        return total / (ends - begins)


def read_trace(name: str) -> LineTrace:
    points = []
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if not line.startswith("#"):
            at, down, up = line.split()
            points.append(TracePoint(float(at), int(down) * 1000, int(up) * 1000))
    return LineTrace(name, tuple(points))


class ChangingModem:
    """Gives the modem the rates of a trace, from `begin` on; one ``tc`` runs all the while."""

    def __init__(self, place: Namespace, modem: Modem) -> None:
        self._modem = modem
        self._tc = place.popen("tc", "-batch", "-", stdin=subprocess.PIPE)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, trace: LineTrace) -> None:
        self.stop()
        self._ended = threading.Event()
        began = time.monotonic()
        self._set(trace.points[0])
        self._thread = threading.Thread(target=self._follow, args=(trace.points[1:], began, self._ended))
        self._thread.start()

    def _follow(self, points: tuple[TracePoint, ...], began: float, ended: threading.Event) -> None:
        for point in points:
            if ended.wait(max(0.0, began + point.at_s - time.monotonic())):
                return
            self._set(point)

    def _set(self, point: TracePoint) -> None:
        assert self._tc.stdin is not None
        for end, bits in ((NEAR, point.down), (FAR, point.up)):
            self._tc.stdin.write(f"{self._modem.queue('change', end, bits)}\n".encode())
        self._tc.stdin.flush()

    def stop(self) -> None:
        """The rate stays as it is."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        self.stop()
        assert self._tc.stdin is not None
        self._tc.stdin.close()
        if self._tc.wait(10):
            raise RuntimeError("tc refused a rate of the line")

"""What the machine says of itself: processor, memory, disk, temperature and battery, as series of the history. Blocks."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from node.machine_figures import memory_kb

_TEXT_MAX = 8_192
_KB = 1_024


class MachineSensors:
    """What a machine does not have is missing, not zero."""

    def __init__(self, data_dir: Path, root: Path = Path("/")) -> None:
        """`data_dir`: on the disk whose room is told."""
        self._data_dir, self._root = data_dir, root
        self._times: tuple[int, int] | None = None
        """Busy and whole time of all processors at the last reading."""

    def read(self) -> dict[str, int]:
        """By series. The processor's use is that since the last reading."""
        return dict(
            (*self._processor(), *self._memory(), *self._disk(), *self._temperature(), *self._battery())
        )

    def _processor(self) -> Iterator[tuple[str, int]]:
        fields = self._text("proc/stat").partition("\n")[0].split()
        if len(fields) < 6 or fields[0] != "cpu" or not all(map(str.isdecimal, fields[1:])):
            return
        # Guests are counted in user time too, so that they are left out; waiting for the disk is idle time.
        times = [int(each) for each in fields[1:9]]
        now = sum(times) - times[3] - times[4], sum(times)
        before, self._times = self._times, now
        if before is not None and now[1] > before[1]:
            yield "processor", max(0, min(1000, (now[0] - before[0]) * 1000 // (now[1] - before[1])))

    def _memory(self) -> Iterator[tuple[str, int]]:
        kilobytes = dict(memory_kb(self._text("proc/meminfo").splitlines()))
        total, free = kilobytes.get("total"), kilobytes.get("available")
        if total and free is not None:
            yield "memory", max(0, min(1000, (total - free) * 1000 // total))
        for line in self._text("proc/self/status").splitlines():
            name, _, value = line.partition(":")
            if name == "VmRSS" and (resident := _number(value.removesuffix(" kB"))) is not None:
                yield "node_memory", resident * _KB

    def _disk(self) -> Iterator[tuple[str, int]]:
        with suppress(OSError):
            yield "disk_free", shutil.disk_usage(self._data_dir).free

    def _temperature(self) -> Iterator[tuple[str, int]]:
        """Of the hottest zone."""
        found = [_number(self._text(path)) for path in self._paths("sys/class/thermal/thermal_zone*/temp")]
        plausible = [each for each in found if each is not None and -60_000 < each < 200_000]
        if plausible:
            yield "temperature", max(plausible)

    def _battery(self) -> Iterator[tuple[str, int]]:
        """Of the emptiest one."""
        supplies = self._paths("sys/class/power_supply/*/capacity")
        batteries = [path for path in supplies if self._text(f"{path.rpartition('/')[0]}/type") == "Battery"]
        found = [_number(self._text(path)) for path in batteries]
        charges = [each for each in found if each is not None and 0 <= each <= 100]
        if charges:
            yield "battery", min(charges) * 10

    def _paths(self, pattern: str) -> list[str]:
        return [str(path.relative_to(self._root)) for path in sorted(self._root.glob(pattern))]

    def _text(self, path: str) -> str:
        """Empty where the kernel does not say; some sensors fail when they are read."""
        try:
            with (self._root / path).open("rb") as file:
                return file.read(_TEXT_MAX).decode("ascii", "replace").strip()
        except OSError:
            return ""


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None

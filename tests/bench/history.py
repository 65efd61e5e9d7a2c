"""What the history costs: three years of a hundred series, with the noise of real ones, in a node's data folder.

The last 14 days have steps of five minutes, the last 90 days hours, and all of it days, as in a node that ran so long.
Times are of the processor: all of it is done beside the loop.
Written bytes are those of all calls that write, the journal's too, and not the file system's own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from zoneinfo import ZoneInfo

from node.history.packing import pack_sheet
from node.history.reading import chunk_days, stored_window
from node.history.roll_ups import DAY_S, HOUR_S, HOUR_STEPS
from node.history.series import SERIES, Series
from node.history.steps import Step, Steps
from node.storage.history_file import FILE, PACK_AT, HistoryFile
from tests.bench.figures import Figures, say
from tests.bench.history_plots import PLOT_KEYS, measure_plots

KEYS = (
    "db_mb_100_series_3_years",
    "written_mb_per_day",
    "store_ms",
    "read_ms_3_years",
    "rss_mb_added",
    *PLOT_KEYS,
)
COUNT, SEED, MB = 100, 20_261_130, 1_000_000
ZONE = ZoneInfo("Europe/Madrid")
BEGIN_S = 1_700_000_000 // DAY_S * DAY_S
YEARS_DAYS, HOURLY_DAYS, DAYS_MEASURED, READS = 3 * 366, 92, 3, 100
_MEANS = {
    "bit_per_s": 12_000_000,
    "bytes": 3_000_000_000,
    "ms": 40,
    "permille": 300,
    "count": 40,
    "s": 3_000,
    "celsius_milli": 48_000,
}


def every_series() -> tuple[Series, ...]:
    """The node's own, again and again under other names."""
    names = (f"{SERIES[number % len(SERIES)].name}_{number // len(SERIES)}" for number in range(COUNT))
    return tuple(
        Series(name, SERIES[number % len(SERIES)].unit, SERIES[number % len(SERIES)].title)
        for number, name in enumerate(names)
    )


class ImaginedDay:
    """Numbers as different as real ones: equal ones would take less room where they are compressed."""

    def __init__(self, series: tuple[Series, ...]) -> None:
        self._series, self._random = series, Random(SEED)

    def sheet(self, steps: int, values: int) -> dict[str, Steps]:
        """An hour with so many steps of so many raw values."""
        return {each.name: self._steps(_MEANS[each.unit], steps, values) for each in self._series}

    def _steps(self, mean: int, count: int, values: int) -> Steps:
        steps = Steps(HOUR_STEPS)
        for at in range(count):
            here = int(mean * self._random.uniform(0.2, 1.6))
            total = sum(self._random.choices(range(here // 2, here * 3 // 2 + 1), k=4)) * (values // 4)
            least, most = self._random.randrange(here // 2 + 1), here * 2 + self._random.randrange(here + 1)
            steps.put(at, Step(values, total, least, most))
        return steps


def measure() -> Figures:
    with tempfile.TemporaryDirectory(prefix="procomu-history-") as folder:
        file, series = HistoryFile(Path(folder)), every_series()
        day = ImaginedDay(series)
        _fill(file, day)
        store_ms, pack_ms, written = _stored(file, day)
        size = (Path(folder) / FILE).stat().st_size
        read_ms = median(_timed(lambda each=each: _read(file, each)) for each in series[:READS])
    say(f"an hour of {PACK_AT} is added to the chunks in {pack_ms:.0f} ms, once a day, beside the loop")
    return {
        KEYS[0]: round(size / MB, 2),
        KEYS[1]: round(written / DAYS_MEASURED / MB, 2),
        KEYS[2]: round(store_ms, 2),
        KEYS[3]: round(read_ms, 2),
        KEYS[4]: _memory_added(),
        **measure_plots(),
    }


def _fill(file: HistoryFile, day: ImaginedDay) -> None:
    """Days before the last 92 have all their values in one hour: of them only the day is kept."""
    for number in range(YEARS_DAYS):
        begin_s, sheets = BEGIN_S + number * DAY_S, dict[int, bytes]()
        if number < YEARS_DAYS - HOURLY_DAYS:
            sheets[begin_s] = pack_sheet(day.sheet(1, 8_640))
        else:
            is_fine = number >= YEARS_DAYS - 16
            shape = (HOUR_STEPS, 30) if is_fine else (1, 360)
            sheets = {begin_s + hour * HOUR_S: pack_sheet(day.sheet(*shape)) for hour in range(24)}
        file.store(sheets, (), begin_s // DAY_S, ZONE)
        if number % 200 == 0:
            say(f"{number} days of {YEARS_DAYS}")


def _stored(file: HistoryFile, day: ImaginedDay) -> tuple[float, float, int]:
    """Milliseconds of an hour in the median, and of the longest one, and bytes of all."""
    taken, written = list[float](), 0
    for hour in range(24 * DAYS_MEASURED):
        begin_s = BEGIN_S + YEARS_DAYS * DAY_S + hour * HOUR_S
        sheet = day.sheet(HOUR_STEPS, 30)
        before = _written()
        taken.append(
            _timed(lambda s=sheet, b=begin_s: file.store({b: pack_sheet(s)}, (b,), b // DAY_S, ZONE))
        )
        written += _written() - before
    return median(taken), max(taken), written


def _read(file: HistoryFile, series: Series) -> None:
    end_s = BEGIN_S + YEARS_DAYS * DAY_S
    span = end_s - 3 * 365 * DAY_S, end_s
    kept = file.read(series.name, DAY_S, chunk_days(DAY_S, *span, ZONE))
    window = stored_window(series, DAY_S, span, ZONE, chunks=kept.chunks, hours=kept.hours)
    if not all(window.points[:1_000]):
        raise RuntimeError("days are missing")


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds of processor time: what else runs, and the disk, do not change it."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000


def _written() -> int:
    """Bytes of all calls of this process that write."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


_MEMORY = """
import asyncio, gc, json, logging, sqlite3, sys, tempfile, zlib
from datetime import UTC
from pathlib import Path
import node.app.status, node.control.reconciler, node.storage.repository
def resident():
    gc.collect()
    return next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmRSS"))
with sqlite3.connect(":memory:") as db:
    db.execute("SELECT 1")
before = resident()
from node.history.buffer import HistoryBuffer
from node.history.packing import pack_sheet
from node.history.reading import chunk_days, stored_window
from node.app.history_recorder import HistoryRecorder
from node.storage.history_file import HistoryFile
buffer, begin = HistoryBuffer(), 1_700_000_000 // 3600 * 3600
for second in range(0, 5400, 5):
    for number in range(100):
        buffer.add(f"series_{number}", second * number, begin + second)
with tempfile.TemporaryDirectory() as folder:
    file = HistoryFile(Path(folder))
    for hour in buffer.parts:
        buffer.make_whole(hour, file.load([hour]).get(hour, {}))
    file.store({h: pack_sheet(s) for h, s in buffer.to_store().items()}, tuple(buffer.hours), begin // 86400, UTC)
    file.read("series_7", 86400, [begin // 86400])
print(json.dumps((resident() - before) / 1000))
"""


def _memory_added() -> float:
    """Megabytes of a process that has what a node has anyway, after an hour and a half of a hundred series."""
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY], capture_output=True, text=True, check=True, timeout=120
    )
    return round(float(json.loads(done.stdout)), 2)

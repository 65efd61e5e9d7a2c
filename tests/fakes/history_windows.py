"""Windows of a made-up village: a line of 20 Mbit/s that is full in the evenings, with a power cut and a new node."""

import math
import random
from datetime import UTC, datetime, tzinfo

from node.history.reading import KEPT_S
from node.history.series import LINE_RATES, SERIES, Series, rule_series
from node.history.window import HistoryWindow, Point, Unit

END = int(datetime(2026, 11, 28, 21, tzinfo=UTC).timestamp())
LINE = 20_000_000
SCALES: dict[Unit, int] = {
    "bit_per_s": LINE,
    "bytes": 8_000_000_000,
    "ms": 400,
    "permille": 1000,
    "count": 60,
    "s": 300,
    "celsius_milli": 70_000,
}
"""What a value is while the line is full."""
STEPS = {"hour": (10, 360), "day": (300, 288), "month": (3600, 720), "years": (86_400, 1095)}


def village_window(period: str, *, seed: int = 7) -> HistoryWindow:
    """Download of the line in `period`, up to `END`, in UTC."""
    step_s, count = STEPS[period]
    rng = random.Random(seed)
    end = END // step_s * step_s
    begin = end - step_s * count
    cut = range(count * 3 // 8, count * 3 // 8 + max(2, count // 40))
    points = tuple(
        None
        if step in cut or (period == "years" and step < 200)
        else _point(begin + step * step_s, step_s, rng)
        for step in range(count)
    )
    return HistoryWindow("line_down", "bit_per_s", begin, step_s, points)


def temperature_window() -> HistoryWindow:
    """A day in winter."""
    points = tuple(
        Point(mean - 400, mean, mean + 700)
        for mean in (int(4000 * math.sin(step / 288 * 6.28 - 2) - 1000) for step in range(288))
    )
    return HistoryWindow("temperature", "celsius_milli", END // 300 * 300 - 288 * 300, 300, points)


def _point(at_s: int, step_s: int, rng: random.Random) -> Point:
    at = datetime.fromtimestamp(at_s, UTC)
    hour = at.hour + at.minute / 60
    evening = math.exp(-(((hour - 21 + 12) % 24 - 12) ** 2) / 8)
    day = 0.35 * math.exp(-((hour - 14) ** 2) / 18)
    share = 0.03 + 0.75 * evening + day + (0.1 if at.weekday() >= 5 else 0)
    if step_s == 86_400:
        share = 0.2 + 0.15 * at_s / END + (0.06 if at.weekday() >= 5 else 0) + 0.05 * math.sin(at_s / 5e6)
    mean = int(LINE * min(0.97, share * rng.uniform(0.75, 1.25)))
    spread = {10: 0.05, 300: 0.3}.get(step_s, 0.7)
    least = int(mean * (1 - spread * rng.random()))
    most = min(LINE, int(mean + (LINE - mean) * spread * rng.random()))
    return Point(least, mean, most)


class VillageHistory:
    """Any series of the village in the last so many seconds, in steps as they are kept for so long."""

    zone: tzinfo = UTC

    def series(self) -> tuple[Series, ...]:
        return (*SERIES, *rule_series(("guest-top", "Quota de març")))

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        return _village_series(name, seconds)


def _village_series(name: str, last_s: int) -> HistoryWindow:
    series = next(each for each in VillageHistory().series() if each.name == name)
    step_s = next(step_s for step_s, kept_s in KEPT_S.items() if last_s <= kept_s)
    rng = random.Random(name)
    end, count = END // step_s * step_s, last_s // step_s
    scale = SCALES[series.unit]
    cut = range(count * 3 // 8, count * 3 // 8 + max(2, count // 40))
    points = tuple(
        None if step in cut else _scaled(_point(end - (count - step) * step_s, step_s, rng), scale)
        for step in range(count)
    )
    if name in LINE_RATES.values():
        points = (Point(LINE - 2_000_000, LINE, LINE),) * count
    return HistoryWindow(name, series.unit, end - count * step_s, step_s, points)


def _scaled(point: Point, scale: int) -> Point:
    return Point(*(each * scale // LINE for each in point))

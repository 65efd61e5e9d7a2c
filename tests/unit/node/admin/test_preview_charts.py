"""Charts of a preview: lines with gaps, and the same numbers as a table."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from node.admin.preview_charts import HEIGHT, WIDTH, charts, lines_of
from node.governance.replay import DayHour, Effects, HourUse, Replay
from node.translator import ENGLISH
from node.units import BitsPerSecond, Rates

BEGUN = datetime(2026, 11, 27, 22, tzinfo=UTC)
NOTHING = Effects(0, (), ())


def rates(mbits: int) -> Rates:
    return Rates(BitsPerSecond(mbits * 1_000_000), BitsPerSecond(1))


def rate(mbits: int) -> BitsPerSecond:
    return BitsPerSecond(mbits * 1_000_000)


def replayed(*, day_hours: tuple[DayHour, ...]) -> Replay:
    hours = (
        HourUse(BEGUN, rates(10), rates(5)),
        HourUse(BEGUN + timedelta(hours=2), rates(20), None),
        HourUse(BEGUN + timedelta(hours=3), rates(15), rates(15)),
    )
    first, last = date(2026, 11, 27), date(2026, 11, 28)
    return Replay(first, last, 9, NOTHING, None, None, None, (None, None), hours, day_hours)


def test_another_line_begins_after_an_hour_that_is_missing() -> None:
    points = [(0, rate(1)), (1, rate(2)), (2, None), (4, rate(0))]
    assert ("0,75 150,75 150,0 300,0", "600,150 750,150") == lines_of(points, 4, rate(2))
    assert () == lines_of([(0, None)], 1, 1)


def test_the_use_of_the_line_is_drawn_hour_by_hour_and_said_day_by_day() -> None:
    found = replayed(day_hours=(DayHour(0, None, None),))
    assert () == charts(replace(found, hours=()), ENGLISH)
    (chart,) = charts(found, ENGLISH)
    assert (f"0,{HEIGHT // 2} {WIDTH // 4},{HEIGHT // 2}", "300,0 450,0 450,38 600,38") == chart.before
    assert ("0,113 150,113", "450,38 600,38") == chart.after
    assert ("20 Mbit/s", "27 November 2026", "28 November 2026") == (chart.top, chart.first, chart.last)
    assert (
        ("27 November 2026", "10 Mbit/s", "5 Mbit/s"),
        ("28 November 2026", "20 Mbit/s", "15 Mbit/s"),
    ) == chart.rows


def test_what_an_account_could_have_had_is_drawn_for_the_hours_of_the_day() -> None:
    hours = tuple(
        DayHour(hour, rate(hour) if hour else None, rate(hour) if hour > 20 else None) for hour in range(24)
    )
    _, chart = charts(replayed(day_hours=hours), ENGLISH)
    assert (24, ("00:00", "–", "–"), ("23:00", "23 Mbit/s", "23 Mbit/s")) == (
        len(chart.rows), chart.rows[0], chart.rows[-1]
    )  # fmt: skip
    assert ("00:00", "24:00") == (chart.first, chart.last)
    assert 1 == len(chart.before) == len(chart.after)

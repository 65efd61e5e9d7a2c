"""Windows of a series."""

from zoneinfo import ZoneInfo

from node.history.buffer import HistoryBuffer
from node.history.reading import POINTS_MAX, chunk_days, recent_window, step_for, stored_window
from node.history.roll_ups import DAY_S, FIVE_MINUTES_S, HOUR_S, ChunkKey, add_hour, step_key
from node.history.series import BY_NAME
from node.history.steps import Step, Steps
from node.history.window import Point

UTC = ZoneInfo("UTC")
MIDNIGHT = 1_790_000_000 // DAY_S * DAY_S


def day_of(series: str) -> tuple[dict[ChunkKey, Steps], HistoryBuffer]:
    """One value a minute: ten hours are in chunks, the eleventh is only in its hour, and half of the tenth is missing."""
    packed, buffer = HistoryBuffer(), HistoryBuffer()
    for minute in range(11 * 60):
        if not 9 * 60 <= minute < 9 * 60 + 30:
            (packed if minute < 10 * 60 else buffer).add(series, minute, MIDNIGHT + minute * 60)
    chunks = dict[ChunkKey, Steps]()
    for hour_s, sheet in packed.hours.items():
        add_hour(chunks, hour_s, sheet, UTC)
    return chunks, buffer


def points(series: str, step_s: int, begin: int, end: int) -> tuple[Point | None, ...]:
    chunks, buffer = day_of(series)
    span = MIDNIGHT + begin, MIDNIGHT + end
    wanted = chunk_days(step_s, *span, UTC)
    found = {
        key.begun_day: each
        for key, each in chunks.items()
        if key.step_s == step_s and key.begun_day in wanted
    }
    return stored_window(BY_NAME[series], step_s, span, UTC, chunks=found, hours=buffer.hours).points


def test_hours_come_from_chunks_and_from_what_is_not_in_one_yet_and_the_rest_is_a_gap() -> None:
    assert (
        Point(480, 510, 539),
        Point(570, 585, 599),
        Point(600, 630, 659),
        None,
    ) == points("devices", HOUR_S, 8 * HOUR_S, 12 * HOUR_S)


def test_five_minutes_that_are_missing_are_gaps() -> None:
    half = points("devices", FIVE_MINUTES_S, 9 * HOUR_S, 10 * HOUR_S)
    assert (None,) * 6 == half[:6]
    assert Point(570, 572, 574) == half[6]


def test_a_day_is_the_sum_of_all_its_parts() -> None:
    raw = [minute for minute in range(660) if not 540 <= minute < 570]
    assert (None, Point(0, round(sum(raw) / len(raw)), 659), None) == points(
        "devices", DAY_S, -DAY_S, 2 * DAY_S
    )


def test_events_are_added_up() -> None:
    total = sum(range(60, 120))
    assert (Point(total, total, total),) == points("admissions", HOUR_S, HOUR_S, 2 * HOUR_S)


def test_the_window_begins_with_the_step_that_the_span_touches() -> None:
    found = recent_window(
        BY_NAME["guests"], (MIDNIGHT + 7, MIDNIGHT + 21), UTC, lambda at: Step(1, at, at, at)
    )
    assert MIDNIGHT == found.begin_s
    assert ("guests", "count", 10, 3) == (found.series, found.unit, found.step_s, len(found.points))


def test_a_window_has_a_limit_and_keeps_the_latest() -> None:
    found = recent_window(BY_NAME["guests"], (0, 10 * (POINTS_MAX + 5)), UTC, lambda _at: None)
    assert 50 == found.begin_s
    assert POINTS_MAX == len(found.points)
    assert found.is_empty


def test_the_shortest_steps_that_reach_so_far_back_are_taken() -> None:
    spans = (60, HOUR_S, HOUR_S + 1, 14 * DAY_S, 15 * DAY_S, 90 * DAY_S, 91 * DAY_S, 9_000 * DAY_S)
    assert [10, 10, 300, 300, 3600, 3600, DAY_S, DAY_S] == [
        step_for(MIDNIGHT - each, MIDNIGHT) for each in spans
    ]


def test_a_window_of_a_hundred_years_is_clipped() -> None:
    assert POINTS_MAX // 28 > len(chunk_days(DAY_S, MIDNIGHT - 36_500 * DAY_S, MIDNIGHT, UTC))
    assert step_key(DAY_S, MIDNIGHT - 1, UTC).begun_day == chunk_days(DAY_S, 0, MIDNIGHT, UTC)[-1]

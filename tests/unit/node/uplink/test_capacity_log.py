"""The log of what the line carried: what is counted, what is kept, and what is said of it."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.units import BitsPerSecond
from node.uplink.autorate import Direction
from node.uplink.capacity_log import (
    BUCKETS,
    DAYS_KEPT,
    ENOUGH_S,
    NOTHING_LOGGED,
    OCTAVE_BUCKETS,
    SECONDS_MAX,
    TEXT_CHARS_MAX,
    CapacityDay,
    CapacityLog,
    bucket_of,
    counted,
    edge_of,
    from_text,
    low,
    merged,
    to_text,
)

TODAY = date(2026, 11, 24)
rates = st.integers(0, 2**42).map(BitsPerSecond)
seconds = st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, SECONDS_MAX), max_size=30)
days = st.builds(CapacityDay, seconds, seconds)
logs = st.dictionaries(st.dates(), days, max_size=DAYS_KEPT).map(CapacityLog)


def one(direction: Direction, *carried: int, day: date | None = TODAY) -> CapacityLog:
    log = NOTHING_LOGGED
    for rate in carried:
        log = counted(log, day, {direction: BitsPerSecond(rate)})
    return log


@given(rates)
def test_a_bucket_begins_at_most_a_sixteenth_under_its_rates(rate: BitsPerSecond) -> None:
    bucket = bucket_of(rate)
    assert 0 <= bucket < BUCKETS
    edge = edge_of(bucket)
    assert edge <= rate
    if 0 < bucket < BUCKETS - 1:
        assert rate < edge_of(bucket + 1)
        assert (rate - edge) * OCTAVE_BUCKETS <= edge


def test_each_bucket_begins_where_the_one_before_ends() -> None:
    edges = [edge_of(bucket) for bucket in range(BUCKETS)]
    assert edges == sorted(set(edges))
    assert list(range(BUCKETS)) == [bucket_of(edge) for edge in edges]


@given(st.lists(rates, min_size=1, max_size=60), st.integers(1, 200))
def test_the_line_carried_the_low_rate_in_nine_tenths_of_the_time_and_no_higher_one(
    carried: list[BitsPerSecond], times: int
) -> None:
    """Compared with the sorted seconds themselves."""
    counts: dict[int, int] = {}
    for rate in carried:
        counts[bucket_of(rate)] = counts.get(bucket_of(rate), 0) + times
    ordered = sorted(edge_of(bucket_of(rate)) for rate in carried for _ in range(times))
    found = low(CapacityLog({TODAY: CapacityDay(down=counts)}), TODAY)
    if len(ordered) < ENOUGH_S:
        assert {} == found
        return
    assert {"down": ordered[len(ordered) // 10]} == found
    assert sum(rate >= found["down"] for rate in ordered) * 10 >= len(ordered) * 9
    higher = [rate for rate in ordered if rate > found["down"]]
    assert len(higher) * 10 < len(ordered) * 9


def test_each_direction_is_known_after_an_hour_of_its_own() -> None:
    log = CapacityLog({TODAY: CapacityDay({200: ENOUGH_S}, {100: ENOUGH_S - 1})})
    assert {"down": edge_of(200)} == low(log, TODAY)
    assert {"down": edge_of(200), "up": edge_of(100)} == low(counted(log, TODAY, {"up": edge_of(100)}), TODAY)


def test_days_are_added_up_without_a_limit() -> None:
    """Of 14 days the line was slow on two: that is more than a tenth."""
    history = {TODAY - timedelta(days=n): CapacityDay({300: SECONDS_MAX}) for n in range(2, DAYS_KEPT)}
    slow = {TODAY - timedelta(days=n): CapacityDay({100: SECONDS_MAX}) for n in range(2)}
    assert edge_of(100) == low(CapacityLog({**history, **slow}), TODAY)["down"]
    assert edge_of(300) == low(CapacityLog(history), TODAY)["down"]


@given(st.lists(st.tuples(st.dates(), st.none() | rates, st.none() | rates), max_size=40))
def test_whatever_the_clock_says_the_log_stays_small_and_has_the_last_second(
    when: list[tuple[date, BitsPerSecond | None, BitsPerSecond | None]],
) -> None:
    log = NOTHING_LOGGED
    for day, down, up in when:
        both: dict[Direction, BitsPerSecond | None] = {"down": down, "up": up}
        known = {direction: rate for direction, rate in both.items() if rate is not None}
        log = counted(log, day, known)
        assert len(log.days) <= DAYS_KEPT
        if down is not None:
            assert log.days[day].down[bucket_of(down)]
        if up is not None:
            assert log.days[day].up[bucket_of(up)]


def history(ends: date) -> CapacityLog:
    return CapacityLog({ends - timedelta(days=n): CapacityDay({200 + n: ENOUGH_S}) for n in range(DAYS_KEPT)})


@pytest.mark.parametrize("wrong", [date(1970, 1, 1), date(2099, 1, 1), date(9999, 12, 31)])
def test_a_day_with_a_wrong_clock_costs_a_day_of_the_log_at_most(wrong: date) -> None:
    before = history(TODAY)
    log = counted(before, wrong, {"down": BitsPerSecond(1)})
    assert {} == low(log, wrong), "it was some other time"
    assert len([day for day in before.days if day in log.days]) == DAYS_KEPT - 1
    after = log
    for _ in range(3):
        after = counted(after, TODAY, {"down": edge_of(200)})
    assert low(log, TODAY) == low(after, TODAY), "the second of that day counts nowhere"
    tomorrow = counted(after, TODAY + timedelta(days=1), {"down": edge_of(200)})
    assert wrong not in tomorrow.days


def test_the_oldest_day_leaves_when_a_new_one_begins() -> None:
    log = counted(history(TODAY), TODAY + timedelta(days=1), {"down": edge_of(300)})
    assert DAYS_KEPT == len(log.days)
    assert TODAY - timedelta(days=DAYS_KEPT - 1) not in log.days


def test_a_day_of_a_clock_that_was_set_back_counts_when_it_has_come() -> None:
    log = CapacityLog({TODAY + timedelta(days=1): CapacityDay({200: ENOUGH_S})})
    assert {} == low(log, TODAY)
    assert {"down": edge_of(200)} == low(log, TODAY + timedelta(days=1))
    assert {"down": edge_of(200)} == low(log, TODAY + timedelta(days=DAYS_KEPT))
    assert {} == low(log, TODAY + timedelta(days=DAYS_KEPT + 1))


def test_an_unknown_day_is_not_counted_and_nothing_is_said_on_it() -> None:
    assert NOTHING_LOGGED is one("down", 5_000_000, day=None)
    assert NOTHING_LOGGED is counted(NOTHING_LOGGED, TODAY, {})
    assert {} == low(history(TODAY), None)


@given(logs)
def test_a_log_comes_back_from_its_text(log: CapacityLog) -> None:
    text = to_text(log)
    assert len(text) <= TEXT_CHARS_MAX
    assert log == from_text(text)


def test_the_longest_log_can_be_read() -> None:
    full = dict.fromkeys(range(BUCKETS), SECONDS_MAX)
    longest = CapacityLog({day: CapacityDay(full, full) for day in history(TODAY).days})
    assert longest == from_text(to_text(longest))
    assert longest == merged(longest, longest), "no count is over its limit"


@given(logs, logs)
def test_what_is_merged_has_the_seconds_of_both(log: CapacityLog, other: CapacityLog) -> None:
    found = merged(log, other)
    assert len(found.days) <= DAYS_KEPT
    for day, counts in found.days.items():
        parts = [each.days.get(day, CapacityDay()) for each in (log, other)]
        for bucket, count in counts.down.items():
            assert count == min(SECONDS_MAX, sum(part.down.get(bucket, 0) for part in parts))
    assert found == from_text(to_text(found))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-11-24"),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just("2026-11-24"), inner)
    ),
    max_leaves=12,
)


@given(st.text(max_size=200) | values.map(json.dumps))
def test_a_text_from_elsewhere_is_an_empty_log_or_a_valid_one(text: str) -> None:
    log = from_text(text)
    assert len(log.days) <= DAYS_KEPT
    assert log == from_text(to_text(log))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"2026-11-24": [[0, -1], []]}',
        '{"2026-11-24": [[0, 1.5], []]}',
        '{"2026-11-24": [[0, true], []]}',
        f'{{"2026-11-24": [[{BUCKETS}, 1], []]}}',
        f'{{"2026-11-24": [[0, {SECONDS_MAX + 1}], []]}}',
        '{"2026-11-24": [[], [], []]}',
        '{"2026-11-24": [7, []]}',
        '{"2026-11-31": [[], []]}',
        "[" * 100_000,
        to_text(history(TODAY)).replace("}", ',"2020-01-01":[[],[]]}'),
        " " * TEXT_CHARS_MAX + "{}",
    ],
)
def test_a_text_that_is_no_log_is_an_empty_one(text: str) -> None:
    assert NOTHING_LOGGED == from_text(text)

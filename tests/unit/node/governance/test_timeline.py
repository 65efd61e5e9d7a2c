"""The times at which each set of rules holds, compared with going through the minutes."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.governance.slices import mask_of
from node.governance.timeline import EPOCHS_MAX, Timeline
from node.governance.times import (
    ALWAYS,
    MINUTES_PER_WEEK,
    NamedDays,
    Times,
    midnight_of,
    parse_times,
)

CHRISTMAS = date(2026, 12, 25)
HOLIDAYS = NamedDays("holidays", ((CHRISTMAS, CHRISTMAS), (date(2027, 1, 1), date(2027, 1, 6))))
CALENDAR = {"holidays": HOLIDAYS}
DATED = Times(parse_times("daily 08:00-16:00").spans, first=date(2026, 12, 1), last=date(2026, 12, 31))
TIMES = st.sampled_from(
    [
        None,
        parse_times("mon-fri 08:00-16:00"),
        parse_times("daily 22:00-06:00"),
        parse_times("daily 22:00-06:00 except holidays", CALENDAR),
        DATED,
        Times(ALWAYS.spans, first=CHRISTMAS),
        replace(parse_times("mon 05:00-09:00; daily 22:00-06:00 except holidays", CALENDAR), last=CHRISTMAS),
    ]
)
MONDAY = midnight_of(date(2026, 11, 23))


@given(st.lists(TIMES, max_size=4), st.integers(MONDAY, MONDAY + 8 * MINUTES_PER_WEEK))
def test_every_minute_has_the_rules_that_hold_then(times, minute):
    timeline = Timeline(times)
    holding = mask_of(index for index, when in enumerate(times) if when is None or when.holds(minute))
    assert holding in timeline.spans
    spans = frozenset(timeline.spans[holding][1])
    assert any(each.holds(minute) for each, _ in timeline.times(spans))


@given(st.lists(TIMES, max_size=4))
def test_the_first_minute_of_each_set_of_rules_has_these_rules(times):
    for mask, (minute, spans) in Timeline(times).spans.items():
        holding = mask_of(index for index, when in enumerate(times) if when is None or when.holds(minute))
        assert mask == holding
        assert spans


def test_a_week_without_dates_is_one_epoch():
    timeline = Timeline([parse_times("mon-fri 08:00-16:00"), None])
    assert {0b10, 0b11} == set(timeline.spans)
    every = frozenset(span for _, spans in timeline.spans.values() for span in spans)
    assert [(ALWAYS, False)] == timeline.times(every)
    assert [] == timeline.times(frozenset())
    assert 8 * 60 == min(timeline.minutes(frozenset(timeline.spans[0b11][1])))


def test_the_times_of_a_rule_are_named_as_in_the_rule():
    school = parse_times("mon-fri 08:00-15:00 except holidays", CALENDAR)
    timeline = Timeline([school, DATED])
    spans = frozenset(span for mask, (_, found) in timeline.spans.items() if mask & 1 for span in found)
    assert [(school, False)] == timeline.times(spans)


def test_runs_of_days_that_are_alike_are_listed_with_their_first_and_last_day():
    timeline = Timeline([parse_times("daily 08:00-16:00"), DATED])
    before_and_after = frozenset(timeline.spans[0b01][1])
    first, second = (each for each, _ in timeline.times(before_and_after))
    assert (None, date(2026, 11, 30)) == (first.first, first.last)
    assert (date(2027, 1, 1), None) == (second.first, second.last)


def test_too_many_days_with_changes_make_the_timeline_incomplete():
    days = [date(2027, 1, 1) + timedelta(days=2 * number) for number in range(EPOCHS_MAX)]
    timeline = Timeline([Times(ALWAYS.spans, first=day) for day in days])
    assert not timeline.is_complete
    assert Timeline([DATED]).is_complete


def test_a_calendar_of_a_hundred_days_is_compared_and_hundreds_of_hours_on_hundreds_of_days_are_not():
    """The comparison of two such files, which the checks allow, took minutes."""
    calendar = {"h": NamedDays("h", tuple((day, day) for day in days_apart(5, 100)))}
    few = [parse_times(f"mon-fri {n:02}:00-{n + 8:02}:00 except h", calendar) for n in range(6)]
    assert Timeline(few).is_complete

    ended = [
        Times(parse_times(f"daily {n // 60:02}:{n % 60:02}-23:59").spans, last=CHRISTMAS)
        for n in range(0, 1000, 5)
    ]
    dated = [Times(ALWAYS.spans, first=day, last=day + timedelta(days=7)) for day in days_apart(15, 100)]
    timeline = Timeline([*ended, *dated])
    assert not timeline.is_complete
    for mask, (minute, _) in timeline.spans.items():
        assert mask == mask_of(n for n, when in enumerate([*ended, *dated]) if when.holds(minute))


def days_apart(days: int, count: int) -> list[date]:
    return [date(2030, 1, 1) + timedelta(days=days * number) for number in range(count)]


def test_the_name_of_a_time_does_not_depend_on_the_order_of_the_rules():
    before, after = date(2027, 1, 1), date(2027, 1, 2)
    both = [
        replace(
            parse_times(
                "daily 18:00-23:00 except holidays", {"holidays": NamedDays("holidays", ((day, day),))}
            ),
            last=date(2026, 12, 26),
        )
        for day in (before, after)
    ]
    there, back = Timeline(both), Timeline(both[::-1])
    assert there.spans.keys() == {0, 0b11} == back.spans.keys()
    (_, spans), (_, other) = there.spans[0b11], back.spans[0b11]
    assert there.times(frozenset(spans)) == back.times(frozenset(other))

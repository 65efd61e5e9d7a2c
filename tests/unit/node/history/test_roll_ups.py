"""Roll-ups equal the sums of the raw values, whatever the clock does."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.history.buffer import HistoryBuffer
from node.history.packing import Sheet, pack_sheet, unpack_sheet
from node.history.roll_ups import (
    DAY_S,
    FIVE_MINUTES_S,
    HOUR_S,
    HOUR_STEPS,
    ROLL_UPS,
    ChunkKey,
    add_hour,
    chunk_keys,
    day_begins,
    step_begins,
    step_key,
    step_keys,
    to_forget,
)
from node.history.steps import Step, Steps
from node.history.window import LONGEST_S

MADRID, NEPAL, BEIRUT = ZoneInfo("Europe/Madrid"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("Asia/Beirut")
BEGIN = int(datetime(2026, 12, 1, tzinfo=MADRID).timestamp())


class KeptHistory:
    """Hours and chunks in dicts; what runs of a node do with them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone, self.buffer = zone, HistoryBuffer()
        self.hours: dict[int, bytes] = {}
        self.chunks: dict[ChunkKey, Steps] = {}

    def store(self, now_s: int) -> None:
        for hour_s in self.buffer.parts:
            self.buffer.make_whole(hour_s, unpack_sheet(self.hours.get(hour_s, b""), HOUR_STEPS))
        self.hours |= {hour_s: pack_sheet(sheet) for hour_s, sheet in self.buffer.to_store().items()}
        self.buffer.stored(now_s)

    def pack(self) -> None:
        for hour_s in self.hours.keys() - self.buffer.hours.keys():
            sheet: Sheet = unpack_sheet(self.hours.pop(hour_s), HOUR_STEPS)
            assert {*chunk_keys(hour_s, sheet, self.zone)} >= self.touched(hour_s, sheet)
            add_hour(self.chunks, hour_s, sheet, self.zone)

    def touched(self, hour_s: int, sheet: Sheet) -> set[ChunkKey]:
        found: dict[ChunkKey, Steps] = {}
        add_hour(found, hour_s, sheet, self.zone)
        return set(found)

    def restart(self) -> None:
        """Without a power cut: what was recorded is stored."""
        self.buffer = HistoryBuffer()


def expected(raw: list[tuple[int, int]], step_s: int, zone: ZoneInfo) -> Mapping[tuple[int, int], Step]:
    by_step = defaultdict[tuple[int, int], list[int]](list)
    for moment_s, value in raw:
        by_step[step_key(step_s, moment_s, zone)].append(value)
    return {key: Step(len(each), sum(each), min(each), max(each)) for key, each in by_step.items()}


def found(kept: KeptHistory, step_s: int) -> Mapping[tuple[int, int], Step]:
    return {
        (key.begun_day, at): step
        for key, steps in kept.chunks.items()
        if key.step_s == step_s
        for at, step in enumerate(steps)
        if step is not None
    }


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        (MADRID, 183),
        pytest.param(MADRID, 3 * 366, marks=pytest.mark.thorough),
        pytest.param(NEPAL, 3 * 366, marks=pytest.mark.thorough),
    ],
    ids=str,
)
def test_three_years_with_gaps_restarts_and_clock_jumps_are_exactly_the_raw_values(
    zone: ZoneInfo, days: int
) -> None:
    random, kept, raw = Random(20_261_201), KeptHistory(zone), list[tuple[int, int]]()
    now_s, stored_s, ahead_s = BEGIN, BEGIN, 0
    while now_s < BEGIN + days * DAY_S:
        now_s += random.choice((300, 600, 1_800)) if random.random() > 0.001 else random.randrange(20 * DAY_S)
        if random.random() < 0.001:
            ahead_s = random.choice((0, 0, -40 * DAY_S, 70 * 365 * DAY_S, 7_200, -7_200))
        moment_s, value = now_s + ahead_s, random.randrange(-50, 20_000_000)
        kept.buffer.add("line_down", value, moment_s)
        raw.append((moment_s, value))
        is_stopping = random.random() < 0.001
        if is_stopping or not 0 <= now_s - stored_s < HOUR_S:
            stored_s = now_s
            kept.store(moment_s)
        if is_stopping:
            kept.restart()
        if random.random() < 0.02:
            kept.pack()
    kept.store(now_s)
    kept.restart()
    kept.pack()
    for step_s in ROLL_UPS:
        assert expected(raw, step_s, zone) == found(kept, step_s)


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(-3, 30), st.integers(-90 * DAY_S, 90 * DAY_S)),
            st.tuples(st.sampled_from(["store", "pack", "restart"]), st.just(0), st.integers(-5, 5)),
        ),
        max_size=60,
    )
)
def test_whatever_the_order_each_value_is_counted_once(steps: list[tuple[str, int, int]]) -> None:
    kept, raw = KeptHistory(NEPAL), list[tuple[int, int]]()
    for do, value, moved_s in steps:
        if do == "add":
            kept.buffer.add("guests", value, BEGIN + moved_s)
            raw.append((BEGIN + moved_s, value))
        else:
            kept.store(BEGIN + moved_s)
        if do == "restart":
            kept.restart()
        if do == "pack":
            kept.pack()
    kept.store(BEGIN)
    kept.restart()
    kept.pack()
    for step_s in ROLL_UPS:
        assert expected(raw, step_s, NEPAL) == found(kept, step_s)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2027, 3, 28), 23), (date(2027, 10, 31), 25), (date(2027, 5, 1), 24)]
)
def test_a_day_is_a_civil_day_and_has_23_or_25_hours_when_the_clocks_change(day: date, hours: int) -> None:
    begin_s = day_begins(day, MADRID)
    assert [begin_s, begin_s + hours * HOUR_S] == list(
        step_begins(DAY_S, begin_s, begin_s + hours * HOUR_S + 1, MADRID)
    )
    chunks = dict[ChunkKey, Steps]()
    for hour in range(-2, 28):
        steps = Steps(HOUR_STEPS)
        steps.put(0, Step(1, 1, 1, 1))
        add_hour(chunks, begin_s + hour * HOUR_S, {"admissions": steps}, MADRID)
    of_month = chunks[ChunkKey(DAY_S, (date(day.year, day.month, 1) - date(1970, 1, 1)).days, "admissions")]
    assert Step(hours, hours, 1, 1) == of_month.get(day.day - 1)


def test_a_midnight_that_the_clocks_skip_is_the_moment_at_which_they_do() -> None:
    day = date(2027, 3, 28)
    begin_s = day_begins(day, BEIRUT)
    assert "2027-03-28T01:00:00+03:00" == datetime.fromtimestamp(begin_s, BEIRUT).isoformat()
    assert 23 * HOUR_S == day_begins(date(2027, 3, 29), BEIRUT) - begin_s


def test_an_hour_is_in_two_days_where_midnight_is_not_at_a_full_hour() -> None:
    midnight = day_begins(date(2027, 5, 2), NEPAL)
    hour_s = midnight // HOUR_S * HOUR_S
    steps = Steps(HOUR_STEPS)
    for at in range(HOUR_STEPS):
        steps.put(at, Step(1, at, at, at))
    chunks = dict[ChunkKey, Steps]()
    add_hour(chunks, hour_s, {"guests": steps}, NEPAL)
    (days,) = [each for key, each in chunks.items() if key.step_s == DAY_S]
    assert [Step(3, 3, 0, 2), Step(9, 63, 3, 11)] == list(days)[:2]
    assert 15 * 60 == midnight - hour_s


@given(
    st.sampled_from([MADRID, NEPAL, BEIRUT]),
    st.sampled_from(sorted(ROLL_UPS)),
    st.integers(-400 * DAY_S, 400 * DAY_S),
    st.integers(0, 3 * DAY_S),
)
def test_keys_of_steps_are_those_of_their_begins(
    zone: ZoneInfo, step_s: int, moved_s: int, length_s: int
) -> None:
    begin_s, end_s = BEGIN + moved_s, BEGIN + moved_s + length_s
    keys = [step_key(step_s, each, zone) for each in step_begins(step_s, begin_s, end_s, zone)]
    assert keys == list(step_keys(step_s, begin_s, end_s, zone))


def test_steps_touch_the_whole_stretch_and_none_is_missing() -> None:
    assert [0, 300, 600] == list(step_begins(FIVE_MINUTES_S, 299, 601, MADRID))
    assert [] == list(step_begins(DAY_S, 100, 100, MADRID))


def test_a_clock_far_ahead_costs_one_chunk_and_not_three_years() -> None:
    today, years = 20_000, range(20_000 - 36 * 30, 20_001, 30)
    ahead = (today + 70 * 365,)
    assert ahead == to_forget([*years, *ahead], 37, today)
    assert (years[0],) == to_forget([*years, *ahead], 37, ahead[0])
    assert () == to_forget(years, 37, 0)


@given(st.dates(date(1971, 1, 1), date(2099, 12, 31)))
def test_three_years_are_always_stored_as_days(today: date) -> None:
    months = to_forget_months(today)
    assert (today - timedelta(seconds=LONGEST_S)).replace(day=1) not in months


def to_forget_months(today: date) -> list[date]:
    """Of the last ten years, the months that are no longer kept."""
    begun = [date(today.year - 10 + month // 12, month % 12 + 1, 1) for month in range(132)]
    days = {(each - date(1970, 1, 1)).days: each for each in begun if each <= today}
    forgotten = to_forget(days, ROLL_UPS[DAY_S].chunks_max, (today - date(1970, 1, 1)).days)
    return [days[each] for each in forgotten]

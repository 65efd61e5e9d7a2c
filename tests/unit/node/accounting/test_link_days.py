"""What a link carried, day by day: nothing is lost or invented, and a node is named only if its pages cannot be true."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.link_days import (
    DAYS_KEPT,
    LESS_BYTES,
    NODES_MAX,
    NOTHING_CARRIED,
    TEXT_CHARS_MAX,
    TOLERANCE_BYTES,
    Carried,
    LinkDay,
    LinkLog,
    LinkUse,
    LocalHour,
    NeighbourReading,
    carried_on,
    from_text,
    link_uses,
    most_sent,
    said_on,
    to_text,
    verdict_of,
)
from node.units import Bytes, MacAddress, NodeId, Usage

HILL, COAST = NodeId("h" * 52), NodeId("k" * 52)
MAC, OTHER = MacAddress("02:00:00:00:00:01"), MacAddress("02:00:00:00:00:02")
FIRST = date(2026, 11, 20)
GIB = 2**30
volumes = st.integers(0, 10**12)


def day(number: int) -> str:
    return str(FIRST + timedelta(days=number))


def after(log: LinkLog, at: tuple[int, int], sent: int, received: int = 0, **more: object) -> LinkLog:
    """One more reading, on day `at[0]` in hour `at[1]`, of the hill on one address."""
    addresses = more.get("addresses", {HILL: [MAC]})
    counted = {MAC: Carried(sent, received), OTHER: Carried(7 * sent, 0)}
    reading = NeighbourReading(str(more.get("counters_id", "1")), counted)
    ours = dict.fromkeys(more.get("ours", (HILL,)), str(more.get("since", "")))  # type: ignore[call-overload]
    return carried_on(log, reading, addresses, LocalHour(day(at[0]), at[1]), ours)  # type: ignore[arg-type]


def whole_days(sent: list[int], **more: object) -> LinkLog:
    """Each of these days was counted from its beginning, with all of it at noon, and so was the one before the first."""
    log, total = after(after(NOTHING_CARRIED, (-1, 23), 0, **more), (0, 0), 0, **more), 0
    log = after(log, (0, 23), 0, **more)
    for number, amount in enumerate(sent, start=1):
        for hour, part in ((0, 0), (12, amount), (23, 0)):
            total += part
            log = after(log, (number, hour), total, **more)
    return log


def said(log: LinkLog, down: dict[int, int], up: int = 0) -> LinkLog:
    by_day = {day(number): Usage(Bytes(amount), Bytes(up)) for number, amount in down.items()}
    return said_on(log, {HILL: by_day})


def verdict(log: LinkLog, number: int) -> str:
    return verdict_of(log.days[HILL], day(number))


def two_days_on(log: LinkLog, number: int, **more: object) -> LinkLog:
    """Two days later nothing more was carried: the day with this number can be judged."""
    sent = log.booked[MAC].sent
    for at in ((number, 23), (number + 1, 0), (number + 1, 23), (number + 2, 0)):
        log = after(log, at, sent, **more)
    return log


@given(st.lists(st.tuples(st.integers(0, 23), volumes, volumes), min_size=1, max_size=40))
def test_what_was_counted_since_the_first_reading_is_in_the_days_and_nothing_else(
    steps: list[tuple[int, int, int]],
) -> None:
    log, sent, received, hour = after(NOTHING_CARRIED, (0, 0), 5, 9), 5, 9, 0
    for passed, more_sent, more_received in steps:
        hour, sent, received = hour + passed % 3, sent + more_sent, received + more_received
        if hour >= 24 * DAYS_KEPT:
            break
        log = after(log, divmod(hour, 24), sent, received)
    kept = log.days[HILL].values()
    skipped = sum(each.hindered == "gap" for each in kept) > 1
    assert skipped or sum(each.sent for each in kept) == log.booked[MAC].sent - 5
    assert skipped or sum(each.received for each in kept) == log.booked[MAC].received - 9


@given(st.lists(volumes, min_size=2, max_size=4), st.data())
def test_a_node_that_says_at_most_what_came_is_never_named(sent: list[int], data: st.DataObject) -> None:
    log = whole_days(sent)
    down = {number: data.draw(st.integers(0, amount)) for number, amount in enumerate(sent, start=1)}
    log = said(two_days_on(log, len(sent)), down, up=data.draw(volumes))
    assert all(verdict(log, number) in {"agrees", "less"} for number in down)
    (use,) = link_uses(log)
    assert use.verdict != "more"
    assert (sum(sent), sum(down.values())) == (use.sent, use.said_down)


@given(volumes, st.integers(1, 10**12))
def test_a_node_that_says_more_than_the_tolerance_above_what_came_is_named(sent: int, more: int) -> None:
    log = two_days_on(whole_days([0, sent, 0]), 3)
    limit = most_sent(log.days[HILL], day(2))
    assert limit == sent + sent // 10 + TOLERANCE_BYTES
    assert "more" != verdict(said(log, {2: limit}), 2)
    found = said(log, {2: limit + more})
    assert "more" == verdict(found, 2)
    (use,) = link_uses(found)
    assert ("more", day(2)) == (use.verdict, use.worst_day)


@pytest.mark.parametrize("booked_on", [1, 2, 3])
def test_a_clock_in_another_time_zone_or_hours_off_makes_nobody_a_liar(booked_on: int) -> None:
    """The other node downloads a lot at night, and calls that the day before or after, or this one."""
    log = two_days_on(whole_days([0, 90 * GIB, 0]), 3)
    assert "agrees" == verdict(said(log, {booked_on: 90 * GIB}), booked_on)
    assert {"agrees"} == {verdict(said(log, {booked_on: 90 * GIB}), each) for each in (1, 2, 3)}
    assert "more" == verdict(said(log, {booked_on: 120 * GIB}), booked_on)


def test_a_day_is_judged_when_it_and_its_neighbours_are_over() -> None:
    """The page about its line, or what it says of the night, may come hours later."""
    log = said(whole_days([0, 0, 0]), {1: 90 * GIB, 2: 90 * GIB})
    assert ["more", "gap", "gap"] == [verdict(log, number) for number in (1, 2, 3)]
    assert "more" == verdict(after(log, (4, 0), 0), 2)


@pytest.mark.parametrize("left_out", [0, 2])
def test_nothing_follows_beside_a_day_that_was_not_counted(left_out: int) -> None:
    log = said(two_days_on(whole_days([0]), 1), {1: 90 * GIB})
    assert "more" == verdict(log, 1)
    days = {name: each for name, each in log.days[HILL].items() if name != day(left_out)}
    assert "gap" == verdict_of(days, day(1))


def test_a_day_that_was_left_early_is_not_whole() -> None:
    """The node was off in the evening, while packets still passed."""
    log = after(after(whole_days([5]), (2, 0), 5), (2, 15), 9)
    assert "" == log.days[HILL][day(2)].hindered
    log = after(log, (3, 9), 99)
    assert ["", "gap", "gap"] == [log.days[HILL][day(each)].hindered for each in (1, 2, 3)]


def test_another_address_may_have_been_in_use_since_the_day_before() -> None:
    log = after(after(whole_days([5]), (2, 0), 5), (2, 5), 5, addresses={HILL: [OTHER]})
    assert ["gap", "gap"] == [log.days[HILL][day(each)].hindered for each in (1, 2)]


def test_a_clock_that_went_back_over_midnight_and_on_makes_nobody_a_liar() -> None:
    log = after(after(whole_days([5]), (2, 0), 5), (2, 15), 80 * GIB)
    for at in ((1, 23), (2, 0), (2, 16)):
        log = after(log, at, 80 * GIB)
    log = said(two_days_on(log, 2), {2: 80 * GIB})
    assert "gap" == verdict(log, 2)


def test_a_node_that_used_another_line_is_not_judged_on_the_days_until_then() -> None:
    """The page that says so comes when it uses this line again."""
    log = whole_days([0, 0, 0, 0])
    assert ["line", "line", "", ""] == [
        after(log, (5, 0), 0, since=day(2)).days[HILL][day(each)].hindered for each in (1, 2, 3, 4)
    ]
    assert ["", "line", "line"] == [
        after(log, (5, 0), 0, ours=()).days[HILL][day(each)].hindered for each in (3, 4, 5)
    ]


def test_what_cannot_be_stored_as_it_is_said_does_not_lose_the_log() -> None:
    log = said(whole_days([5]), {1: 2**70}, up=2**70)
    assert log == from_text(to_text(log))


def test_uploads_are_not_compared_because_a_queue_may_drop_them_after_they_were_counted() -> None:
    assert "agrees" == verdict(said(two_days_on(whole_days([1]), 1), {1: 0}, up=10**12), 1)


def test_much_more_that_was_sent_is_shown_and_contradicts_nothing() -> None:
    log = whole_days([8 * GIB, 0, 13 * GIB, LESS_BYTES])
    log = said(two_days_on(log, 4), {1: GIB, 2: 0, 3: 4 * GIB, 4: 0})
    assert ["less", "agrees", "agrees"] == [verdict(log, number) for number in (1, 3, 4)]
    (use,) = link_uses(log)
    assert ("less", day(1)) == (use.verdict, use.worst_day)


@pytest.mark.parametrize("ours", [(), (COAST,)])
def test_nothing_follows_for_a_node_that_may_have_a_line_of_its_own(ours: tuple[NodeId, ...]) -> None:
    log = said(whole_days([1], ours=ours), {1: 50 * GIB})
    assert "line" == verdict(log, 1)
    assert "line" == link_uses(log)[0].verdict


def test_one_look_without_that_statement_is_enough_for_a_day_and_its_neighbours() -> None:
    log = said(whole_days([1, 1, 1, 1]), {1: 50 * GIB, 2: 50 * GIB})
    assert ["more", "more"] == [verdict(log, number) for number in (1, 2)]
    log = after(after(log, (4, 23), 4, ours=()), (5, 0), 4)
    assert ["more", "line", "line"] == [verdict(log, number) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    "break_of",
    [
        pytest.param(lambda log: after(log, (2, 6), 10, counters_id="2"), id="the counters began again"),
        pytest.param(lambda log: after(log, (2, 6), 3), id="a counter fell"),
        pytest.param(lambda log: after(log, (2, 6), 10, addresses={HILL: [OTHER]}), id="another address"),
        pytest.param(lambda log: after(log, (2, 6), 10, addresses={HILL: [MAC, OTHER]}), id="a second one"),
    ],
)
def test_nothing_follows_from_a_day_that_was_not_counted_as_a_whole(break_of) -> None:  # type: ignore[no-untyped-def]
    log = after(whole_days([5]), (2, 0), 5)
    log = break_of(log)
    assert "gap" == log.days[HILL][day(2)].hindered
    assert "gap" == verdict(said(log, {2: 50 * GIB}), 2)


def test_a_day_is_whole_only_if_it_was_looked_at_shortly_before_and_after_midnight() -> None:
    def hindered(log: LinkLog, number: int) -> str:
        return log.days[HILL][day(number)].hindered

    assert "gap" == hindered(after(after(NOTHING_CARRIED, (0, 20), 0), (1, 0), 1), 1)
    assert "gap" == hindered(after(whole_days([1]), (2, 1), 1), 2)
    assert "gap" == hindered(after(whole_days([1]), (3, 0), 1), 3)
    assert "" == hindered(after(whole_days([1]), (2, 0), 1), 2)


def test_a_restart_goes_on_from_what_was_stored() -> None:
    log = after(from_text(to_text(after(whole_days([5]), (2, 0), 5))), (2, 9), 105, addresses={})
    assert (100, "") == (log.days[HILL][day(2)].sent, log.days[HILL][day(2)].hindered)


def test_an_address_of_a_node_and_of_one_behind_it_counts_for_the_one_that_uses_this_line() -> None:
    """The coast is behind the hill, which translates its addresses."""
    both = {HILL: [MAC], COAST: [MAC]}
    assert {HILL: (MAC,)} == after(NOTHING_CARRIED, (0, 0), 1, addresses=both).addresses
    assert {} == after(NOTHING_CARRIED, (0, 0), 1, addresses=both, ours=()).addresses


def test_an_address_of_two_nodes_that_say_the_same_counts_for_neither() -> None:
    both = {HILL: [MAC], COAST: [MAC, OTHER]}
    log = after(NOTHING_CARRIED, (0, 0), 1, addresses=both, ours=(HILL, COAST))
    assert {COAST: (OTHER,)} == log.addresses
    assert {COAST} == log.days.keys()


def test_without_counters_nothing_changes() -> None:
    log = whole_days([5])
    nothing = carried_on(log, NeighbourReading("", {}), {HILL: [MAC]}, LocalHour(day(3), 0), {HILL: ""})
    assert log == nothing


def test_the_last_days_and_a_limited_number_of_nodes_are_kept() -> None:
    log = whole_days([1] * 20)
    assert [day(number) for number in range(21 - DAYS_KEPT, 21)] == sorted(log.days[HILL])
    many = {NodeId(f"{number:052}"): [MacAddress(f"{number}")] for number in range(NODES_MAX + 9)}
    crowded = after(log, (21, 0), 9, addresses=many)
    assert NODES_MAX == len(crowded.addresses) == len(crowded.days)
    back = after(log, (2, 0), 20)
    assert {day(2)} == back.days[HILL].keys(), "days of a clock that was wrong are gone"


def test_a_node_that_is_no_neighbour_any_longer_is_forgotten_with_its_last_traffic() -> None:
    log = whole_days([5])
    for number in range(2, 1 + DAYS_KEPT):
        log = after(log, (number, 12), 5, addresses={})
        assert HILL in log.days
    log = after(log, (1 + DAYS_KEPT, 12), 5, addresses={})
    assert ({}, {}, {}) == (log.days, log.addresses, log.booked)


def test_pages_of_days_that_are_not_counted_are_left_out() -> None:
    assert whole_days([1]) == said(whole_days([1]), {9: 5})
    assert NOTHING_CARRIED == said(NOTHING_CARRIED, {1: 5})


link_days = st.builds(LinkDay, volumes, volumes, volumes, volumes, st.sampled_from(["", "gap", "line"]))
iso_days = st.dates().map(str)
macs = st.integers(0, 9).map(lambda number: MacAddress(f"02:00:00:00:00:{number:02}"))
nodes = st.sampled_from([HILL, COAST])
logs = st.builds(
    LinkLog,
    st.text(max_size=9),
    iso_days,
    st.integers(0, 23),
    st.dictionaries(nodes, st.lists(macs, max_size=3).map(tuple), max_size=2),
    st.dictionaries(macs, st.builds(Carried, volumes, volumes), max_size=4),
    st.dictionaries(nodes, st.dictionaries(iso_days, link_days, max_size=DAYS_KEPT), max_size=2),
)


@given(logs)
def test_what_is_written_is_read_again(log: LinkLog) -> None:
    assert log == from_text(to_text(log))


@given(
    st.text(max_size=50)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=15,
    ).map(json.dumps)
)
def test_any_other_text_is_an_empty_log(text: str) -> None:
    assert isinstance(from_text(text), LinkLog)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * (TEXT_CHARS_MAX + 1),
        "[]",
        '["1","2026-11-20",-1,{},{},{}]',
        '["1","today",1,{},{},{}]',
        '["1","2026-11-20",1,{},{"m":[1,true]},{}]',
        '["1","2026-11-20",1,{},{},{"n":{"2026-11-20":[1,2,3,4,"why"]}}]',
        '["1","2026-11-20",1,{},{},{"n":{"2026-11-20":[1,2,3,"gap"]}}]',
    ],
)
def test_a_damaged_text_is_an_empty_log(text: str) -> None:
    assert NOTHING_CARRIED == from_text(text)


def test_a_full_log_can_be_read_again() -> None:
    kept = {day(number): LinkDay(*[2**59] * 4, "line") for number in range(DAYS_KEPT)}
    ids = [NodeId(f"{number:052}") for number in range(NODES_MAX)]
    addresses = {
        node: tuple(MacAddress(f"02:00:00:{at:02}:{n:02}:00") for n in range(4))
        for at, node in enumerate(ids)
    }
    booked = {mac: Carried(2**59, 2**59) for of_node in addresses.values() for mac in of_node}
    log = LinkLog("2147483647", day(0), 23, addresses, booked, dict.fromkeys(ids, kept))
    assert log == from_text(to_text(log))


def test_the_gravest_day_stands_for_a_link() -> None:
    log = said(whole_days([0, 0, 0, 0]), {2: 50 * GIB})
    (use,) = link_uses(log)
    assert ("more", day(2)) == (use.verdict, use.worst_day)
    (first,) = link_uses(after(after(log, (4, 23), 0), (5, 0), 0, ours=()))
    assert ("more", day(2)) == (first.verdict, first.worst_day)
    kept = {day(0): LinkDay(hindered="gap"), day(1): LinkDay(hindered="line"), day(2): LinkDay(hindered="")}
    assert "line" == LinkUse(HILL, kept).verdict

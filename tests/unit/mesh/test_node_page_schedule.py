"""When a node page is published: not for what wavers, soon for what matters, and never more often than the pace."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mesh.node_kind import NodeFacts, NodeLink
from mesh.node_page_schedule import MESH_PACE_S, REST_S_MIN, SAVED_MAX, SETTLE_S, NodePageSchedule
from tests.fakes.neighbours import id_of

HILL = id_of("hill")
FACTS = NodeFacts("valley", uplink=("main", "up"), load_percent=25, links=(NodeLink(HILL, 20, 0),))
LOUDER = replace(FACTS, links=(NodeLink(HILL, 50, 0),))
DOWN = replace(FACTS, uplink=("main", "down"))


def published(
    before: NodeFacts | None, said: list[NodeFacts], *, every_s: float = 10.0, nodes: int = 3
) -> list[float]:
    """When pages were published by a node that is asked every `every_s` seconds and says these one after the other."""
    schedule, found = NodePageSchedule(), []
    for number, facts in enumerate(said):
        if schedule.is_due(before, facts, number * every_s, nodes):
            before = facts
            found.append(number * every_s)
    return found


def test_the_first_page_and_what_matters_come_after_a_minute() -> None:
    assert [SETTLE_S] == published(None, [FACTS] * 60)
    assert [SETTLE_S] == published(FACTS, [DOWN] * 60)
    assert [SETTLE_S] == published(FACTS, [replace(FACTS, links=())] * 60)


def test_nothing_is_published_while_nothing_changes_but_the_time() -> None:
    assert [] == published(FACTS, [replace(FACTS, made_s=number) for number in range(1_000)])


def test_what_is_gone_within_a_minute_is_not_published() -> None:
    assert [] == published(FACTS, [DOWN, DOWN, DOWN, DOWN, DOWN, FACTS] * 100)


def test_measured_values_wait_until_nothing_else_was_published_for_long() -> None:
    assert [SETTLE_S] == published(FACTS, [LOUDER] * 30)
    after_another = published(FACTS, [DOWN] * 10 + [replace(DOWN, load_percent=75)] * 200)
    assert SETTLE_S == after_another[0]
    assert REST_S_MIN <= after_another[1] - after_another[0]
    assert after_another[1] - after_another[0] <= max(REST_S_MIN, 3 * MESH_PACE_S) + 20


@given(
    st.lists(st.sampled_from([FACTS, LOUDER, DOWN]), max_size=300),
    st.integers(1, 1_000),
    st.integers(1, 2_000),
)
def test_no_change_makes_a_node_exceed_its_pace(said: list[NodeFacts], nodes: int, every_s: int) -> None:
    times = published(None, said, every_s=float(every_s), nodes=nodes)
    rest_s = max(REST_S_MIN, MESH_PACE_S * nodes)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= SAVED_MAX + (times[last] - times[first]) / rest_s + 1e-6


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    schedule, before, count = NodePageSchedule(), FACTS, 0
    for number in range(1_000):
        facts = DOWN if before is FACTS else FACTS
        if schedule.is_due(before, facts, 1_000.0 + 61 * (number % 2), 1):
            before, count = facts, count + 1
    assert count <= SAVED_MAX + 1_000 * 61 / REST_S_MIN

"""The neighbour that leads to each node by the fewest connections."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.node_routes import first_hops
from node.units import NodeId

OWN, A, B, C, D = map(NodeId, "oabcd")


def test_a_node_is_reached_over_the_neighbour_that_is_nearest_to_it() -> None:
    said = {OWN: {A, B}, A: {OWN, C}, B: {OWN, D}, C: {A, D}, D: {B, C}}
    assert {A: A, B: B, C: A, D: B} == first_hops(OWN, [A, B], said)


def test_a_connection_that_only_one_end_names_leads_nowhere() -> None:
    assert {A: A} == first_hops(OWN, [A], {A: {OWN, B}, B: set()})


def test_nothing_is_reached_over_a_neighbour_that_takes_no_part() -> None:
    said = {OWN: {A, B}, A: {OWN, C}, B: {OWN}, C: {A}}
    assert {B: B} == first_hops(OWN, [B], said)


names = st.sampled_from([NodeId(each) for each in "oabcdefg"])


@given(st.lists(st.tuples(names, names), max_size=20), st.frozensets(names, max_size=4))
def test_every_step_is_a_neighbour_from_which_the_node_can_be_reached(
    pairs: list[tuple[NodeId, NodeId]], neighbours: frozenset[NodeId]
) -> None:
    said: dict[NodeId, set[NodeId]] = {}
    for one, other in pairs:
        said.setdefault(one, set()).add(other)
        said.setdefault(other, set()).add(one)
    found = first_hops(OWN, neighbours, said)
    assert OWN not in found
    assert set(found.values()) <= neighbours
    for node, hop in found.items():
        reached, waiting = {hop}, [hop]
        while waiting:
            fresh = said.get(waiting.pop(), set()) - reached - {OWN}
            reached |= fresh
            waiting += fresh
        assert node in reached

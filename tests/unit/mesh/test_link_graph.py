"""Groups of nodes that reach each other without this one."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mesh.link_graph import groups_without
from node.units import NodeId

A, B, C, D, OWN = map(NodeId, "abcdo")


def test_without_this_node_its_neighbours_may_fall_into_groups() -> None:
    said = {A: {B, OWN}, B: {A}, C: {D, OWN}, D: {C}, OWN: {A, C}}
    assert {A: A, B: A, C: C, D: C} == groups_without(OWN, said)


def test_a_connection_that_only_one_end_names_is_gone() -> None:
    assert {A: A, B: B} == groups_without(OWN, {A: {B}, B: set()})
    assert {A: A} == groups_without(OWN, {A: {B}})


def test_nothing_is_known_at_first() -> None:
    assert {} == groups_without(OWN, {}) == groups_without(OWN, {OWN: {A}})


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20), st.integers(0, 9))
def test_two_nodes_are_of_one_group_exactly_if_a_path_joins_them(
    pairs: set[tuple[int, int]], own: int
) -> None:
    said: dict[NodeId, set[NodeId]] = {NodeId(str(number)): set() for number in range(10)}
    for left, right in pairs:
        said[NodeId(str(left))].add(NodeId(str(right)))
        said[NodeId(str(right))].add(NodeId(str(left)))
    found = groups_without(NodeId(str(own)), said)
    assert found.keys() == said.keys() - {NodeId(str(own))}
    for start in found:
        reached, waiting = {start}, [start]
        while waiting:
            fresh = (said[waiting.pop()] & found.keys()) - reached
            reached |= fresh
            waiting += fresh
        assert {found[each] for each in reached} == {min(reached)}
    assert all(found[a] == found[b] for a, b in itertools.product(found, found) if b in said[a])

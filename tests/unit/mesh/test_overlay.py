"""Many nodes that choose their connections at once: never more than eight each, one mesh, and then no change."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.link_selection import (
    ISOLATED_AGAIN,
    KEPT_AT_LEAST,
    LINKS_MAX,
    PLAIN_KEPT_AT_LEAST,
    Call,
    LinkSelection,
)
from mesh.link_table import LinkEnd
from mesh.overlay import FULL, LinkIntroduced, Overlay
from node.units import Monotonic, NodeId
from tests.examples import examples
from tests.fakes.overlay_simulator import OverlaySimulator, simulated_id

QUIET_S = 40.0


def assert_settled(mesh: OverlaySimulator) -> None:
    """One mesh within the limit, whose connections stay as they are."""
    assert 1 == len(mesh.pieces())
    assert mesh.most <= LINKS_MAX
    edges, changes = mesh.edges(), mesh.changes
    mesh.run(QUIET_S)
    assert (edges, changes) == (mesh.edges(), mesh.changes)


@pytest.mark.parametrize("count", [2, 9, 10, 60, pytest.param(200, marks=pytest.mark.thorough)])
def test_a_flat_segment_becomes_one_mesh_and_stays_as_it_is(count: int) -> None:
    mesh = OverlaySimulator(count, seed=count)
    mesh.see_all(range(count))
    mesh.run(60)
    assert_settled(mesh)


@pytest.mark.thorough
def test_two_hundred_nodes_are_one_mesh_after_a_third_of_them_vanished() -> None:
    mesh = OverlaySimulator(200, seed=5)
    mesh.see_all(range(200))
    mesh.run(40)
    for number in mesh.chance.sample(range(200), 66):
        mesh.stop(number)
    mesh.run(120)
    assert_settled(mesh)


def test_two_fully_connected_segments_that_are_joined_become_one_mesh() -> None:
    mesh = OverlaySimulator(40, seed=3)
    mesh.see_all(range(20))
    mesh.see_all(range(20, 40))
    mesh.run(60)
    assert 2 == len(mesh.pieces())
    mesh.see_all(range(40))
    mesh.run(60)
    assert_settled(mesh)


def test_a_new_node_gets_in_where_all_others_are_full() -> None:
    mesh = OverlaySimulator(9, seed=3)
    mesh.see_all(range(9))
    mesh.run(30)
    assert [LINKS_MAX] * 9 == [len(node.neighbours()) for node in mesh.nodes]
    mesh.add()
    mesh.see_all(range(10))
    mesh.run(30)
    assert_settled(mesh)


def test_a_configured_neighbour_on_another_segment_joins_both_although_all_are_full() -> None:
    mesh = OverlaySimulator(18, seed=3, configured={0: {9}})
    mesh.see_all(range(9))
    mesh.see_all(range(9, 18))
    mesh.run(30)
    assert 2 == len(mesh.pieces())
    mesh.report(0, simulated_id(9), "")
    mesh.run(60)
    assert frozenset((0, 9)) in mesh.edges()
    assert_settled(mesh)


def all_configured(count: int) -> OverlaySimulator:
    """Nodes that all name each other in their configuration, and see nothing yet."""
    return OverlaySimulator(
        count, seed=count, configured={number: set(range(count)) - {number} for number in range(count)}
    )


def test_a_node_gets_back_in_where_all_others_are_configured_and_full() -> None:
    mesh = all_configured(10)
    mesh.see_all(range(9), "")
    mesh.run(90)
    assert [LINKS_MAX] * 9 == [len(node.neighbours()) for node in mesh.nodes[:9]]
    mesh.see_all(range(10), "")
    mesh.run(600)
    assert_settled(mesh)


@pytest.mark.thorough
def test_two_segments_of_configured_nodes_that_are_all_full_become_one_mesh() -> None:
    mesh = all_configured(18)
    mesh.see_all(range(9), "")
    mesh.see_all(range(9, 18), "")
    mesh.run(90)
    assert 2 == len(mesh.pieces())
    mesh.see_all(range(18), "")
    mesh.run(600)
    assert_settled(mesh)


def test_a_node_with_more_tunnels_than_places_serves_all_in_turn() -> None:
    """Each of the others is alone on its interface, and sees nobody else."""
    mesh = OverlaySimulator(13, seed=1)
    for number in range(1, 13):
        mesh.see(0, number, f"wg{number}")
    met = set[str]()
    for _ in range(10 * KEPT_AT_LEAST // 1_000):
        mesh.run(1)
        met |= mesh.nodes[0].neighbours()
    assert 12 == len(met)
    assert mesh.most <= LINKS_MAX


def test_where_all_see_only_one_node_they_take_turns() -> None:
    mesh = OverlaySimulator(21, seed=1)
    for number in range(1, 21):
        mesh.see(0, number)
    met = set[str]()
    for _ in range(15 * KEPT_AT_LEAST // 1_000):
        mesh.run(1)
        met |= mesh.nodes[0].neighbours()
    assert 20 == len(met)
    assert mesh.most <= LINKS_MAX


@pytest.mark.parametrize("count", [16, pytest.param(40, marks=pytest.mark.thorough)])
def test_a_segment_with_nodes_of_earlier_versions_is_one_mesh(count: int) -> None:
    """Those call everyone again and again, and have no limit."""
    mesh = OverlaySimulator(count, seed=1)
    mesh.see_all(range(count))
    for number in range(0, count, 2):
        mesh.nodes[number].is_plain = True
    mesh.run(60)
    assert 1 == len(mesh.pieces())
    changes = mesh.changes
    mesh.run(PLAIN_KEPT_AT_LEAST / 1_000)
    assert mesh.changes - changes <= 8 * count // 2, (
        "at most one place in five minutes changes at a node, and both ends"
    )
    assert 1 == len(mesh.pieces())
    assert mesh.most <= LINKS_MAX


@settings(max_examples=examples(4, few=2), deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["refuses", "vanishes", "false reports"]))
def test_hostile_nodes_take_no_connection_that_the_others_need(seed: int, how: str) -> None:
    """Two of thirty refuse everyone, or accept and vanish, or report a thousand nodes that are not there."""
    mesh = OverlaySimulator(30, seed)
    mesh.see_all(range(30))
    mesh.run(30)
    honest = range(2, 30)
    before = {edge for edge in mesh.edges() if edge <= set(honest)}
    if how == "refuses":
        mesh.nodes[0].refuses = mesh.nodes[1].refuses = True
    for number in (0, 1) if how != "false reports" else ():
        mesh.stop(number)
    if how == "refuses":
        mesh.nodes[0].is_up = mesh.nodes[1].is_up = True
    if how == "false reports":
        fakes = [simulated_id(1_000 + number) for number in range(1_000)]
        for number in honest:
            for fake in fakes:
                mesh.report(number, fake, "lan")
            for other in honest:
                if other != number:
                    mesh.report(number, simulated_id(other), "radio")
    mesh.run(60)
    gone = before - mesh.edges()
    assert not gone or how != "false reports"
    assert mesh.most <= LINKS_MAX
    for number in (0, 1):
        mesh.stop(number)
    mesh.run(60)
    assert 1 == len(mesh.pieces())


@settings(max_examples=examples(10, few=5), deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 7))
def test_in_any_mesh_where_nobody_sees_more_than_eight_all_are_connected(seed: int, degree: int) -> None:
    """Any graph, and nodes that come late."""
    chance = random.Random(seed)
    mesh = OverlaySimulator(30, seed)
    sees = [set[int]() for _ in range(30)]
    for number in range(1, 30):
        before = [other for other in range(number) if len(sees[other]) < degree]
        for other in chance.sample(before, min(len(before), chance.randint(1, 2))):
            if len(sees[number]) < degree:
                sees[number].add(other)
                sees[other].add(number)
                mesh.see(number, other, chance.choice(["lan", "radio"]))
        mesh.run(chance.random())
    mesh.run(30)
    seen = {frozenset((a, b)) for a in range(30) for b in sees[a]}
    assert seen == mesh.edges()
    changes = mesh.changes
    mesh.run(QUIET_S)
    assert changes == mesh.changes


@settings(max_examples=examples(5, few=3), deadline=None)
@given(st.integers(0, 2**32))
def test_nodes_that_come_and_go_in_any_order_end_as_one_mesh(seed: int) -> None:
    chance = random.Random(seed)
    mesh = OverlaySimulator(12, seed)
    mesh.see_all(range(12))
    for _ in range(12):
        mesh.run(chance.uniform(0, 10))
        if chance.random() < 0.4:
            mesh.stop(chance.randrange(len(mesh.nodes)))
        else:
            mesh.add()
            mesh.see_all(range(len(mesh.nodes)))
    mesh.run(200)
    assert 1 == len(mesh.pieces())
    assert mesh.most <= LINKS_MAX
    edges = mesh.edges()
    mesh.run(QUIET_S)
    # One that had no room is called again after minutes, and may have some by then.
    assert edges <= mesh.edges()


def test_a_configured_node_is_not_called_while_eight_others_of_them_are_connected() -> None:
    """Its connection would be closed at once, and opened again without end."""
    now, there = Monotonic(0), Address("10.0.0.1", 7400)
    names = [simulated_id(number) for number in range(1, 11)]
    selection = LinkSelection(simulated_id(0), b"seed", frozenset(names[:9]))
    overlay: Overlay[NodeId] = Overlay(selection, lambda _now: {})
    for node in (names[9], *names[:8]):
        assert overlay.may_call(node, there, now)
        introduced = overlay.introduce(node, LinkEnd(node, "machine", "boot", True, "", now))
        assert LinkIntroduced(closed=introduced.closed) == introduced
        assert not overlay.may_call(node, there, now)
    assert names[9] not in overlay.links
    assert not overlay.may_call(names[8], there, now)
    assert LinkIntroduced(FULL) == overlay.introduce(
        names[8], LinkEnd(names[8], "machine", "boot", True, "", now)
    )
    assert set(names[:8]) == set(overlay.links)


def test_a_copy_of_its_disk_is_heard_by_a_full_node_and_machines_with_one_key_are_one_neighbour() -> None:
    now, own = Monotonic(0), simulated_id(0)
    overlay: Overlay[str] = Overlay(LinkSelection(own, b"seed"), lambda _now: {})
    for number in range(1, 6):
        overlay.introduce(f"{number}", LinkEnd(simulated_id(number), "machine", "boot", False, "lan", now))
    for machine in ("second", "third", "fourth"):
        overlay.introduce(machine, LinkEnd(simulated_id(1), machine, "boot", False, "lan", now))
    assert LINKS_MAX == len(overlay.links)
    assert overlay.has_room(own, "lan", Call(5), now)
    assert Call(5) == overlay.call(simulated_id(9))


def test_of_the_nodes_that_answered_at_a_configured_address_the_last_one_counts_as_configured() -> None:
    """A host there may prove another key at each call."""
    there, named = Address("10.0.0.1", 7400), simulated_id(1)
    selection = LinkSelection(simulated_id(0), b"seed", frozenset({named}))
    overlay: Overlay[str] = Overlay(selection, lambda _now: {})
    for number in range(2, 100):
        overlay.found_at(there, simulated_id(number))
    assert {named, simulated_id(99)} == selection.configured
    assert {there: simulated_id(99)} == overlay.answered


def test_a_node_without_connections_tries_a_full_one_again_soon() -> None:
    overlay: Overlay[str] = Overlay(LinkSelection(simulated_id(0), b"seed"), lambda _now: {})
    full, soon = simulated_id(1), Monotonic(2 * ISOLATED_AGAIN)
    for _ in range(3):
        overlay.selection.refused(full, Monotonic(0), links=5)
    assert not overlay.may_try(full, Monotonic(0))
    assert overlay.may_try(full, soon)
    for number in range(2, 4):
        overlay.introduce(f"{number}", LinkEnd(simulated_id(number), "machine", "boot", False, "", soon))
    assert not overlay.may_try(full, soon)
    assert not overlay.may_try(simulated_id(2), soon)

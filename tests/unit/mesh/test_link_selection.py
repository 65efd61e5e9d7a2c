"""Which connections a node keeps, for any neighbours and callers: at most eight, and never the important ones for others."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.link_selection import (
    ASKED_MAX,
    FAILED_AGAIN,
    FULL_AGAIN,
    ISOLATED_AGAIN,
    KEPT_AT_LEAST,
    LASTED,
    LINKS_MAX,
    LINKS_WANTED,
    PLAIN_KEPT_AT_LEAST,
    WAITING_MAX,
    Call,
    KeptLink,
    KnownNode,
    LinkSelection,
)
from node.units import Microseconds, Monotonic, NodeId

OWN = NodeId("m")
NOW = Monotonic(10_000_000)
HAS_SOME, HAS_NONE = Call(LINKS_MAX), Call(0)


def later(milliseconds: int) -> Monotonic:
    return Monotonic(NOW + milliseconds)


def selection(*configured: str) -> LinkSelection:
    return LinkSelection(OWN, b"seed", frozenset(map(NodeId, configured)))


def link(
    node: str,
    *,
    interface: str = "lan",
    since: int = 0,
    call: Call | None = HAS_SOME,
    was_called: bool = False,
) -> KeptLink:
    return KeptLink(NodeId(node), NodeId(node), interface, Monotonic(since), call, was_called=was_called)


def known(*nodes: str, interface: str = "lan") -> dict[NodeId, KnownNode]:
    return {NodeId(node): KnownNode(NodeId(node), frozenset({interface})) for node in nodes}


FULL = [link(node, since=number) for number, node in enumerate("acegnpqr")]
"""On the ring: n comes next, g before."""
ALL = known(*"abcdefghijklnopqrstuvwxyz")


def test_everyone_is_called_where_there_are_few() -> None:
    assert set("abcdefgh") == set(selection().calls(known(*"abcdefgh"), [], (), NOW))


def test_of_many_those_beside_it_are_called_first_and_no_more_than_it_wants() -> None:
    called = selection().calls(ALL, [], (), NOW)
    assert ["n", "l"] == called[:2]
    assert LINKS_WANTED == len(called)


def test_nodes_choose_different_others() -> None:
    here, there = LinkSelection(OWN, b"here"), LinkSelection(OWN, b"there")
    assert here.calls(ALL, [], (), NOW) != there.calls(ALL, [], (), NOW)


def test_a_node_that_is_called_already_is_not_called_again_and_counts() -> None:
    first = selection().calls(ALL, [], (), NOW)
    assert [] == selection().calls(ALL, [], first, NOW)
    assert first[3:] == selection().calls(ALL, [], first[:3], NOW)


def test_after_two_at_random_the_nearest_are_called() -> None:
    near = {
        node: KnownNode(node, each.interfaces, Microseconds(900 if node == "x" else 200_000))
        for node, each in ALL.items()
    }
    at_random = set(selection().calls(ALL, [], (), NOW)[2:4])
    assert ["n", "l", *at_random, "x"] == sorted(
        selection().calls(near, [], (), NOW), key=["n", "l", *at_random, "x"].index
    )


def test_direct_neighbours_are_called_before_those_of_a_large_segment() -> None:
    called = selection().calls(ALL | known("Q", "R", "S", interface="radio"), [], (), NOW)
    assert {"Q", "R", "S"} <= set(called)


def test_each_interface_is_called_on_although_others_fill_all_places() -> None:
    called = selection().calls(ALL | known("Z", interface="radio"), FULL, (), NOW)
    assert "Z" in called


def test_a_full_node_lets_the_caller_beside_it_in_and_closes_one_that_is_not() -> None:
    admitted = selection().admit(link("k"), ALL, FULL, NOW)
    assert admitted is not None
    assert admitted.instead_of in set("acepqr") | {"g"}


def test_a_full_node_refuses_a_caller_that_has_connections() -> None:
    assert selection().admit(link("x"), ALL, FULL, NOW) is None


def test_a_caller_without_connections_takes_the_place_of_the_oldest_after_its_time() -> None:
    caller = link("x", call=HAS_NONE)
    fresh = [
        KeptLink(each.name, each.node, "lan", later(number), HAS_SOME) for number, each in enumerate(FULL)
    ]
    assert selection().admit(caller, ALL, fresh, later(KEPT_AT_LEAST - 1)) is None
    admitted = selection().admit(caller, ALL, fresh, later(KEPT_AT_LEAST + 10))
    assert admitted is not None
    assert "a" == admitted.instead_of


def test_callers_of_earlier_versions_take_turns_among_themselves() -> None:
    plain = link("b", since=NOW, call=None)
    kept = [*FULL[:1], plain, *FULL[2:]]
    soon, late = later(PLAIN_KEPT_AT_LEAST - 1), later(PLAIN_KEPT_AT_LEAST)
    caller = link("x", call=None)
    assert selection().admit(caller, ALL, kept, soon) is None
    admitted = selection().admit(caller, ALL, kept, late)
    assert admitted is not None
    assert "b" == admitted.instead_of


def test_only_so_many_callers_keep_their_place_because_they_say_they_are_configured() -> None:
    asked = [
        link(node, since=number, call=Call(3, is_configured=True)) for number, node in enumerate("acegnpqr")
    ]
    admitted = selection().admit(link("m0"), ALL, asked, NOW)
    assert admitted is not None
    assert admitted.instead_of not in set("acegnpqr"[:ASKED_MAX])


def test_a_copy_of_a_disk_takes_nobodys_place() -> None:
    copy = KeptLink(NodeId("a/copy"), NodeId("a"), "lan", NOW, HAS_NONE)
    assert selection("a").admit(copy, ALL, FULL, NOW) is None
    assert selection().admit(copy, ALL, FULL[:7], NOW) is not None


def test_a_report_moves_no_connected_node_to_another_interface() -> None:
    """Any host can say that a connected node is on the radio: the one that is there is called all the same."""
    kept = [link("n", interface="lan")]
    reports = {NodeId("n"): KnownNode(NodeId("n"), frozenset({"lan", "radio"}))} | known(
        "p", interface="radio"
    )
    assert ["p"] == selection().calls(reports, kept, (), NOW)


def test_a_node_that_failed_or_had_no_room_is_not_called_at_once_and_the_next_one_is() -> None:
    chosen = selection()
    chosen.failed(NodeId("n"), NOW)
    chosen.refused(NodeId("l"), NOW, links=3)
    assert ["o", "k"] == chosen.calls(ALL, [], (), NOW)[:2]
    assert ["n", "k"] == chosen.calls(ALL, [], (), later(2 * FAILED_AGAIN[0]))[:2]
    assert ["n", "l"] == chosen.calls(ALL, [], (), later(2 * FULL_AGAIN[0]))[:2]


def test_a_caller_without_connections_asks_again_sooner() -> None:
    chosen = selection()
    chosen.refused(NodeId("n"), NOW, links=0)
    assert not chosen.is_waiting(NodeId("n"), later(2 * ISOLATED_AGAIN))


def test_a_connection_that_lasts_clears_the_wait_and_one_that_does_not_lengthens_it() -> None:
    chosen = selection()
    for number in range(10):
        chosen.ended(NodeId("n"), NOW, later(number))
    assert chosen.is_waiting(NodeId("n"), later(FAILED_AGAIN[1] // 2))
    chosen.ended(NodeId("n"), NOW, later(LASTED))
    assert not chosen.is_waiting(NodeId("n"), later(LASTED))


def test_a_node_that_lost_its_connections_asks_soon_those_that_had_no_room() -> None:
    chosen = selection()
    for _ in range(5):
        chosen.refused(NodeId("n"), NOW, links=5)
    soon = later(2 * ISOLATED_AGAIN)
    assert "n" not in chosen.calls(ALL, FULL[:3], (), soon)
    assert "n" == chosen.calls(ALL, [], (), soon)[0]


def test_strangers_that_are_being_called_take_nobodys_place() -> None:
    strangers = [NodeId(f"stranger-{number}") for number in range(128)]
    assert selection().calls(ALL, [], (), NOW) == selection().calls(ALL, [], strangers, NOW)


def test_machines_with_one_key_count_as_one_neighbour() -> None:
    copies = [KeptLink(NodeId(f"n/{each}"), NodeId("n"), "lan", NOW, HAS_SOME) for each in range(4)]
    assert LINKS_WANTED - 1 == len(selection().calls(ALL, copies, (), NOW))


def test_a_node_without_connections_takes_turns_with_equals_where_no_other_may_leave() -> None:
    names = list("acegnpqr")
    equals = [link(node, interface=node) for node in names]
    caller = link("x", interface="x", call=HAS_NONE)
    assert selection().admit(link("x", interface="x"), ALL, equals, NOW) is None
    assert selection().admit(caller, ALL, equals, Monotonic(KEPT_AT_LEAST - 1)) is None
    assert selection().admit(caller, ALL, equals, NOW) is not None
    assert selection(*names).admit(caller, ALL, equals, NOW) is None
    different = {LinkSelection(OWN, bytes([seed])).admit(caller, ALL, equals, NOW) for seed in range(20)}
    assert 3 < len(different)


def test_the_table_of_those_that_failed_has_a_limit() -> None:
    chosen = selection()
    for number in range(3 * WAITING_MAX):
        chosen.failed(NodeId(f"n{number}"), NOW)
    assert WAITING_MAX == len(chosen._waiting)


NODES = st.sampled_from([NodeId(letter) for letter in "abcdefghijklnopqrstuvwxyz"])
CALLS = st.none() | st.builds(Call, st.integers(0, 20), st.booleans())
STEPS = st.lists(
    st.tuples(NODES, st.sampled_from(["lan", "radio", ""]), CALLS, st.booleans(), st.integers(0, 400_000)),
    max_size=80,
)


@given(STEPS, st.frozensets(NODES, max_size=10))
def test_in_any_order_of_callers_no_more_than_eight_stay_and_configured_ones_leave_for_no_others(
    steps: list[tuple[NodeId, str, Call | None, bool, int]], configured: frozenset[NodeId]
) -> None:
    chosen, kept, now = LinkSelection(OWN, b"seed", configured), dict[NodeId, KeptLink](), NOW
    for node, interface, call, was_called, wait in steps:
        now = Monotonic(now + wait)
        if node in kept:
            del kept[node]
            continue
        caller = KeptLink(node, node, interface, now, None if was_called else call, was_called=was_called)
        admitted = chosen.admit(caller, ALL, list(kept.values()), now)
        if admitted is None:
            assert LINKS_MAX == len(kept)
            assert node not in configured or set(kept) <= configured
            continue
        if admitted.instead_of is not None:
            assert admitted.instead_of not in configured or node in configured
            del kept[admitted.instead_of]
        kept[node] = caller
        assert len(kept) <= LINKS_MAX
        assert set(chosen.calls(ALL, list(kept.values()), (), now)).isdisjoint(kept)


@given(st.sets(NODES, min_size=9), NODES, st.randoms(use_true_random=False))
def test_nobody_whose_place_is_on_the_ring_leaves_for_a_caller_that_is_farther(
    nodes: set[NodeId], caller: NodeId, chance: object
) -> None:
    chosen = selection()
    kept = [link(node) for node in sorted(nodes)[:LINKS_MAX]]
    ids = {each.node for each in kept}
    after = min((node for node in ids if node > OWN), default=min(ids))
    before = max((node for node in ids if node < OWN), default=max(ids))
    admitted = chosen.admit(link(caller, call=HAS_NONE), ALL, kept, NOW)
    if caller not in ids and admitted is not None and admitted.instead_of in {after, before}:
        beside = ids | {caller}
        assert caller in {
            min((node for node in beside if node > OWN), default=min(beside)),
            max((node for node in beside if node < OWN), default=max(beside)),
        }

"""Known nodes, their addresses, and the limits of that list."""

from mesh.announcement import Address
from mesh.directory import ADDRESSES_MAX, PEERS_MAX, Directory
from mesh.peering import Closed, Dial, Dismiss, Introduced, Proved
from mesh.ports import PeerView
from node.units import Monotonic, NodeId
from tests.fakes.neighbours import id_of

HILL = id_of("hill")
NOW = Monotonic(1_000_000)
NOBODY: frozenset[NodeId] = frozenset()
MEMBERS = frozenset({HILL})


def address(number: int) -> Address:
    return Address(f"fe80::{number:x}%mesh0", 7400)


def later(seconds: int) -> Monotonic:
    return Monotonic(NOW + seconds * 1_000)


def trusted() -> Directory:
    directory = Directory()
    directory.sight(HILL, address(1), NOW)
    directory.tick(MEMBERS, NOW)
    directory.handle(HILL, Proved(True), NOW)
    directory.handle(HILL, Introduced(True), NOW)
    return directory


def test_a_newly_listed_node_is_dialled_at_once() -> None:
    assert (Dial(),) == Directory().sight(HILL, address(1), NOW)


def test_a_neighbour_is_shown_with_its_state_and_last_seen_time() -> None:
    directory = trusted()
    directory.meet(HILL, NOW).name = "Hill"
    assert (PeerView(HILL, "Hill", "trusted", (str(address(1)),), 7),) == directory.views(later(7))


def test_a_neighbour_never_seen_is_shown_as_such() -> None:
    directory = Directory()
    directory.sight(HILL, address(1), NOW)
    assert [None] == [view.heard_seconds_ago for view in directory.views(later(7))]


def test_an_unproven_address_never_replaces_the_one_that_works() -> None:
    directory = Directory()
    directory.sight(HILL, address(1), NOW)
    directory.worked(HILL, address(1))
    for number in range(2, 20):
        directory.sight(HILL, address(number), NOW)
    peer = directory.meet(HILL, NOW)
    assert address(1) == peer.addresses[0]
    assert ADDRESSES_MAX == len(peer.addresses)


def test_the_address_that_answered_is_tried_first_and_the_one_that_did_not_last() -> None:
    directory = Directory()
    for number in (1, 2, 3):
        directory.sight(HILL, address(number), NOW)
    directory.worked(HILL, address(3))
    directory.failed(HILL, address(1))
    assert [address(3), address(2), address(1)] == directory.meet(HILL, NOW).addresses


def test_strangers_are_dropped_first_and_trusted_nodes_stay() -> None:
    directory = trusted()
    for number in range(PEERS_MAX + 50):
        directory.handle(id_of(f"stranger-{number}"), Proved(False), NOW)
    assert PEERS_MAX == len(list(directory))
    assert directory.find(HILL) is not None


def test_a_neighbour_taken_off_the_list_is_dismissed_and_returns_when_listed_again() -> None:
    directory = trusted()
    [(node, effects)] = directory.tick(NOBODY, later(1))
    assert HILL == node
    assert Dismiss() in effects
    assert ["stranger"] == [view.state for view in directory.views(later(1))]
    assert [(HILL, (Dial(),))] == directory.tick(MEMBERS, later(2))


def test_a_stranger_that_left_is_forgotten_after_a_while() -> None:
    directory = Directory()
    directory.handle(HILL, Proved(False), NOW)
    directory.handle(HILL, Closed(), NOW)
    directory.tick(NOBODY, later(1_000))
    assert () == directory.views(later(1_000))


def test_no_addresses_are_learned_of_unknown_nodes() -> None:
    directory = Directory()
    directory.worked(HILL, address(1))
    directory.failed(HILL, address(1))
    assert directory.find(HILL) is None

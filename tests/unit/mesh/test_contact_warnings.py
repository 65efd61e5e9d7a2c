"""What the operator is told about nodes that cannot be reached."""

from mesh.announcement import Address, ConfiguredPeer
from mesh.contact_warnings import contact_warnings
from mesh.directory import Peer
from mesh.peering import never_met
from node.identity import human_form
from node.units import Monotonic
from tests.fakes.neighbours import id_of

HILL, VALLEY = id_of("hill"), id_of("valley")
PLACE = Address("fe80::1%mesh0", 7400)


def peer(name: str = "", *, refused_us: bool = False, listed: bool = False, other: bool = False) -> Peer:
    state = never_met(Monotonic(0))
    return Peer(HILL, state, name, refused_us=refused_us, listed=listed, other_community=other)


def test_another_node_at_a_configured_address_is_named_with_the_setting() -> None:
    (said,) = contact_warnings([ConfiguredPeer(PLACE, HILL)], {PLACE: VALLEY}, [])
    assert human_form(VALLEY) in said
    assert "mesh.peers" in said
    assert [] == list(contact_warnings([ConfiguredPeer(Address("::1", 1))], {PLACE: VALLEY}, []))


def test_a_member_that_does_not_know_this_node_is_named_and_a_stranger_is_not() -> None:
    (said,) = contact_warnings([], {}, [peer("Hill", refused_us=True, listed=True)])
    assert said.startswith("Hill ")
    assert [] == list(contact_warnings([], {}, [peer(refused_us=True)]))


def test_a_node_of_another_community_is_named_by_its_id_if_it_has_no_name() -> None:
    (said,) = contact_warnings([], {}, [peer(other=True)])
    assert said.startswith(human_form(HILL))

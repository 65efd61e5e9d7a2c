"""What the admin pages are told about the nodes of the community: states, warnings, and what neighbours say otherwise."""

from collections.abc import Sequence

import pytest

from mesh.community_changes import new_invite
from mesh.community_secret import commitment_of
from mesh.community_service import CommunityService
from mesh.invite import make_use
from mesh.page_format import canonical
from mesh.ports import PeerView
from mesh.secret_exchange import SECRETS_EXTENSION
from mesh.signed_statement import SignedStatement
from node.app.admin_community import AdminCommunityService
from node.errors import StorageTrouble
from node.identity import human_form
from node.units import NodeId
from tests.fakes.community_statements import SEED, a_village, begun, next_record, said_of, state_of
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore
from tests.unit.mesh.test_community_secret import rotated

SQUARE, HILLS, COAST = id_of("square"), id_of("hills"), id_of("coast")


def service_on(
    *listed: NodeId, peers: Sequence[PeerView] = (), copies: Sequence[str] = ()
) -> tuple[CommunityService, AdminCommunityService]:
    community = CommunityService(
        own=SQUARE,
        listed=listed,
        store=FakeStatementStore(),
        secret=bytes(32),
        secret_store=FakeSecretStore(),
    )
    return community, AdminCommunityService(
        community, peers=lambda: tuple(peers), key_copies=lambda: tuple(copies)
    )


async def following(statements: Sequence[SignedStatement], community: str, **more) -> AdminCommunityService:
    service, admin = service_on(**more)
    await service.follow(community, statements)
    return admin


def test_without_a_record_the_nodes_are_those_of_the_settings() -> None:
    _, admin = service_on(HILLS)
    shown = admin.overview()
    assert ({SQUARE, HILLS}, 0, "", ()) == (
        {each.node for each in shown.nodes},
        shown.version,
        shown.followed,
        shown.warnings,
    )


async def test_a_village_is_shown_as_its_record_says() -> None:
    community, statements = a_village()
    admin = await following(statements, community)
    shown = admin.overview()
    assert ("Vall Alta", 2, 1, ["pau", "rosa"]) == (
        shown.name,
        shown.version,
        shown.threshold,
        sorted(each.label for each in shown.admins),
    )
    assert ["active"] * 3 + ["suspended", "removed"] == [each.state for each in shown.nodes]
    assert 3 == shown.active
    assert 1 == sum(each.is_over for each in shown.nodes)
    assert [(2, 1)] == [(len(each.used_by), each.invite.uses) for each in shown.invites]
    (warning,) = shown.warnings
    assert "is for 1 node, and 2 came with it" in warning
    assert human_form(shown.invites[0].invite.key) in warning


async def test_closed_invites_come_last() -> None:
    first = begun("square")
    state = state_of(first.community, first.statements)
    invites = [new_invite(state, key_of("rosa"), bytes([number]) * 16, 1) for number in range(5)]
    admin = await following((*first.statements, *invites), first.community)
    assert {"open"} == {each.invite.state for each in admin.overview().invites}


async def test_what_a_row_says_of_a_node() -> None:
    community, statements = a_village()
    peers = (PeerView(COAST, "what it calls itself", "trusted", (), 3),)
    admin = await following(statements, community, peers=peers)
    rows = {each.member.node: each for each in map(admin.row, admin.overview().nodes)}
    assert (True, None) == (rows[SQUARE].is_own, rows[SQUARE].peer)
    assert ("coast", peers[0], False) == (rows[COAST].name, rows[COAST].peer, rows[COAST].is_own)
    assert rows[COAST].invite
    assert not rows[HILLS].invite
    assert human_form(HILLS) == rows[HILLS].short


async def test_a_node_is_found_by_its_id_only() -> None:
    community, statements = a_village()
    admin = await following(statements, community)
    found = admin.member(COAST)
    assert found is not None
    assert "coast" == found.label
    assert [None] * 3 == [admin.member(text) for text in ("coast", human_form(COAST), "")]


async def test_a_removed_node_is_told_so_itself_and_the_settings_do_not_count() -> None:
    first = begun("square", "hills")
    gone = said_of(first.community, "square", "removed", 2, "rosa")
    admin = await following((*first.statements, gone), first.community)
    warnings = admin.overview().warnings
    assert any("This node is no member of its community" in each for each in warnings)
    assert any(human_form(SQUARE) in each for each in warnings if "settings list nodes" in each)


async def test_competing_versions_and_copied_disks_are_told() -> None:
    first = begun("square")
    head = state_of(first.community, first.statements).head
    assert head is not None
    two = [next_record(head, first.community, admins, 1, ["rosa"]) for admins in (["rosa"], ["rosa", "pau"])]
    copies = ("Two machines use the key of hills.",)
    admin = await following((*first.statements, *two), first.community, copies=copies)
    warnings = admin.overview().warnings
    assert warnings[0] == copies[0]
    assert any("competing versions" in each for each in warnings)


async def test_lists_that_differ_are_told_with_their_nodes() -> None:
    """Also of a node that follows nothing while this one does."""
    first = begun("square", "hills", "coast")
    ours, admin = service_on()
    theirs, _ = service_on()
    await ours.follow(first.community, first.statements)
    await theirs.follow(first.community, first.statements[:1])
    none, _ = service_on()
    for node, other in ((HILLS, theirs), (COAST, none)):
        ours.exchange.greet(node)
        other.exchange.greet(SQUARE)
        frame = other.exchange.next_frame(SQUARE)
        assert frame is not None
        ours.receive(node, frame)
    warnings = admin.overview().warnings
    assert any(human_form(HILLS) in each for each in warnings if "differs from the one here" in each)
    assert any(human_form(COAST) in each for each in warnings if "do not follow" in each)


async def test_records_that_neighbours_follow_are_offered() -> None:
    first = begun("square", "hills")
    ours, admin = service_on(HILLS)
    theirs, _ = service_on()
    await theirs.follow(first.community, first.statements)
    ours.exchange.greet(HILLS)
    theirs.exchange.greet(SQUARE)
    frame = theirs.exchange.next_frame(SQUARE)
    assert frame is not None
    ours.receive(HILLS, frame)
    assert (first.community,) == admin.overview().offered


async def test_many_nodes_in_a_warning_are_counted() -> None:
    many = tuple(id_of(f"n{number}") for number in range(8))
    first = begun("square")
    service, admin = service_on(*many)
    await service.follow(first.community, first.statements)
    (warning,) = [each for each in admin.overview().warnings if "settings list" in each]
    assert "+3" in warning
    assert 5 == sum(human_form(node) in warning for node in many)


async def test_a_disk_that_cannot_be_written_is_told() -> None:
    first = begun("square", "hills")
    store = FakeStatementStore()
    service = CommunityService(
        own=SQUARE, listed=(), store=store, secret=bytes(32), secret_store=FakeSecretStore()
    )
    await service.follow(first.community, first.statements)
    store.is_full = True
    with pytest.raises(StorageTrouble):
        await service.take_in([said_of(first.community, "hills", "removed", 2, "rosa")])
    admin = AdminCommunityService(service, peers=tuple)
    assert "in memory only" in admin.overview().warnings[0]


async def test_an_invite_that_was_used_as_meant_warns_of_nothing() -> None:
    first = begun("square")
    state = state_of(first.community, first.statements)
    invite = new_invite(state, key_of("rosa"), SEED, 1)
    use = make_use(SEED, first.community, COAST, "coast")
    admin = await following((*first.statements, invite, use), first.community)
    assert () == admin.overview().warnings


async def test_nodes_that_lack_the_newest_secret_or_lie_about_it_are_told() -> None:
    first = begun("square", "hills", "coast")
    service, admin = service_on()
    await service.follow(first.community, first.statements)
    service.greet(HILLS, (SECRETS_EXTENSION,))
    service.greet(COAST, ())
    assert () == admin.overview().warnings
    assert service.state is not None
    await service.take_in([rotated(service.state, commitment_of(b"n" * 32))])
    shown = admin.overview().warnings
    assert any("has a new secret that this node lacks" in each for each in shown)
    assert any(human_form(COAST) in each for each in shown if "They lack the newest" in each)
    answers = [
        canonical({"is": "secret", "community": first.community, "secret": secret.hex()})
        for secret in (b"w" * 32, b"n" * 32)
    ]
    service.receive(HILLS, answers[0])
    shown = admin.overview().warnings
    assert any(human_form(HILLS) in each for each in shown if "no secret of the community" in each)
    assert any(human_form(HILLS) in each for each in service.warnings() if "no secret of" in each)

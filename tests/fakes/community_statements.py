"""A community with admins, nodes and invites for tests; the keys are the same in each run."""

from collections.abc import Iterable

from mesh.community_changes import FirstRecord, changed_membership, first_record, new_invite
from mesh.community_record import CommunityAdmin, CommunityRecord, record_fields, sorted_admins
from mesh.community_state import CommunityState
from mesh.invite import SEED_BYTES, make_use
from mesh.membership import NODE_ROLE, Membership, membership_fields
from mesh.signed_statement import SignedStatement, make_statement
from tests.fakes.neighbours import id_of, key_of

SEED = bytes(range(SEED_BYTES))
THREE_ADMINS = CommunityRecord(
    "Vall Alta",
    1,
    sorted_admins(CommunityAdmin(id_of(name), 2, name) for name in ("rosa", "pau", "nuria")),
    4,
    (id_of("paper"),),
    "",
)
"""Two of the three, or the key on paper, change the record."""


def begun(*nodes: str, admin: str = "rosa") -> FirstRecord:
    return first_record("Vall Alta", admin, key_of(admin), map(id_of, nodes))


def state_of(community: str, statements: Iterable[SignedStatement]) -> CommunityState:
    """Everything, in whatever order: again until nothing is new, as rounds between nodes do."""
    listed, state = list(statements), CommunityState(community)
    while any(isinstance(state.add(each), SignedStatement) for each in listed):
        pass
    return state


def next_record(
    before: CommunityRecord, previous: str, admins: Iterable[str], threshold: int, signers: Iterable[str]
) -> SignedStatement:
    made = CommunityRecord(
        before.name,
        before.version + 1,
        sorted_admins(CommunityAdmin(id_of(name), 1, name) for name in admins),
        threshold,
        before.recovery,
        previous,
    )
    return make_statement("community", record_fields(made), map(key_of, signers))


def said_of(community: str, node: str, state: str, number: int, *signers: str) -> SignedStatement:
    said = Membership(community, id_of(node), node, NODE_ROLE, state, number)
    return make_statement("membership", membership_fields(said), map(key_of, signers))


def a_village() -> tuple[str, list[SignedStatement]]:
    """Two admins, four nodes of which one is removed, an invite for one that two used, and a second version."""
    first = begun("square", "hills", "library")
    state = state_of(first.community, first.statements)
    assert state.head is not None
    statements = list(first.statements)
    second = next_record(state.head, state.head_hash, ["rosa", "pau"], 1, ["rosa"])
    gone = changed_membership(
        state,
        key_of("rosa"),
        next(each for each in state.members() if each.node == id_of("hills")),
        "removed",
    )
    statements += [second, gone, new_invite(state, key_of("rosa"), SEED, 1)]
    statements += [make_use(SEED, first.community, id_of(name), name) for name in ("coast", "valley")]
    statements.append(said_of(first.community, "library", "suspended", 2, "pau"))
    return first.community, statements

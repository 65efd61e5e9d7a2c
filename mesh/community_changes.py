"""What admins sign: the first record of a community, invites, memberships, and another set of admin keys. Pure: the caller
has the keys and passes the statements on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.community_record import (
    CommunityAdmin,
    CommunityRecord,
    read_record,
    record_fields,
    refusal_of,
    sorted_admins,
)
from mesh.community_state import NUMBER_TOO_HIGH, CommunityState, MemberView
from mesh.file_version import (
    FILE_BYTES_MAX,
    FILES,
    Decision,
    FileName,
    file_fields,
    fits_a_frame,
    number_max,
    read_file_version,
    text_hash,
    version_after,
)
from mesh.invite import Invite, invite_fields, invite_key
from mesh.membership import NODE_ROLE, Membership, membership_fields
from mesh.page_format import Malformed
from mesh.signed_statement import FILE_KIND, SignedStatement, add_signatures, make_statement
from node.errors import NodeError
from node.identity import SHORT_CHARS, human_form, own_node_id, short_form
from node.units import NodeId

type Keys = tuple[Ed25519PrivateKey, ...]


class FileTooLarge(NodeError):
    """A text that does not fit a version of a file."""

    def __init__(self, size: int, packed_size: int) -> None:
        """In bytes, as it is and compressed."""
        super().__init__(
            f"the file is too large to share: {size} bytes, or {packed_size} compressed",
            "shorten it: remove comments, names and devices that nobody needs",
        )


@dataclass(frozen=True, slots=True)
class FirstRecord:
    """Version 1 of a community record, with the memberships of the nodes that are there already."""

    community: str
    statements: tuple[SignedStatement, ...]


def first_record(
    name: str, label: str, key: Ed25519PrivateKey, nodes: Iterable[NodeId], recovery: Iterable[NodeId] = ()
) -> FirstRecord:
    """A community with one admin; a second and a third are added by later versions."""
    admin = CommunityAdmin(own_node_id(key), 1, label)
    record = CommunityRecord(name, 1, (admin,), 1, tuple(sorted(recovery)), "")
    made = make_statement("community", record_fields(record), [key])
    members = (Membership(made.hash, node, "", NODE_ROLE, "active", 1) for node in sorted(nodes))
    return FirstRecord(
        made.hash, (made, *(make_statement("membership", membership_fields(each), [key]) for each in members))
    )


def new_invite(state: CommunityState, key: Ed25519PrivateKey, seed: bytes, uses: int) -> SignedStatement:
    _assert_admin(state, (key,))
    invite = Invite(state.id, own_node_id(invite_key(seed)), NODE_ROLE, uses, "open", 1)
    return make_statement("invite", invite_fields(invite), [key])


def closed_invite(
    state: CommunityState, key: Ed25519PrivateKey, invite: Invite
) -> tuple[SignedStatement, ...]:
    """Nobody can come with this invite any longer. The nodes that came with it get memberships first, and stay."""
    _assert_admin(state, (key,))
    came = [view for view in state.members() if view.invite == invite.key]
    closed = replace(invite, state="closed", number=invite.number + 1)
    return (*_signed_again(state, key, came), make_statement("invite", invite_fields(closed), [key]))


def changed_membership(
    state: CommunityState, key: Ed25519PrivateKey, view: MemberView, new_state: str
) -> SignedStatement:
    """The node is active, suspended or removed from now on."""
    _assert_admin(state, (key,))
    before = state.membership(view.node)
    number = 1 if before is None else before.number + 1
    said = Membership(state.id, view.node, view.label, view.role, new_state, number)
    return make_statement("membership", membership_fields(said), [key])


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What the next version of the record has that the one in force has not."""

    add: tuple[CommunityAdmin, ...] = ()
    remove: frozenset[NodeId] = frozenset()
    threshold: int = 0
    """0: as it is."""
    add_recovery: tuple[NodeId, ...] = ()
    remove_recovery: frozenset[NodeId] = frozenset()
    secret: str = ""
    """Commitment of a new secret of the community; empty for the one that is in force."""


def changed_record(state: CommunityState, change: RecordChange, keys: Keys) -> tuple[SignedStatement, ...]:
    """The next version, signed with these keys, and everything that a removed key signed, signed by the first of them that
    is an admin afterwards. It counts once enough admins have signed it. Raises NodeError for one that can never count."""
    head = state.head
    if head is None:
        raise _unknown()
    admins = sorted_admins((*(each for each in head.admins if each.key not in change.remove), *change.add))
    recovery = sorted((frozenset(head.recovery) - change.remove_recovery) | frozenset(change.add_recovery))
    record = replace(
        head,
        version=head.version + 1,
        admins=admins,
        threshold=change.threshold or head.threshold,
        recovery=tuple(recovery),
        previous=state.head_hash,
        secret=change.secret,
    )
    made = make_statement("community", record_fields(record), keys)
    refused = read_record(made)
    if isinstance(refused, Malformed):
        raise NodeError(
            f"such a record is not possible: {refused.reason}",
            "look at 'procomu community show' for what is there",
        )
    heir = next((key for key in keys if own_node_id(key) in record.admin_keys), None)
    if not change.remove or heir is None:
        return (made,)
    return (made, *_everything_signed_again(state, heir))


def in_order(state: CommunityState, change: tuple[SignedStatement, ...]) -> tuple[SignedStatement, ...]:
    """A change of the record as it is passed on: what an admin signed again goes before the version without the old key, so
    that no node loses its membership on the way or after an interruption."""
    record, *again = change
    admins = state.head.admin_keys if state.head is not None else frozenset[NodeId]()
    early = [each for each in again if not admins.isdisjoint(each.signers)]
    late = [each for each in again if admins.isdisjoint(each.signers)]
    return (*early, record, *late)


def has_enough_votes(state: CommunityState, statement: SignedStatement) -> bool:
    """Whether this version counts with the signatures that it has."""
    record = read_record(statement)
    return (
        not isinstance(record, Malformed)
        and state.head is not None
        and not refusal_of(record, statement.signers, state.head)
    )


def replaced_key(
    state: CommunityState, old: Ed25519PrivateKey, new: Ed25519PrivateKey
) -> tuple[SignedStatement, ...]:
    """The new key in the place of an admin's old one: a version with both, everything that only the old one signed signed by
    the new one, and a version without the old one. So nothing loses its signature on the way, and what was interrupted is
    completed by the next call."""
    head = _assert_admin(state, (old,))
    if head.votes_of(frozenset({own_node_id(old)})) < head.threshold:
        raise NodeError(
            f"one admin cannot replace a key alone here: a change needs {head.threshold} votes",
            "make a key with 'procomu community key', and let the others sign 'procomu community admins --add' of it",
        )
    admin = next(each for each in head.admins if each.key == own_node_id(old))
    both, first = head, tuple[SignedStatement, ...]()
    if own_node_id(new) not in head.admin_keys:  # or an earlier attempt was interrupted
        both = replace(
            head,
            version=head.version + 1,
            admins=sorted_admins((*head.admins, replace(admin, key=own_node_id(new)))),
            previous=state.head_hash,
            secret="",
        )
        first = (make_statement("community", record_fields(both), [old, new]),)
    alone = replace(
        both,
        version=both.version + 1,
        admins=sorted_admins(each for each in both.admins if each.key != admin.key),
        previous=first[0].hash if first else state.head_hash,
        secret="",
    )
    last = make_statement("community", record_fields(alone), [old, new])
    return (*first, *_everything_signed_again(state, new), last)


def _everything_signed_again(state: CommunityState, key: Ed25519PrivateKey) -> tuple[SignedStatement, ...]:
    again = []
    for view in state.invites():
        said = replace(view.invite, number=view.invite.number + 1)
        again.append(make_statement("invite", invite_fields(said), [key]))
    files = [add_signatures(each.statement, [key]) for file in FILES for each in state.file(file).heads]
    return (*again, *_signed_again(state, key, state.members()), *files)


def _signed_again(
    state: CommunityState, key: Ed25519PrivateKey, views: Iterable[MemberView]
) -> tuple[SignedStatement, ...]:
    made = []
    for view in views:
        before = state.membership(view.node)
        number = 1 if before is None else before.number + 1
        said = Membership(state.id, view.node, view.label, view.role, view.state, number)
        made.append(make_statement("membership", membership_fields(said), [key]))
    return tuple(made)


def shared_file(
    state: CommunityState, keys: Keys, file: FileName, text: str, decision: Decision
) -> SignedStatement | None:
    """The version of the file with this text, after all that are held here; where it waits for more votes, with these
    signatures added. None if it is the one that nodes follow. Raises NodeError."""
    _assert_admin(state, keys)
    view, wanted = state.file(file), text_hash(text)
    if view.head is not None and view.head.version.hash == wanted:
        return None
    newest = max((each.version.number for each in view.heads), default=0)
    replaced = view.to_replace()
    for waits in view.waiting:
        if waits in replaced and waits.version.hash == wanted and waits.version.number > newest:
            return add_signatures(waits.statement, keys)
    made = version_after(state.id, file, text, [each.version for each in replaced], decision)
    if state.head is not None and made.number > number_max(state.head):
        raise NodeError(
            f"such a version is not possible: {NUMBER_TOO_HIGH}",
            "look at who signed the version before, remove that admin, then share it again",
        )
    statement = make_statement(FILE_KIND, file_fields(made), keys)
    if len(text.encode()) > FILE_BYTES_MAX or not fits_a_frame(statement.text):
        raise FileTooLarge(len(text.encode()), len(made.packed))
    refused = read_file_version(statement)
    if isinstance(refused, Malformed):
        raise NodeError(
            f"such a version is not possible: {refused.reason}", "write it in one line, and shorter"
        )
    return statement


def find_member(state: CommunityState, text: str) -> MemberView:
    """The node that is meant: its id, its short form, or its label. Raises NodeError."""
    wanted = text.strip()
    short, members = short_form(wanted), state.members()
    # A node chooses its own label, also one that reads as the id of another node: an id comes before all labels.
    found = (
        [view for view in members if view.node == wanted]
        or [view for view in members if short is not None and view.node[:SHORT_CHARS] == short]
        or [view for view in members if view.label == wanted]
    )
    if len(found) != 1:
        which = "no node" if not found else "more than one node"
        raise NodeError(
            f"{which} of the community is called {wanted!r}",
            "write the id or the short form that 'procomu community show' prints",
        )
    return found[0]


def find_invite(state: CommunityState, text: str) -> Invite:
    """The invite with this key, or its short form. Raises NodeError."""
    wanted = text.strip()
    for view in state.invites():
        if wanted in {view.invite.key, human_form(view.invite.key)}:
            return view.invite
    raise NodeError(f"there is no invite {wanted!r}", "'procomu community show' lists them")


def _assert_admin(state: CommunityState, keys: Keys) -> CommunityRecord:
    head = state.head
    if head is None:
        raise _unknown()
    if not frozenset(map(own_node_id, keys)) <= head.admin_keys:
        raise NodeError(
            "the admin key is not one of this community's admins",
            "use the key of an admin; 'procomu community show' lists them",
        )
    return head


def _unknown() -> NodeError:
    return NodeError("this node does not know its community record yet", "wait until it has met another node")

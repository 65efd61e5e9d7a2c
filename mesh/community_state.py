"""What a node holds of its community: the chain of its record, memberships, invites and their uses.

The result depends on what was received and not on its order: statements are merged, and the same ones make the same
list of nodes on every node.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mesh.community_record import CommunityRecord, change_rank, read_record, refusal_of
from mesh.file_version import FileName, number_max, read_file_version, unpacked
from mesh.file_versions import FileVersions, FileView, HeldVersion, with_fewer_signatures
from mesh.invite import Invite, InviteUse, invite_rank, read_invite, read_use
from mesh.membership import Membership, is_signed_by_enough, membership_rank, read_membership
from mesh.page_format import Malformed
from mesh.signed_statement import SignedStatement, are_signatures_valid, merged, only_of
from mesh.version_limit import VersionLimit
from node.units import NodeId

SIBLINGS_MAX = 8
"""Competing versions kept after one version; the best ones."""
VERSIONS_HELD_MAX = 256
MEMBERS_MAX = 1024
INVITES_MAX = 256
USES_OVER_MAX = 32
"""Uses kept of an invite beyond those that it is meant for; those with the lowest hashes."""
STATEMENTS_MAX = 3400
"""Names in one list, which is one frame: room for the limits above, also where each node came with an invite."""
OLDER = "older than ours"
"""Why a statement is refused that the same admin has replaced."""
NUMBER_TOO_HIGH = "its number is higher than the community record in force allows"
"""Why a version of a file is refused until the next version of the record is in force."""
SIGNED_OF_ONE_MAX = 64
"""Statements kept about one node or invite: the newest of each admin."""

type Outcome = SignedStatement | str | None
"""What is held now and was not before; None if nothing is new; or why the statement is refused."""


@dataclass(slots=True)
class _Version:
    record: CommunityRecord
    statement: SignedStatement
    children: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemberView:
    """One node of the community, as people are shown it."""

    node: NodeId
    label: str
    role: str
    state: str
    invite: NodeId | None
    """The invite that it came with, while no admin has signed its membership."""
    is_over: bool = False
    """Whether its invite was used more often than it is meant for, and it is one of those beyond."""


@dataclass(frozen=True, slots=True)
class InviteView:
    """One invite, as people are shown it."""

    invite: Invite
    issuers: tuple[str, ...]
    used_by: tuple[NodeId, ...]
    """Lowest hash first; those beyond `invite.uses` are over-use."""


class CommunityState:
    """The statements of the community with this id; those of others are refused."""

    def __init__(self, followed: str) -> None:
        self.id = followed
        self._versions: dict[str, _Version] = {}
        self._about: dict[str, dict[NodeId, dict[str, SignedStatement]]] = {"membership": {}, "invite": {}}
        """By kind, by node or invite, by hash."""
        self._uses: dict[NodeId, dict[NodeId, SignedStatement]] = {}
        """By invite, by node."""
        self._files = FileVersions()
        self._path: tuple[_Version, ...] = ()
        self._trusted: frozenset[NodeId] = frozenset()
        self._names: dict[str, SignedStatement] = {}
        self._limit = VersionLimit()
        self._members: tuple[MemberView, ...] | None = None
        self._invites: tuple[InviteView, ...] | None = None
        """Both are kept until something changes, because each reads all statements."""

    # --- What is held -----------------------------------------------------------------------------

    def add(self, statement: SignedStatement) -> Outcome:
        """Take in a statement from anywhere."""
        match statement.kind:
            case "community":
                return self._add_version(statement)
            case "membership" | "invite":
                return self._add_signed(statement)
            case "file":
                return self._add_file(statement)
            case _:
                return self._add_use(statement)

    def statements(self, first: frozenset[NodeId] = frozenset()) -> Iterator[SignedStatement]:
        """All but versions of files, in an order in which another node can take them in: each version after the one before,
        and then what makes the nodes `first` members."""
        for version in sorted(self._versions.values(), key=lambda each: each.record.version):
            yield version.statement
        invites, about, used = self._about["invite"], self._about["membership"], self._uses
        early = [about[node] for node in first if node in about]
        for key, uses in used.items():
            if not first.isdisjoint(uses):
                early += [invites[key], {uses[node].hash: uses[node] for node in uses if node in first}]
        told = {statement.hash: statement for group in early for statement in group.values()}
        yield from told.values()
        for of_one in (*invites.values(), *about.values()):
            yield from (statement for statement in of_one.values() if statement.hash not in told)
        for uses in used.values():
            yield from (statement for statement in uses.values() if statement.hash not in told)

    def names(self) -> dict[str, SignedStatement]:
        """The statements by their names, as they are now; without versions of files."""
        return self._names

    def digest(self) -> str:
        """32 hexadecimal digits, equal on two nodes that hold the same statements, versions of files apart."""
        return _digest(self._names)

    def file_names(self) -> dict[str, SignedStatement]:
        """The versions of files by their names, as they are now."""
        return self._files.names

    def file_digest(self) -> str:
        """As `digest`, of the versions of files; empty without one."""
        return _digest(self._files.names) if self._files.names else ""

    def every_name(self) -> dict[str, SignedStatement]:
        """All statements by their names."""
        return {**self._names, **self._files.names}

    # --- What follows from it ---------------------------------------------------------------------

    @property
    def head(self) -> CommunityRecord | None:
        """The version in force; None before version 1 was received."""
        return self._path[-1].record if self._path else None

    @property
    def head_hash(self) -> str:
        return self._path[-1].statement.hash if self._path else ""

    def competing(self) -> tuple[SignedStatement, ...]:
        """Versions that lost against another of the same number."""
        chosen = {version.statement.hash for version in self._path}
        return tuple(each.statement for name, each in self._versions.items() if name not in chosen)

    def commitments(self) -> tuple[str, ...]:
        """Of the secrets with the numbers 2, 3 and so on, as the chain up to the version in force names them; the last one
        is in force. A commitment that is named again counts where it stands first."""
        return tuple(dict.fromkeys(each.record.secret for each in self._path if each.record.secret))

    def every_commitment(self) -> frozenset[str]:
        """Also those of versions that lost against others."""
        versions = tuple(self._versions.values())  # also called by other threads
        return frozenset(each.record.secret for each in versions if each.record.secret)

    def membership(self, node: NodeId) -> Membership | None:
        """What admins in force say of the node; None if they say nothing."""
        head = self.head
        found = [
            (membership_rank(said, statement), said)
            for statement in self._about["membership"].get(node, {}).values()
            if isinstance(said := read_membership(statement), Membership)
            and head is not None
            and is_signed_by_enough(said.role, statement, head)
        ]
        return max(found, key=lambda each: each[0])[1] if found else None

    def invite(self, key: NodeId) -> Invite | None:
        """The invite as admins in force signed it."""
        found = self._invite(key)
        return found[0] if found else None

    def invites(self) -> tuple[InviteView, ...]:
        """All that admins in force signed."""
        if self._invites is None:
            self._invites = tuple(self._view_invites())
        return self._invites

    def members(self) -> tuple[MemberView, ...]:
        """All nodes that were ever members and are known, sorted by label and id."""
        if self._members is None:
            found = self._view_members()
            self._members = tuple(sorted(found.values(), key=lambda view: (view.label, view.node)))
        return self._members

    def nodes(self) -> frozenset[NodeId]:
        """The nodes that are members now."""
        return frozenset(view.node for view in self.members() if view.state == "active")

    @property
    def version_max(self) -> int:
        """As `VersionLimit.version_max`."""
        return self._limit.version_max

    def file(self, file: FileName) -> FileView:
        """The versions of this file."""
        return self._files.view(file, self.head)

    # --- Taking in --------------------------------------------------------------------------------

    def _add_version(self, statement: SignedStatement) -> Outcome:
        record = read_record(statement)
        if isinstance(record, Malformed):
            return record.reason
        before = self._versions.get(record.previous)
        if record.version == 1 and statement.hash != self.id:
            return "of another community"
        if record.version > 1 and before is None:
            return "the version before it is not known"
        keys = record.change_keys | (before.record.change_keys if before else frozenset())
        statement = only_of(statement, keys)
        refusal = refusal_of(record, statement.signers, before.record if before else None)
        if refusal:
            return refusal
        held = self._versions.get(statement.hash)
        if held is None and len(self._versions) >= VERSIONS_HELD_MAX:
            return f"more than {VERSIONS_HELD_MAX} versions are not kept"
        now = self._verified(statement, held.statement if held else None)
        if isinstance(now, SignedStatement):
            self._hold_version(record, now, before)
            return now if now.hash in self._versions else "better versions compete with it"
        return now

    def _hold_version(
        self, record: CommunityRecord, statement: SignedStatement, before: _Version | None
    ) -> None:
        held = self._versions.get(statement.hash)
        self._versions[statement.hash] = _Version(record, statement, held.children if held else {})
        self._replace([held.statement] if held else [], statement)
        if before is not None:
            before.children[statement.hash] = None
            if len(before.children) > SIBLINGS_MAX:
                self._drop(min(before.children, key=lambda name: self._rank(name, before)))
        self._path = tuple(self._chosen())
        self._trusted = frozenset().union(*(each.record.admin_keys for each in self._versions.values()))
        self._files.settle(self.head)

    def _drop(self, name: str) -> None:
        gone = self._versions.pop(name)
        self._replace([gone.statement])
        before = self._versions.get(gone.record.previous)
        if before is not None:
            before.children.pop(name, None)
        for child in tuple(gone.children):
            self._drop(child)

    def _rank(self, name: str, before: _Version) -> tuple[int, bool, int]:
        version = self._versions[name]
        return change_rank(version.record, version.statement, before.record)

    def _chosen(self) -> Iterator[_Version]:
        at = self._versions.get(self.id)
        while at is not None:
            yield at
            before = at
            best = max(before.children, key=lambda name: self._rank(name, before), default="")
            at = self._versions.get(best)

    def _add_signed(self, statement: SignedStatement) -> Outcome:
        said = read_membership(statement) if statement.kind == "membership" else read_invite(statement)
        if isinstance(said, Malformed):
            return said.reason
        if said.community != self.id:
            return "of another community"
        statement = only_of(statement, self._trusted)
        if not statement.signatures:
            return "no admin signed it"
        subjects = self._about[statement.kind]
        subject = said.node if isinstance(said, Membership) else said.key
        limit = MEMBERS_MAX if isinstance(said, Membership) else INVITES_MAX
        spare = None
        if subject not in subjects and len(subjects) >= limit:
            spare = self._spare(subjects) if self._is_of_an_admin_in_force(statement) else None
            if spare is None:
                return f"more than {limit} are not kept"
        of_one = subjects.get(subject, {})
        now = self._verified(statement, of_one.get(statement.hash))
        if not isinstance(now, SignedStatement):
            return now
        kept = _newest_of_each({**of_one, now.hash: now})
        if now.hash not in kept:
            return OLDER
        if spare is not None:
            self._replace((*subjects.pop(spare).values(), *self._uses.pop(spare, {}).values()))
        self._replace([each for name, each in of_one.items() if kept.get(name) is not each], now)
        subjects[subject] = kept
        return now

    def _spare(self, subjects: dict[NodeId, dict[str, SignedStatement]]) -> NodeId | None:
        """A node or invite of which no admin in force says anything; such a one gives way, or a key that was removed could
        use up all the room."""
        found = (
            subject
            for subject, of_one in subjects.items()
            if not any(map(self._is_of_an_admin_in_force, of_one.values()))
        )
        return max(found, default=None)

    def _is_of_an_admin_in_force(self, statement: SignedStatement) -> bool:
        return self.head is not None and not self.head.admin_keys.isdisjoint(statement.signers)

    def _add_use(self, statement: SignedStatement) -> Outcome:
        use = read_use(statement)
        if isinstance(use, Malformed):
            return use.reason
        if use.community != self.id:
            return "of another community"
        statement = only_of(statement, frozenset({use.invite}))
        if not statement.signatures:
            return "it is not signed with the key of the invite"
        if use.invite not in self._about["invite"]:
            return "its invite is not known"
        of_invite = self._uses.setdefault(use.invite, {})
        held = of_invite.get(use.node)
        if held is not None and held.hash < statement.hash:
            return None  # the same node under another name: the lower hash holds
        now = self._verified(statement, held if held and held.hash == statement.hash else None)
        if not isinstance(now, SignedStatement):
            return now
        of_invite[use.node] = now
        self._replace([held] if held else [], now)
        invites = map(read_invite, self._about["invite"][use.invite].values())
        most = USES_OVER_MAX + max(each.uses for each in invites if isinstance(each, Invite))
        for excess in sorted(of_invite, key=lambda node: of_invite[node].hash)[most:]:
            self._replace([of_invite.pop(excess)])
        return now if use.node in of_invite else "its invite was used too often"

    def _add_file(self, statement: SignedStatement) -> Outcome:
        version = read_file_version(statement)
        if isinstance(version, Malformed):
            return version.reason
        if version.community != self.id:
            return "of another community"
        statement = only_of(statement, self._trusted)
        if not statement.signatures:
            return "no admin signed it"
        if self.head is None or version.number > number_max(self.head):
            return NUMBER_TOO_HIGH
        held = self._files.of(statement.hash)
        now = self._verified(statement, held)
        if not isinstance(now, SignedStatement):
            return now
        if held is None and unpacked(version) is None:
            return "its text is not what it says"
        now = with_fewer_signatures(now)
        if now == held:
            return None
        return now if self._files.hold(HeldVersion(version, now), self.head) else OLDER

    def _replace(self, gone: Iterable[SignedStatement], new: SignedStatement | None = None) -> None:
        """Called for each change: brings the names up to date, and has what follows read again when it is asked for."""
        self._members = self._invites = None
        for statement in gone:
            self._names.pop(statement.name, None)
        if new is not None:
            self._names[new.name] = new
            self._limit.note(new)

    def _verified(self, statement: SignedStatement, held: SignedStatement | None) -> Outcome:
        """The statement with the signatures of both, if that is new and they are valid."""
        if held is not None:
            both = merged(held, statement)
            if both == held:
                return None
        if not are_signatures_valid(statement):
            return "a signature is wrong"
        return statement if held is None else merged(held, statement)

    # --- Views ------------------------------------------------------------------------------------

    def _view_invites(self) -> Iterator[InviteView]:
        for key in sorted(self._about["invite"]):
            found = self._invite(key)
            if found is not None:
                used_by = tuple(use.node for use in self._uses_of(key))
                yield InviteView(found[0], self._labels(found[1].signers), used_by)

    def _view_members(self) -> dict[NodeId, MemberView]:
        found: dict[NodeId, MemberView] = {}
        for view in self.invites():
            for number, use in enumerate(self._uses_of(view.invite.key), start=1):
                if view.invite.state == "open" and use.node not in found:
                    is_over = number > view.invite.uses
                    found[use.node] = MemberView(
                        use.node, use.label, view.invite.role, "active", view.invite.key, is_over
                    )
        for node in self._about["membership"]:
            said = self.membership(node)
            if said is not None:
                found[node] = MemberView(node, said.label, said.role, said.state, None)
        return found

    def _invite(self, key: NodeId) -> tuple[Invite, SignedStatement] | None:
        head = self.head
        found = [
            (invite_rank(said, statement), said, statement)
            for statement in self._about["invite"].get(key, {}).values()
            if isinstance(said := read_invite(statement), Invite)
            and head is not None
            and is_signed_by_enough(said.role, statement, head)
        ]
        if not found:
            return None
        _, said, statement = max(found, key=lambda each: each[0])
        return said, statement

    def _uses_of(self, invite: NodeId) -> list[InviteUse]:
        statements = sorted(self._uses.get(invite, {}).values(), key=lambda each: each.hash)
        return [use for use in map(read_use, statements) if isinstance(use, InviteUse)]

    def _labels(self, signers: Iterable[NodeId]) -> tuple[str, ...]:
        admins = self.head.admins if self.head else ()
        keys = frozenset(signers)
        return tuple(admin.label for admin in admins if admin.key in keys)


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:32]


def _newest_of_each(statements: dict[str, SignedStatement]) -> dict[str, SignedStatement]:
    """Of each key that signed, the statement with the highest rank: an admin takes back by signing a newer one."""
    best: dict[NodeId, SignedStatement] = {}
    for statement in sorted(statements.values(), key=_rank, reverse=True):
        for key in statement.signers:
            best.setdefault(key, statement)
    return {statement.hash: statement for statement in [*best.values()][:SIGNED_OF_ONE_MAX]}


def _rank(statement: SignedStatement) -> tuple[int, int, int]:
    if statement.kind == "membership":
        said = read_membership(statement)
        assert isinstance(said, Membership), "it was read when it was taken in"
        return membership_rank(said, statement)
    invite = read_invite(statement)
    assert isinstance(invite, Invite), "it was read when it was taken in"
    return invite_rank(invite, statement)

"""The community record: who the admins of a community are, with how many votes, as a chain of signed versions.

A version is valid if enough votes of the version before and enough of its own signed it. The id of the community is the
hash of version 1. No date decides anything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mesh.page_format import Malformed, fits, is_number, is_text, list_of
from mesh.signed_statement import SignedStatement
from node.identity import is_node_id
from node.units import NodeId

ADMINS_MAX = 64
RECOVERY_KEYS_MAX = 3
VOTES_MAX = 1000
VERSIONS_MAX = 256

HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CommunityAdmin:
    """A key that signs for the community, with its votes."""

    key: NodeId
    votes: int
    label: str


@dataclass(frozen=True, slots=True)
class CommunityRecord:
    """One version of the community record."""

    name: str
    version: int
    admins: tuple[CommunityAdmin, ...]
    """Sorted by key."""
    threshold: int
    """Votes that a change needs; the votes of all admins together are not fewer."""
    recovery: tuple[NodeId, ...]
    """Keys kept on paper; each alone reaches the threshold of a change of this record, and signs nothing else."""
    previous: str
    """Hash of the version before; empty in version 1."""
    secret: str = ""
    """Commitment of the secret that this version puts in force; empty if the one of before stays."""

    @property
    def admin_keys(self) -> frozenset[NodeId]:
        return frozenset(admin.key for admin in self.admins)

    @property
    def change_keys(self) -> frozenset[NodeId]:
        return self.admin_keys | frozenset(self.recovery)

    def votes_of(self, signers: frozenset[NodeId]) -> int:
        """Votes of the admins among these keys."""
        return sum(admin.votes for admin in self.admins if admin.key in signers)

    def change_votes_of(self, signers: frozenset[NodeId]) -> int:
        """Votes for a change of this record: of admins, and of recovery keys."""
        return self.votes_of(signers) + self.threshold * len(signers.intersection(self.recovery))


def record_fields(record: CommunityRecord) -> dict[str, Any]:
    """The fields of its statement."""
    fields: dict[str, Any] = {
        "name": record.name,
        "version": record.version,
        "admins": [[admin.key, admin.votes, admin.label] for admin in record.admins],
        "threshold": record.threshold,
        "recovery": list(record.recovery),
        "previous": record.previous,
    }
    return {**fields, "secret": record.secret} if record.secret else fields


def read_record(statement: SignedStatement) -> CommunityRecord | Malformed:
    """One version, by itself: the chain is checked by `refusal_of`."""
    fields = statement.fields()
    name, version, previous = fields.get("name"), fields.get("version"), fields.get("previous")
    if not is_text(name):
        return Malformed("a community record without a name")
    if not (is_number(version) and 1 <= version <= VERSIONS_MAX):
        return Malformed(f"its version is not a number from 1 to {VERSIONS_MAX}")
    if previous != "" if version == 1 else not fits(previous, HASH):
        return Malformed("it does not name the version before")
    admins = _admins(fields.get("admins"))
    recovery = _keys(fields.get("recovery"))
    if admins is None or recovery is None or {admin.key for admin in admins}.intersection(recovery):
        return Malformed(
            f"its keys are not 1 to {ADMINS_MAX} of admins and at most {RECOVERY_KEYS_MAX} others"
        )
    threshold = fields.get("threshold")
    if not (is_number(threshold) and 1 <= threshold <= sum(admin.votes for admin in admins)):
        return Malformed("its admins together have fewer votes than the threshold")
    # A node of an earlier version accepts whatever stands in this field, so that refusing it would split the community.
    secret = fields.get("secret")
    committed = secret if fits(secret, HASH) else ""
    return CommunityRecord(name, version, admins, threshold, recovery, str(previous), committed)


def refusal_of(record: CommunityRecord, signers: frozenset[NodeId], before: CommunityRecord | None) -> str:
    """Why these signatures do not make it valid after the version `before`; empty if they do."""
    if before is not None and record.version != before.version + 1:
        return "it skips a version"
    if before is not None and before.change_votes_of(signers) < before.threshold:
        return "too few votes of the version before signed it"
    if record.change_votes_of(signers) < record.threshold:
        return "too few of its own votes signed it"
    return ""


def change_rank(
    record: CommunityRecord, statement: SignedStatement, before: CommunityRecord
) -> tuple[int, bool, int]:
    """Of competing versions the one with the highest rank holds: more votes, then one that removes a key, then the
    lower hash."""
    removes = not before.change_keys <= record.change_keys
    return before.change_votes_of(statement.signers), removes, -int(statement.hash, 16)


def sorted_admins(admins: Iterable[CommunityAdmin]) -> tuple[CommunityAdmin, ...]:
    return tuple(sorted(admins, key=lambda admin: admin.key))


def _admins(value: object) -> tuple[CommunityAdmin, ...] | None:
    entries = list_of(value, ADMINS_MAX)
    if not entries or not all(_is_admin(entry) for entry in entries):
        return None
    found = tuple(CommunityAdmin(NodeId(key), votes, label) for key, votes, label in entries)
    return found if _are_in_order([admin.key for admin in found]) else None


def _is_admin(entry: object) -> bool:
    if not (isinstance(entry, list) and len(entry) == 3):
        return False
    key, votes, label = entry
    if not (isinstance(key, str) and is_node_id(key) and is_text(label)):
        return False
    return is_number(votes) and 1 <= votes <= VOTES_MAX


def _keys(value: object) -> tuple[NodeId, ...] | None:
    entries = list_of(value, RECOVERY_KEYS_MAX)
    if entries is None or not all(isinstance(key, str) and is_node_id(key) for key in entries):
        return None
    return tuple(map(NodeId, entries)) if _are_in_order(entries) else None


def _are_in_order(keys: list[Any]) -> bool:
    return keys == sorted(set(keys))

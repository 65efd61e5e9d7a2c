"""The versions of the community's files that a node holds: the newest ones, which no other replaces.

A version counts while admins in force signed it with enough votes. Only one that counts replaces others: one vote, or a key
that was removed, takes nothing away, and signatures that were made apart come together. What is kept depends on what was
received, and not on its order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mesh.community_record import CommunityRecord
from mesh.file_version import (
    BEFORE_MAX,
    FILES,
    FileName,
    FileVersion,
    replaced_by_next,
    replaces,
    votes_needed,
)
from mesh.signed_statement import SignedStatement

HEADS_MAX = 8
"""Versions kept of each file, those that count first."""
RECENT = BEFORE_MAX // 2
"""Earlier versions for which those that wait for votes make room to none."""
SIGNATURES_MAX = 80
"""Kept of one version."""


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """One version, with its statement."""

    version: FileVersion
    statement: SignedStatement

    def votes(self, record: CommunityRecord | None) -> int:
        """Of admins in force."""
        return 0 if record is None else record.votes_of(self.statement.signers)

    def counts(self, record: CommunityRecord | None) -> bool:
        """Whether enough admins in force signed it."""
        return record is not None and self.votes(record) >= votes_needed(self.version.file, record)

    def standing(self, record: CommunityRecord | None) -> int:
        """2 if it counts, 1 if it needs more votes, 0 if no admin in force signed it."""
        return 2 if self.counts(record) else int(self.votes(record) > 0)


@dataclass(frozen=True, slots=True)
class FileView:
    """What a node holds of one file."""

    heads: tuple[HeldVersion, ...] = ()
    """Versions that count and that no other replaces, one for each text; the first is the newest. More than one were
    signed apart, and people choose."""
    waiting: tuple[HeldVersion, ...] = ()
    """Versions that need more votes; the newest first."""
    held: tuple[HeldVersion, ...] = ()
    """All that admins in force signed; the next version replaces them."""

    def to_replace(self) -> tuple[HeldVersion, ...]:
        """What the next version replaces: all that counts, and what waits for votes, which one admin may have made up, as
        far as nodes with an earlier version still find theirs in it."""
        found = [each for each in self.held if each not in self.waiting]
        _, before = replaced_by_next(each.version for each in found)
        recent = frozenset(before[-RECENT:])
        for each in sorted(self.waiting, key=lambda held: held.version.id):
            _, with_it = replaced_by_next(one.version for one in (*found, each))
            if recent <= frozenset(with_it):
                found.append(each)
        return tuple(found)

    @property
    def head(self) -> HeldVersion | None:
        """The version that nodes follow; None without one, and while people must choose."""
        return self.heads[0] if len(self.heads) == 1 else None


class FileVersions:
    """The caller verifies signatures, and calls `settle` when the record has another version in force."""

    def __init__(self) -> None:
        self._held: dict[str, HeldVersion] = {}
        """By the statement's hash."""
        self.names: dict[str, SignedStatement] = {}
        """The statements by their names."""

    def of(self, name: str) -> SignedStatement | None:
        """The statement with this hash."""
        held = self._held.get(name)
        return held.statement if held is not None else None

    def statements(self) -> Iterator[SignedStatement]:
        yield from self.names.values()

    def held(self, file: FileName) -> tuple[HeldVersion, ...]:
        return tuple(each for each in self._held.values() if each.version.file == file)

    def hold(self, made: HeldVersion, record: CommunityRecord | None) -> bool:
        """Whether it is kept."""
        self._keep((*self._held.values(), made), record)
        return self._held.get(made.statement.hash) is made

    def settle(self, record: CommunityRecord | None) -> None:
        """Drops what counts no longer beside what does."""
        self._keep(self._held.values(), record)

    def view(self, file: FileName, record: CommunityRecord | None) -> FileView:
        held = sorted(self.held(file), key=lambda each: _rank(each, record), reverse=True)
        heads: dict[str, HeldVersion] = {}
        for each in held:
            if each.counts(record):
                heads.setdefault(each.version.hash, each)
        signed = tuple(each for each in held if each.standing(record))
        waiting = tuple(each for each in signed if not each.counts(record))
        return FileView(tuple(heads.values()), waiting, signed)

    def _keep(self, candidates: Iterable[HeldVersion], record: CommunityRecord | None) -> None:
        by_hash = {each.statement.hash: each for each in candidates}
        kept: dict[str, HeldVersion] = {}
        for file in FILES:
            of_file = [each for each in by_hash.values() if each.version.file == file]
            newest = [each for each in of_file if not any(_gives_way(each, o, record) for o in of_file)]
            newest.sort(key=lambda each: _rank(each, record), reverse=True)
            kept |= {each.statement.hash: each for each in newest[:HEADS_MAX]}
        self._held = kept
        self.names = {each.statement.name: each.statement for each in kept.values()}


def with_fewer_signatures(statement: SignedStatement) -> SignedStatement:
    """Those of the lowest keys, so that all nodes keep the same."""
    return SignedStatement(statement.kind, statement.text, statement.signatures[:SIGNATURES_MAX])


def _gives_way(older: HeldVersion, newer: HeldVersion, record: CommunityRecord | None) -> bool:
    return newer.counts(record) and replaces(newer.version, older.version)


def _rank(held: HeldVersion, record: CommunityRecord | None) -> tuple[int, int, int]:
    """One that gives way to another ranks below it."""
    return held.standing(record), held.version.number, -int(held.statement.hash, 16)

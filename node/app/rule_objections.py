"""Counts and stores members' objections for the adoption of rules."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from node.accounts.changes import Change
from node.accounts.rule_objections import (
    RuleObjection,
    RuleObjectionGone,
    RuleObjections,
    are_kept,
    objections_needed,
)
from node.control.reconciler import Reconciler
from node.governance.rule_history import RuleVersion
from node.units import AccountId

ObjectionOutcome = Literal["done", "over", "unstored"]
"""``over``: these rules do not wait; ``unstored``: the data folder cannot be written, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class ObjectionCount:
    """How many members object to one version, and how many there are."""

    objections: int
    accounts: int
    """In the members' file."""

    @property
    def needed(self) -> int:
        """With so many the version does not come into force."""
        return objections_needed(self.accounts)

    @property
    def is_enough(self) -> bool:
        return self.objections >= self.needed


class ObjectionCounter:
    """The caller makes one change at a time."""

    def __init__(
        self, reconciler: Reconciler, version: Callable[[int], RuleVersion | None] = lambda _number: None
    ) -> None:
        """`version` returns a version by its number."""
        self._reconciler, self._version = reconciler, version

    def count(self, version: RuleVersion | None) -> ObjectionCount:
        """Those that count: of accounts that are in the members' file now."""
        members = self._reconciler.member_directory.by_account
        found = () if version is None else self._to(version)
        return ObjectionCount(sum(each.account in members for each in found), len(members))

    def texts(self, version: RuleVersion | None) -> tuple[str, ...]:
        """What people wrote who object or objected to this version; in no order that tells who wrote it."""
        found = () if version is None else self._to(version)
        return tuple(sorted(each.text for each in found if each.text))

    def of(self, account: AccountId, version: RuleVersion) -> RuleObjection | None:
        """The account's objection to this version."""
        return next((each for each in self._to(version) if each.account == account), None)

    async def object(self, account: AccountId, version: RuleVersion, text: str) -> ObjectionOutcome:
        """The account objects to this version. It counts only once it is stored."""
        day = self._reconciler.persistence.instant().today
        return await self._change(RuleObjection(account, version.number, version.fingerprint, day, text))

    async def take_back(self, account: AccountId, version: RuleVersion) -> ObjectionOutcome:
        """The account no longer objects, also not by an objection that was carried over to this version."""
        found = [each for each in self._to_each(version) if each.account == account]
        return await self._change(*(RuleObjectionGone(account, each.version) for each in found))

    async def _change(self, *changes: RuleObjection | RuleObjectionGone) -> ObjectionOutcome:
        persistence = self._reconciler.persistence
        if not persistence.recalled or await persistence.why_unwritable():
            return "unstored"
        before = [(each, self._all.find(each.account, each.version)) for each in changes]
        rows = self._put(changes)
        await self._reconciler.remember(rows)
        if persistence.why_unstored(rows):
            gone = (RuleObjectionGone(each.account, each.version) for each, had in before if had is None)
            persistence.pending.add(self._put((*gone, *(had for _, had in before if had is not None))))
            return "unstored"
        return "done"

    def _put(self, changes: Iterable[RuleObjection | RuleObjectionGone]) -> tuple[Change, ...]:
        rows: list[Change] = []
        for each in changes:
            if isinstance(each, RuleObjectionGone):
                rows += self._all.forget(each.account, each.version)
            else:
                self._all.put(each)
                rows.append(each)
        return tuple(rows)

    def forget_over(self, versions: Sequence[RuleVersion], today: str) -> None:
        """Deletes those to versions that no longer wait and are no open drafts, but not for a while if they were the
        reason, nor those that were carried over to such a version."""
        if not self._all.all():
            return
        kept = {
            each.number: each
            for each in versions
            if each.state in {"waiting", "draft"}
            or (each.reason == "objections" and are_kept(each.ended, today))
        }
        known = {each.number: each for each in versions}
        kept |= {each.number: each for open_ in kept.values() for each in _before(open_, known.get)}
        gone = self._all.forget_others((each.number, each.fingerprint) for each in kept.values())
        self._reconciler.persistence.pending.add(gone)  # stored with the next booking

    def _to(self, version: RuleVersion) -> tuple[RuleObjection, ...]:
        """One for each account: to this version, or carried over to it."""
        return tuple({each.account: each for each in self._to_each(version)}.values())

    def _to_each(self, version: RuleVersion) -> tuple[RuleObjection, ...]:
        before = {(each.number, each.fingerprint) for each in _before(version, self._version)}
        carried = [each for each in self._all.all() if (each.version, each.fingerprint) in before]
        carried.sort(key=lambda each: each.version)
        return (*carried, *self._all.to(version.number, version.fingerprint))

    @property
    def _all(self) -> RuleObjections:
        return self._reconciler.registry.rule_objections


def _before(version: RuleVersion, find: Callable[[int], RuleVersion | None]) -> Iterator[RuleVersion]:
    """The versions whose objections count for this one: the draft that became it, and what it replaced while it waited
    and would have done the same. The newest first."""
    earlier = find(version.replaces or version.draft)
    while earlier is not None:
        yield earlier
        earlier = find(earlier.replaces or earlier.draft)

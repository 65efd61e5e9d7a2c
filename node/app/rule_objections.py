"""Counts and stores members' objections for the adoption of rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from node.accounts.changes import Change
from node.accounts.rule_objections import RuleObjection, RuleObjections, are_kept, objections_needed
from node.control.reconciler import Reconciler
from node.governance.adoption import RuleVersion
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

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler

    def count(self, version: RuleVersion | None) -> ObjectionCount:
        """Those that count: of accounts that are in the members' file now."""
        members = self._reconciler.member_directory.by_account
        if version is None:
            return ObjectionCount(0, len(members))
        found = self._all.standing(version.number, version.fingerprint, members)
        return ObjectionCount(len(found), len(members))

    def texts(self, version: RuleVersion | None) -> tuple[str, ...]:
        """What people wrote who object or objected to this version; in no order that tells who wrote it."""
        found = () if version is None else self._all.to(version.number, version.fingerprint)
        return tuple(sorted(each.text for each in found if each.text))

    async def change(
        self, account: AccountId, version: RuleVersion | None = None, text: str = ""
    ) -> ObjectionOutcome:
        """The account objects to this version; None: it no longer objects. It counts only once it is stored."""
        persistence, before = self._reconciler.persistence, self._all.of(account)
        if not persistence.recalled or await persistence.why_unwritable():
            return "unstored"
        new = None
        if version is not None:
            day = persistence.instant().today
            new = RuleObjection(account, version.number, version.fingerprint, day, text)
        rows = self._put(account, new)
        await self._reconciler.remember(rows)
        if persistence.why_unstored(rows):
            persistence.pending.add(self._put(account, before))
            return "unstored"
        return "done"

    def forget_over(self, versions: Sequence[RuleVersion], today: str) -> None:
        """Deletes those to versions that no longer wait, but not for a while if they were the reason."""
        if not self._all.all():
            return
        kept = [
            each
            for each in versions
            if each.state == "waiting" or (each.reason == "objections" and are_kept(each.ended, today))
        ]
        gone = self._all.forget_others((each.number, each.fingerprint) for each in kept)
        self._reconciler.persistence.pending.add(gone)  # stored with the next booking

    @property
    def _all(self) -> RuleObjections:
        return self._reconciler.registry.rule_objections

    def _put(self, account: AccountId, objection: RuleObjection | None) -> tuple[Change, ...]:
        if objection is None:
            return self._all.forget(account)
        self._all.put(objection)
        return (objection,)

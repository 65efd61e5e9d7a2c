"""Objections of members to rules that wait for their time: when enough of them stand, the rules do not come into force."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date

from node.units import AccountId

BLOCKING_PARTS = 5
"""A fifth of the accounts in the members' file is enough."""
BLOCKING_MIN = 2
"""But never one account alone: nobody has a veto."""
KEPT_DAYS = 30
"""After objections kept rules from coming into force, so that everybody can read why."""


@dataclass(frozen=True, slots=True)
class RuleObjection:
    """An account objects to one version of the rules. It has at most one objection to each."""

    account: AccountId
    version: int
    fingerprint: str
    """Of the text of that version: after the database was replaced, another text may get the same number."""
    day: str
    text: str
    """May be empty."""


@dataclass(frozen=True, slots=True)
class RuleObjectionGone:
    """The account's objection to this version was taken back or deleted."""

    account: AccountId
    version: int


def objections_needed(accounts: int) -> int:
    """How many objections keep rules from coming into force where the members' file has so many accounts."""
    return max(BLOCKING_MIN, -(-accounts // BLOCKING_PARTS))


def are_kept(ended: str, today: str) -> bool:
    """Whether objections that stopped a version at `ended`, an ISO time, are still kept; yes while the day is not known."""
    try:
        days = date.fromisoformat(today) - date.fromisoformat(ended[:10])
    except ValueError:
        return True
    return days.days <= KEPT_DAYS


class RuleObjections:
    """All objections, at most one for each account and version."""

    def __init__(self) -> None:
        self._kept: dict[tuple[AccountId, int], RuleObjection] = {}

    def take(self, kept: Iterable[RuleObjection]) -> None:
        """Load from storage."""
        self._kept.update(((each.account, each.version), each) for each in kept)

    def all(self) -> tuple[RuleObjection, ...]:
        return tuple(self._kept.values())

    def of(self, account: AccountId) -> tuple[RuleObjection, ...]:
        """Those of the account."""
        return tuple(each for each in self._kept.values() if each.account == account)

    def find(self, account: AccountId, version: int) -> RuleObjection | None:
        return self._kept.get((account, version))

    def to(self, version: int, fingerprint: str) -> tuple[RuleObjection, ...]:
        """Those to this version of the rules."""
        return tuple(
            each for each in self._kept.values() if (each.version, each.fingerprint) == (version, fingerprint)
        )

    def standing(
        self, version: int, fingerprint: str, members: Container[AccountId]
    ) -> tuple[RuleObjection, ...]:
        """As `to`, without those of accounts that are no longer in the members' file: they do not count."""
        return tuple(each for each in self.to(version, fingerprint) if each.account in members)

    def put(self, objection: RuleObjection) -> None:
        """Replaces the account's objection to this version before."""
        self._kept[objection.account, objection.version] = objection

    def forget(self, account: AccountId, version: int) -> tuple[RuleObjectionGone, ...]:
        """Delete the account's objection to this version, if it has one."""
        gone = self._kept.pop((account, version), None)
        return () if gone is None else (RuleObjectionGone(account, version),)

    def forget_account(self, account: AccountId) -> tuple[RuleObjectionGone, ...]:
        """Delete all objections of the account."""
        return tuple(gone for each in self.of(account) for gone in self.forget(account, each.version))

    def forget_others(self, kept: Iterable[tuple[int, str]]) -> tuple[RuleObjectionGone, ...]:
        """Delete the objections to all versions but these, each with its fingerprint."""
        versions = set(kept)
        others = [each for each in self._kept.values() if (each.version, each.fingerprint) not in versions]
        return tuple(gone for each in others for gone in self.forget(each.account, each.version))

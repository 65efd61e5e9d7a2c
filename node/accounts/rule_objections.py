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
    """An account objects to one version of the rules. It has at most one objection."""

    account: AccountId
    version: int
    fingerprint: str
    """Of the text of that version: after the database was replaced, another text may get the same number."""
    day: str
    text: str
    """May be empty."""


@dataclass(frozen=True, slots=True)
class RuleObjectionGone:
    """The account's objection was taken back or deleted."""

    account: AccountId


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
    """All objections, at most one for each account."""

    def __init__(self) -> None:
        self._by_account: dict[AccountId, RuleObjection] = {}

    def take(self, kept: Iterable[RuleObjection]) -> None:
        """Load from storage."""
        self._by_account.update((each.account, each) for each in kept)

    def all(self) -> tuple[RuleObjection, ...]:
        return tuple(self._by_account.values())

    def of(self, account: AccountId) -> RuleObjection | None:
        return self._by_account.get(account)

    def to(self, version: int, fingerprint: str) -> tuple[RuleObjection, ...]:
        """Those to this version of the rules."""
        return tuple(
            each
            for each in self._by_account.values()
            if (each.version, each.fingerprint) == (version, fingerprint)
        )

    def standing(
        self, version: int, fingerprint: str, members: Container[AccountId]
    ) -> tuple[RuleObjection, ...]:
        """As `to`, without those of accounts that are no longer in the members' file: they do not count."""
        return tuple(each for each in self.to(version, fingerprint) if each.account in members)

    def put(self, objection: RuleObjection) -> None:
        """Replaces the account's objection before."""
        self._by_account[objection.account] = objection

    def forget(self, account: AccountId) -> tuple[RuleObjectionGone, ...]:
        """Delete the account's objection, if it has one."""
        gone = self._by_account.pop(account, None)
        return () if gone is None else (RuleObjectionGone(account),)

    def forget_others(self, kept: Iterable[tuple[int, str]]) -> tuple[RuleObjectionGone, ...]:
        """Delete the objections to all versions but these, each with its fingerprint."""
        versions = set(kept)
        others = [
            each.account
            for each in self._by_account.values()
            if (each.version, each.fingerprint) not in versions
        ]
        return tuple(gone for account in others for gone in self.forget(account))

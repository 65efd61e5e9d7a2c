"""When usage is published: at once when it may change what somebody may use elsewhere, the rest a minute later."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.accounting.ledger import UsageBucket
from node.units import AccountId

STEP_PERMILLE = 20
"""Part of the smallest open allowance of an account after which its usage is published at once."""
LOOK_AGAIN_S = 60.0
"""How long what is known of an account's allowances is used."""
ACCOUNTS_MAX = 20_000

type BucketKey = tuple[str, str, AccountId]


@dataclass(frozen=True, slots=True)
class OpenAllowance:
    """Of an account, in bytes."""

    step: int
    """STEP_PERMILLE of the smallest allowance that is not used up."""
    left: int
    """What is left of the one that will be used up first."""


@dataclass(slots=True)
class _Unpublished:
    looked_s: float
    urgent_at: float
    """Unpublished bytes from which on it is urgent."""
    unpublished: int = 0


class PublishSchedule:
    """Decides whether booked usage is urgent. `allowance_of` returns None for an account without open allowances."""

    def __init__(self, allowance_of: Callable[[AccountId], OpenAllowance | None]) -> None:
        self._allowance_of = allowance_of
        self._accounts: dict[AccountId, _Unpublished] = {}
        self._totals: dict[BucketKey, int] = {}
        self._open: set[AccountId] = set()
        """Those that had an open allowance when it was looked up last."""

    def book(self, buckets: Iterable[tuple[str, str, AccountId, UsageBucket]], now_s: float) -> bool:
        """Buckets of this node have these new values. Whether one is to be published at once."""
        is_urgent = False
        for incarnation, day, account, bucket in buckets:
            key, total = (incarnation, day, account), bucket.uplink.total
            found = self._look(account, now_s)
            # A bucket that is new here may have been published before the program was restarted: this counts it again.
            found.unpublished += max(0, total - self._totals.get(key, 0))
            self._totals[key] = total
            is_urgent |= found.unpublished >= found.urgent_at
        return is_urgent

    def published(self) -> None:
        """Everything booked so far was published."""
        self._accounts = {}
        if len(self._totals) > ACCOUNTS_MAX:
            self._totals, self._open = {}, set()

    def _look(self, account: AccountId, now_s: float) -> _Unpublished:
        found = self._accounts.get(account)
        if found is None or now_s - found.looked_s >= LOOK_AGAIN_S:
            unpublished = found.unpublished if found is not None else 0
            found = _Unpublished(now_s, self._urgent_at(account, unpublished), unpublished)
            self._accounts[account] = found
        return found

    def _urgent_at(self, account: AccountId, unpublished: int) -> float:
        allowance, was_open = self._allowance_of(account), account in self._open
        self._open.discard(account)
        if allowance is None:
            # It is looked up after the usage was booked: what used up the allowance must not wait.
            return 1 if was_open else float("inf")
        self._open.add(account)
        return min(allowance.step, unpublished + max(1, allowance.left))

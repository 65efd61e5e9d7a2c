"""What accounts used until a moment of a replay, as quotas count it."""

from collections.abc import Collection
from dataclasses import dataclass, field

from node.accounting.intervals import AccountUsage
from node.accounting.periods import Period, SlidingDays, last_days, period_name
from node.governance.rules import Quota
from node.units import AccountId


@dataclass(slots=True)
class ReplayedUsage:
    """All, and while the line was busy."""

    days: dict[str, dict[AccountId, list[int]]] = field(default_factory=dict)
    """By day and account."""
    _before: dict[tuple[Period, str], dict[AccountId, list[int]]] = field(default_factory=dict)
    """In a period until a day, without it."""

    def add(self, day: str, usage: AccountUsage) -> None:
        """Of a day that is not before those added so far."""
        today = self.days.setdefault(day, {})
        for account, (used, is_busy) in usage.items():
            counted = today.get(account)
            if counted is None:
                counted = today[account] = [0, 0]
            total = used.down + used.up
            counted[0] += total
            if is_busy:
                counted[1] += total

    def total(self, account: AccountId, quota: Quota, day: str) -> int:
        """Until now, on a day that is not before those added so far."""
        kind = 1 if quota.counts == "uplink while busy" else 0
        before = self._before.get((quota.period, day))
        if before is None:
            before = self._before[quota.period, day] = self._sums_before(quota.period, day)
        return sum(each[account][kind] for each in (before, self.days.get(day, {})) if account in each)

    def _sums_before(self, period: Period, day: str) -> dict[AccountId, list[int]]:
        if isinstance(period, SlidingDays):
            days: Collection[str] = last_days(period.days, day)
        else:
            name = period_name(period, day)
            days = [each for each in self.days if period_name(period, each) == name]
        found: dict[AccountId, list[int]] = {}
        for each in days:
            for account, counted in self.days.get(each, {}).items() if each != day else ():
                sums = found.setdefault(account, [0, 0])
                sums[0] += counted[0]
                sums[1] += counted[1]
        return found

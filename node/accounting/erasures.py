"""Erasures of personal data: which usage of an erased account must not be stored again."""

from dataclasses import dataclass
from datetime import date, timedelta

from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId

ERASED_MAX = 10_000
"""Number of erasures kept in memory, latest first. For older ones, only the database rejects late buckets."""


@dataclass(frozen=True, slots=True)
class ErasureNote:
    """Kept as long as a bucket from before the erasure could still arrive from another node or from a
    copy."""

    account: AccountId
    until_day: str
    """The day of the erasure."""
    is_over: bool = False
    """Whether the month of the erasure is over. Until then its days stay, because other people's shares
    depend on them."""

    @property
    def kept_since(self) -> str:
        """The first day whose usage is kept."""
        if self.is_over:
            return (date.fromisoformat(self.until_day) + timedelta(days=1)).isoformat()
        return f"{self.until_day[:7]}-01"

    def bars(self, day: str) -> bool:
        """Whether usage of this day is rejected. Usage counted here on an unknown day is kept."""
        return day != DAY_UNKNOWN and day < self.kept_since

    def bars_late(self, day: str) -> bool:
        """Whether a bucket of this day from another node is rejected. That of an unknown day is, because it
        may be from before the erasure."""
        return day == DAY_UNKNOWN or day < self.kept_since

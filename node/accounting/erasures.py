"""What stays out of the accounts of somebody who asked to be erased."""

from dataclasses import dataclass
from datetime import date, timedelta

from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId

ERASED_MAX = 10_000
"""So many erasures are known in memory, the latest ones; of the others the database alone keeps out what is late."""


@dataclass(frozen=True, slots=True)
class ErasureNote:
    """Remembered as long as a cell of a day before the erasure could be kept, wherever it comes from."""

    account: AccountId
    until_day: str
    """The day of the erasure."""
    is_over: bool = False
    """Whether the month of the erasure is over. Until then its days stay, because the shares of others rest on them."""

    @property
    def kept_since(self) -> str:
        """The first day of which anything is kept."""
        if self.is_over:
            return (date.fromisoformat(self.until_day) + timedelta(days=1)).isoformat()
        return f"{self.until_day[:7]}-01"

    def bars(self, day: str) -> bool:
        """Whether nothing of this day is kept. What is counted on a day that is not known is."""
        return day != DAY_UNKNOWN and day < self.kept_since

    def bars_late(self, day: str) -> bool:
        """Likewise of a cell that comes from elsewhere: of an unknown day, nobody can tell that it is later than the
        erasure."""
        return day == DAY_UNKNOWN or day < self.kept_since

"""The digest of the day: which changes wait for it, and when it is due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from node.alerts.alert_list import BY_NAME
from node.alerts.states import AlertChange

CHANGES_MAX = 100
"""That wait for the digest; of more, the oldest are left out."""


@dataclass(frozen=True, slots=True)
class DigestState:
    """What the next digest will tell."""

    last_day: str = ""
    """ISO date of the last day on which it was looked at; empty before the first."""
    changes: tuple[AlertChange, ...] = ()

    def with_changes(self, changes: Iterable[AlertChange]) -> "DigestState":
        """Those that nobody is told at once."""
        quiet = tuple(each for each in changes if not BY_NAME[each.name].is_urgent)
        return DigestState(self.last_day, (*self.changes, *quiet)[-CHANGES_MAX:])


def is_due(state: DigestState, now: datetime | None, minute: int | None) -> bool:
    """`now`: local time, None while the clock is not known; `minute` of the day, None for no digest."""
    if now is None or minute is None or now.date().isoformat() == state.last_day:
        return False
    return now.hour * 60 + now.minute >= minute

"""Weekly times in local civil time, as ``mon-fri 08:00-16:00; daily 22:00-06:00``."""

from dataclasses import dataclass

MINUTES_PER_DAY = 1440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY


@dataclass(frozen=True, slots=True)
class Times:
    """Half-open spans of minutes of the week, Monday 00:00 being 0; sorted, not overlapping."""

    spans: tuple[tuple[int, int], ...]

    def holds(self, minute_of_week: int) -> bool:
        return any(start <= minute_of_week < end for start, end in self.spans)

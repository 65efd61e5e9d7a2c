"""Fair queue for work done one item at a time: known parties first, then those with the fewest recent turns."""

from collections.abc import Hashable
from dataclasses import dataclass

from node.units import Milliseconds, Monotonic

REMEMBERED = Milliseconds(10 * 60_000)
"""How long a turn is counted."""
PARTIES_MAX = 4_096
"""The least recently served party is dropped first."""


@dataclass(frozen=True, slots=True)
class _Share:
    count: int
    last: Monotonic


@dataclass(frozen=True, slots=True)
class _Position:
    is_known: bool
    number: int


class FairQueue[Party: Hashable]:
    """At most `places_max` known and as many unknown parties wait, each once. At the limit, a new party
    replaces the one with the most recent turns, if that has had more turns than the new one."""

    def __init__(self, places_max: int) -> None:
        self._places_max = places_max
        self._waiting: dict[Party, _Position] = {}
        self._had: dict[Party, _Share] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, party: Party, now: Monotonic, *, is_known: bool) -> tuple[bool, Party | None]:
        """Enqueue a party. Returns whether it waits now, and the party that was removed for it, if any."""
        if party in self._waiting:
            return False, None
        same = [each for each, position in self._waiting.items() if position.is_known == is_known]
        gone = None
        if len(same) >= self._places_max:
            # Among equals remove the one that arrived last; the others have waited longer.
            gone = max(same, key=lambda each: (self._turns(each, now), self._waiting[each].number))
            if self._turns(gone, now) <= self._turns(party, now):
                return False, None
            del self._waiting[gone]
        self._number += 1
        self._waiting[party] = _Position(is_known, self._number)
        return True, gone

    def leave(self, party: Party) -> None:
        """Remove from the queue. May be called twice."""
        self._waiting.pop(party, None)

    def next(self, now: Monotonic) -> Party | None:
        """Dequeue the next party and count its turn; None if the queue is empty."""
        if not self._waiting:
            return None
        chosen = min(self._waiting, key=lambda each: self._rank(each, now))
        del self._waiting[chosen]
        turns = self._turns(chosen, now) + 1
        self._had.pop(chosen, None)
        if len(self._had) >= PARTIES_MAX:
            del self._had[next(iter(self._had))]
        self._had[chosen] = _Share(turns, now)
        return chosen

    def _rank(self, party: Party, now: Monotonic) -> tuple[bool, int, int]:
        position = self._waiting[party]
        return not position.is_known, self._turns(party, now), position.number

    def _turns(self, party: Party, now: Monotonic) -> int:
        had = self._had.get(party)
        return 0 if had is None or now - had.last >= REMEMBERED else had.count

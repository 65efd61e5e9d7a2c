"""Who is next where many wait for something that is done one at a time: people we know first, then who has had it least."""

from collections.abc import Hashable
from dataclasses import dataclass

from node.units import Milliseconds, Monotonic

REMEMBERED = Milliseconds(10 * 60_000)
"""So long a turn counts against who had it."""
PARTIES_MAX = 4_096
"""Whose turn was longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Share:
    count: int
    last: Monotonic


@dataclass(frozen=True, slots=True)
class _Position:
    is_known: bool
    number: int


class FairQueue[Party: Hashable]:
    """At most `places_max` known and as many unknown parties wait, each once. Who comes when all are taken takes the
    place of the one that has had most turns lately, if those are more than its own."""

    def __init__(self, places_max: int) -> None:
        self._places_max = places_max
        self._waiting: dict[Party, _Position] = {}
        self._had: dict[Party, _Share] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, party: Party, now: Monotonic, *, is_known: bool) -> tuple[bool, Party | None]:
        """Whether it waits now, and who must go for it."""
        if party in self._waiting:
            return False, None
        same = [each for each, place in self._waiting.items() if place.is_known == is_known]
        gone = None
        if len(same) >= self._places_max:
            # Of those with equally many, the last to come: the others have waited longer.
            gone = max(same, key=lambda each: (self._turns(each, now), self._waiting[each].number))
            if self._turns(gone, now) <= self._turns(party, now):
                return False, None
            del self._waiting[gone]
        self._number += 1
        self._waiting[party] = _Position(is_known, self._number)
        return True, gone

    def leave(self, party: Party) -> None:
        """It waits no longer; to be told twice is harmless."""
        self._waiting.pop(party, None)

    def next(self, now: Monotonic) -> Party | None:
        """Whose turn it is, which counts; None when nobody waits."""
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
        place = self._waiting[party]
        return not place.is_known, self._turns(party, now), place.number

    def _turns(self, party: Party, now: Monotonic) -> int:
        had = self._had.get(party)
        return 0 if had is None or now - had.last >= REMEMBERED else had.count

"""Machines that use one node key, each because its disk is a copy of the other's."""

from collections.abc import Iterable

from node.translator import N_, gettext_lazy
from node.units import Milliseconds, Monotonic

COPY_KNOWN = Milliseconds(600_000)
"""How long a copy of this node's disk is reported after it was met last."""
COPIES_MAX = 8
OWN_COPY = N_(
    "another machine uses this node's key (met at {place}): its disk is a copy of this one's, or this one of its. Both "
    "count, and each is told. Stop one of them, remove its node key, run 'procomu init' there, and put its new id on "
    "every node's list"
)
OTHER_COPY = N_(
    "two machines use the key of {node}: the disk of one is a copy of the other's. Both count. One of them needs a key of "
    "its own"
)


class KeyCopies:
    """Where another machine with this node's key was met, at most COPIES_MAX places."""

    def __init__(self) -> None:
        self._met: dict[str, Monotonic] = {}
        """Oldest first."""

    def met(self, place: str, now: Monotonic) -> None:
        self._met.pop(place, None)
        self._met[place] = now
        while len(self._met) > COPIES_MAX:
            del self._met[next(iter(self._met))]

    def warnings(self, others: Iterable[str], now: Monotonic) -> tuple[str, ...]:
        """For the operator. `others`: neighbours whose key several machines use, as they are shown."""
        places = sorted(place for place, met in self._met.items() if now - met < COPY_KNOWN)
        found = [gettext_lazy(OWN_COPY, place=", ".join(places))] if places else []
        return (*found, *(gettext_lazy(OTHER_COPY, node=node) for node in others))

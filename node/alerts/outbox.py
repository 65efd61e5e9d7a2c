"""Messages that wait to be sent, by way, oldest first: none is forgotten before it was sent, up to a limit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from node.alerts.message import AlertMessage

WayName = Literal["mail", "matrix", "webhook", "file"]
WAYS: tuple[WayName, ...] = get_args(WayName)
WAYS_TO_PROGRAMS: frozenset[WayName] = frozenset(("webhook", "file"))
"""They get each change at once, and no digest."""
WAITING_MAX = 50
"""Messages of one way; of more, the oldest are left out."""
PAUSES_S = (10, 30, 60, 300, 900, 3_600)
"""After each failure in a row of one way; the last one again and again."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """What waits."""

    waiting: Mapping[WayName, tuple[AlertMessage, ...]] = field(default_factory=dict)
    left_out: Mapping[WayName, int] = field(default_factory=dict)
    """How many were left out, of each way, since the last one that was sent."""

    def put(self, message: AlertMessage, ways: Iterable[WayName]) -> "Outbox":
        """Once, whatever the number of calls."""
        waiting, left_out = dict(self.waiting), dict(self.left_out)
        for way in ways:
            line = waiting.get(way, ())
            if any(each.id == message.id for each in line):
                continue
            line = (*line, message)
            if len(line) > WAITING_MAX:
                left_out[way] = left_out.get(way, 0) + len(line) - WAITING_MAX
            waiting[way] = line[-WAITING_MAX:]
        return Outbox(waiting, left_out)

    def first(self, way: WayName) -> AlertMessage | None:
        line = self.waiting.get(way, ())
        return line[0] if line else None

    def sent(self, way: WayName, id_: str) -> "Outbox":
        """It has arrived."""
        line = tuple(each for each in self.waiting.get(way, ()) if each.id != id_)
        left_out = {each: number for each, number in self.left_out.items() if each != way}
        return replace(self, waiting={**self.waiting, way: line}, left_out=left_out)

    def only(self, ways: Iterable[WayName]) -> "Outbox":
        """Without ways that are no longer set."""
        kept = set(ways)
        return Outbox(
            {way: line for way, line in self.waiting.items() if way in kept and line},
            {way: number for way, number in self.left_out.items() if way in kept},
        )


def ways_for(message: AlertMessage, ways: Iterable[WayName]) -> tuple[WayName, ...]:
    """Where a message goes at once, of the ways that are set."""
    if message.kind == "digest":
        return tuple(way for way in ways if way not in WAYS_TO_PROGRAMS)
    return tuple(way for way in ways if message.is_urgent or way in WAYS_TO_PROGRAMS)


def pause_s(failures: int) -> int:
    """How long a way rests after so many failures in a row."""
    return PAUSES_S[min(max(failures, 1), len(PAUSES_S)) - 1]

"""What the links to neighbouring nodes carried on the last days, beside what their pages say was used there. Pure.

Compared is what a node's accounts downloaded, by its pages, with the bytes that this node sent to it: each downloaded byte
went over the link before it was counted. Uploads are not compared, because a queue may drop them after they were counted.
It is compared only for a node whose page says that everything its pages count goes over this node's line, and only for a
day between two others that are over and were counted as a whole as well: the other node may be in another time zone, or
its clock may be wrong by some hours, so what it says of a day may have come on the one before or after.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from node.units import MacAddress, NodeId, Usage

DAYS_KEPT = 7
NODES_MAX = 64
ADDRESSES_OF_A_NODE_MAX = 4
TEXT_CHARS_MAX = 200_000
"""A text from elsewhere that is longer is not read; a full log is shorter."""
BYTES_MAX = 2**60
LAST_HOUR = 23
TOLERANCE_PERCENT = 10
"""Headers: packets that the kernel merges are counted with one, and not everywhere the same ones are merged."""
TOLERANCE_BYTES = 2**30
"""What a fast line carries between two looks of the other node at its routes: so much may have come another way unseen."""
LESS_FACTOR, LESS_BYTES = 4, 2**30
"""What was sent is much more than what the pages say of the three days if it is more than so many times that, and so many
bytes."""

type Hindrance = Literal["", "gap", "line"]
"""Why nothing follows from a day: it was not counted as a whole, or by the node's page it may not have used this node's line
alone on all of it."""
type Verdict = Literal["agrees", "less", "more", "gap", "line"]
"""``more``: the pages say that more was downloaded than this node sent, which cannot both be true. ``less``: much more was
sent than the pages say; what the node loads for itself, what its accounts use inside the community and what goes on to
nodes behind it are in no page of it, so both can be true. ``gap``, ``line``: nothing follows, or not yet."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Bytes of packets, with their IP headers and without those of Ethernet, between this node and a neighbour."""

    sent: int
    """To the neighbour."""
    received: int


@dataclass(frozen=True, slots=True)
class NeighbourReading:
    """The counters of all hardware addresses at one instant."""

    counters_id: str
    """Another one says that they began again; empty while there are none."""
    counted: Mapping[MacAddress, Carried]


NOT_COUNTED = NeighbourReading("", {})


@dataclass(frozen=True, slots=True)
class LinkDay:
    """One neighbour on one day."""

    sent: int = 0
    received: int = 0
    said_down: int = 0
    """By its pages, of all its accounts."""
    said_up: int = 0
    hindered: Hindrance = "gap"


NO_DAY = LinkDay()


@dataclass(frozen=True, slots=True)
class LinkLog:
    counters_id: str = ""
    day: str = ""
    """ISO date of the last booking."""
    hour: int = 0
    addresses: Mapping[NodeId, tuple[MacAddress, ...]] = field(default_factory=dict)
    """Those last known of each node."""
    booked: Mapping[MacAddress, Carried] = field(default_factory=dict)
    """The counters at the last booking."""
    days: Mapping[NodeId, Mapping[str, LinkDay]] = field(default_factory=dict)


NOTHING_CARRIED = LinkLog()


@dataclass(frozen=True, slots=True)
class _New:
    """Since the last booking."""

    sent: int = 0
    received: int = 0
    is_whole: bool = False
    """Whether that is all of it."""


@dataclass(frozen=True, slots=True)
class LocalHour:
    """Local time, as far as days and hours need it."""

    day: str
    """ISO date."""
    hour: int


def carried_on(
    log: LinkLog,
    reading: NeighbourReading,
    addresses: Mapping[NodeId, Iterable[MacAddress]],
    now: LocalHour,
    on_our_line: Mapping[NodeId, str],
) -> LinkLog:
    """The log after this reading. `addresses`: those known now; those of others stay while days with traffic are kept. An
    address of several nodes, as of those behind one that translates addresses, counts for the only one of them that is
    `on_our_line`, or for none. `on_our_line`: nodes whose pages say that they use this node's line alone, and the day on
    which that began: nothing follows from the days up to it, and from the last two of a node that does not say it."""
    if not reading.counters_id:
        return log
    known = _known(log.addresses, addresses, on_our_line)
    goes_on = reading.counters_id == log.counters_id and _follows(log, now)
    days = {node: dict(kept) for node, kept in log.days.items()}
    yesterday = _moved(now.day, -1)
    # A node may have had another address for a while before that was seen; a day that was left early is not whole either.
    broken_since = yesterday if goes_on else min(log.day or now.day, now.day)
    for node, of_node in known.items():
        new = _since(log, reading, node, of_node) if goes_on else _New()
        kept = days.setdefault(node, {})
        before = kept.get(now.day) or LinkDay(hindered="")
        kept[now.day] = replace(before, sent=before.sent + new.sent, received=before.received + new.received)
        if not new.is_whole:
            _hinder(kept, broken_since, now.day, "gap")
        _hinder(kept, "" if node in on_our_line else yesterday, on_our_line.get(node, now.day), "line")
    kept_days = _latest(days, known, now.day)
    known = {node: of for node, of in known.items() if node in addresses or _is_used(kept_days[node])}
    booked = {mac: reading.counted[mac] for of in known.values() for mac in of if mac in reading.counted}
    kept_days = {node: kept_days[node] for node in known}
    return LinkLog(reading.counters_id, now.day, now.hour, known, booked, kept_days)


def said_on(log: LinkLog, said: Mapping[NodeId, Mapping[str, Usage]]) -> LinkLog:
    """The log with what pages say, by node and day; days that it does not have are left out."""
    days = {node: dict(kept) for node, kept in log.days.items()}
    for node, by_day in said.items():
        for day, used in by_day.items():
            if day in days.get(node, {}):
                down, up = min(used.down, BYTES_MAX), min(used.up, BYTES_MAX)
                days[node][day] = replace(days[node][day], said_down=down, said_up=up)
    return replace(log, days=days)


def most_sent(days: Mapping[str, LinkDay], day: str) -> int:
    """The most that a node can have downloaded on that day by its own clock."""
    around = sum(each.sent for each in _around(days, day))
    return around + around * TOLERANCE_PERCENT // 100 + TOLERANCE_BYTES


def verdict_of(days: Mapping[str, LinkDay], day: str) -> Verdict:
    """`days`: of one node; `day` is one of them."""
    around = _around(days, day)
    for each in around:
        if each.hindered:
            return each.hindered
    if max(days) <= _moved(day, 1):
        return "gap"  # the day after is not over
    if days[day].said_down > most_sent(days, day):
        return "more"
    said = sum(each.said_down for each in around)
    return "less" if days[day].sent > max(LESS_BYTES, LESS_FACTOR * said) else "agrees"


@dataclass(frozen=True, slots=True)
class LinkUse:
    """What the link to one neighbour carried in the last days, and what its pages say of them."""

    node: NodeId
    days: Mapping[str, LinkDay]
    """At least one."""

    @property
    def sent(self) -> int:
        return sum(each.sent for each in self.days.values())

    @property
    def received(self) -> int:
        return sum(each.received for each in self.days.values())

    @property
    def said_down(self) -> int:
        return sum(each.said_down for each in self.days.values())

    @property
    def said_up(self) -> int:
        return sum(each.said_up for each in self.days.values())

    @property
    def worst_day(self) -> str:
        """The latest of those with the gravest verdict."""
        return max(self.days, key=lambda day: (_GRAVITY.index(verdict_of(self.days, day)), day))

    @property
    def verdict(self) -> Verdict:
        """That of the worst day; of days from which nothing follows, why."""
        return verdict_of(self.days, self.worst_day)


_GRAVITY: tuple[Verdict, ...] = ("gap", "line", "agrees", "less", "more")


def link_uses(log: LinkLog) -> tuple[LinkUse, ...]:
    """By node."""
    return tuple(LinkUse(node, kept) for node, kept in sorted(log.days.items()) if kept)


def to_text(log: LinkLog) -> str:
    """JSON."""
    days = {
        node: {day: [*_numbers(each), each.hindered] for day, each in sorted(kept.items())}
        for node, kept in log.days.items()
    }
    booked = {mac: [each.sent, each.received] for mac, each in log.booked.items()}
    known = {node: list(of_node) for node, of_node in log.addresses.items()}
    return json.dumps([log.counters_id, log.day, log.hour, known, booked, days], separators=(",", ":"))


def from_text(text: str) -> LinkLog:
    """What `to_text` wrote; an empty log if the text is anything else."""
    if len(text) > TEXT_CHARS_MAX:
        return NOTHING_CARRIED
    try:
        counters_id, day, hour, known, booked, days = json.loads(text)
        return LinkLog(
            str(counters_id),
            str(date.fromisoformat(day)),
            _number(hour),
            {NodeId(node): tuple(map(MacAddress, of_node)) for node, of_node in known.items()},
            {
                MacAddress(mac): Carried(_number(sent), _number(received))
                for mac, (sent, received) in booked.items()
            },
            {
                NodeId(node): {str(date.fromisoformat(each)): _day(entry) for each, entry in kept.items()}
                for node, kept in days.items()
            },
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return NOTHING_CARRIED


def _known(
    before: Mapping[NodeId, tuple[MacAddress, ...]],
    now: Mapping[NodeId, Iterable[MacAddress]],
    ours: Collection[NodeId],
) -> dict[NodeId, tuple[MacAddress, ...]]:
    """Those known now first, so that they find room."""
    found = {node: tuple(sorted(of_node))[:ADDRESSES_OF_A_NODE_MAX] for node, of_node in now.items()}
    found = {node: of_node for node, of_node in found.items() if of_node}
    together = dict([*found.items(), *((node, each) for node, each in before.items() if node not in found)])
    kept = dict(list(together.items())[:NODES_MAX])
    held = Counter(mac for of_node in kept.values() for mac in of_node)
    held_by_ours = Counter(mac for node, of_node in kept.items() if node in ours for mac in of_node)
    alone = {
        node: tuple(mac for mac in of_node if held[mac] == 1 or (node in ours and held_by_ours[mac] == 1))
        for node, of_node in kept.items()
    }
    return {node: of_node for node, of_node in alone.items() if of_node}


def _follows(log: LinkLog, now: LocalHour) -> bool:
    if log.day == now.day:
        return True
    return bool(log.day) and log.hour == LAST_HOUR and now == LocalHour(_moved(log.day, 1), 0)


def _since(log: LinkLog, reading: NeighbourReading, node: NodeId, addresses: Collection[MacAddress]) -> _New:
    sent, received, is_whole = 0, 0, log.addresses.get(node) == addresses
    for mac in addresses:
        before, now = log.booked.get(mac), reading.counted.get(mac)
        if before is None or now is None or now.sent < before.sent or now.received < before.received:
            is_whole = False
        else:
            sent, received = sent + now.sent - before.sent, received + now.received - before.received
    return _New(sent, received, is_whole)


def _around(days: Mapping[str, LinkDay], day: str) -> tuple[LinkDay, ...]:
    """The day, the one before and the one after."""
    return tuple(days.get(_moved(day, by), NO_DAY) for by in (0, -1, 1))


def _hinder(days: dict[str, LinkDay], first: str, last: str, why: Hindrance) -> None:
    """A gap hides nothing about the line."""
    for day, each in days.items():
        if first <= day <= last and each.hindered != "line":
            days[day] = replace(each, hindered=why)


def _latest(
    days: Mapping[NodeId, Mapping[str, LinkDay]], known: Collection[NodeId], today: str
) -> dict[NodeId, dict[str, LinkDay]]:
    """The last days, without those that a wrong clock left in the future; of nodes that are known."""
    since = _moved(today, 1 - DAYS_KEPT)
    return {
        node: {day: each for day, each in kept.items() if since <= day <= today}
        for node, kept in days.items()
        if node in known
    }


def _is_used(days: Mapping[str, LinkDay]) -> bool:
    return any(each.sent or each.received for each in days.values())


def _moved(day: str, by: int) -> str:
    return str(date.fromisoformat(day) + timedelta(days=by))


def _numbers(day: LinkDay) -> Iterator[int]:
    yield from (day.sent, day.received, day.said_down, day.said_up)


def _day(entry: Any) -> LinkDay:
    """Raises ValueError or TypeError."""
    *numbers, hindered = entry
    if len(numbers) != 4 or hindered not in ("", "gap", "line"):
        raise ValueError("no day")
    sent, received, down, up = map(_number, numbers)
    return LinkDay(sent, received, down, up, hindered)


def _number(value: Any) -> int:
    """Raises ValueError."""
    if type(value) is not int or not 0 <= value <= BYTES_MAX:
        raise ValueError("no number")
    return value

"""This node's own page: what it says of itself now, coarse, and whether that is to be published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mesh.announcement import Address
from mesh.callable_address import holds_hardware_address, is_callable
from mesh.coarse import LossMeter, coarse_load_percent, coarse_loss_percent, coarse_round_trip_ms
from mesh.node_kind import (
    ADDRESSES_MAX,
    ATTENTION_MAX,
    LINKS_MAX,
    LOAD_PERCENT_MAX,
    ROUND_TRIP_MS_MAX,
    VERSION_CHARS_MAX,
    NodeFacts,
    NodeLink,
    UplinkState,
    node_body,
)
from mesh.node_page_schedule import NodePageSchedule
from mesh.page_format import is_text
from node.units import NodeId


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """What the node knows of itself beside its links."""

    version: str = ""
    uplink: tuple[str, UplinkState] | None = None
    load_percent: float | None = None
    attention: int = 0
    """Things that need a person."""
    through: tuple[NodeId, int] | None = None
    """As in `NodeFacts`."""


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """Of one connection, from the kernel; all but the first only grow."""

    round_trip_ms: float
    sent_segments: int
    sent_again: int
    acknowledged_bytes: int = 0
    busy_us: int = 0
    """While something was sent and not acknowledged."""


@dataclass(frozen=True, slots=True)
class MeasuredLink:
    """One connection to a trusted neighbour."""

    node: NodeId
    connection: int
    """Different for each connection."""
    counters: LinkCounters | None


class OwnNodePage:
    """Call `look` now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._schedule = NodePageSchedule()
        self._meters: dict[int, LossMeter] = {}

    def look(
        self,
        before: NodeFacts | None,
        local: LocalFacts,
        addresses: Iterable[Address],
        links: Iterable[MeasuredLink],
        *,
        now_s: float,
        nodes: int,
        unix_s: int = 0,
    ) -> bytes | None:
        """The body of the page to publish now; None if none is due. `before`: the page published last, by this node or
        an earlier incarnation; `nodes`: of the community; `unix_s`: 0 if the time is not known."""
        facts = NodeFacts(
            name=self._name,
            version=local.version[:VERSION_CHARS_MAX],
            addresses=_named(addresses),
            uplink=local.uplink if local.uplink is not None and is_text(local.uplink[0]) else None,
            load_percent=_load(local.load_percent, before),
            attention=min(local.attention, ATTENTION_MAX),
            links=self._links(links, before),
            made_s=unix_s,
            through=local.through,
        )
        return node_body(facts) if self._schedule.is_due(before, facts, now_s, nodes) else None

    def _links(self, links: Iterable[MeasuredLink], before: NodeFacts | None) -> tuple[NodeLink, ...]:
        said = {each.node: each for each in before.links} if before is not None else {}
        found: dict[NodeId, NodeLink] = {}
        meters: dict[int, LossMeter] = {}
        for link in sorted(links, key=lambda each: (each.node, each.connection)):
            meter = meters[link.connection] = self._meters.get(link.connection, LossMeter())
            found.setdefault(link.node, _measured(link, meter, said))
        self._meters = meters
        return tuple(found.values())[:LINKS_MAX]


def _measured(link: MeasuredLink, meter: LossMeter, said: Mapping[NodeId, NodeLink]) -> NodeLink:
    before = said.get(link.node, NodeLink(link.node))
    if link.counters is None:
        return before
    counters = link.counters
    loss = meter.note(counters.sent_segments, counters.sent_again)
    round_trip_ms = coarse_round_trip_ms(counters.round_trip_ms, before.round_trip_ms)
    return NodeLink(
        link.node,
        min(ROUND_TRIP_MS_MAX, round_trip_ms),
        before.loss_percent if loss is None else coarse_loss_percent(loss, before.loss_percent),
    )


def _load(measured: float | None, before: NodeFacts | None) -> int | None:
    if measured is None:
        return None
    return coarse_load_percent(measured, before.load_percent if before else None, LOAD_PERCENT_MAX)


def _named(addresses: Iterable[Address]) -> tuple[Address, ...]:
    found = [each for each in addresses if is_callable(each) and not holds_hardware_address(each)]
    return tuple(dict.fromkeys(found))[:ADDRESSES_MAX]

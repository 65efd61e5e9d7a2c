"""Counts what the links to neighbouring nodes carry, and keeps it beside what their pages say was used there."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Protocol

from mesh.kernel_neighbours import hardware_addresses
from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.accounting.link_days import (
    NOTHING_CARRIED,
    LinkUse,
    LocalHour,
    NeighbourReading,
    carried_on,
    from_text,
    link_uses,
    said_on,
    to_text,
)
from node.accounting.periods import DAY_UNKNOWN
from node.config import NodeConfig
from node.control.ports import Clock, StateArchive
from node.control.reconciler import Reconciler
from node.errors import StorageTrouble
from node.units import NO_USAGE, MacAddress, Milliseconds, Monotonic, NodeId, Usage
from node.uplink.proc_net import next_hops

log = logging.getLogger(__name__)

STATE = "link_days"
"""Name of the log in the node state."""
LOOK_S = 60.0
READ_PAGES_EVERY_MS = Milliseconds(300_000)
SAVE_EVERY_MS = Milliseconds(3_600_000)
"""What a power cut can lose; then the counters are lost too, and nothing follows from that day."""
_CONNECTED = "trusted"


@dataclass(frozen=True, slots=True)
class LinkSources:
    """Where the numbers come from. Those of the kernel may take a while, and are read in a thread."""

    read: Callable[[], NeighbourReading]
    mesh_addresses: Callable[[], Mapping[str, MacAddress]]
    """Hardware addresses on the mesh interfaces, by IP address."""
    uplink_addresses: Callable[[], Mapping[str, MacAddress]]
    next_hops: Callable[[], Collection[IPv4Address | IPv6Address]]
    """Of the default routes by the uplink."""
    peers: Callable[[], tuple[PeerView, ...]]
    pages: Callable[[], Mapping[NodeId, NodeFacts]]
    has_gateways: Callable[[], bool]


class LinkUsage:
    """`run` may be called again. While the database cannot be used, the log goes on in memory."""

    def __init__(
        self,
        reconciler: Reconciler,
        archive: StateArchive,
        clock: Clock,
        sources: LinkSources,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._reconciler, self._archive, self._clock, self._sources = reconciler, archive, clock, sources
        self._look_s = look_s
        self._log = self._saved = NOTHING_CARRIED
        self._is_loaded = self._is_in_trouble = False
        self._read_at: Monotonic | None = None
        self._save_at: Monotonic | None = None
        self.through: tuple[NodeId, int] | None = None
        """The neighbour over whose line everything goes that this node's usage pages count, and the Unix time since when
        each look of this run found it so."""

    def uses(self) -> tuple[LinkUse, ...]:
        """Of each neighbour whose link is counted; it never waits."""
        return link_uses(self._log)

    async def run(self) -> None:
        """Runs until cancelled; then it saves."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._look_s)
        finally:
            await self._save()

    async def look(self) -> None:
        """One look; `run` looks each minute."""
        if not self._is_loaded or self._is_due(self._save_at):
            await self._save()
            self._save_at = Monotonic(self._clock.monotonic() + SAVE_EVERY_MS)
        sources, day = self._sources, self._clock.today()
        on_uplink, hops = await asyncio.to_thread(lambda: (sources.uplink_addresses(), sources.next_hops()))
        connected = {each.node: each for each in sources.peers() if each.state == _CONNECTED}
        gateway = None if sources.has_gateways() else gateway_node(hops, on_uplink, connected.values())
        self._note_through(gateway if day != DAY_UNKNOWN else None)
        if day == DAY_UNKNOWN or not self._is_loaded:
            return
        # Pages before counters, so that nothing is said that was not counted yet.
        said = await self._said(day)
        on_mesh, reading = await asyncio.to_thread(lambda: (sources.mesh_addresses(), sources.read()))
        found = {node: hardware_of(peer, on_mesh) for node, peer in connected.items()}
        own = self._reconciler.node
        civil = self._clock.civil()
        ours = {
            node: str(day_of(facts.through[1], civil.tzinfo))
            for node, facts in sources.pages().items()
            if facts.through is not None and facts.through[0] == own
        }
        now = LocalHour(day, civil.hour)
        self._log = said_on(carried_on(self._log, reading, found, now, ours), said)

    def _note_through(self, gateway: NodeId | None) -> None:
        """A short change counts too: some of what pages count went another way then."""
        if gateway is None:
            self.through = None
        elif self.through is None or self.through[0] != gateway:
            self.through = gateway, int(self._clock.civil().timestamp())

    async def _said(self, today: str) -> Mapping[NodeId, Mapping[str, Usage]]:
        """Of today and yesterday, now and then."""
        if not (self._log.addresses and self._is_due(self._read_at)):
            return {}
        self._read_at = Monotonic(self._clock.monotonic() + READ_PAGES_EVERY_MS)
        days = (str(date.fromisoformat(today) - timedelta(days=1)), today)
        said: dict[NodeId, dict[str, Usage]] = {}
        for node in self._log.addresses:
            by_day = said.setdefault(node, dict.fromkeys(days, NO_USAGE))
            for key, bucket in (await self._reconciler.persistence.buckets(days[0], node=node)).items():
                if key.day in by_day:
                    by_day[key.day] += bucket.uplink
        return said

    def _is_due(self, at: Monotonic | None) -> bool:
        return at is None or self._clock.monotonic() >= at

    async def _save(self) -> None:
        """Reads the log first, if that was not possible before."""
        try:
            if not self._is_loaded:
                self._log = self._saved = from_text(await self._archive.state(STATE))
                self._is_loaded = True
            if self._log != self._saved:
                written = self._log
                await self._archive.save_state(STATE, to_text(written))
                self._saved = written
            self._is_in_trouble = False
        except StorageTrouble as trouble:
            if not self._is_in_trouble:
                log.warning("what the links carried is not stored, and is tried again: %s", trouble)
            self._is_in_trouble = True


def gateway_node(
    hops: Collection[IPv4Address | IPv6Address],
    on_uplink: Mapping[str, MacAddress],
    connected: Iterable[PeerView],
) -> NodeId | None:
    """The connected node that is the next hop of every default route, by its hardware address on the uplink. None if any
    other host is seen there: what people load from it, or by a narrower route to it, does not pass the gateway."""
    gateways = {on_uplink.get(str(each)) for each in hops}
    if len(gateways) != 1 or gateways != set(on_uplink.values()):
        return None
    found = [each.node for each in connected if gateways & set(hardware_of(each, on_uplink))]
    return found[0] if len(found) == 1 else None


def day_of(unix_s: int, zone: tzinfo | None) -> date:
    """The last one there is for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(unix_s, zone).date()
    except (ValueError, OverflowError, OSError):
        return date.max


def hardware_of(peer: PeerView, known: Mapping[str, MacAddress]) -> tuple[MacAddress, ...]:
    """Hardware addresses of a connected node. Its first address is that of the connection on which it proved its key;
    the others were only announced."""
    hosts = [host for each in peer.addresses[:1] for host in _hosts(each)]
    return tuple(
        dict.fromkeys(mac for ip, mac in known.items() if ip in hosts or ip.partition("%")[0] in hosts)
    )


def _hosts(address: str) -> Iterator[str]:
    """The numeric address of one with a port, as the kernel's table has it."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        ip = ip_address(host)
    except ValueError:
        return
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    yield str(mapped or ip)


class NeighbourPages(Protocol):
    """The mesh."""

    def peers(self) -> tuple[PeerView, ...]: ...

    def node_pages(self) -> Mapping[NodeId, NodeFacts]: ...


class GatewayList(Protocol):
    """The gateways of this node."""

    def accepted(self) -> Iterator[object]: ...


def node_links(
    config: NodeConfig,
    reconciler: Reconciler,
    archive: StateArchive,
    mesh: NeighbourPages | None,
    gateways: GatewayList,
    *,
    read: Callable[[], NeighbourReading],
) -> LinkUsage:
    """Of this machine. `mesh`: None for a node without neighbours, which need not run it."""
    interfaces, uplink = config.mesh.interfaces, config.uplink.interface
    sources = LinkSources(
        read=read,
        mesh_addresses=lambda: hardware_addresses(interfaces),
        uplink_addresses=lambda: hardware_addresses((uplink,)),
        next_hops=lambda: next_hops(_text("route"), _text("ipv6_route"), uplink),
        peers=mesh.peers if mesh is not None else tuple,
        pages=mesh.node_pages if mesh is not None else dict,
        has_gateways=lambda: any(True for _ in gateways.accepted()),
    )
    return LinkUsage(reconciler, archive, reconciler.clock, sources)


def _text(name: str) -> str:
    """Empty where the kernel has none."""
    try:
        return Path("/proc/net", name).read_text()
    except OSError:
        return ""

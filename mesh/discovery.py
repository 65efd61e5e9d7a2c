"""Zeroconf on each mesh link: announces this node and browses for others. Results are hints, not proofs.

One instance per link, IPv6 only and bound to the interface: an unbound socket receives the multicast of every link,
takes its own name on another link for a conflict, and answers there with an address of the wrong link.
"""

import asyncio
import contextlib
import fcntl
import ipaddress
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from zeroconf import (  # type: ignore[attr-defined] # those that begin with DNS are not in its __all__
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    EventLoopBlocked,
    IPVersion,
    NonUniqueNameException,
    NotRunningException,
    ServiceStateChange,
    Zeroconf,
    current_time_millis,
)
from zeroconf import Error as ZeroconfError
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from mesh.announcement import (
    SERVICE_TYPE,
    Address,
    Announcement,
    MdnsFilter,
    announce,
    instance_name,
    read_announcement,
)
from mesh.page_format import Malformed
from mesh.ports import Roster
from node.identity import SHORT_CHARS
from node.multicast_dns import DatagramReader, Filtered
from node.translator import gettext_lazy
from node.units import NodeId

LOOK_AGAIN_S = 1.0
"""Interval of the check for links that appear, disappear or change their address."""
ASK_AGAIN_S = 30.0
"""Interval after which a lost answer is requested again; fresh cached answers cost no packet."""
BROWSE_EVERY_S = 10.0
"""Query interval: zeroconf's own grows with time, and a node may join a switch without any link event. Queries list
known nodes, which then do not answer."""
RESOLVE_MS = 2_000
RESOLVERS = 4
"""Parallel resolvers. One is reserved for members' nodes: a name without an answer blocks a resolver for RESOLVE_MS."""
QUEUE_MAX = 256
NAMES_MAX = 128
"""Service names remembered per link that are not members' nodes; the oldest is dropped, since any host can announce
names."""
CACHE_RECORDS_MAX = 8_192
"""Records that zeroconf may cache for a link before it is restarted; it keeps them for their whole TTL."""
BEGIN_AGAIN_S = 60.0
CLOSE_S = 3.0
_IF_INET6 = Path("/proc/thread-self/net/if_inet6")
_LINK_SCOPE = 0x20
_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40
_PTR, _IN, _QUERY = 12, 1, 0
_TENTATIVE_OR_FAILED = 0x40 | 0x08


@dataclass(frozen=True, slots=True)
class OwnService:
    """What this node announces."""

    node: NodeId
    community: str
    port: int
    boot: str


@dataclass(frozen=True, slots=True)
class _Link:
    """A network interface in its current state, with its usable link-local addresses."""

    name: str
    index: int
    addresses: tuple[str, ...]
    is_running: bool = True
    """Whether it has a carrier: after the carrier returns there may be other neighbours."""


class Discovery:
    """Announces `own` on the named interfaces and calls `found` for each other node's address."""

    def __init__(
        self,
        own: OwnService,
        interfaces: tuple[str, ...],
        found: Callable[[Announcement, Address], None],
        roster: Roster,
        copy_found: Callable[[Address], None] = lambda _address: None,
    ) -> None:
        """`copy_found` is called with the address of another machine that announces this node's key."""
        self._own = own
        self._copy_found = copy_found
        self._interfaces = interfaces
        self._roster = roster
        self._found = found
        self._warnings: dict[str, str] = {}

    def warnings(self) -> tuple[str, ...]:
        """What prevents discovery on a link, and how to fix it."""
        return tuple(self._warnings.values())

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as links:
            for name in self._interfaces:
                links.create_task(self._watch(name))

    async def _watch(self, name: str) -> None:
        while True:
            link = _read_link(name)
            if link is None:
                self._warnings[name] = gettext_lazy(
                    "neighbours on {interface} are not looked for: it is missing, down or without IPv6. Check with: ip link "
                    "set {interface} up",
                    interface=name,
                )
            else:
                await self._live_on(link)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _live_on(self, link: _Link) -> None:
        try:
            zeroconf = AsyncZeroconf(interfaces=[link.index], ip_version=IPVersion.V6Only)
        except OSError as error:
            self._warnings[link.name] = gettext_lazy(
                "neighbours on {interface} are not looked for: {english}. Another mDNS program may hold port 5353 for "
                "itself; peers named in the configuration still work",
                interface=link.name,
                english=str(error.strerror),
            )
            return
        self._warnings.pop(link.name, None)
        names = _Names(lambda: map(instance_name, self._roster()))
        browser: AsyncServiceBrowser | None = None
        try:
            await _bind(zeroconf, link, MdnsFilter(self._roster, time.monotonic))
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE_TYPE, handlers=[names.changed])
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(self._announce(zeroconf, link))]
                work.append(tasks.create_task(names.ask_again(zeroconf.zeroconf)))
                work.append(tasks.create_task(self._browse(zeroconf.zeroconf, names)))
                work += [
                    tasks.create_task(self._resolve(zeroconf, link, names, spare=number == 0))
                    for number in range(RESOLVERS)
                ]
                await _until_changed(link, zeroconf.zeroconf)
                for task in work:
                    task.cancel()
        except OSError as error:
            self._warnings[link.name] = gettext_lazy(
                "neighbours on {interface} are not looked for: {english}",
                interface=link.name,
                english=str(error.strerror),
            )
        finally:
            await _close(zeroconf, browser)

    async def _announce(self, zeroconf: AsyncZeroconf, link: _Link) -> None:
        """Until this node's name is announced; while a copy of its disk has the name, it is looked for again."""
        is_announced = False
        while not is_announced:
            is_announced = await self._register(zeroconf, link)
            await asyncio.sleep(ASK_AGAIN_S)

    async def _register(self, zeroconf: AsyncZeroconf, link: _Link) -> bool:
        own, clone = self._own, f"{link.name} clone"
        service = AsyncServiceInfo(
            SERVICE_TYPE,
            instance_name(own.node),
            port=own.port,
            properties=announce(community=own.community, node=own.node, port=own.port, boot=own.boot),
            server=f"{own.node[:SHORT_CHARS]}.local.",
            addresses=[socket.inet_pton(socket.AF_INET6, address) for address in link.addresses],
        )
        try:
            try:
                await (await zeroconf.async_register_service(service))
            except NonUniqueNameException:
                if not await self._is_ourselves(zeroconf, link):
                    self._warnings[clone] = gettext_lazy(
                        "another device on {interface} already carries this node's key. If its disk was copied from this "
                        "one, give it a key of its own",
                        interface=link.name,
                    )
                    return False
                await (await zeroconf.async_register_service(service, cooperating_responders=True))
            self._warnings.pop(clone, None)
        except (OSError, ZeroconfError, NotRunningException, EventLoopBlocked) as error:
            self._warnings[link.name] = gettext_lazy(
                "this node could not announce itself on {interface}: {english}",
                interface=link.name,
                english=str(error),
            )
        return True

    async def _is_ourselves(self, zeroconf: AsyncZeroconf, link: _Link) -> bool:
        """Whether the conflicting name belongs to this same process, reached through another link to the same
        network. The address of another one is reported."""
        other = AsyncServiceInfo(SERVICE_TYPE, instance_name(self._own.node))
        answered = await other.async_request(zeroconf.zeroconf, RESOLVE_MS)
        if answered and other.properties.get(b"e") == self._own.boot.encode():
            return True
        claim = read_announcement(other.name, other.properties) if answered else None
        for text in other.parsed_scoped_addresses(IPVersion.V6Only)[:4] if answered else ():
            host = _on_link(text, link)
            if host is not None and isinstance(claim, Announcement):
                self._copy_found(Address(host, claim.port))
        return False

    async def _browse(self, zeroconf: Zeroconf, names: "_Names") -> None:
        while True:
            await asyncio.sleep(BROWSE_EVERY_S)
            question = DNSOutgoing(_QUERY)
            question.add_question(DNSQuestion(SERVICE_TYPE, _PTR, _IN))
            now = current_time_millis()
            for record in _pointers(zeroconf):
                if record.alias in names.resolved and not record.is_stale(now):
                    question.add_answer_at_time(record, now)
            zeroconf.async_send(question)

    async def _resolve(self, zeroconf: AsyncZeroconf, link: _Link, names: "_Names", *, spare: bool) -> None:
        while True:
            name = await names.next(members_only=spare)
            if name.lower() == instance_name(self._own.node):
                continue
            try:
                # A new object for each query: an old one would answer from its previous data.
                service = AsyncServiceInfo(SERVICE_TYPE, name)
                answered = await service.async_request(zeroconf.zeroconf, RESOLVE_MS)
            except (OSError, ZeroconfError, NotRunningException, EventLoopBlocked):
                continue
            if answered:
                names.answered(name)
                self._report(service, link)

    def _report(self, service: AsyncServiceInfo, link: _Link) -> None:
        claim = read_announcement(service.name, service.properties)
        if isinstance(claim, Malformed) or claim.node == self._own.node:
            return
        for text in service.parsed_scoped_addresses(IPVersion.V6Only)[:4]:
            host = _on_link(text, link)
            if host is not None:
                self._found(claim, Address(host, claim.port))


class _Names:
    """Service names found on one link and waiting to be resolved; members' nodes come first."""

    def __init__(self, members: Callable[[], Iterable[str]]) -> None:
        self._member_names = members
        self._known: dict[str, None] = {}
        """Oldest first."""
        self._members: deque[str] = deque()
        self._others: deque[str] = deque(maxlen=QUEUE_MAX)
        self._arrived = asyncio.Event()
        self.resolved: set[str] = set()
        """Names whose address is known."""

    def changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        """Called by zeroconf during its own processing: only queues the name. zeroconf dictates the parameter names."""
        del zeroconf, service_type
        self._known.pop(name, None)
        if state_change is ServiceStateChange.Removed:
            self.resolved.discard(name)
            return
        self._known[name] = None
        self._make_room()
        self._enqueue(name)

    def answered(self, name: str) -> None:
        if name in self._known:
            self.resolved.add(name)

    async def next(self, *, members_only: bool) -> str:
        while True:
            if self._members:
                return self._members.popleft()
            if self._others and not members_only:
                return self._others.popleft()
            self._arrived.clear()
            await self._arrived.wait()

    async def ask_again(self, zeroconf: Zeroconf) -> None:
        while True:
            await asyncio.sleep(ASK_AGAIN_S)
            # Also a node whose name was dropped before it was added to the roster.
            members = set(self._member_names())
            there = (record.alias for record in _pointers(zeroconf))
            self._known |= dict.fromkeys(name for name in there if name.lower() in members)
            for name in tuple(self._known):
                self._enqueue(name)

    def _make_room(self) -> None:
        if len(self._known) <= NAMES_MAX:
            return
        members = set(self._member_names())
        others = [name for name in self._known if name.lower() not in members]
        for name in others[: len(others) - NAMES_MAX] if len(others) > NAMES_MAX else ():
            del self._known[name]
            self.resolved.discard(name)

    def _enqueue(self, name: str) -> None:
        queue = self._members if name.lower() in set(self._member_names()) else self._others
        if name not in queue:
            queue.append(name)
        self._arrived.set()


def _pointers(zeroconf: Zeroconf) -> list[DNSPointer]:
    """Cached PTR records: the nodes announced on the link."""
    found = zeroconf.cache.get_all_by_details(SERVICE_TYPE, _PTR, _IN)
    return [record for record in found if isinstance(record, DNSPointer)]


async def _bind(zeroconf: AsyncZeroconf, link: _Link, mdns_filter: MdnsFilter) -> None:
    """Bind the sockets to this link, install the filter, and drop what was received before. Raises OSError."""
    await zeroconf.zeroconf.async_wait_for_start()
    for each in zeroconf.zeroconf.engine.readers:
        own = each.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.name.encode() + b"\0")
        reader = cast(DatagramReader, each.transport.get_protocol())
        each.transport.set_protocol(cast(asyncio.BaseProtocol, Filtered(reader, mdns_filter.accept)))
    cache = zeroconf.zeroconf.cache
    for name in cache.names():
        cache.async_remove_records(cache.entries_with_name(name))


def _on_link(text: str, link: _Link) -> str | None:
    """The address with this host's name for the link; None if it is of another link or not link-local."""
    host, _, scope = text.partition("%")
    # Ignore addresses with the scope of another link.
    if scope not in {"", str(link.index), link.name} or not ipaddress.ip_address(host).is_link_local:
        return None
    return f"{host}%{link.name}"


def _read_link(name: str) -> _Link | None:
    try:
        index, lines = socket.if_nametoindex(name), _IF_INET6.read_text().splitlines()
    except OSError:
        return None
    addresses = []
    for line in lines:
        packed, _, _, scope, flags, owner = line.split()
        if owner == name and int(scope, 16) == _LINK_SCOPE and not int(flags, 16) & _TENTATIVE_OR_FAILED:
            addresses.append(str(ipaddress.IPv6Address(bytes.fromhex(packed))))
    return _Link(name, index, tuple(sorted(addresses)), _is_running(name)) if addresses else None


def _is_running(name: str) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh14x", name.encode(), 0))
        except OSError:
            return False
    return bool(struct.unpack_from("16sh", answer)[1] & _IFF_RUNNING)


async def _until_changed(link: _Link, zeroconf: Zeroconf) -> None:
    """Return when the link changes or zeroconf's cache is full."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_AGAIN_S)
        is_old = time.monotonic() - began > BEGIN_AGAIN_S
        if _read_link(link.name) != link or (
            is_old and sum(map(len, zeroconf.cache.cache.values())) > CACHE_RECORDS_MAX
        ):
            return


async def _close(zeroconf: AsyncZeroconf, browser: AsyncServiceBrowser | None) -> None:
    """Send goodbye packets, so that neighbours know at once; takes at most CLOSE_S."""
    with contextlib.suppress(TimeoutError, OSError, ZeroconfError, NotRunningException, EventLoopBlocked):
        async with asyncio.timeout(CLOSE_S):
            await zeroconf.async_unregister_all_services()
            if browser is not None:
                await browser.async_cancel()
            await zeroconf.async_close()

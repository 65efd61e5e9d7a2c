"""Zeroconf on each mesh link: says that we are here, hears who else is. A finding is a hint, never a proof.

One instance for each link, over IPv6 alone: links keep their names apart, and one that fails hurts no other.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zeroconf import Error as ZeroconfError
from zeroconf import (
    EventLoopBlocked,
    IPVersion,
    NonUniqueNameException,
    NotRunningException,
    ServiceStateChange,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from mesh.addresses import Address
from mesh.announcement import SERVICE_TYPE, Announcement, announce, instance_name, read_announcement
from mesh.messages import Malformed
from node.identity import SHORT_CHARS
from node.units import NodeId

LOOK_AGAIN_S = 1.0
"""How soon a link that appears, goes away or changes its address is noticed."""
ASK_AGAIN_S = 30.0
"""How soon an answer that got lost is asked for again; answers that are still fresh cost no packet."""
RESOLVE_MS = 2_000
RESOLVERS = 4
QUEUE_MAX = 256
NAMES_MAX = 128
"""Services remembered for each link."""
CLOSE_S = 3.0
_IF_INET6 = Path("/proc/thread-self/net/if_inet6")
_LINK_SCOPE = 0x20
_TENTATIVE_OR_FAILED = 0x40 | 0x08


@dataclass(frozen=True, slots=True)
class Self:
    """What we announce."""

    node: NodeId
    community: str
    port: int
    boot: str


@dataclass(frozen=True, slots=True)
class _Link:
    """A network interface as it is now, with its usable link-local addresses."""

    name: str
    index: int
    addresses: tuple[str, ...]


class Discovery:
    """Announces `own` on the named interfaces and calls `found` for each other node's address."""

    def __init__(
        self, own: Self, interfaces: tuple[str, ...], found: Callable[[Announcement, Address], None]
    ) -> None:
        self._own = own
        self._interfaces = interfaces
        self._found = found
        self._warnings: dict[str, str] = {}

    def warnings(self) -> tuple[str, ...]:
        """What keeps neighbours on some link from being found, and what to do."""
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
                self._warnings[name] = (
                    f"neighbours on {name} are not looked for: it is missing, down or without IPv6. "
                    f"Check with: ip link set {name} up"
                )
            else:
                await self._live_on(link)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _live_on(self, link: _Link) -> None:
        try:
            zeroconf = AsyncZeroconf(interfaces=[link.index], ip_version=IPVersion.V6Only)
        except OSError as error:
            self._warnings[link.name] = (
                f"neighbours on {link.name} are not looked for: {error.strerror}. Another mDNS program may "
                "hold port 5353 for itself; peers named in the configuration still work"
            )
            return
        self._warnings.pop(link.name, None)
        names = _Names()
        browser: AsyncServiceBrowser | None = None
        try:
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE_TYPE, handlers=[names.changed])
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(self._announce(zeroconf, link))]
                work.append(tasks.create_task(names.ask_again()))
                work += [tasks.create_task(self._resolve(zeroconf, link, names)) for _ in range(RESOLVERS)]
                await _until_changed(link)
                for task in work:
                    task.cancel()
        finally:
            await _close(zeroconf, browser)

    async def _announce(self, zeroconf: AsyncZeroconf, link: _Link) -> None:
        own = self._own
        service = AsyncServiceInfo(
            SERVICE_TYPE,
            instance_name(own.node),
            port=own.port,
            properties=announce(community=own.community, node=own.node, port=own.port, boot=own.boot),
            server=f"{own.node[:SHORT_CHARS]}.local.",
            addresses=[socket.inet_pton(socket.AF_INET6, address) for address in link.addresses],
        )
        try:
            await (await zeroconf.async_register_service(service))
        except NonUniqueNameException:
            self._warnings[f"{link.name} clone"] = (
                f"another device on {link.name} already carries this node's key. If its disk was copied from "
                "this one, give it a key of its own"
            )
        except (OSError, ZeroconfError, NotRunningException, EventLoopBlocked) as error:
            self._warnings[link.name] = f"this node could not announce itself on {link.name}: {error}"

    async def _resolve(self, zeroconf: AsyncZeroconf, link: _Link, names: "_Names") -> None:
        while True:
            name = await names.waiting.get()
            if name.lower() == instance_name(self._own.node):
                continue
            try:
                # A fresh one for each question: an old one would answer from what it had.
                service = AsyncServiceInfo(SERVICE_TYPE, name)
                answered = await service.async_request(zeroconf.zeroconf, RESOLVE_MS)
            except (OSError, ZeroconfError, NotRunningException, EventLoopBlocked):
                continue
            if answered:
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
    """Services that one link has named, waiting to be resolved."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str] = asyncio.Queue(QUEUE_MAX)
        self._known: dict[str, None] = {}

    def changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        """Called by zeroconf inside its own work: only remembers. The parameters' names are zeroconf's."""
        del zeroconf, service_type
        if state_change is ServiceStateChange.Removed:
            self._known.pop(name, None)
        elif name in self._known or len(self._known) < NAMES_MAX:
            self._known[name] = None
            self._enqueue(name)

    async def ask_again(self) -> None:
        while True:
            await asyncio.sleep(ASK_AGAIN_S)
            for name in tuple(self._known):
                self._enqueue(name)

    def _enqueue(self, name: str) -> None:
        # When the queue is full the name is asked for again later.
        with contextlib.suppress(asyncio.QueueFull):
            self.waiting.put_nowait(name)


def _on_link(text: str, link: _Link) -> str | None:
    """The address with our own name of the link; None when it is of another link or not link-local."""
    host, _, scope = text.partition("%")
    # Sockets hear the multicast of other links too, so what names another link does not count.
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
    return _Link(name, index, tuple(sorted(addresses))) if addresses else None


async def _until_changed(link: _Link) -> None:
    while True:
        await asyncio.sleep(LOOK_AGAIN_S)
        if _read_link(link.name) != link:
            return


async def _close(zeroconf: AsyncZeroconf, browser: AsyncServiceBrowser | None) -> None:
    """Say goodbye, so that neighbours know at once; never longer than CLOSE_S."""
    with contextlib.suppress(TimeoutError, OSError, ZeroconfError, NotRunningException, EventLoopBlocked):
        async with asyncio.timeout(CLOSE_S):
            await zeroconf.async_unregister_all_services()
            if browser is not None:
                await browser.async_cancel()
            await zeroconf.async_close()

"""Browses mDNS services on the LAN with zeroconf. It announces nothing."""

import asyncio
import contextlib
from ipaddress import IPv4Interface, IPv6Interface
from typing import cast

from zeroconf import Error as ZeroconfError
from zeroconf import EventLoopBlocked, IPVersion, NotRunningException, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from node.lan.managed_daemon import interface_index
from node.lan.mdns_services import (
    SCHEMES,
    FoundService,
    ServiceAnnouncement,
    dispensable,
    read_announced,
    shown,
)
from node.multicast_dns import DatagramReader, Filtered, sound

LOOK_AGAIN_S = 2.0
"""Interval of the check for a recreated interface or too many announcements."""
ASK_AGAIN_S = 60.0
"""Interval after which a service without a usable answer is resolved again."""
PAUSE_S = 300.0
"""How long browsing pauses after too many announcements."""
RESOLVE_MS = 3_000
RESOLVERS = 2
NAMES_MAX = 128
RECORDS_MAX = 6_000
"""Records that zeroconf may cache, about a kilobyte each, for as long as the sender's TTL; more is an attack on
memory."""
CLOSE_S = 3.0

Name = tuple[str, str]
"""Service type and instance."""


class MdnsBrowser:
    """The services present now. `run` until cancelled."""

    def __init__(self, interface: str, own4: IPv4Interface, own6: IPv6Interface | None) -> None:
        self._interface, self._own4, self._own6 = interface, own4, own6
        self._known: dict[Name, FoundService | None] = {}
        self._shown: tuple[FoundService, ...] = ()
        self._waiting: asyncio.Queue[Name] = asyncio.Queue(NAMES_MAX)
        self.warning = ""
        """Why services cannot be found; empty if they can."""
        self._is_flooded = False

    def found(self) -> tuple[FoundService, ...]:
        """The same object until something changes."""
        return self._shown

    async def run(self) -> None:
        while True:
            index = interface_index(self._interface)
            if index:
                await self._live(index)
            self._known.clear()
            self._show()
            await asyncio.sleep(PAUSE_S if self._is_flooded else LOOK_AGAIN_S)

    async def _live(self, index: int) -> None:
        try:
            zeroconf = AsyncZeroconf(interfaces=[str(self._own4.ip)], ip_version=IPVersion.V4Only)
        except OSError as error:
            self.warning = (
                f"services on {self._interface} are not looked for: {error.strerror}. "
                "Another mDNS program may hold port 5353 for itself"
            )
            return
        self.warning, self._is_flooded = "", False
        browser: AsyncServiceBrowser | None = None
        try:
            await _filter(zeroconf)
            browser = AsyncServiceBrowser(zeroconf.zeroconf, list(SCHEMES), handlers=[self._changed])
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(self._resolve(zeroconf)) for _ in range(RESOLVERS)]
                work.append(tasks.create_task(self._ask_again()))
                await self._until_changed(zeroconf, index)
                for task in work:
                    task.cancel()
        finally:
            await _close(zeroconf, browser)

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        """Called by zeroconf during its own processing: only queues the name. zeroconf dictates the parameter names."""
        del zeroconf
        place = (service_type, name)
        if state_change is ServiceStateChange.Removed:
            if self._known.pop(place, None) is not None:
                self._show()
        elif place in self._known or self._has_room():
            self._known.setdefault(place, None)
            self._enqueue(place)

    def _has_room(self) -> bool:
        """False when the table is full of services on show; otherwise one that is not shown is dropped, so that a
        flood of names from one machine does not block others."""
        if len(self._known) < NAMES_MAX:
            return True
        name = dispensable(self._known, self._shown)
        if name is not None:
            del self._known[name]
        return name is not None

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(ASK_AGAIN_S)
            for place in tuple(self._known):
                self._enqueue(place)

    def _enqueue(self, place: Name) -> None:
        # When the queue is full, the name is resolved in a later round.
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(place)

    async def _resolve(self, zeroconf: AsyncZeroconf) -> None:
        while True:
            place = await self._waiting.get()
            if place not in self._known:
                continue
            service_type, name = place
            try:
                # A new object for each query: an old one would answer from its previous data.
                service = AsyncServiceInfo(service_type, name)
                answered = await service.async_request(zeroconf.zeroconf, RESOLVE_MS)
            except (OSError, ZeroconfError, NotRunningException, EventLoopBlocked):
                continue
            found = read_announced(_said(service_type, service), self._own4, self._own6) if answered else None
            if place in self._known and self._known[place] != found:
                self._known[place] = found
                self._show()

    def _show(self) -> None:
        now = shown(found for found in self._known.values() if found is not None)
        if now != self._shown:
            self._shown = now

    async def _until_changed(self, zeroconf: AsyncZeroconf, index: int) -> None:
        while interface_index(self._interface) == index:
            if sum(map(len, zeroconf.zeroconf.cache.cache.values())) > RECORDS_MAX:
                self._is_flooded = True
                self.warning = (
                    f"services on {self._interface} are not looked for right now: some device there announces "
                    "thousands of services"
                )
                return
            await asyncio.sleep(LOOK_AGAIN_S)


async def _filter(zeroconf: AsyncZeroconf) -> None:
    await zeroconf.zeroconf.async_wait_for_start()
    for each in zeroconf.zeroconf.engine.readers:
        reader = cast(DatagramReader, each.transport.get_protocol())
        each.transport.set_protocol(cast(asyncio.BaseProtocol, Filtered(reader, sound)))


def _said(service_type: str, service: AsyncServiceInfo) -> ServiceAnnouncement:
    return ServiceAnnouncement(
        service_type,
        service.name,
        service.server or "",
        service.port or 0,
        service.properties.get(b"path"),
        tuple(service.parsed_addresses(IPVersion.All)),
    )


async def _close(zeroconf: AsyncZeroconf, browser: AsyncServiceBrowser | None) -> None:
    with contextlib.suppress(TimeoutError, OSError, ZeroconfError, NotRunningException, EventLoopBlocked):
        async with asyncio.timeout(CLOSE_S):
            if browser is not None:
                await browser.async_cancel()
            await zeroconf.async_close()

"""The real portal and the real admin server on this machine, before fake services in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from node.accounts.notices import Notice
from node.app.views import Admitted, CommunityView, DeviceCode, Entry, Full, GuestView, KeptView, Refused
from node.errors import NodeError
from node.lan.mdns_services import ServiceView
from node.units import NO_USAGE, MacAddress
from tests.fakes.portal_backend import COMMUNITY
from tests.fakes.portal_server import BEN, open_portal_server

HOST = COMMUNITY.portal_host
NEWCOMER = GuestView("waiting", None, NO_USAGE, None, None, None)

Opening = Callable[[], AbstractAsyncContextManager[int]]
"""Starts a server, and gives its port while it runs."""


@dataclass
class StagedHouse:
    """The portal's `PortalService` with one person whose state never changes."""

    person: GuestView = NEWCOMER
    view: CommunityView = COMMUNITY
    told: tuple[Notice, ...] = ()
    near: tuple[ServiceView, ...] = ()
    tables: tuple[KeptView, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    answers: Admitted | Refused | Full | NodeError = field(default_factory=lambda: Admitted(3_600))
    """Result of every attempt to join."""
    refusal: Refused | None = None
    """Result of every other action."""

    def guest(self, mac: MacAddress) -> GuestView:
        return self.person

    def community(self) -> CommunityView:
        return self.view

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        return self.told

    def services(self) -> tuple[ServiceView, ...]:
        return self.near

    def kept(self) -> tuple[KeptView, ...]:
        return self.tables

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        if isinstance(self.answers, NodeError):
            raise self.answers
        return self.answers

    async def leave(self, mac: MacAddress) -> None: ...

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        return self.refusal

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        return self.refusal

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        return self.refusal or DeviceCode("7KM3-Q2W9", 600)

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None:
        return self.refusal

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        return self.refusal

    async def set_passphrase(self, mac: MacAddress, passphrase: str, current: str = "") -> Refused | None:
        return self.refusal

    async def add_objection(self, mac: MacAddress, rule: str, text: str) -> Refused | None:
        return self.refusal

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        return self.data

    async def erase(self, mac: MacAddress) -> None: ...


def portal(*, elsewhere: bool = False, disputed: bool = False, **more: Any) -> Opening:
    """The portal before a `StagedHouse` with these values; `elsewhere`: the client is not on the node's link;
    `disputed`: another device claims the client's address."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[int]:
        async with open_portal_server(StagedHouse(**more)) as server:
            if elsewhere:
                server.callers.devices.clear()
            if disputed:
                server.callers.claimed |= dict.fromkeys(server.callers.devices, BEN)
            yield server.port

    return opening


@contextmanager
def served(opening: Opening, host: str = HOST) -> Iterator[str]:
    """URL of the first page while the server runs; the browser resolves `HOST` to the loopback address."""
    port: Future[int] = Future()
    stop: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.set_result(lambda: loop.call_soon_threadsafe(over.set))
        # Starts the executor thread of the loop now, for tests that count threads.
        await asyncio.to_thread(int)
        async with opening() as bound:
            port.set_result(bound)
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="door")
    thread.start()
    try:
        yield f"http://{host}:{port.result(10)}"
    finally:
        stop.result(10)()
        thread.join()

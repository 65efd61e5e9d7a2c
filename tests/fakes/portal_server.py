"""The real portal with the real use cases behind it: on a real loopback socket, or a single request without one."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache

from captive_portal.callers import DISPUTED, ELSEWHERE
from captive_portal.forms import Tokens, boot_name
from captive_portal.request_context import PortalPage, RequestContext
from captive_portal.server import Portal, portal_renderer
from node.control.reconciler import TICK_S
from node.units import MacAddress, Milliseconds
from node.web.connections import Caller, Limits, SocketAddresses
from node.web.language_choice import ENGLISH, Language, LanguageChooser
from node.web.rendering import Renderer
from tests.fakes.repository import FakeClock
from tests.fakes.use_cases import (
    ANA,
    BEN,
    GUEST_RULES,
    HOUR_MS,
    MEMBERS,
    RULES,
    SESSION_MS,
    AppFixture,
    UseCases,
)

HOST = "login.vallverda.example"
ANAS_ADDRESS, BENS_ADDRESS, STRANGERS_ADDRESS = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SECRET = b"the portal's secret, of 32 bytes"
TOKENS = Tokens(SECRET, boot_name(FakeClock().boot), FakeClock().now // 60_000)
"""Tokens of the first minute of the clock, until a test moves it."""
TERMS = "Be kind to each other.\n\nDo not resell the line."


@dataclass
class FakeCallers:
    """Implements `captive_portal.callers.Callers`: the device that sends from each address, and any other that
    claims it.
    """

    devices: dict[str, MacAddress] = field(default_factory=dict)
    claimed: dict[str, MacAddress] = field(default_factory=dict)

    def caller(self, ends: SocketAddresses) -> Caller:
        device = self.devices.get(ends.address)
        if device is None:
            return ELSEWHERE
        return DISPUTED if self.is_disputed(ends.address, device) else Caller(device)

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        return self.claimed.get(address, self.devices.get(address)) != device


@dataclass
class PortalServer:
    """Ana and Ben are on the link; every other address is outside the client network."""

    portal: Portal
    app: UseCases
    callers: FakeCallers
    port: int

    @property
    def tokens(self) -> Tokens:
        clock = self.app.node.clock
        return Tokens(SECRET, boot_name(clock.boot), clock.now // 60_000)

    async def pass_hours(self, hours: float) -> None:
        await self.app.pass_time(round(hours * HOUR_MS))


@cache
def renderer() -> Renderer:
    """Loaded once for all servers of a test run."""
    return portal_renderer()


def rendered(page: PortalPage) -> bytes:
    """The page in its language, without a cache."""
    return renderer().render(page, page.place.lang)


def portal_node(
    joining: str = "",
    rules: str = GUEST_RULES,
    *,
    rules_text: str = RULES,
    members: str = MEMBERS,
    session_ms: Milliseconds | None = SESSION_MS,
    terms: str = TERMS,
    tick_s: float = TICK_S,
    **settings: object,
) -> AppFixture:
    """A node of the community Vall Verda; `settings` are others of the section ``node``."""
    node = AppFixture(
        joining=joining,
        rules=rules,
        rules_text=rules_text,
        members=members,
        session_ms=session_ms,
        tick_s=tick_s,
    )
    node.configure("community", name="Vall Verda")
    node.configure("portal", host=HOST)
    node.configure("node", name="Library, ground floor", contact="hello@vallverda.example")
    node.configure("node", terms=terms, terms_version="2", **settings)
    return node


def joining(*ways: str, when_full: str = "oldest") -> str:
    """The section of the rules that allows these join methods."""
    listed = ", ".join(f'"{way}"' for way in ways)
    return f'[joining]\nways = [{listed}]\nwhen_full = "{when_full}"\nby = "D-1"\n'


def devices_rule(count: int) -> str:
    """A rule about the devices of each account; an account at its limit is asked which one leaves."""
    return f'[[rule]]\nid = "few"\ndevices = {count}\nwho = "everyone"\nby = "D-1"\n'


ASK_WHEN_FULL = joining("terms", "voucher", "passphrase", "card", "introduction", when_full="ask")


def context(
    app: UseCases | None = None,
    *,
    mac: MacAddress | None = ANA,
    path: str = "/",
    languages: Sequence[Language] = (ENGLISH,),
    query: Mapping[str, str] | None = None,
) -> RequestContext:
    """A request without a socket; by default to a node where nobody has joined."""
    portal = (app or portal_node().use_cases()).portal
    chooser = LanguageChooser(languages)
    return RequestContext(portal, mac, portal.community(), TOKENS, chooser, path=path, query=query or {})


@asynccontextmanager
async def open_portal_server(
    node: AppFixture | None = None, limits: Limits | None = None
) -> AsyncIterator[PortalServer]:
    node = node or portal_node()
    callers = FakeCallers({ANAS_ADDRESS: ANA, BENS_ADDRESS: BEN})
    async with node.life() as app:
        portal = Portal(
            app.portal,
            callers,
            port=0,
            secret=SECRET,
            boot=node.clock.boot,
            since_boot=node.clock.monotonic,
            addresses=("127.0.0.1",),
            limits=limits,
            renderer=renderer(),
        )
        task = asyncio.get_running_loop().create_task(portal.run())
        await portal.ready.wait()
        try:
            yield PortalServer(portal, app, callers, portal.bound[0][1])
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

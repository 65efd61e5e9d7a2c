"""A node with an openNDS gateway, and routers with people behind them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import GatewayService
from node.app.opennds_reports import RouterReports
from node.app.opennds_service import FasClient, OpenNdsService
from node.app.views import Admitted, Entry, TermsAccepted
from node.gateways.gateway import Gateway
from node.gateways.opennds_authmon import read_authmon
from tests.fakes.opennds_router import FakeRouter
from tests.fakes.use_cases import ANA, GUEST_RULES, RULES, AppFixture, UseCases

KEY, BROWSER = b"k" * 32, "0123456789abcdef" * 2
SLOW_RULES = RULES + GUEST_RULES


@dataclass
class FasFixture:
    """One run of a node with an openNDS gateway."""

    run: UseCases
    people: GatewayService
    service: OpenNdsService
    gateway: Gateway
    reports: RouterReports

    @property
    def faskey(self) -> str:
        return self.people.registry.fas_key(self.gateway)

    def router(self, **more: str) -> FakeRouter:
        return FakeRouter(self.faskey, client_mac=ANA, **more)

    def client(self, router: FakeRouter, level: int, *, browser: str = BROWSER, query: str = "") -> FasClient:
        client = self.service.client(self.gateway, level, query or router.query(level), browser)
        assert client is not None
        return client

    async def join(self, router: FakeRouter, level: int, entry: Entry | None = None) -> FasClient:
        client = self.client(router, level)
        assert Admitted() == await self.service.join(client, entry or TermsAccepted(), "1")
        return client

    def poll(self, router: FakeRouter) -> None:
        router.poll(self.ask)

    def ask(self, fields: dict[str, str]) -> str:
        request = read_authmon(fields)
        assert request is not None
        return self.service.authmon(self.gateway, request)

    def leave(
        self, router: FakeRouter, client: FasClient, down: object, up: object, *, times: int = 1
    ) -> None:
        """The router tells what the client used, with what it got when it let the client in."""
        custom = self.custom(router, client)
        line = router.deauthed(down, up).replace("custom=none", f"custom={custom}")
        assert "ack" == self.ask(router.asking("deauthed", line, times=times))

    def custom(self, router: FakeRouter, client: FasClient) -> str:
        if client.is_fetched:
            (limits,) = [each for each in router.online.values() if each]
            return limits[5]
        view = self.service.view(client)
        return parse_qs(urlsplit(view.address).query)["custom"][0]

    def used(self, client: FasClient) -> int:
        return self.run.portal.guest(client.mac).used.total


@asynccontextmanager
async def one_life(fixture: AppFixture, *, level_0: bool = True) -> AsyncIterator[FasFixture]:
    async with fixture.life() as run:
        registry = GatewayRegistry(
            fixture.archive, fixture.clock, key=KEY, random=secrets.token_bytes, one_change=asyncio.Lock()
        )
        people = GatewayService(
            run.loop,
            run.portal.admission,
            registry,
            fixture.archive,
            fixture.clock,
            key=KEY,
            random=secrets.token_bytes,
        )
        await people.recall()
        service = OpenNdsService(people, run.portal, fixture.clock, key=KEY, allows_level_0=lambda: level_0)
        known = list(registry.accepted())
        gateway = known[0] if known else await registry.add("opennds", "the library")
        reports = RouterReports(service, people, fixture.clock, key=KEY)
        yield FasFixture(run, people, service, gateway, reports)

"""The listeners for gateways as the daemon starts them: in clear for WiFiDog and openNDS, and over HTTPS for openNDS."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from captive_portal import gateway_listener
from captive_portal.gateway_listener import Gateways
from captive_portal.server import portal_renderer
from node.app.gateway_handovers import HANDOVERS_STATE
from node.app.gateway_service import GONE_DAYS
from node.config import GatewaysSection, ListenAddress
from node.gateways.gateway import Gateway
from node.web.certificate_files import CertificateFiles
from tests.fakes.authority import Authority
from tests.fakes.opennds_router import FakeRouter
from tests.fakes.use_cases import AppFixture
from tests.lab.free_port import free_port

HOST = "login.vall.example"
AUTHORITY = Authority()


class FakeKeys:
    """A key for each purpose."""

    def own_key_for(self, purpose: str) -> bytes:
        return sha256(purpose.encode()).digest()


@dataclass
class RunningGateways:
    gateways: Gateways
    gateway: Gateway
    ports: dict[bool, int]
    """Of the listeners, by whether it is the one with TLS."""
    trust: ssl.SSLContext

    async def get(self, target: str, *, tls: bool) -> str:
        more = {"ssl": self.trust, "server_hostname": HOST} if tls else {}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[tls], **more)
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Language: fr\r\nConnection: close\r\n\r\n".encode()
        )
        said = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return said.decode()

    async def page(self, level: int, *, tls: bool) -> str:
        router = FakeRouter(self.gateways.registry.fas_key(self.gateway))
        return await self.get(f"/gw/{self.gateway.id}/fas/{level}/?{router.query(level)}", tls=tls)


@pytest.fixture
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningGateways]:
    """`request.param`: the setting for level 0."""
    certificate, key, root = AUTHORITY.write(tmp_path, HOST)
    files = CertificateFiles(certificate, key, HOST, lambda: datetime.now(UTC))
    ports = {False: free_port(), True: free_port()}
    settings = GatewaysSection(ListenAddress("127.0.0.1", ports[False]), "", ports[True], request.param)
    fixture = AppFixture(None, tmp_path)
    async with fixture.life() as run:
        made = Gateways(settings, FakeKeys(), run.loop, run.portal, fixture.archive, certificate=files)
        await made.service.recall()
        gateway = await made.registry.add("opennds", "the library")
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(made.run(portal_renderer()))
            trust = ssl.create_default_context(cafile=str(root))
            opened = RunningGateways(made, gateway, ports, trust)
            async with asyncio.timeout(20):
                for tls in ports:
                    while True:
                        try:
                            await opened.get("/", tls=tls)
                            break
                        except OSError:
                            await asyncio.sleep(0.05)
            yield opened
            task.cancel()


@pytest.mark.parametrize("running", [False], indirect=True)
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("level", [1, 2, 3, 4])
async def test_people_behind_an_opennds_router_get_the_page_in_their_language(running, tls, level) -> None:
    said = await running.page(level, tls=tls)
    assert said.startswith("HTTP/1.1 200 ")
    assert "J’ai un code" in said
    cookie = next(line for line in said.splitlines() if line.lower().startswith("set-cookie"))
    assert ("; Secure" in cookie) == tls


@pytest.mark.parametrize("running", [False, True], indirect=True)
async def test_level_0_is_served_by_its_setting_only(running) -> None:
    is_served = running.gateways.settings.opennds_level_0
    said = await running.page(0, tls=False)
    assert said.startswith("HTTP/1.1 200 " if is_served else "HTTP/1.1 403 ")


async def test_what_is_stored_of_devices_is_deleted_also_where_routers_no_longer_reach_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_listener, "FORGET_EVERY_S", 0.01)
    fixture = AppFixture(None, tmp_path)
    async with fixture.life() as run:
        await fixture.archive.save_state(f"{HANDOVERS_STATE} 0123abcd", '{"ab":["",[],[],[0,0],false]}')
        made = Gateways(
            GatewaysSection(None, "", 1, False), FakeKeys(), run.loop, run.portal, fixture.archive
        )
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(made.run(portal_renderer()))
            async with asyncio.timeout(20):
                while not made.service.recalled:
                    await asyncio.sleep(0.01)
                assert made.service.handovers.clients
                fixture.clock.pass_time(GONE_DAYS * 86_400_000)
                while made.service.handovers.clients:
                    await asyncio.sleep(0.01)
            task.cancel()


def test_a_node_without_gateways_loads_no_code_of_their_protocols() -> None:
    late = ("captive_portal.fas_site", "captive_portal.gateway_server", "node.gateways.opennds_query")
    code = f"import sys, node.daemon; print([each for each in {late!r} if each in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

"""A node with 500 gateways of 20 people each: how many checks it can answer, how long each waits, and that restarts of the
node and of gateways lose no byte."""

import asyncio
import json
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from captive_portal.gateway_server import GatewayServer
from captive_portal.server import portal_renderer
from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import GatewayService
from node.config import ListenAddress
from node.control.reconciler import TICK_S
from node.gateways.gateway import Gateway
from node.gateways.gateway_secret import NONCE_BYTES, client_token
from node.memory_tuning import trim_regularly
from node.sessions.state import SessionGranted
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredRepository
from node.units import MacAddress
from tests.bench.figures import Figures, quantile, say
from tests.bench.meter import Blocks
from tests.fakes.use_cases import AppFixture, UseCases

KEYS = ("checks_per_s", "p99_ms", "loop_block_ms_max", "rss_mb", "lost_bytes", "end_s_max")
GATEWAYS, PEOPLE = 500, 20
CHECK_INTERVAL_S = 60
BLOCKED = 20
KEY = b"k" * 32
AT_ONCE, AT_ONCE_PACED = 24, 200


@dataclass
class GatewayClient:
    """One person's device."""

    gateway: Gateway
    source: str
    mac: MacAddress
    token: str
    down: int = 0
    used: int = 0
    """Bytes over all runs of the gateway."""

    def uses(self, count: int) -> None:
        self.down += count
        self.used += count

    def target(self, path: str, stage: str) -> str:
        counted = 0 if stage == "login" else self.down
        return (
            f"{path}auth/?stage={stage}&ip=192.168.1.9&mac={self.mac}&token={self.token}&incoming={counted}"
            f"&outgoing=0&gw_id={self.gateway.called}"
        )


class ManyGateways:
    """All of them, and the node's folder, over its restarts."""

    def __init__(self, folder: Path) -> None:
        store = Store(folder / "procomu.db")
        self.node = AppFixture(lambda: StoredRepository(store), folder, session_ms=None, tick_s=TICK_S)
        self.archive = StoredArchive(store)
        self.gateways = [
            Gateway(f"{number:08x}", "wifidog", "accepted", f"place {number}", f"GW{number}", "")
            for number in range(GATEWAYS)
        ]
        self.registry = GatewayRegistry(
            self.archive, self.node.clock, key=KEY, random=secrets.token_bytes, one_change=asyncio.Lock()
        )
        self.clients = [self._client(number) for number in range(GATEWAYS * PEOPLE)]

    def _client(self, number: int) -> GatewayClient:
        gateway = self.gateways[number % GATEWAYS]
        mac = MacAddress(f"06:00:00:00:{number // 256:02x}:{number % 256:02x}")
        token = client_token(KEY, gateway, mac, number.to_bytes(NONCE_BYTES))
        at = number % GATEWAYS
        return GatewayClient(gateway, f"127.1.{at // 250}.{at % 250 + 1}", mac, token)

    def path(self, gateway: Gateway) -> str:
        return f"/gw/{gateway.id}/{self.registry.secret(gateway)}/"

    def asked(self, stage: str, clients: list[GatewayClient]) -> list[tuple[str, str]]:
        return [(each.source, each.target(self.path(each.gateway), stage)) for each in clients]

    @asynccontextmanager
    async def running(self, *, killed: bool = False) -> AsyncIterator[tuple[UseCases, GatewayServer]]:
        """One run of the node with its listener."""
        async with self.node.life(killed=killed) as app:
            registry = GatewayRegistry(
                self.archive, self.node.clock, key=KEY, random=secrets.token_bytes, one_change=asyncio.Lock()
            )
            registry._take({each.id: each for each in self.gateways})
            registry.recalled = True
            service = GatewayService(
                app.loop, app.portal.admission, registry, self.archive, self.node.clock,
                key=KEY, random=secrets.token_bytes,
            )  # fmt: skip
            server = GatewayServer(
                service, app.portal, ListenAddress("127.0.0.1", 0), secret=KEY, boot="",
                since_boot=self.node.clock.monotonic, clock=time.monotonic, renderer=portal_renderer(),
            )  # fmt: skip
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(server.run()), tasks.create_task(trim_regularly())]
                await server.ready.wait()
                yield app, server
                for each in running:
                    each.cancel()


async def asks(
    server: GatewayServer, asked: list[tuple[str, str]], at_once: int, seconds: float = 0
) -> list[tuple[int, float, float]]:
    """Code, begin and end of each request, from a process of its own."""
    command = (
        sys.executable,
        "-m",
        "tests.bench.gateway_load",
        str(server.bound[1]),
        str(at_once),
        str(seconds),
    )
    load = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said = "".join(json.dumps(each) + "\n" for each in asked).encode()
    out, _ = await load.communicate(said)
    found = [tuple(json.loads(line)) for line in out.splitlines()]
    if len(found) != len(asked):
        raise RuntimeError("the load broke off")
    return found


def measure() -> Figures:
    with TemporaryDirectory() as folder:
        return asyncio.run(_measured(ManyGateways(Path(folder))))


async def _measured(many: ManyGateways) -> Figures:
    figures: Figures = {}
    chance = random.Random(5)
    async with many.running() as (app, server):
        for client in many.clients:
            app.loop.session_table.handle(client.mac, SessionGranted("1", None), many.node.clock.now)
        await app.loop.persistence.save()
        await app.settle()
        figures["checks_per_s"] = round(await _capacity(many, server, chance))
        await app.settle()
    # Killed, so that what it counted last was not stored; then half of the gateways start again.
    async with many.running(killed=True) as (app, server):
        await _round(many, server, chance)
        await app.settle()
    async with many.running() as (app, server):
        await _gateways_restart(many, server)
        blocks = Blocks()
        watching = asyncio.create_task(blocks.watch())  # noqa: TID251
        waited, ended = await _paced(many, app, server, chance)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await app.settle()
        used = sum(client.used for client in many.clients)
        buckets = await app.loop.persistence.buckets("")
        booked = sum(bucket.uplink.total for bucket in buckets.values())
        say(f"{used} bytes used, {booked} booked")
        figures |= {
            "p99_ms": round(1000 * quantile(waited, 0.99), 1),
            "loop_block_ms_max": round(blocks.longest_ms, 1),
            "rss_mb": _rss_mb(),
            "lost_bytes": abs(used - booked),
            "end_s_max": round(max(ended), 1),
        }
    return figures


async def _capacity(many: ManyGateways, server: GatewayServer, chance: random.Random) -> float:
    """Checks of all people, as fast as they are answered."""
    begun = time.monotonic()
    for client in many.clients:
        client.uses(chance.randrange(1_000_000))
    found = await asks(server, many.asked("counters", many.clients), AT_ONCE)
    took = max(end for *_, end in found) - min(start for _, start, _ in found)
    say(f"{len(found)} checks in {took:.1f} s, {time.monotonic() - begun:.1f} s with the start of the load")
    _all_pass(found)
    return len(found) / took


async def _round(many: ManyGateways, server: GatewayServer, chance: random.Random) -> None:
    for client in many.clients:
        client.uses(chance.randrange(1_000_000))
    _all_pass(await asks(server, many.asked("counters", many.clients), AT_ONCE))


async def _gateways_restart(many: ManyGateways, server: GatewayServer) -> None:
    """Half of them count from zero: their program says that it started, and people come again."""
    # What they counted before they went is what they told last.
    _all_pass(await asks(server, many.asked("counters", many.clients), AT_ONCE))
    half = [client for client in many.clients if int(client.gateway.id, 16) % 2]
    pings = [
        (
            client.source,
            f"{many.path(client.gateway)}ping/?gw_id={client.gateway.called}&wifidog_uptime={uptime}",
        )
        for uptime in (900, 5)
        for client in half[: GATEWAYS // 2]
    ]
    await asks(server, pings, 1)
    for client in half:
        client.down = 0
    _all_pass(await asks(server, many.asked("login", half), AT_ONCE))


async def _paced(
    many: ManyGateways, app: UseCases, server: GatewayServer, chance: random.Random
) -> tuple[list[float], list[float]]:
    """Two check intervals, as gateways ask: how long each check waited, and how long blocked devices stayed online."""
    blocked_at: dict[MacAddress, float] = {}

    async def block() -> None:
        for client in chance.sample(many.clients, BLOCKED):
            await asyncio.sleep(CHECK_INTERVAL_S / BLOCKED / 2)
            await app.loop.block(client.mac, "noise")
            blocked_at[client.mac] = time.monotonic()

    asked = []
    for _ in range(2):
        for client in many.clients:
            client.uses(chance.randrange(1_000_000))
        asked += many.asked("counters", many.clients)
    async with asyncio.TaskGroup() as tasks:
        blocking = tasks.create_task(block())
        found = await asks(server, asked, AT_ONCE_PACED, 2 * CHECK_INTERVAL_S)
        await blocking
    waited = [end - start for _, start, end in found]
    ended = []
    for number, client in enumerate(many.clients):
        if client.mac in blocked_at:
            ends = [found[at][2] for at in (number, number + len(many.clients)) if found[at][0] == 0]
            ended.append(min(ends) - blocked_at[client.mac])
    if len(ended) != BLOCKED:
        raise RuntimeError("not all blocked devices were turned away")
    return waited, ended


def _all_pass(found: list[tuple[int, float, float]]) -> None:
    wrong = [code for code, *_ in found if code != 1]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(found)} checks had another answer, as {wrong[0]}")


def _rss_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)

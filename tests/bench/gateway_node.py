"""``python -m tests.bench.gateway_node FOLDER GATEWAYS PEOPLE``: the node of the bench of gateways, as a process.

The listener for gateways, the use cases, the loop and the storage are the node's own; the kernel is in memory. Answers
lines of JSON on the standard input, one each, on the standard output, until it is killed or told to stop.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import node.daemon  # noqa: F401 - so that all code of a node is in memory
from captive_portal.gateway_server import GatewayServer
from captive_portal.server import portal_renderer
from node import memory_tuning
from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import GatewayService
from node.clock import SystemClock
from node.config import ListenAddress
from node.control.reconciler import TICK_S
from node.gateways.gateway import Gateway
from node.gateways.gateway_secret import NONCE_BYTES, client_token, gateway_secret
from node.gateways.told_gateway import people_key
from node.sessions.state import SessionGranted
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredRepository
from node.units import AccountId, MacAddress
from tests.bench.meter import Blocks
from tests.bench.namespaces import rss_kb
from tests.fakes.use_cases import AppFixture, UseCases

KEY = b"k" * 32
AT_ONCE = 100
"""People who are admitted between two looks of the loop at all else."""


@cache
def gateway(number: int) -> Gateway:
    return Gateway(f"{number:08x}", "wifidog", "accepted", f"place {number}", f"GW{number}", "")


@cache
def path_of(number: int) -> str:
    """Of the requests of a gateway."""
    return f"/gw/{gateway(number).id}/{gateway_secret(KEY, gateway(number))}/"


def mac_of(person: int) -> MacAddress:
    return MacAddress(f"06:00:00:00:{person // 256:02x}:{person % 256:02x}")


def token_of(person: int, at: int) -> str:
    """Of a person at the gateway with the number `at`."""
    key = people_key(KEY, gateway(at).id)
    return client_token(key, gateway(at), mac_of(person), person.to_bytes(NONCE_BYTES))


def own_account(mac: MacAddress) -> AccountId:
    """Every guest has one."""
    return AccountId(f"guest-{mac}")


class OrderedNode:
    """One run of the node."""

    def __init__(self, app: UseCases, server: GatewayServer, people: int) -> None:
        self._app, self._server, self._people, self._blocks = app, server, people, Blocks()
        self._watching: asyncio.Task[None] | None = None

    async def admit(self) -> Mapping[str, object]:
        """All people; their gateways name them later."""
        loop = self._app.loop
        for person in range(self._people):
            loop.session_table.handle(mac_of(person), SessionGranted("1", None), loop.clock.monotonic())
            if person % AT_ONCE == 0:
                await asyncio.sleep(0)
        await loop.persistence.save()
        await self._app.settle()
        return {}

    async def settle(self) -> Mapping[str, object]:
        """Returns when all that was counted is booked."""
        await self._app.settle()
        return {}

    async def watch(self) -> Mapping[str, object]:
        """How long the loop is blocked, from now on."""
        self._watching = asyncio.create_task(self._blocks.watch())  # noqa: TID251
        return {}

    async def block(self, person: int) -> Mapping[str, object]:
        await self._app.loop.block(mac_of(person), "noise")
        return {"at": time.monotonic()}

    async def figures(self) -> Mapping[str, object]:
        """What was measured since `watch`, and what is booked."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        rss = rss_kb("self")
        await self._app.settle()
        buckets = await self._app.loop.persistence.buckets("")
        return {
            "block_ms": self._blocks.longest_ms,
            "rss_kb": rss,
            "booked": sum(bucket.uplink.total for bucket in buckets.values()),
        }


@asynccontextmanager
async def running(folder: Path, gateways: int, people: int) -> AsyncIterator[OrderedNode]:
    """With all gateways accepted."""
    store = Store(folder / "procomu.db")
    node_fixture = AppFixture(
        lambda: StoredRepository(store), folder, session_ms=None, tick_s=TICK_S, guest_account=own_account
    )
    clock = SystemClock("trusted")
    node_fixture.clock = clock  # type: ignore[assignment]
    archive = StoredArchive(store)
    async with node_fixture.life() as app:
        registry = GatewayRegistry(
            archive, clock, key=KEY, random=secrets.token_bytes, one_change=asyncio.Lock()
        )
        registry._take({each.id: each for each in map(gateway, range(gateways))})
        registry.recalled = True
        service = GatewayService(
            app.loop, app.portal.admission, registry, archive, clock, key=KEY, random=secrets.token_bytes
        )
        server = GatewayServer(
            service, app.portal, ListenAddress("127.0.0.1", 0), secret=KEY, boot="",
            since_boot=clock.monotonic, clock=time.monotonic, renderer=portal_renderer(),
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            parts = [tasks.create_task(server.run()), tasks.create_task(memory_tuning.trim_regularly())]
            await server.ready.wait()
            sys.stdout.write(json.dumps({"port": server.bound[1]}) + "\n")
            sys.stdout.flush()
            yield OrderedNode(app, server, people)
            for each in parts:
                each.cancel()


async def main(folder: Path, gateways: int, people: int) -> None:
    memory_tuning.prepare()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with running(folder, gateways, people) as place:
        while line := await reader.readline():
            order: dict[str, Any] = json.loads(line)
            answer = await getattr(place, order.pop("do"))(**order)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))

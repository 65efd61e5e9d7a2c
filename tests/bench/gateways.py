"""A node with 500 gateways of 20 people each: how many checks it can answer, how long each waits, and that restarts of the
node and of gateways lose no byte."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from node.units import MacAddress
from tests.bench.figures import Figures, quantile, say
from tests.bench.gateway_node import gateway, mac_of, path_of, token_of
from tests.lab.internet import ROOT
from tests.lab.unit_environment import unit_environment

KEYS = ("checks_per_s", "p99_ms", "loop_block_ms_max", "rss_mb", "lost_bytes", "end_s_max")
GATEWAYS, PEOPLE = 500, 20
CHECK_INTERVAL_S = 60
BLOCKED = 20
AT_ONCE, AT_ONCE_PACED = 24, 200
STOP_S = 20.0


@dataclass(slots=True)
class GatewayClient:
    """One person's device."""

    number: int
    at: int
    """Number of its gateway."""
    mac: MacAddress
    token: str
    down: int = 0
    used: int = 0
    """Bytes over all runs of the gateway."""

    @property
    def source(self) -> str:
        return f"127.1.{self.at // 250}.{self.at % 250 + 1}"

    def uses(self, count: int) -> None:
        self.down += count
        self.used += count

    def target(self, stage: str) -> str:
        counted = 0 if stage == "login" else self.down
        return (
            f"{path_of(self.at)}auth/?stage={stage}&ip=192.168.1.9&mac={self.mac}&token={self.token}&incoming={counted}"
            f"&outgoing=0&gw_id={gateway(self.at).called}"
        )


class NodeWithGateways:
    """One run of `tests.bench.gateway_node`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process, self.port = process, port

    async def do(self, order: str, **details: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": order, **details}).encode() + b"\n")
        return await _answer(self._process)

    async def end(self, *, killed: bool) -> None:
        if killed:
            self._process.kill()
        elif self._process.stdin is not None:
            self._process.stdin.close()  # at the end of its input it stops
        async with asyncio.timeout(STOP_S):
            await self._process.wait()


async def _answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the node has ended")
    return dict(json.loads(line))


class ManyGateways:
    """All of them, and the node's folder, over its restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clients = [
            GatewayClient(number, at, mac_of(number), token_of(number, at))
            for number, at in ((number, number % GATEWAYS) for number in range(GATEWAYS * PEOPLE))
        ]

    def asked(self, stage: str, clients: list[GatewayClient]) -> list[tuple[str, str]]:
        return [(each.source, each.target(stage)) for each in clients]

    @asynccontextmanager
    async def running(self, *, killed: bool = False) -> AsyncIterator[NodeWithGateways]:
        """One run of the node, with the environment of the shipped unit, but without its memory limit."""
        command = (sys.executable, "-m", "tests.bench.gateway_node", str(self._folder), str(GATEWAYS))
        process = await asyncio.create_subprocess_exec(
            *command, str(len(self.clients)), cwd=ROOT, env=os.environ | unit_environment(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            place = NodeWithGateways(process, (await _answer(process))["port"])
            yield place
            await place.end(killed=killed)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def asks(
    node: NodeWithGateways, asked: list[tuple[str, str]], at_once: int, seconds: float = 0
) -> list[tuple[int, float, float]]:
    """Code, begin and end of each request, from a process of its own."""
    command = (
        sys.executable,
        "-m",
        "tests.bench.gateway_load",
        str(node.port),
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
    async with many.running() as node:
        await node.do("admit")
        figures["checks_per_s"] = round(await _capacity(many, node, chance))
        await node.do("settle")
    # Killed, so that what it counted last was not stored; then half of the gateways start again.
    async with many.running(killed=True) as node:
        await _round(many, node, chance)
        await node.do("settle")
    async with many.running() as node:
        await _gateways_restart(many, node)
        await node.do("watch")
        waited, ended = await _paced(many, node, chance)
        found = await node.do("figures")
        used = sum(client.used for client in many.clients)
        say(f"{used} bytes used, {found['booked']} booked")
        figures |= {
            "p99_ms": round(1000 * quantile(waited, 0.99), 1),
            "loop_block_ms_max": round(found["block_ms"], 1),
            "rss_mb": round(found["rss_kb"] / 1024, 1),
            "lost_bytes": abs(used - found["booked"]),
            "end_s_max": round(max(ended), 1),
        }
    return figures


async def _capacity(many: ManyGateways, node: NodeWithGateways, chance: random.Random) -> float:
    """Checks of all people, as fast as they are answered."""
    begun = time.monotonic()
    found = await _round(many, node, chance)
    took = max(end for *_, end in found) - min(start for _, start, _ in found)
    say(f"{len(found)} checks in {took:.1f} s, {time.monotonic() - begun:.1f} s with the start of the load")
    return len(found) / took


async def _round(
    many: ManyGateways, node: NodeWithGateways, chance: random.Random
) -> list[tuple[int, float, float]]:
    """Everybody uses something, and is checked."""
    for client in many.clients:
        client.uses(chance.randrange(1_000_000))
    found = await asks(node, many.asked("counters", many.clients), AT_ONCE)
    _all_pass(found)
    return found


async def _gateways_restart(many: ManyGateways, node: NodeWithGateways) -> None:
    """Half of them count from zero: their program says that it started, and people come again."""
    # What they counted before they went is what they told last.
    _all_pass(await asks(node, many.asked("counters", many.clients), AT_ONCE))
    half = [client for client in many.clients if client.at % 2]
    pings = [
        (
            client.source,
            f"{path_of(client.at)}ping/?gw_id={gateway(client.at).called}&wifidog_uptime={uptime}",
        )
        for uptime in (900, 5)
        for client in half[: GATEWAYS // 2]
    ]
    await asks(node, pings, 1)
    for client in half:
        client.down = 0
    _all_pass(await asks(node, many.asked("login", half), AT_ONCE))


async def _paced(
    many: ManyGateways, node: NodeWithGateways, chance: random.Random
) -> tuple[list[float], list[float]]:
    """Two check intervals, as gateways ask: how long each check waited, and how long blocked devices stayed online."""
    blocked_at: dict[MacAddress, float] = {}

    async def block() -> None:
        for client in chance.sample(many.clients, BLOCKED):
            await asyncio.sleep(CHECK_INTERVAL_S / BLOCKED / 2)
            blocked_at[client.mac] = (await node.do("block", person=client.number))["at"]

    asked = []
    for _ in range(2):
        for client in many.clients:
            client.uses(chance.randrange(1_000_000))
        asked += many.asked("counters", many.clients)
    async with asyncio.TaskGroup() as tasks:
        blocking = tasks.create_task(block())
        found = await asks(node, asked, AT_ONCE_PACED, 2 * CHECK_INTERVAL_S)
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

"""A node of the mesh under attack through its socket: what it took in that nobody signed, what crashed, and what stayed in
its memory. ``python -m tests.bench.mesh_fuzz SECONDS [SEED]`` prints what was found.

Two honest nodes run as processes and are neighbours; a hostile member in force and strangers attack the first one.
"""

import asyncio
import contextlib
import json
import logging
import random
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from node.units import NodeId
from tests.bench.figures import Figures, missing, say
from tests.bench.fuzz_attackers import Attackers
from tests.bench.fuzz_community import (
    HONEST_ACCOUNT,
    Bucket,
    NodeStore,
    SaidRecord,
    SignedLog,
    fuzzed_community,
)
from tests.bench.fuzz_node import LINE_BYTES_MAX
from tests.lab.internet import ROOT
from tests.lab.unit_environment import unit_environment

KEYS = ("fuzz_frames", "forged_accepted", "fuzz_crashes", "fuzz_rss_growth_mb", "fuzz_converged_s")
SECONDS, LONG_SECONDS = 60.0, 600.0
WARM_S, WARM_PART, WARM_FRAMES = 10.0, 0.1, 6_000
"""The attack before memory is read the first time: all that one author may have stored is stored then."""
CONVERGE_S = 20.0
SAID_CHARS = 2_000
"""Of each finding."""
QUIET_S = 2.0
"""Without attackers, before memory is read."""


class NodeProcess:
    """One honest node, asked by lines of JSON."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name, self._process = name, process
        self.port = 0

    async def ask(self, question: str, **more: object) -> dict[str, Any]:
        """Raises RuntimeError when the node has ended, or does not answer."""
        assert self._process.stdin is not None
        try:
            async with asyncio.timeout(30):
                self._process.stdin.write(json.dumps({"ask": question, **more}).encode() + b"\n")
                return await self.hear()
        except (OSError, TimeoutError) as error:
            raise RuntimeError(f"{self.name} does not answer: {error!r}") from error

    async def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended")
        return dict(json.loads(line))

    async def store(self) -> NodeStore:
        said = await self.ask("store")
        return NodeStore(
            frozenset(map(NodeId, said["nodes"])),
            tuple(map(bytes.fromhex, said["pages"])),
            tuple(said["statements"]),
            tuple(_bucket(each) for each in said["buckets"]),
            tuple(_record(each) for each in said["records"]),
        )


def _bucket(said: list[Any]) -> Bucket:
    node, incarnation, account, day, *counts = said
    down, up, busy_down, busy_up = map(int, counts)
    return node, incarnation, account, day, down, up, busy_down, busy_up


def _record(said: list[Any]) -> SaidRecord:
    kind, key, version, value = said
    return kind, key, int(version), value


@contextlib.asynccontextmanager
async def node_process(name: str, *peers: str) -> AsyncIterator[NodeProcess]:
    """A node that calls these addresses, as HOST:PORT."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.fuzz_node", name, *peers,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX, cwd=ROOT,
        env={**unit_environment(), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        node = NodeProcess(name, process)
        node.port = int((await node.hear())["port"])
        yield node
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass(slots=True)
class FuzzReport:
    """What an attack did."""

    sent: int
    forged: list[str]
    crashes: int
    troubles: list[str]
    growth_kb: int
    converged_s: float | None
    """How long an honest neighbour took afterwards; None if it did not in time."""
    taken_in: int
    """Pages and statements that the attacked node holds: valid ones must pass, or nothing was tried."""
    records: int
    """Facts about people that it holds, likewise."""

    def figures(self) -> Figures:
        return {
            "fuzz_frames": self.sent,
            "forged_accepted": len(self.forged),
            "fuzz_crashes": self.crashes,
            "fuzz_rss_growth_mb": round(max(0, self.growth_kb) / 1024, 2),
            **(
                missing(["fuzz_converged_s"], f"not within {CONVERGE_S:.0f} s")
                if self.converged_s is None
                else {"fuzz_converged_s": round(self.converged_s, 2)}
            ),
        }


async def fuzz(seconds: float, seed: int = 1) -> FuzzReport:
    """Attack a node for so long, after a warm-up; the same seed makes the same frames, in another order."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # attackers write to connections that were closed
    signed, community, called = SignedLog(), fuzzed_community(), _free_port()
    async with (
        node_process("square", f"127.0.0.1:{called}") as square,
        node_process("hills", f"::1:{square.port}") as hills,
    ):
        attackers = Attackers(square.port, random.Random(seed), community, signed)
        await _converge(square, hills, 1)
        while attackers.sent < WARM_FRAMES:
            await _attack(attackers, called, max(WARM_S, seconds * WARM_PART))
        before = (await square.ask("rss"))["kb"]
        say(f"{attackers.sent:,} frames to warm up, {before / 1024:.1f} MB")
        await _attack(attackers, called, seconds)
        after = (await square.ask("rss"))["kb"]
        say(f"{attackers.sent:,} frames, {after / 1024:.1f} MB")
        try:
            took = await _converge(square, hills, 2)
        except TimeoutError:
            took = None
        told = [await each.ask("troubles") for each in (square, hills)]
        stores = [await each.store() for each in (square, hills)]
    return FuzzReport(
        attackers.sent,
        [each for store in stores for each in signed.forged(store)],
        sum(each["count"] for each in told) + (took is None),
        [text for each in told for text in each["found"]],
        after - before,
        took,
        len(stores[0].pages) + len(stores[0].statements),
        len(stores[0].records),
    )


async def _attack(attackers: Attackers, called: int, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
            tasks.create_task(attackers.attack())
            tasks.create_task(attackers.answer_calls(called))
    await asyncio.sleep(QUIET_S)


async def _converge(square: NodeProcess, hills: NodeProcess, number: int) -> float:
    """Seconds until each of them counts what was booked at the other. Raises TimeoutError."""
    began = time.monotonic()
    for node in (square, hills):
        await node.ask("book", account=f"{HONEST_ACCOUNT}{node.name}-{number}", down=number)
    async with asyncio.timeout(CONVERGE_S):
        for one, other in ((square, hills), (hills, square)):
            while (await one.ask("used", account=f"{HONEST_ACCOUNT}{other.name}-{number}"))["down"] != number:
                await asyncio.sleep(0.05)
    return time.monotonic() - began


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def measure(seconds: float = SECONDS) -> Figures:
    return _told(seconds, 1).figures()


def _told(seconds: float, seed: int) -> FuzzReport:
    """The report, after what was found is said."""
    report = asyncio.run(fuzz(seconds, seed))
    for text in (*report.troubles, *report.forged[:20]):
        say(text[:SAID_CHARS])
    return report


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    report = _told(seconds, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.stdout.write(
        json.dumps({**report.figures(), "taken_in": report.taken_in, "records": report.records}) + "\n"
    )
    return int(bool(report.forged or report.crashes))


if __name__ == "__main__":
    sys.exit(main())

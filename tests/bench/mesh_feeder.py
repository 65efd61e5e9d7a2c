"""Many nodes of a community in one process: the real exchange with the pages of all of them, connected as some of them.

``python -m tests.bench.mesh_feeder JSON`` in the namespace of a neighbour; then one order for each line, one answer each.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.announcement import Address
from mesh.exchange import PAGE_KIND, Exchange
from mesh.link_writer import ROUND_EVERY_S
from mesh.messages import EXTENSIONS, Hello, Root, decode, encode
from mesh.page_format import VERSION, Page, assemble_page, page_head
from mesh.service import TREE_TICK_S
from mesh.tls_transport import Dialer, DialFailed, Link, contexts
from mesh.usage_kind import usage_body
from node.accounting.ledger import UsageBucket
from node.identity import key_from_raw, own_node_id, sign
from node.units import AccountId, Bytes, NodeId, Usage

INCARNATION = "12-m0a1b2c-01234567"
PUBLISH_EVERY_S = 60.0
WAIT_S = 0.05
AT_ONCE = 20
"""Pages that are offered before all of them are sent."""


def member_keys(count: int) -> list[Ed25519PrivateKey]:
    """The same in each run; only tests may make keys like this."""
    return [key_from_raw(number.to_bytes(32, "big")) for number in range(1, count + 1)]


class Feeder:
    """`members` nodes with `accounts` accounts each, of which the first `links` are neighbours of the node `target`."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._keys = member_keys(job["members"])
        self._ids = [own_node_id(key) for key in self._keys]
        self._target = NodeId(job["target"])
        roster = frozenset({*self._ids, self._target})
        self.exchange = Exchange(job["community"], lambda: roster)
        self._today = date.fromisoformat(job["today"])
        self._seq = 0
        self._wakes: dict[NodeId, asyncio.Event] = {}
        """By connection that stands; set while there may be something to send."""
        self.roots: dict[NodeId, str] = {}
        """The last root that the target said, by connection."""

    def _page(self, number: int, day: date) -> Page:
        self._seq += 1
        used = UsageBucket(Usage(Bytes(10**9 + self._seq), Bytes(10**8)), Usage(Bytes(0), Bytes(0)))
        rows = {AccountId(f"household-{number:04d}-{each}"): used for each in range(self._job["accounts"])}
        head = page_head(
            community=self._job["community"],
            author=self._ids[number],
            incarnation=INCARNATION,
            period=day.isoformat(),
            part=0,
            seq=self._seq,
        )
        signed = head + b"\n" + usage_body(rows)
        page = decode(assemble_page(signed, sign(self._keys[number], PAGE_KIND, signed)))
        assert isinstance(page, Page)
        return page

    def _history(self) -> Iterator[Page]:
        """Day by day, the oldest first."""
        for ago in range(self._job["days"] - 1, -1, -1):
            for number in range(self._job["members"]):
                yield self._page(number, self._today - timedelta(days=ago))

    async def run(self) -> None:
        """Until the standard input ends."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._keep_link(number)) for number in range(self._job["links"])]
            running.append(tasks.create_task(self._tick()))
            reader = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            while order := (await reader.readline()).decode().strip():
                sys.stdout.write(json.dumps(await self._do(order)) + "\n")
                sys.stdout.flush()
            for task in running:
                task.cancel()

    async def _do(self, order: str) -> dict[str, Any]:
        began = time.monotonic()
        while len(self._wakes) < self._job["links"]:
            await asyncio.sleep(WAIT_S)
        if order == "publish":
            await self._publish()
        elif order == "teach":
            for number, page in enumerate(self._history()):
                self.exchange.offer(page)
                if number % AT_ONCE == AT_ONCE - 1:
                    self._wake()
                    await self._settled()
            self._wake()
            await self._settled()
        return {"seconds": time.monotonic() - began, "links": len(self._wakes), "is_equal": self._is_equal()}

    def _wake(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    async def _settled(self) -> None:
        """Nothing waits for a connection."""
        while any(wake.is_set() for wake in self._wakes.values()):
            await asyncio.sleep(0.001)

    def _is_equal(self) -> bool:
        own = self.exchange.root()
        return bool(self.roots) and all(root == own for root in self.roots.values())

    async def _publish(self) -> None:
        """Each member publishes today's page once within a minute."""
        began = time.monotonic()
        for number in range(self._job["members"]):
            at = began + PUBLISH_EVERY_S * number / self._job["members"]
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            self.exchange.offer(self._page(number, self._today))
            self._wake()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TREE_TICK_S)
            if self.exchange.tick():
                self._wake()

    async def _keep_link(self, number: int) -> None:
        name = NodeId(f"target/{number}")
        async with Dialer(contexts(self._keys[number])[1]) as dialer:
            while True:
                with contextlib.suppress(DialFailed):  # the node may not have been started yet
                    link = await dialer.dial(self._target, Address(self._job["host"], self._job["port"]))
                    try:
                        await self._serve(link, name, number)
                    finally:
                        self._wakes.pop(name, None)
                        self.exchange.part(name)
                        await link.close("goodbye")
                await asyncio.sleep(1.0)

    async def _serve(self, link: Link, name: NodeId, number: int) -> None:
        hello = Hello(
            VERSION,
            self._job["community"],
            self._ids[number],
            f"member {number}",
            f"{number:016x}",
            EXTENSIONS,
        )
        await link.send(encode(hello))
        if not isinstance(decode(await link.receive() or b""), Hello):
            return
        self.exchange.greet(name, EXTENSIONS)
        wake = self._wakes[name] = asyncio.Event()
        wake.set()
        sending = asyncio.get_running_loop().create_task(self._send(link, name, wake))
        try:
            while (frame := await link.receive()) is not None:
                message = decode(frame)
                if isinstance(message, Root):
                    self.roots[name] = message.digest
                self.exchange.receive(name, message)
                self._wake()
        finally:
            sending.cancel()

    async def _send(self, link: Link, name: NodeId, wake: asyncio.Event) -> None:
        round_at = time.monotonic() + ROUND_EVERY_S
        while True:
            if time.monotonic() >= round_at:
                self.exchange.begin_round(name)
                round_at = time.monotonic() + ROUND_EVERY_S
            frame = self.exchange.next_frame(name)
            if frame is not None:
                await link.send(frame)
                continue
            wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, round_at - time.monotonic())):
                    await wake.wait()


if __name__ == "__main__":
    asyncio.run(Feeder(json.loads(sys.argv[1])).run())

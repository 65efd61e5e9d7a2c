"""Bytes that a node writes to its disk in a day for the pages and the usage of 200 other nodes of its community.

The real node on an ext4 file system of its own, as in `written`; its clock is moved by hand. In a busy minute each of the
others publishes its ten accounts once, in a quiet one a fifth of them does. Two hours of each are measured; what the
node writes without the others is taken off. The database has the pages of the days before, so that each page of today is
on a page of the database of its own.
"""

import asyncio
import itertools
import random
import tempfile
from datetime import timedelta
from pathlib import Path

from mesh.messages import decode
from mesh.page_format import Page, assemble_page, page_head
from mesh.usage_kind import usage_body
from node.accounting.ledger import UsageBucket
from node.identity import SIGNATURE_BYTES
from node.units import AccountId, Bytes, Usage
from tests.bench.figures import Figures, say
from tests.bench.written import MB, LoopDisk, mounted
from tests.fakes.members import COMMUNITY
from tests.fakes.neighbours import id_of
from tests.fakes.shared_node import SharedNode

KEYS = ("mesh_written_mb_per_day",)
AUTHORS, ACCOUNTS = 200, 10
BUSY_HOURS, QUIET_HOURS, QUIET_PART = 18, 6, 0.2
MEASURED_MINUTES, ALONE_MINUTES = 120, 20
DAYS_BEFORE = 20
MINUTE_MS = 60_000
ASK_AGAIN_S = 0.01


class PublishingVillage:
    """What the others publish. Pages are not signed: a node takes its own without a check, and these are given to it so."""

    def __init__(self, node: SharedNode) -> None:
        self._node, self._random, self._seqs = node, random.Random(1), itertools.count(1)
        self._names = self.names()
        self._used = {name: [0] * ACCOUNTS for name in self._names}

    @staticmethod
    def names() -> list[str]:
        return [f"house-{number}" for number in range(AUTHORS)]

    async def store_days_before(self) -> None:
        today = self._node.clock.civil().date()
        for ago in range(1, DAYS_BEFORE + 1):
            day = (today - timedelta(days=ago)).isoformat()
            pages = [self._page(name, day) for name in self._names]
            await self._node.mesh._page_cache.save([(page.name, page.raw) for page in pages])

    def _page(self, name: str, day: str = "") -> Page:
        used = self._used[name]
        for number in range(ACCOUNTS):
            used[number] += self._random.randrange(10**7)
        rows = {
            AccountId(f"{name}-person-{number}"): UsageBucket(
                Usage(Bytes(each), Bytes(each // 9)), Usage(Bytes(each // 3), Bytes(0))
            )
            for number, each in enumerate(used)
        }
        head = page_head(
            community=COMMUNITY,
            author=id_of(name),
            incarnation="12-m0a1b2c-01234567",
            period=day or self._node.clock.today(),
            part=0,
            seq=next(self._seqs),
        )
        page = decode(assemble_page(head + b"\n" + usage_body(rows), self._random.randbytes(SIGNATURE_BYTES)))
        assert isinstance(page, Page)
        return page

    def publish(self, part: float) -> None:
        for name in self._names:
            if self._random.random() < part:
                replica = self._node.mesh._replica
                replica._act(replica.exchange.offer(self._page(name)))


async def _minute(node: SharedNode, village: PublishingVillage, part: float) -> None:
    """One minute of the node's clock, with everything that it stores then."""
    village.publish(part)
    persistence = node.loop.persistence
    before = persistence._stored_ms
    node.clock.pass_time(MINUTE_MS)
    node.kernel.now = node.clock.now
    for _ in range(3_000):
        if persistence._stored_ms != before:
            return
        await asyncio.sleep(ASK_AGAIN_S)
    raise RuntimeError("the node stores nothing")


async def _written(node: SharedNode, disk: LoopDisk) -> list[float]:
    """Bytes of a minute: in which all publish, in which they have little to say, and in which nobody publishes."""
    async with node.running():
        village = PublishingVillage(node)
        await village.store_days_before()
        for _ in range(3):
            await _minute(node, village, 1.0)
        await node.mesh.persist_pages()
        found = []
        for part, minutes in ((0.0, ALONE_MINUTES), (1.0, MEASURED_MINUTES), (QUIET_PART, MEASURED_MINUTES)):
            begun = disk.written()
            for _ in range(minutes):
                await _minute(node, village, part)
            found.append((disk.written() - begun) / minutes)
    return found


def measure() -> Figures:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with mounted(folder / "disk.img", folder / "disk") as disk:
            node = SharedNode("hill", folder / "disk", *PublishingVillage.names())
            alone, busy, quiet = (60 * each for each in asyncio.run(_written(node, disk)))
    say(
        f"{busy / MB:.1f} MB in a busy hour, {quiet / MB:.1f} MB in a quiet one, {alone / MB:.1f} MB without the others"
    )
    daily = (busy - alone) * BUSY_HOURS + (quiet - alone) * QUIET_HOURS
    return {KEYS[0]: round(daily / MB, 1)}

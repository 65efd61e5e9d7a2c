"""Nodes that share sessions, bindings and blocks: the real loop, records and roaming of each, over a fake kernel; pages are
passed by hand, so that a test decides what is heard and when."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from mesh.registry_kind import REGISTRY_PARTS, RegistryContent, registry_content
from node.accounts.device_names import DeviceNames
from node.accounts.registry_record import RegistryRecord
from node.app.roaming_service import RoamingService
from node.app.shared_registry import SharedRegistry
from node.keyring import derived_key
from node.units import MacAddress, NodeId
from tests.fakes.use_cases import AppFixture, UseCases

SECRET = b"s" * 32


def names(*secrets: bytes) -> DeviceNames:
    """Under these secrets, the newest first."""
    keys = tuple(derived_key(each, "device names") for each in secrets or (SECRET,))
    return DeviceNames(lambda: keys)


class RoamingNode:
    """One node, which can be stopped and started again with what it stored."""

    def __init__(self, name: str, folder: Path | None = None, **more: object) -> None:
        self.own = NodeId(name * 52)
        self.fixture = AppFixture(folder=folder or Path("/nonexistent"), **more)  # type: ignore[arg-type]
        self.names = names()
        self.pages: dict[int, bytes] = {}

    @asynccontextmanager
    async def life(self) -> AsyncIterator["RoamingNode"]:
        self.app: UseCases = self.fixture.use_cases()
        loop, clock = self.app.loop, self.fixture.clock
        self.shared = SharedRegistry(
            self.own, registry=loop.registry, persistence=loop.persistence, clock=clock
        )
        self.roaming = RoamingService(
            loop,
            self.shared,
            self.names,
            clock,
            own=self.own,
            terms_version=lambda: self.app.portal.community().terms_version,
        )
        self.app.portal.on_device = self.roaming.asked
        admission = self.app.portal.admission
        admission.block_elsewhere, admission.bind_as_told = self.roaming.block_of, self.roaming.bind_as_told
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(run()) for run in (loop.run, self.shared.run, self.roaming.run)]
            await asyncio.wait_for(loop.ready.wait(), 60)
            for part, records in self._pages().items():
                self.shared.take(self.own, part, records)  # as a node reads its own pages at a start
            yield self
            for each in running:
                each.cancel()

    def said(self) -> dict[int, tuple[RegistryRecord, ...]]:
        """What its pages say now, by part."""
        for part in range(REGISTRY_PARTS):
            body = self.shared.records.body(part)
            self.pages[part] = body or b'{"rows":[]}'
        return self._pages()

    def _pages(self) -> dict[int, tuple[RegistryRecord, ...]]:
        found = {part: registry_content(body) for part, body in self.pages.items()}
        assert all(isinstance(each, RegistryContent) for each in found.values())
        return {part: each.records for part, each in found.items()}  # type: ignore[union-attr]

    def passes(self, mac: MacAddress) -> bool:
        return mac in self.app.passing()

    def version(self, kind: str, mac: MacAddress) -> int:
        """Of the record in effect; 0: none."""
        found = self.shared.records.effective(kind, self.names.newest(mac))
        return 0 if found is None else found.version

    async def settle(self) -> None:
        """What was heard is applied."""
        for _ in range(3):
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                while self.shared._unapplied or self.roaming._tasks:
                    await asyncio.sleep(0.001)
            await self.app.settle()


def tell(one: RoamingNode, others: Iterable[RoamingNode]) -> None:
    """The pages of one node reach others."""
    said = one.said()
    for other in others:
        for part, records in said.items():
            other.shared.take(one.own, part, records)


async def exchange(*nodes: RoamingNode) -> None:
    """All hear all, until nobody has anything new to say."""
    for _ in range(3):
        for one in nodes:
            tell(one, [each for each in nodes if each is not one])
        for each in nodes:
            await each.settle()

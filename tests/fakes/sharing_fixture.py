"""A control loop whose registry is shared with other nodes."""

from mesh.registry_kind import registry_part
from mesh.version_limit import VERSIONS_OF_A_DECISION
from node.accounts.changes import CardsVoid, RecordRow
from node.accounts.registry_record import RegistryRecord
from node.app.shared_kinds import shared_registry
from node.app.shared_registry import SharedRegistry
from node.units import AccountId
from tests.fakes.neighbours import id_of
from tests.fakes.reconciler_fixture import ReconcilerFixture
from tests.fakes.repository import FakeRepository

ANA, VALLEY = AccountId("ana"), id_of("valley")
PART = registry_part("cards", "ana")


class SharingFixture:
    """A loop that shares records, with a disk that can be full."""

    def __init__(self) -> None:
        self.disk = FakeRepository()
        self.village = ReconcilerFixture(lambda: self.disk)
        self.loop = self.village.loop()
        self.persistence, self.clock = self.loop.persistence, self.village.clock
        self.version_max = VERSIONS_OF_A_DECISION
        self.shared: SharedRegistry = shared_registry(
            self.loop, self.clock, bytes(32), lambda: self.version_max
        )

    async def start(self) -> None:
        await self.persistence.recall(self.clock.monotonic())

    def hear(self, version: int, below: int, until_day: str = "") -> None:
        record = RegistryRecord("cards", "ana", version, until_day, {"below": below})
        self.shared.take(VALLEY, PART, [record])

    def stored(self) -> tuple[tuple[CardsVoid, ...], tuple[RecordRow, ...]]:
        kept = self.disk.registry.kept
        return kept.cards_void, kept.records

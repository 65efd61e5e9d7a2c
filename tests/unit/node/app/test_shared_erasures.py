"""Erasures that other nodes tell of: done once, also when the node was killed between the record and the erasure."""

import pytest

from node.accounts.erasure_records import KIND, erasure_value
from node.accounts.registry_record import RecordRow
from node.app.shared_erasures import SharedErasures
from node.app.shared_kinds import shared_registry
from node.app.shared_registry import SharedRegistry
from node.control.reconciler import Reconciler
from node.units import AccountId
from tests.contracts.test_reconciler import ReconcilerFixture
from tests.fakes.repository import FakeRepository

ANA, TODAY = AccountId("ana"), "2026-11-24"


class ErasingFixture:
    """A loop with shared records, before its database is read."""

    def __init__(self, *stored: RecordRow) -> None:
        self.village, self.disk = ReconcilerFixture(lambda: self.disk), FakeRepository()
        self.disk.registry.save(stored)
        self.loop: Reconciler = self.village.loop()
        self.shared: SharedRegistry = shared_registry(self.loop, self.village.clock)
        self.erasures, self.times = SharedErasures(self.loop, self.shared), 0
        self.erasures.on_erased = self._erased

    def _erased(self) -> None:
        self.times += 1

    async def start(self) -> None:
        await self.loop.persistence.recall(self.village.clock.monotonic())
        await self.shared._apply_all()

    def day(self) -> str:
        return next((each.until_day for each in self.loop.persistence.erased if each.account == ANA), "")


def stored(day: str) -> RecordRow:
    return RecordRow(KIND, ANA, 1, "", f'{{"day":"{day}"}}')


async def test_what_was_told_and_not_done_is_done_at_the_next_start_and_once() -> None:
    node = ErasingFixture(stored(TODAY))
    await node.start()
    assert (TODAY, 1) == (node.day(), node.times)
    node.shared._reapply()
    await node.shared._apply_all()
    assert 1 == node.times


async def test_an_erasure_here_is_told_and_not_done_twice() -> None:
    node = ErasingFixture()
    await node.start()
    node.erasures.tell(ANA)
    node.loop.persistence.erase(None, ANA, TODAY)
    found = node.shared.records.effective(KIND, ANA)
    assert found is not None
    assert (erasure_value(TODAY), "2027-12-29") == (found.value, found.until)
    await node.shared._apply_all()
    assert 0 == node.times


async def test_while_the_day_is_not_known_nothing_is_told_and_nothing_done() -> None:
    node = ErasingFixture(stored("2099-01-01"))
    node.village.clock.trust = "unknown"
    await node.start()
    node.erasures.tell(AccountId("ben"))
    assert node.shared.records.effective(KIND, "ben") is None
    assert "" == node.day()


async def test_when_the_day_becomes_known_what_was_told_meanwhile_is_done() -> None:
    node = ErasingFixture(stored(TODAY))
    node.village.clock.trust = "unknown"
    await node.start()
    assert "" == node.day()
    node.village.clock.trust = "synced"
    node.shared._forget()
    await node.shared._apply_all()
    assert TODAY == node.day()


@pytest.mark.parametrize("day", ["2099-01-01", "2026-11-26", "x"])
async def test_an_erasure_of_a_wrong_clock_erases_nothing(day: str) -> None:
    node = ErasingFixture(stored(day))
    await node.start()
    assert "" == node.day()


def test_a_node_without_neighbours_tells_nothing() -> None:
    village = ReconcilerFixture(FakeRepository)
    SharedErasures(village.loop()).tell(ANA)

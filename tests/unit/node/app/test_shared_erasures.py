"""Erasures that other nodes tell of: done once, also when the node was killed between the record and the erasure."""

from collections.abc import Iterable

import pytest

from node.accounts.changes import Binding
from node.accounts.device_names import DeviceNames
from node.accounts.erasure_records import DEVICE_KIND, KIND, erasure_value
from node.accounts.registry_record import RecordRow
from node.app.shared_erasures import SharedErasures
from node.app.shared_kinds import shared_registry
from node.app.shared_registry import SharedRegistry
from node.control.reconciler import Reconciler
from node.units import AccountId, MacAddress, Milliseconds
from tests.fakes.reconciler_fixture import ReconcilerFixture
from tests.fakes.repository import FakeRepository

ANA, TODAY = AccountId("ana"), "2026-11-24"


class ErasingFixture:
    """A loop with shared records, before its database is read."""

    def __init__(self, *stored: RecordRow) -> None:
        self.village, self.disk = ReconcilerFixture(lambda: self.disk), FakeRepository()
        self.disk.registry.save(stored)
        self.loop: Reconciler = self.village.loop()
        self.shared: SharedRegistry = shared_registry(self.loop, self.village.clock, bytes(32))
        self.erasures, self.times = SharedErasures(self.loop, self.shared, self._stored), 0
        self.collected, self.stored_devices = 0, list[MacAddress]()
        self.erasures.on_erased = self._erased

    async def _stored(self) -> Iterable[MacAddress]:
        self.collected += 1
        return self.stored_devices

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


PHONE = MacAddress("02:00:00:00:00:01")
NAMES = DeviceNames(lambda: (b"k" * 32,))


async def erased_device(
    day: str, *, bound: str = "", stored: tuple[MacAddress, ...] = (PHONE,)
) -> ErasingFixture:
    """A node that was told that the phone is erased."""
    node = ErasingFixture(RecordRow(DEVICE_KIND, NAMES.newest(PHONE), 1, "", f'{{"day":"{day}"}}'))
    node.erasures.names, node.stored_devices = NAMES, list(stored)
    await node.loop.persistence.recall(node.village.clock.monotonic())
    if bound:
        node.loop.registry.bindings.bind(Binding(PHONE, ANA, "passphrase", bound))
    record = node.shared.records.effective(DEVICE_KIND, NAMES.newest(PHONE))
    assert record is not None
    await node.erasures._apply_to_device(record)
    return node


@pytest.mark.parametrize(
    ("day", "bound", "stays"),
    [(TODAY, "2026-10-01", False), (TODAY, TODAY, False), ("2026-11-20", TODAY, True), ("2099-01-01", "2026-10-01", True)],
)  # fmt: skip
async def test_a_device_that_only_the_database_knows_is_erased_if_it_did_not_come_back(
    day: str, bound: str, stays: bool
) -> None:
    node = await erased_device(day, bound=bound)
    assert stays == (node.loop.registry.bindings.get(PHONE) is not None)


async def test_a_name_that_no_device_here_has_costs_one_look_for_many() -> None:
    node = await erased_device(TODAY, stored=())
    record = node.shared.records.effective(DEVICE_KIND, NAMES.newest(PHONE))
    assert record is not None
    for _ in range(50):
        await node.erasures._apply_to_device(record)
    assert 1 == node.collected
    node.village.clock.pass_time(Milliseconds(600_000))
    await node.erasures._apply_to_device(record)
    assert 2 == node.collected


async def test_a_device_is_told_by_its_name_and_an_account_with_other_devices_is_not() -> None:
    node = ErasingFixture()
    node.erasures.names = NAMES
    await node.start()
    node.erasures.tell(ANA, PHONE, is_last=False)
    assert node.shared.records.effective(KIND, ANA) is None
    found = node.shared.records.effective(DEVICE_KIND, NAMES.newest(PHONE))
    assert found is not None
    assert erasure_value(TODAY) == found.value
    assert PHONE not in repr(found)

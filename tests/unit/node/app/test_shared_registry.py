"""Records and rows go together: in one transaction, also while the disk is full, the clock wrong or the database unread."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from mesh.registry_kind import registry_part
from mesh.version_limit import VERSIONS_OF_A_DECISION
from node.accounts.changes import CardsVoid, RecordGone, RecordRow
from node.accounts.registry_record import RegistryRecord
from node.app import shared_registry
from node.units import AccountId
from tests.fakes.reconciler_fixture import until
from tests.fakes.sharing_fixture import ANA, VALLEY, SharingFixture

DAY_MS = 86_400_000


async def test_what_another_node_says_is_stored_when_the_disk_has_room_again() -> None:
    node = SharingFixture()
    await node.start()
    node.disk.full = True
    node.hear(2, 7)
    await node.shared._apply_all()
    assert revoked_below(node) == 7
    assert ((), ()) == node.stored()
    node.disk.full = False
    await node.persistence.save()
    assert ((CardsVoid(ANA, 7),), (RecordRow("cards", "ana", 2, "", '{"below":7}'),)) == node.stored()


def revoked_below(node: SharingFixture) -> int:
    return node.loop.registry._void[ANA]


async def test_what_changes_before_the_database_is_read_is_later_than_what_it_says() -> None:
    node = SharingFixture()
    node.disk.registry.save([CardsVoid(ANA, 7), RecordRow("cards", "ana", 5, "", '{"below":7}')])
    node.persistence.pending.add(node.loop.registry.take_void(ANA, 9))
    assert 0 == node.shared.generation, "the mesh reads no pages yet"
    await node.start()
    found = node.shared.records.effective("cards", "ana")
    assert found is not None
    assert (6, {"below": 9}) == (found.version, found.value)


async def test_a_record_that_is_over_leaves_memory_and_disk_and_only_a_steady_clock_ends_it() -> None:
    node = SharingFixture()
    await node.start()
    node.hear(1, 7, "2026-11-30")
    await node.shared._apply_all()
    node.clock.wall += timedelta(days=30)  # set, not passed
    node.shared._forget()
    assert node.shared.records.effective("cards", "ana") is not None
    node.clock.pass_time(shared_registry.STEADY_MS)
    node.shared._forget()
    assert node.shared.records.effective("cards", "ana") is None
    await node.persistence.save()
    assert () == node.stored()[1]


async def test_when_a_clock_of_2099_is_set_right_all_pages_are_read_again() -> None:
    node = SharingFixture()
    node.clock.wall += timedelta(days=365 * 73)
    await node.start()
    before = node.shared.generation
    node.hear(1, 7, "2026-12-30")
    assert node.shared.records.effective("cards", "ana") is None
    node.shared._forget()
    node.clock.wall -= timedelta(days=365 * 73)
    node.shared._forget()
    assert node.shared.generation > before > 0
    node.shared.read_again()
    node.hear(1, 7, "2026-12-30")
    assert node.shared.records.effective("cards", "ana") is not None


async def test_pages_that_were_read_while_a_clock_was_wrong_for_a_moment_are_read_again() -> None:
    node = SharingFixture()
    await node.start()
    node.shared._forget()
    before = node.shared.generation
    node.clock.wall += timedelta(days=365 * 73)
    node.hear(1, 7, "2026-12-30")
    node.clock.wall -= timedelta(days=365 * 73)
    assert node.shared.records.effective("cards", "ana") is None
    node.shared._forget()
    assert node.shared.generation == before + 1
    node.shared._forget()
    assert node.shared.generation == before + 1, "once"


async def test_in_1970_nothing_is_over() -> None:
    node = SharingFixture()
    node.clock.wall = node.clock.wall.replace(year=1970)
    await node.start()
    node.hear(1, 7, "2026-12-30")
    node.clock.pass_time(shared_registry.STEADY_MS)
    node.shared._forget()
    assert node.shared.records.effective("cards", "ana") is not None


async def test_records_come_in_one_by_one_while_the_task_runs() -> None:
    node = SharingFixture()
    await node.start()
    task = asyncio.get_running_loop().create_task(node.shared.run())
    for number in range(1, 20):
        node.hear(number, number)
        await asyncio.sleep(0)
    await until(lambda: bool(node.stored()[0]) and node.stored()[0][0].below_serial == 19)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_another_node_says_is_not_said_again_here() -> None:
    node = SharingFixture()
    await node.start()
    node.hear(3, 7)
    await node.shared._apply_all()
    found = node.shared.records.effective("cards", "ana")
    assert found is not None
    assert (3, (VALLEY,)) == (found.version, node.shared.records.carriers("cards", "ana"))
    assert () == node.shared.changed_parts(is_all=False)


async def test_after_the_database_was_replaced_all_records_are_stored_again() -> None:
    node = SharingFixture()
    await node.start()
    node.hear(3, 7)
    await node.shared._apply_all()
    assert RecordRow("cards", "ana", 3, "", '{"below":7}') in node.loop.registry.rows()


@pytest.mark.parametrize(("key", "value"), [("", {}), ("x" * 65, {}), ("ana", {"x": "y" * 20_000})])
async def test_what_no_record_can_say_is_left_out_and_breaks_nothing(key: str, value: dict[str, str]) -> None:
    node = SharingFixture()
    await node.start()
    node.shared.put("cards", key, value)
    assert node.shared.records.effective("cards", key) is None


async def test_admins_are_told_how_much_is_not_told_to_other_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.registry_records.OWN_BYTES_MAX", 100)
    node = SharingFixture()
    await node.start()
    assert () == node.shared.warnings()
    for number in range(5):
        node.persistence.pending.add([CardsVoid(AccountId(f"a{number}"), 7)])
    (warning,) = node.shared.warnings()
    assert warning.startswith("4 facts")
    assert RecordGone("cards", "a0") not in node.persistence.pending.take()


async def test_what_is_told_before_the_database_is_read_is_told_then() -> None:
    node = SharingFixture()
    node.disk.registry.save([RecordRow("cards", "ana", 5, "", '{"below":7}')])
    node.shared.put("cards", "ana", {"below": 9})
    assert node.shared.records.effective("cards", "ana") is None
    await node.start()
    found = node.shared.records.effective("cards", "ana")
    assert found is not None
    assert (6, {"below": 9}) == (found.version, found.value)
    await node.persistence.save()
    assert (RecordRow("cards", "ana", 6, "", '{"below":9}'),) == node.stored()[1]


async def test_a_record_that_is_put_here_while_others_are_applied_is_not_applied() -> None:
    node = SharingFixture()
    await node.start()
    applied: list[str] = []

    async def apply(record: RegistryRecord) -> None:
        applied.append(record.key)
        if record.key == "aa":
            node.shared.put("walk", "bb", {"n": 9}, "2026-12-30")
            await node.persistence.save()

    node.shared.register("walk", lambda _change: None, apply)
    for key in ("aa", "bb"):
        record = RegistryRecord("walk", key, 1, "2026-12-30", {"n": 1})
        node.shared.take(VALLEY, registry_part("walk", key), [record])
    await node.shared._apply_all()
    assert applied == ["aa"]
    found = node.shared.records.effective("walk", "bb")
    assert found is not None
    assert (2, {"n": 9}) == (found.version, found.value)


async def test_a_change_that_a_liar_holds_up_is_told_to_admins_and_all_pages_are_read_again_when_it_is_removed() -> (
    None
):
    node = SharingFixture()
    await node.start()
    node.hear(node.version_max + 1, 7)
    assert node.shared.records.effective("cards", "ana") is None, "above what anybody counted to"
    node.hear(node.version_max, 7)
    node.persistence.pending.add([CardsVoid(AccountId("ana"), 9)])
    (warning,) = node.shared.warnings()
    assert "1 change" in warning
    before = node.shared.generation
    node.version_max += VERSIONS_OF_A_DECISION
    assert node.shared.generation > before
    assert () == node.shared.warnings()

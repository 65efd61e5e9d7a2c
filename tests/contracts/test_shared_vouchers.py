"""Two and three real nodes: a voucher of one is valid at all, for what is left of its time."""

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from mesh import registry_pages
from mesh.batch_kind import BATCH_PARTS, BatchContent, BatchSaid, batch_label
from mesh.registry_kind import registry_part
from node.accounts import voucher_store
from node.accounts.auth_result import Accepted, Rejected
from node.accounts.codes import Code, shown
from node.accounts.registry_record import RegistryRecord
from node.accounts.voucher_store import IssueResult
from node.accounts.vouchers import Batch, Voucher, voucher_state
from node.app import shared_vouchers
from node.governance.rules import WAYS
from node.units import AccountId, MacAddress, Milliseconds
from tests.fakes.neighbours import id_of
from tests.fakes.reconciler_fixture import until
from tests.fakes.shared_node import SharedNode

DAY_MS = 86_400_000
PHONE, TABLET = MacAddress("02:00:00:00:00:77"), MacAddress("02:00:00:00:00:78")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that no node says are said again within a second."""
    monkeypatch.setattr(registry_pages, "ADOPT_AFTER_S", (0.1, 0.6))
    monkeypatch.setattr("mesh.replicator.LOOK_AT_REGISTRY_S", 0.2)
    monkeypatch.setattr(registry_pages, "REST_EVERY_S", 0.5)


def pair(tmp_path: Path) -> tuple[SharedNode, SharedNode]:
    return SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")


async def issue(node: SharedNode, count: int = 3, day: str = "2026-11-24") -> IssueResult:
    wish = Batch(0, "day-pass", Milliseconds(DAY_MS), 2, "", "issuer, Pere", "for the fair")
    made = node.loop.registry.vouchers.issue(wish, count, day)
    assert isinstance(made, IssueResult)
    await node.loop.remember(made.changes)
    return made


def enter(node: SharedNode, code: Code, mac: MacAddress = PHONE) -> Accepted | Rejected:
    return node.loop.registry.enter_by_code(mac, shown(code), WAYS, node.loop.persistence.instant())


async def join(node: SharedNode, code: Code, mac: MacAddress = PHONE) -> AccountId:
    entered = enter(node, code, mac)
    assert isinstance(entered, Accepted), entered
    assert await node.loop.admit(mac, "1", changes=entered.changes) is None
    assert node.loop.session_table.is_admitted(mac)
    return entered.account


def voucher(node: SharedNode, code: Code) -> Voucher | None:
    return node.loop.registry.vouchers.find(code)


def state(node: SharedNode, code: Code) -> str:
    found = voucher(node, code)
    return "unknown" if found is None else voucher_state(found, node.clock.monotonic())


def left_ms(node: SharedNode, code: Code) -> int:
    found = voucher(node, code)
    assert found is not None
    assert found.lease is not None
    return found.lease.ends - node.clock.monotonic()


def is_online(node: SharedNode, mac: MacAddress = PHONE) -> bool:
    return node.loop.session_table.is_admitted(mac)


async def turn(node: SharedNode, code: Code, *, back: bool = False) -> None:
    found, store = voucher(node, code), node.loop.registry.vouchers
    assert found is not None
    names, now = [found.fingerprint], node.clock.monotonic()
    await node.loop.remember(store.restore(names, now) if back else store.revoke(names, now).changes)


async def turn_batch(node: SharedNode, number: int, *, back: bool = False) -> int:
    store, now = node.loop.registry.vouchers, node.clock.monotonic()
    turned = store.restore_batch(number, now) if back else store.revoke_batch(number, now)
    await node.loop.remember(turned.changes)
    return turned.count


async def test_a_voucher_issued_at_one_node_is_used_at_the_next_with_the_time_left_and_revoked_from_the_first(
    tmp_path: Path,
) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        await until(lambda: bool(valley.mesh._links))
        await asyncio.sleep(1.5)
        began = time.monotonic()
        made = await issue(hill)
        first, second, _ = made.codes
        await until(lambda: "unused" == state(valley, first))
        assert time.monotonic() - began < 2
        (batch,) = valley.loop.registry.vouchers.batches.values()
        assert (id_of("hill"), 1, "day-pass", 2) == (
            batch.origin,
            batch.origin_number,
            batch.group,
            batch.devices_max,
        )
        assert ("", "") == (batch.issued_by, batch.note), "they stay at the node that issued them"
        account = await join(hill, first)
        hill.clock.pass_time(3_600_000)
        valley.clock.pass_time(3_600_000)
        await until(lambda: "used" == state(valley, first))
        assert account == await join(valley, first, TABLET)
        assert abs(left_ms(valley, first) - (DAY_MS - 3_600_000)) < 2_000
        assert {"day-pass"} == valley.loop.registry.vouchers.groups_of(account)
        began = time.monotonic()
        await turn(hill, first)
        await until(lambda: not is_online(valley, TABLET))
        assert time.monotonic() - began < 2
        assert "revoked" == state(valley, first)
        assert Rejected("code-revoked") == enter(valley, first, TABLET)
        await turn(valley, first, back=True)
        await until(lambda: "used" == state(hill, first))
        assert await join(hill, first)
        assert "unused" == state(hill, second) == state(valley, second)
    async with valley.running():
        assert ["used", "unused", "unused"] == [state(valley, code) for code in made.codes], "it was stored"


async def test_a_batch_that_one_node_revokes_is_revoked_everywhere_and_can_be_restored_anywhere(
    tmp_path: Path,
) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        made = await issue(hill, 40)
        await until(lambda: "unused" == state(valley, made.codes[0]))
        await join(hill, made.codes[0])
        await until(lambda: "used" == state(valley, made.codes[0]))
        (number,) = valley.loop.registry.vouchers.batches
        began = time.monotonic()
        assert 40 == await turn_batch(valley, number)
        await until(lambda: not is_online(hill))
        assert time.monotonic() - began < 2
        assert {"revoked": 40} == hill.loop.registry.vouchers.counts(1, hill.clock.monotonic())
        assert 1 == len([*hill.shared.records.all("batch")])
        assert 1 == len([*hill.shared.records.all("voucher")]), "one fact, not one for each voucher"
        assert 40 == await turn_batch(hill, 1, back=True)
        await until(lambda: "used" == state(valley, made.codes[0]))
        assert "unused" == state(valley, made.codes[1])


async def test_two_first_uses_in_a_split_keep_the_earlier_start(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        made = await issue(hill)
        await until(lambda: "unused" == state(valley, made.codes[0]))
    (code, other, _) = made.codes
    async with valley.running():
        await join(valley, code)
        assert abs(left_ms(valley, code) - DAY_MS) < 2_000
        earlier = valley.clock.wall
    hill.clock.pass_time(7_200_000)
    async with hill.running():
        await join(hill, code, TABLET)
        # What is changed more often in one part does not win over the earlier start.
        await turn(hill, code)
        await turn(hill, code, back=True)
        await turn(hill, other)
        valley.clock.pass_time(7_200_000)
        async with valley.running(hill):
            await until(lambda: "revoked" == state(valley, other))
            await until(lambda: abs(left_ms(hill, code) - (DAY_MS - 7_200_000)) < 2_000)
            await asyncio.sleep(1.5)
            for node in (hill, valley):
                assert abs(left_ms(node, code) - (DAY_MS - 7_200_000)) < 2_000
                value = node.knows("voucher", str(voucher(node, code).account).removeprefix("voucher-"))
                assert abs(value["end"] - (earlier.timestamp() + DAY_MS // 1000)) < 5  # type: ignore[index]


async def test_a_voucher_used_where_the_clock_is_not_known_counts_from_when_it_is_heard_of_until_it_is(
    tmp_path: Path,
) -> None:
    hill, valley = pair(tmp_path)
    valley.clock.trust = "unknown"
    async with hill.running(), valley.running(hill):
        made = await issue(hill)
        code = made.codes[0]
        await until(lambda: "unused" == state(valley, code))
        await join(valley, code)
        valley.clock.pass_time(7_200_000)
        hill.clock.pass_time(7_200_000)
        await until(lambda: "used" == state(hill, code))
        assert left_ms(hill, code) > DAY_MS - 7_300_000
        valley.clock.trust = "synced"
        await until(lambda: abs(left_ms(hill, code) - (DAY_MS - 7_200_000)) < 3_000)


@pytest.mark.thorough
@pytest.mark.parametrize("wrong_s", [-7_200, 7_200, 5 * 86_400])
async def test_a_node_with_a_wrong_clock_changes_no_end_and_has_the_right_one_when_it_is_corrected(
    tmp_path: Path, wrong_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_vouchers, "LOOK_EVERY_S", 0.3)
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        code = (await issue(hill)).codes[0]
        await until(lambda: "unused" == state(valley, code))
        valley.clock.wall += timedelta(seconds=wrong_s)
        await join(hill, code)
        await until(lambda: "unused" != state(valley, code))
        key = str(voucher(hill, code).account).removeprefix("voucher-")  # type: ignore[union-attr]
        told = hill.knows("voucher", key)
        assert left_ms(valley, code) <= DAY_MS
        await asyncio.sleep(0.5)
        valley.clock.wall -= timedelta(seconds=wrong_s)
        await until(lambda: abs(left_ms(valley, code) - DAY_MS) < 3_000)
        await asyncio.sleep(0.5)
        assert told == hill.knows("voucher", key) == valley.knows("voucher", key)
        assert "used" == state(valley, code) == state(hill, code)


@pytest.mark.thorough
async def test_an_old_backup_makes_no_used_voucher_fresh_and_loses_no_batch(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        made = await issue(hill)
        await until(lambda: "unused" == state(valley, made.codes[0]))
    backup = hill.copy_data()
    async with hill.running(), valley.running(hill):
        later = await issue(hill, 2)
        await join(hill, made.codes[0])
        await turn(hill, made.codes[1])
        await until(lambda: "revoked" == state(valley, made.codes[1]))
        await until(lambda: "used" == state(valley, made.codes[0]))
        await until(lambda: "unused" == state(valley, later.codes[0]))
    hill.put_back(backup)
    async with hill.running():
        assert ["unused", "unknown"] == [state(hill, made.codes[0]), state(hill, later.codes[0])]
        async with valley.running(hill):
            await until(lambda: ["used", "revoked"] == [state(hill, code) for code in made.codes[:2]])
            await until(lambda: "unused" == state(hill, later.codes[0]))
            assert 2 == hill.loop.registry.vouchers.known(voucher(hill, later.codes[0]).account).batch  # type: ignore[union-attr]
            assert "unused" == state(valley, later.codes[0])
            assert 3 == (await issue(hill, 1)).batch.number


async def test_a_lost_database_gets_its_vouchers_back_and_goes_on_with_their_numbers(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        made = await issue(hill)
        await join(hill, made.codes[0])
        await until(lambda: "used" == state(valley, made.codes[0]))
    hill.lose_data()
    async with hill.running(), valley.running(hill):
        await until(lambda: ["used", "unused", "unused"] == [state(hill, code) for code in made.codes])
        assert abs(left_ms(hill, made.codes[0]) - DAY_MS) < 5_000
        assert 2 == (await issue(hill, 1)).batch.number
        await asyncio.sleep(2.5)
        assert ["used", "unused", "unused"] == [state(valley, code) for code in made.codes]


async def test_a_killed_node_knows_what_it_confirmed(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        made = await issue(hill)
        await until(lambda: "unused" == state(valley, made.codes[0]))
        await valley.loop.persistence.save()
        await join(valley, made.codes[0])
        valley.kill()
    async with valley.running():
        assert ["used", "unused"] == [state(valley, code) for code in made.codes[:2]]
        async with hill.running(valley):
            await until(lambda: "used" == state(hill, made.codes[0]))


async def test_a_third_node_that_never_met_the_issuer_honours_its_vouchers(tmp_path: Path) -> None:
    names = ("hill", "valley", "coast")
    hill, valley, coast = (SharedNode(name, tmp_path, *({*names} - {name})) for name in names)
    async with valley.running():
        async with hill.running(valley):
            made = await issue(hill)
            await join(hill, made.codes[0])
            await until(lambda: "used" == state(valley, made.codes[0]))
        async with coast.running(valley):
            await until(lambda: "used" == state(coast, made.codes[0]))
            await join(coast, made.codes[1], TABLET)
            await until(lambda: "used" == state(valley, made.codes[1]))
    async with coast.running(), hill.running(coast):
        await until(lambda: "used" == state(hill, made.codes[1]))


async def test_what_is_beyond_the_limit_of_all_vouchers_is_not_valid_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        monkeypatch.setattr(voucher_store, "VOUCHERS_MAX", 4)
        small, large = await issue(hill, 2), None
        await until(lambda: "unused" == state(valley, small.codes[0]))
        monkeypatch.setattr(voucher_store, "VOUCHERS_MAX", 50)
        large = await issue(hill, 20)
        monkeypatch.setattr(voucher_store, "VOUCHERS_MAX", 4)
        await until(
            lambda: any("1 batch of vouchers of other nodes" in each for each in valley.mesh.warnings())
        )
        assert "unknown" == state(valley, large.codes[0])
        assert isinstance(enter(valley, small.codes[0]), Accepted)


DIGITS = str.maketrans("0123456789", "abcdefghij")


async def test_a_hostile_member_fills_no_node_and_takes_no_voucher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lists others' accounts as its own, with more time, and new vouchers each moment; its records say nonsense. What it
    revokes, the next change at an honest node outranks."""
    monkeypatch.setattr(voucher_store, "VOUCHERS_OF_NODE_MAX", 40)
    coast = id_of("coast")
    hill = SharedNode("hill", tmp_path, "valley", "coast")
    async with hill.running():
        code = (await issue(hill)).codes[0]
        store, batches = hill.loop.registry.vouchers, hill.shared.batches
        account = store.find(code).account  # type: ignore[union-attr]
        key = account.removeprefix("voucher-")
        assert batches is not None
        for number in range(1, 200):
            own = {f"{number:03d}{n:02d}aaaaaaa".translate(DIGITS) for n in range(10)}
            said = BatchSaid(number, "2026-11-24", "vip", 400 * DAY_MS, 50, "".join(sorted({key, *own})))
            batches.take(coast, BatchContent("2026-11-24", (said,)))
            await asyncio.sleep(0.001)
        await until(
            lambda: any("batches of vouchers of other nodes" in each for each in hill.mesh.warnings())
        )
        assert len(store) <= 3 + 40
        assert await join(hill, code) == account
        assert {"day-pass"} == store.groups_of(account)
        assert abs(left_ms(hill, code) - DAY_MS) < 2_000
        for version, value in enumerate(NONSENSE, start=7):
            for kind, name in (("voucher", key), ("batch", f"{id_of('hill')}/1")):
                record = RegistryRecord(kind, name, version, "", value)
                hill.shared.take(coast, registry_part(kind, name), [record])
            await asyncio.sleep(0.05)
        assert ("used", True) == (state(hill, code), is_online(hill))
        record = RegistryRecord("voucher", key, 90, "", {"end": 0, "revoked": True})
        hill.shared.take(coast, registry_part("voucher", key), [record])
        await until(lambda: not is_online(hill))
        await turn(hill, code, back=True)
        assert "used" == state(hill, code)
        effective = hill.shared.records.effective("voucher", key)
        assert effective is not None
        assert effective.version > 90


NONSENSE: tuple[dict[str, object], ...] = (
    {"end": 10**15}, {"end": "soon"}, {"revoked": "yes"}, {"end": -1}, {"x": [1] * 50},
)  # fmt: skip


def pages_of(node: SharedNode) -> list[bytes]:
    """The batch pages of the node hill that this node holds."""
    held = (
        node.mesh._replica.exchange.other_of(id_of("hill"), batch_label(part)) for part in range(BATCH_PARTS)
    )
    return [raw for raw in held if raw is not None]


@pytest.mark.thorough
async def test_a_community_in_which_nothing_changes_sends_no_list_again(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        made = await issue(hill)
        await until(lambda: "unused" == state(valley, made.codes[0]))
        await join(hill, made.codes[0])
        await until(lambda: "used" == state(valley, made.codes[0]))
        (before,) = pages_of(valley)
    for _ in range(2):
        async with hill.running(), valley.running(hill):
            await until(lambda: bool(valley.mesh._links))
            await asyncio.sleep(2.0)
            assert [before] == pages_of(hill) == pages_of(valley)
            assert [1] == [each.version for each in hill.shared.records.all("voucher")]


async def test_an_ended_voucher_is_told_for_ten_days_and_leaves_its_list_before(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running():
        made = await issue(hill)
        await join(hill, made.codes[0])
    for node in (hill, valley):
        node.clock.wall += timedelta(days=3)
        node.clock.reboot()
    async with hill.running(), valley.running(hill):
        await until(lambda: "unused" == state(valley, made.codes[1]))
        assert "unknown" == state(valley, made.codes[0]), "its list has what is of use"
        assert [1] == [each.version for each in hill.shared.records.all("voucher")]
    for node in (hill, valley):
        node.clock.wall += timedelta(days=9)
    with closing(sqlite3.connect(hill.database)) as db:
        db.execute("DELETE FROM registry_records")
        db.commit()
    async with hill.running():
        await asyncio.sleep(0.5)
        assert "ended" == state(hill, made.codes[0])
        assert [] == [*hill.shared.records.all("voucher")], "what was forgotten is not said again"

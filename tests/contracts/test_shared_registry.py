"""Two and three real nodes: what is told of people at one holds at the others, whatever was lost on the way."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from mesh import registry_pages
from node.accounting.ledger import UsageKey
from node.accounts.auth_result import Accepted, Rejected
from node.accounts.cards import make_card
from node.accounts.changes import CardsVoid
from node.accounts.member_passphrases import hash_passphrase, is_right
from node.accounts.registry import AccountRegistry
from node.governance.rules import WAYS
from node.units import AccountId, MacAddress
from tests.fakes.members import COMMUNITY, guest_account
from tests.fakes.neighbours import bucket, id_of, key_of
from tests.fakes.reconciler_fixture import until
from tests.fakes.shared_node import SharedNode

ANA, PHONE = AccountId("ana"), MacAddress("02:00:00:00:00:77")
HASHES = {word: hash_passphrase(word, word.encode()[:1] * 16) for word in ("corn-and-oil", "salt-and-bread")}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that no node says are said again within a second."""
    monkeypatch.setattr(registry_pages, "ADOPT_AFTER_S", (0.1, 0.6))
    monkeypatch.setattr("mesh.replicator.LOOK_AT_REGISTRY_S", 0.2)
    monkeypatch.setattr(registry_pages, "REST_EVERY_S", 0.5)


async def set_passphrase(node: SharedNode, word: str) -> None:
    rows = node.loop.registry.set_passphrase(ANA, HASHES[word])
    assert not isinstance(rows, Rejected)
    await node.loop.remember(rows)


def signs_in(registry: AccountRegistry, word: str, node: SharedNode) -> bool:
    at = node.loop.persistence.instant()
    question = registry.passphrase_question(PHONE, "ana", WAYS, at)
    if isinstance(question, Rejected):
        return False
    answer = registry.enter_by_passphrase(question, at, was_right=is_right(word, question.hash))
    return isinstance(answer, Accepted) and answer.account == ANA


def has_word(node: SharedNode, word: str) -> bool:
    return node.loop.registry._passphrases.get(ANA) == HASHES[word]


async def test_a_passphrase_that_was_set_at_one_node_opens_the_next_within_two_seconds(
    tmp_path: Path,
) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running(), valley.running(hill):
        await until(lambda: bool(valley.mesh._links))
        await asyncio.sleep(1.5)
        began = time.monotonic()
        await set_passphrase(hill, "corn-and-oil")
        await until(lambda: has_word(valley, "corn-and-oil"))
        assert time.monotonic() - began < 2
        assert signs_in(valley.loop.registry, "corn-and-oil", valley)
        assert not signs_in(valley.loop.registry, "salt-and-bread", valley)
        await set_passphrase(valley, "salt-and-bread")
        await until(lambda: has_word(hill, "salt-and-bread"))
        await until(lambda: (id_of("valley"),) == hill.carriers("passphrase", "ana"))
        await hill.loop.remember(hill.loop.registry.drop_passphrase(ANA))
        await until(lambda: not valley.loop.registry.has_passphrase(ANA))
    async with valley.running():
        assert not valley.loop.registry.has_passphrase(ANA), "it was stored"


async def test_a_card_revoked_at_one_node_is_refused_at_the_other(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running(), valley.running(hill):
        card = valley.loop.registry.next_card(ANA, "2026-11-24", "2027-11-24")
        assert not isinstance(card, Rejected)
        shown = make_card(key_of("valley"), COMMUNITY, card)
        at = valley.loop.persistence.instant()
        assert isinstance(valley.loop.registry.enter_by_card(PHONE, shown, WAYS, at), Accepted)
        await hill.loop.remember(hill.loop.registry.void_cards(ANA, "2026-11-24"))
        await until(lambda: valley.knows("cards", "ana") is not None and not valley.shared._unapplied)
        assert Rejected("card-revoked") == valley.loop.registry.enter_by_card(PHONE, shown, WAYS, at)


async def test_what_was_set_before_nodes_shared_is_shared_and_of_two_all_take_the_same(
    tmp_path: Path,
) -> None:
    """As after an update: rows without records."""
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    for node, word in ((hill, "corn-and-oil"), (valley, "salt-and-bread")):
        async with node.running():
            await set_passphrase(node, word)
            await node.store.run(lambda db: db.execute("DELETE FROM registry_records"))
            await node.store.run(lambda db: db.execute("DELETE FROM pages"))
            node.kill()
    async with hill.running(), valley.running(hill):
        await until(lambda: hill.loop.registry._passphrases == valley.loop.registry._passphrases)
        assert max(HASHES.values()) == hill.loop.registry._passphrases[ANA]


async def test_after_kill_and_restart_nothing_is_said_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running() as there:
        async with valley.running(there):
            await until(lambda: bool(valley.mesh._links))
            await set_passphrase(valley, "corn-and-oil")
            valley.kill()  # the row is stored, and its page is not
        async with valley.running(there):
            await until(lambda: has_word(hill, "corn-and-oil"))
            await set_passphrase(hill, "salt-and-bread")
            await until(lambda: has_word(valley, "salt-and-bread"))
            await until(lambda: not valley.shared._unapplied and not valley.shared._unstored)
            await valley.loop.persistence.save()
            valley.kill()
        async with valley.running(there):
            assert has_word(valley, "salt-and-bread")
            await until(lambda: (id_of("hill"),) == valley.carriers("passphrase", "ana"))
            assert 2 == hill.shared.records.effective("passphrase", "ana").version  # type: ignore[union-attr]


async def test_a_restored_backup_takes_the_later_records_and_says_nothing_old(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running() as there:
        async with valley.running(there):
            await set_passphrase(valley, "corn-and-oil")
            await until(lambda: has_word(hill, "corn-and-oil"))
        old = valley.copy_data()
        async with valley.running(there):
            await set_passphrase(valley, "salt-and-bread")
            await until(lambda: has_word(hill, "salt-and-bread"))
        valley.put_back(old)
        async with valley.running(there):
            assert has_word(valley, "corn-and-oil")
            await until(lambda: has_word(valley, "salt-and-bread"))
            await asyncio.sleep(1.5)
            assert has_word(hill, "salt-and-bread")
            assert 2 == hill.shared.records.effective("passphrase", "ana").version  # type: ignore[union-attr]
            await until(lambda: 1 == len(hill.carriers("passphrase", "ana")))
        valley.lose_data()
        async with valley.running(there):
            await until(lambda: has_word(valley, "salt-and-bread"))
            await until(lambda: 1 == len(hill.carriers("passphrase", "ana")))


async def test_what_a_removed_node_said_goes_on_with_the_others_and_it_says_nothing_more(
    tmp_path: Path,
) -> None:
    names = ("hill", "valley", "coast")
    hill, valley, coast = (SharedNode(name, tmp_path, *(set(names) - {name})) for name in names)
    async with hill.running(), valley.running(hill), coast.running(hill, valley):
        await set_passphrase(coast, "corn-and-oil")
        await until(lambda: has_word(hill, "corn-and-oil") and has_word(valley, "corn-and-oil"))
        for node in (hill, valley):
            node.roster -= {id_of("coast")}
        await coast.loop.remember(coast.loop.registry.void_cards(ANA, "2026-11-24"))
        await until(lambda: 1 == len(hill.carriers("passphrase", "ana")))
        await until(lambda: set(hill.carriers("passphrase", "ana")) <= {id_of("hill"), id_of("valley")})
        await until(lambda: hill.carriers("passphrase", "ana") == valley.carriers("passphrase", "ana"))
        await asyncio.sleep(0.5)
        assert hill.knows("cards", "ana") is None


async def test_after_a_split_both_have_the_later_change(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running():
        await hill.loop.remember(hill.loop.registry.void_cards(ANA, "2026-11-24"))
    async with valley.running():
        await valley.loop.remember(valley.loop.registry.void_cards(ANA, "2026-11-26"))
    async with hill.running(), valley.running(hill):
        await until(lambda: hill.knows("cards", "ana") == valley.knows("cards", "ana"))
        later = valley.loop.registry._void[ANA]
        await until(lambda: hill.loop.registry._void[ANA] == later)
        assert CardsVoid(ANA, later) in valley.loop.registry.rows()


@pytest.mark.thorough
async def test_values_of_a_hostile_node_that_cannot_be_read_change_nothing_and_the_next_change_mends_them(
    tmp_path: Path,
) -> None:
    hill, eve = SharedNode("hill", tmp_path, "eve"), SharedNode("eve", tmp_path, "hill")
    async with hill.running(), eve.running(hill):
        await set_passphrase(hill, "corn-and-oil")
        await until(lambda: has_word(eve, "corn-and-oil"))
        lies = (
            ("passphrase", {"hash": "scrypt:1"}), ("cards", {"below": -1}),
            ("passphrase", {"hash": 7, "more": [None]}), ("cards", {"below": 10**40}),
        )  # fmt: skip
        for kind, lie in lies:
            eve.shared.put(kind, "ana", lie)
            await until(lambda kind=kind, lie=lie: lie == hill.knows(kind, "ana"))  # type: ignore[misc]
        await until(lambda: not hill.shared._unapplied)
        assert has_word(hill, "corn-and-oil")
        assert {} == hill.loop.registry._void
        await set_passphrase(hill, "salt-and-bread")
        await until(lambda: has_word(eve, "salt-and-bread"))


async def object_to(node: SharedNode, text: str) -> None:
    rows = node.loop.registry.add_objection(ANA, "anchors", text, node.loop.persistence.instant())
    assert not isinstance(rows, Rejected)
    await node.loop.remember(rows)


async def answer(node: SharedNode, text: str) -> None:
    (objection,) = node.loop.registry.objections.of(ANA)
    at = node.loop.persistence.instant()
    await node.loop.remember(node.loop.registry.answer_objection(objection.number, text, at))


def texts(node: SharedNode) -> list[tuple[str, str]]:
    return [(each.text, each.answer) for each in node.loop.registry.objections.of(ANA)]


async def test_an_objection_is_read_at_every_node_and_answered_at_any(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running() as there:
        async with valley.running(there):
            await object_to(hill, "I work at night.")
            await until(lambda: [("I work at night.", "")] == texts(valley))
            await answer(valley, "So you may.")
            await until(lambda: [("I work at night.", "So you may.")] == texts(hill))
            await until(lambda: not valley.shared._unapplied)
        valley.lose_data()
        async with valley.running(there):
            await until(lambda: [("I work at night.", "So you may.")] == texts(valley))
            (told,) = valley.loop.registry.objections.of(ANA)
            assert id_of("hill")[:16] == told.origin
            await hill.loop.remember(hill.loop.registry.objections.forget([1]))
            await until(lambda: not texts(valley))
        async with valley.running(there):
            await asyncio.sleep(1)
            assert not texts(valley)
            assert not texts(hill)


@pytest.mark.thorough
async def test_two_answers_in_a_split_leave_the_same_one_at_both(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running(), valley.running(hill):
        await object_to(hill, "I work at night.")
        await until(lambda: bool(texts(valley)) and not valley.shared._unapplied)
    for node, text in ((hill, "No."), (valley, "Yes.")):
        async with node.running():
            await answer(node, text)
    async with hill.running(), valley.running(hill):
        await until(lambda: texts(hill) == texts(valley))
        await until(
            lambda: (
                1
                == len({tuple(node.carriers("objection", key_of_objection(node))) for node in (hill, valley)})
            )
        )


def key_of_objection(node: SharedNode) -> str:
    return node.loop.registry.objections.of(ANA)[0].key


async def test_objections_of_before_are_shared_from_the_first_start_on(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running():
        await object_to(hill, "I work at night.")
        await hill.store.run(lambda db: db.execute("UPDATE contests SET key = ''"))
        await hill.store.run(lambda db: db.execute("DELETE FROM registry_records"))
        await hill.store.run(lambda db: db.execute("DELETE FROM pages"))
        hill.kill()
    for _ in range(2):
        async with hill.running(), valley.running(hill):
            await until(lambda: [("I work at night.", "")] == texts(valley))
            assert key_of_objection(hill) == key_of_objection(valley)
            assert 1 == len(texts(hill))


GUEST = guest_account(PHONE)
BEFORE, HERE = "2026-10-30", "2026-11-24"


async def used_days(node: SharedNode) -> set[str]:
    """Days with usage of the guest, on the disk or in the ledger."""
    buckets = await node.loop.persistence.buckets("", account=GUEST)
    return {key.day for key, bucket in buckets.items() if bucket.uplink.total}


async def book_earlier(node: SharedNode) -> None:
    """Usage of the month before, counted by this node."""
    writer = node.loop.persistence.writer
    key = UsageKey(writer.node, writer.incarnation, GUEST, BEFORE)
    node.loop.persistence.keep([(key, bucket(500))])
    await node.loop.persistence.flush(node.clock.now)
    node.mesh.publish()


async def test_a_person_who_erases_their_data_at_one_node_is_erased_at_the_other_also_after_a_split(
    tmp_path: Path,
) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running(), valley.running(hill):
        for node in (hill, valley):
            await book_earlier(node)
        await until(lambda: bool(hill.mesh._links))
        async with asyncio.timeout(20):
            while len(await hill.loop.persistence.buckets("", account=GUEST)) < 2:
                await asyncio.sleep(0.1)
    async with valley.running():  # a split: objections of the same person there
        rows = valley.loop.registry.add_objection(GUEST, "", "Mine.", valley.loop.persistence.instant())
        assert not isinstance(rows, Rejected)
        await valley.loop.remember(rows)
    async with hill.running():
        await hill.loop.admit(PHONE, "1")
        await hill.erase(PHONE)
        assert set() == await used_days(hill)
    async with hill.running(), valley.running(hill):
        await until(lambda: valley.loop.persistence.erased.is_known(GUEST, HERE))
        await until(lambda: not valley.shared._unapplied)
        assert not valley.loop.registry.objections.of(GUEST)
        assert set() == await used_days(valley)
        await asyncio.sleep(1.2)
        assert not hill.loop.registry.objections.of(GUEST)
        assert set() == await used_days(hill)
    valley.kill()
    async with valley.running():
        assert set() == await used_days(valley)


@pytest.mark.thorough
async def test_a_node_that_returns_late_does_not_erase_what_came_after(tmp_path: Path) -> None:
    names = ("hill", "valley", "coast")
    hill, valley, coast = (SharedNode(name, tmp_path, *(set(names) - {name})) for name in names)
    async with hill.running(), valley.running(hill), coast.running(hill):
        await set_passphrase(hill, "corn-and-oil")
        await until(lambda: has_word(coast, "corn-and-oil") and has_word(valley, "corn-and-oil"))
    async with hill.running(), valley.running(hill):
        hill.erasures.tell(ANA)
        hill.loop.persistence.erase(None, ANA, HERE)
        await hill.loop.remember(hill.loop.registry.drop_passphrase(ANA))
        await until(lambda: not valley.loop.registry.has_passphrase(ANA))
        for node in (hill, valley):
            node.clock.wall += timedelta(days=3)
        await set_passphrase(valley, "salt-and-bread")
        await until(lambda: has_word(hill, "salt-and-bread"))
        coast.clock.wall += timedelta(days=3)
        async with coast.running(hill, valley):
            await until(lambda: coast.loop.persistence.erased.is_known(ANA, HERE))
            await until(lambda: has_word(coast, "salt-and-bread"))
            await asyncio.sleep(1.5)
            assert all(has_word(node, "salt-and-bread") for node in (hill, valley, coast))


async def rows_of_phone(node: SharedNode) -> int:
    return sum(
        [
            await node.store.run(
                lambda db, name=name: db.execute(
                    f"SELECT count(*) FROM {name} WHERE mac = ?", [PHONE]
                ).fetchone()[0]  # type: ignore[misc]
            )
            for name in ("sessions", "devices", "bindings")
        ]
    )


async def test_what_another_node_keeps_of_an_erased_device_goes_too_also_what_only_its_database_knows(
    tmp_path: Path,
) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with valley.running():
        await valley.loop.admit(PHONE, "1")
        await valley.loop.leave(PHONE)
        await valley.loop.persistence.flush(valley.clock.now)
        assert await rows_of_phone(valley) >= 2
        await valley.store.run(lambda db: db.execute("DELETE FROM sessions"))
    async with hill.running():
        await hill.loop.admit(PHONE, "1")
        await hill.erase(PHONE)
    async with hill.running(), valley.running(hill):
        async with asyncio.timeout(20):
            while await rows_of_phone(valley):
                await asyncio.sleep(0.1)
        assert 0 == await rows_of_phone(hill)


@pytest.mark.thorough
async def test_while_nothing_changes_no_page_is_written_whatever_is_known(tmp_path: Path) -> None:
    hill, valley = SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")
    async with hill.running(), valley.running(hill):
        for number in range(100):
            hill.shared.put("cards", f"account-{number}", {"below": number + 1})
        await until(lambda: 100 == len(valley.loop.registry._void))
        await asyncio.sleep(1.5)
        before = [node.mesh._replica._pages.seq for node in (hill, valley)]
        await asyncio.sleep(3)
        assert before == [node.mesh._replica._pages.seq for node in (hill, valley)]
        assert 0 == before[1], "it only listened"
    async with hill.running(), valley.running(hill):
        await asyncio.sleep(2.5)
        assert {hill.node} == {*valley.carriers("cards", "account-7"), *hill.carriers("cards", "account-99")}
        assert 1 == hill.shared.records.effective("cards", "account-7").version  # type: ignore[union-attr]

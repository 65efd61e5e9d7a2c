"""Which changes of the registry other nodes are told of, and in which transaction."""

from node.accounts.changes import CardsVoid, PassphraseHash, RecordRow, Unbound
from node.accounts.member_passphrases import DUMMY_HASH
from node.app.shared_kinds import shared_registry
from node.units import AccountId, MacAddress
from tests.fakes.reconciler_fixture import ReconcilerFixture
from tests.fakes.repository import FakeRepository

ANA = AccountId("ana")


async def test_a_change_is_stored_together_with_its_record() -> None:
    village = ReconcilerFixture(FakeRepository)
    loop = village.loop()
    shared = shared_registry(loop, village.clock, bytes(32))
    loop.persistence.pending.add([CardsVoid(ANA, 3)])
    await loop.persistence.recall(village.clock.monotonic())
    loop.persistence.pending.add([PassphraseHash(ANA, DUMMY_HASH), Unbound(MacAddress("02:00:00:00:00:01"))])
    queued = loop.persistence.pending.take()
    assert {
        RecordRow("cards", "ana", 1, "", '{"below":3}'),
        RecordRow("passphrase", "ana", 1, "", f'{{"day":"2026-11-24","hash":"{DUMMY_HASH}"}}'),
    } == {each for each in queued if isinstance(each, RecordRow)}
    assert 1 <= len(shared.changed_parts(is_all=False)) <= 2

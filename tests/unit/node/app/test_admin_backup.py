"""A recovery key is made once for each form, and an old backup is noticed."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from node.app.admin_backup import AdminBackupService
from node.app.event_recorder import RecordedAct
from node.backup.ports import OVERDUE, BackupState
from node.errors import Finding, NodeError
from tests.fakes.backups import FakeBackups
from tests.fakes.repository import FakeClock


class Fixture:
    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.backups, self.clock = FakeBackups(), FakeClock()
        self.service = AdminBackupService(
            self.backups, self.clock, lambda size: next(numbers).to_bytes(size, "big"), recorded=self.recorded
        )

    @asynccontextmanager
    async def recorded(self, *_words: object, **_more: object) -> AsyncIterator[RecordedAct]:
        yield RecordedAct()

    def form(self, cookie: str = "c") -> str:
        return self.service.idempotency_key(cookie)


@pytest.fixture
def made() -> Fixture:
    return Fixture()


async def test_two_clicks_make_one_key(made):
    form = made.form()
    first = await made.service.make_key("c", form, is_replacing=False)
    assert first == await made.service.make_key("c", form, is_replacing=False)
    assert [first] == made.backups.secrets


async def test_a_key_is_shown_for_fifteen_minutes_in_the_same_session(made):
    form = made.form()
    await made.service.make_key("c", form, is_replacing=False)
    assert isinstance(await made.service.make_key("other", form, is_replacing=True), Finding)
    made.clock.now += 16 * 60_000
    assert isinstance(await made.service.make_key("c", form, is_replacing=True), Finding)
    assert 1 == len(made.backups.secrets)


async def test_a_file_that_cannot_be_used_is_not_overwritten_by_mistake(made):
    made.backups.known = BackupState(trouble="it has no key")
    assert isinstance(await made.service.make_key("c", made.form(), is_replacing=False), Finding)
    assert isinstance(await made.service.make_key("c", made.form(), is_replacing=True), bytes)


async def test_a_key_that_cannot_be_stored_is_not_shown(made):
    made.backups.trouble = NodeError("the disk is full", "make room")
    form = made.form()
    with pytest.raises(NodeError):
        await made.service.make_key("c", form, is_replacing=False)
    made.backups.trouble = None
    assert isinstance(await made.service.make_key("c", form, is_replacing=False), bytes)


async def test_without_a_key_nothing_is_overdue(made):
    assert not await made.service.is_overdue()
    made.backups.known = BackupState(("age1",), since=made.clock.civil() - OVERDUE - timedelta(1))
    assert await made.service.is_overdue()

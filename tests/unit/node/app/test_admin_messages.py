"""A message from an admin to a person, from sending to reading, and what is left of it after erasure."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.app.admin_sessions import Signed
from tests.fakes.use_cases import ANA, BEN, AppFixture, UseCases

PERE = Signed("admin", "Pere")


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(folder=tmp_path).life() as opened:
        await asyncio.to_thread(lambda: opened.files)  # blocks, as in the daemon before its loop runs
        await opened.join_by_card(ANA)
        await opened.join(BEN)
        yield opened


async def test_its_people_see_it_until_they_say_that_they_read_it(app: UseCases) -> None:
    messages = app.admin.messages
    assert await messages.send(PERE, "ana", "Call me.") is None
    message = app.portal.message(ANA)
    assert message is not None
    assert ("Call me.", "admin Pere") == (message.text, message.by)
    assert app.portal.message(BEN) is None
    assert await app.portal.read_message(BEN, message.fingerprint) is None
    assert app.portal.message(ANA) is not None, "only its own people can say so"
    assert await app.portal.read_message(ANA, message.fingerprint) is None
    assert app.portal.message(ANA) is None
    kept = messages.of("ana")
    assert kept is not None
    assert kept.is_read


async def test_it_survives_a_restart_and_is_withdrawn(app: UseCases) -> None:
    assert await app.admin.messages.send(PERE, "ana", "Call me.") is None
    (stored,) = app.node.repository.registry.kept.messages
    assert (
        await app.admin.messages.withdraw(PERE, "ana", replace(stored, text="Another.").fingerprint)
        is not None
    )
    assert await app.admin.messages.withdraw(PERE, "ana", stored.fingerprint) is None
    assert () == app.node.repository.registry.kept.messages
    assert app.portal.message(ANA) is None
    kinds = [each.kind for each in app.node.repository.registry.events.values()]
    assert ["message-sent", "message-withdrawn"] == kinds
    assert "Call me." not in repr(app.node.repository.registry.events)


async def test_it_is_among_the_persons_data_and_erased_with_them(app: UseCases) -> None:
    assert await app.admin.messages.send(PERE, "guest-0b", "Call me.") is None
    (exported,) = (await app.portal.own_data(BEN))["messages"]  # type: ignore[misc]
    assert "Call me." == exported["text"]
    await app.portal.erase(BEN)
    assert app.admin.messages.of("guest-0b") is None
    assert () == app.node.repository.registry.kept.messages


async def test_on_a_full_disk_it_is_refused(app: UseCases) -> None:
    app.node.repository.full = True
    assert await app.admin.messages.send(PERE, "ana", "Call me.") is not None
    assert app.portal.message(ANA) is None

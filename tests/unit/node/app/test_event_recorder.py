"""The event of a use case: by the person who is signed in, or by a label that was stored."""

from collections.abc import AsyncIterator

import pytest

from node.app.admin_sessions import Signed
from node.app.event_recorder import event_of, recorded
from node.errors import NodeError, StorageTrouble
from tests.fakes.use_cases import TODAY, AppFixture, UseCases

PERE = Signed("admin", "Pere")


@pytest.fixture
async def app() -> AsyncIterator[UseCases]:
    async with AppFixture().life() as opened:
        yield opened


async def test_an_event_is_by_the_person_who_is_signed_in_and_of_this_moment(app: UseCases) -> None:
    event = event_of(app.loop, Signed("admin", "Ana"), "blocked", account="guest-02", text="Noise")
    assert ("admin Ana", "guest-02", "Noise", TODAY) == (event.by, event.account, event.text, event.day)


async def test_an_event_of_a_label_is_by_that_label(app: UseCases) -> None:
    event = event_of(app.loop, "issuer library", "vouchers-issued", about="4", count=9)
    assert ("issuer library", "4", 9) == (event.by, event.about, event.count)


async def kinds(app: UseCases) -> list[str]:
    return [each.kind for each in app.node.repository.registry.events.values()]


async def test_an_act_on_a_file_is_recorded_before_it_is_done(app: UseCases) -> None:
    async with recorded(app.loop, PERE, "backup-made"):
        assert ["backup-made"] == await kinds(app)
    assert ["backup-made"] == await kinds(app)


async def test_what_was_refused_is_no_event(app: UseCases) -> None:
    async with recorded(app.loop, PERE, "backup-made") as act:
        act.is_refused = True
    assert [] == await kinds(app)
    with pytest.raises(NodeError):
        async with recorded(app.loop, PERE, "backup-made"):
            raise NodeError("it cannot be", "try again")
    assert [] == await kinds(app)


async def test_what_is_done_and_stored_later_stays_recorded(app: UseCases) -> None:
    with pytest.raises(StorageTrouble):
        async with recorded(app.loop, PERE, "node-invited"):
            raise StorageTrouble("the disk is full", "make room")
    assert ["node-invited"] == await kinds(app)

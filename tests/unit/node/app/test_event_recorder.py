"""The event of a use case: by the person who is signed in, or by a label that was stored."""

from collections.abc import AsyncIterator

import pytest

from node.app.admin_sessions import Signed
from node.app.event_recorder import event_of
from tests.fakes.use_cases import TODAY, AppFixture, UseCases


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

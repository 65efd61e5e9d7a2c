"""The page with what admins did to the reader's account."""

from collections.abc import AsyncIterator

import pytest

from captive_portal.admin_acts import admin_acts
from node.app.admin_sessions import Signed
from node.app.event_recorder import event_of
from tests.fakes.portal_server import context, rendered
from tests.fakes.use_cases import ANA, BEN, AppFixture, UseCases

HOSTILE = "<b>Noise</b>"


@pytest.fixture
async def app() -> AsyncIterator[UseCases]:
    async with AppFixture().life() as opened:
        yield opened


async def test_a_person_reads_what_was_done_to_their_own_account_only(app: UseCases) -> None:
    await app.join_by_card(ANA)
    await app.join(BEN)
    event = event_of(app.loop, Signed("admin", "Pere"), "paused", account="ana", text=HOSTILE)
    await app.loop.remember((event,))
    (act,) = (await admin_acts(context(app, mac=ANA))).acts
    assert ("Paused", "admin Pere", HOSTILE) == (act.what, act.by, act.reason)
    assert () == (await admin_acts(context(app, mac=BEN))).acts
    page = rendered(await admin_acts(context(app, mac=ANA))).decode()
    assert HOSTILE not in page
    assert "90 days" in page

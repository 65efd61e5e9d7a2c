"""The data of one device as its own person sees it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.accounts.notices import NOBODY_YET, Reader
from node.app.views import AccountViews, CodeTyped, TermsAccepted
from node.units import AccountId
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, BEN, CAI, LISTED, AppFixture, UseCases


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(FakeRepository, tmp_path).life() as opened:
        yield opened


@pytest.fixture
def views(app: UseCases) -> AccountViews:
    loop = app.loop
    return AccountViews(loop.effective_policy, loop.registry, app.portal._clock, loop.uplink_rate_control)


async def test_a_device_that_is_not_admitted_has_no_account_to_change(
    app: UseCases, views: AccountViews
) -> None:
    assert None is views.account_of(ANA)
    assert ("waiting", None, None) == (
        views.view(ANA).state,
        views.view(ANA).account,
        views.view(ANA).allowance,
    )
    await app.portal.admit(ANA, TermsAccepted(), "1")
    assert AccountId("guest-0a") == views.account_of(ANA)
    await app.portal.leave(ANA)
    assert None is views.account_of(ANA)


async def test_a_member_sees_their_name_and_all_devices_of_the_household(
    app: UseCases, views: AccountViews
) -> None:
    await app.portal.admit(LISTED, TermsAccepted(), "1")
    await app.portal.admit(ANA, CodeTyped(""), "1")
    code = await app.portal.new_device_code(LISTED)
    await app.portal.admit(ANA, CodeTyped(code.code), "1")  # type: ignore[union-attr]
    seen = views.view(LISTED)
    assert ("Ana Puig", "member", True) == (seen.name, seen.tier, seen.is_member)
    assert [(ANA, False), (LISTED, True)] == [(device.mac, device.is_this) for device in seen.devices]
    await app.portal.leave(LISTED)
    assert [True, False] == [device.is_online for device in views.devices(AccountId("ana"), ANA)]


async def test_a_guest_sees_only_their_own_device(app: UseCases, views: AccountViews) -> None:
    for mac in (ANA, BEN):
        await app.portal.admit(mac, TermsAccepted(), "1")
    seen = views.view(ANA)
    assert [ANA] == [device.mac for device in seen.devices]
    assert ("", "guest", False, False) == (seen.name, seen.tier, seen.is_member, seen.has_passphrase)


async def test_notices_depend_on_the_account_of_the_device(app: UseCases, views: AccountViews) -> None:
    (code,) = await app.codes()
    await app.portal.admit(ANA, CodeTyped(code), "1")
    await app.portal.admit(LISTED, TermsAccepted(), "1")
    assert NOBODY_YET == views.reader(None) == views.reader(CAI)
    assert Reader(True, False, frozenset({"day-pass"})) == views.reader(ANA)
    assert Reader(True, True) == views.reader(LISTED)

"""Admission: a person authenticates once for a choice, and pending choices are limited."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.app import admission
from node.app.views import Admitted, CodeTyped, Full, PassphraseTyped, Refused, TermsAccepted
from node.units import MacAddress
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, BEN, CAI, AppFixture, UseCases


@pytest.fixture
def street(tmp_path: Path) -> AppFixture:
    return AppFixture(FakeRepository, tmp_path)


@pytest.fixture
async def app(street: AppFixture) -> AsyncIterator[UseCases]:
    async with street.life() as opened:
        yield opened


async def test_a_pending_choice_of_the_device_to_evict_expires(street: AppFixture, app: UseCases) -> None:
    (voucher,) = await app.codes(devices_max=1)
    await app.portal.admit(ANA, CodeTyped(voucher), "1")
    code = await app.portal.new_device_code(ANA)
    typed = CodeTyped(code.code)  # type: ignore[union-attr]
    assert isinstance(await app.portal.admit(BEN, typed, "1"), Full)
    street.pass_time(admission.CHOOSING)
    street.kernel.send(ANA, up=1)
    assert Refused("code-used") == await app.portal.admit(BEN, typed, "1", ANA)


async def test_the_number_of_pending_choices_is_limited(
    app: UseCases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "CHOOSING_MAX", 2)
    (voucher,) = await app.codes(devices_max=1)
    await app.portal.admit(ANA, CodeTyped(voucher), "1")
    for number in range(5):
        mac = MacAddress(f"02:00:00:00:02:0{number}")
        assert isinstance(await app.portal.admit(mac, CodeTyped(voucher), "1"), Full)
    assert 2 == len(app.portal._admission._choosing)


async def test_terms_accepted_by_a_guest_are_forgotten_with_the_request(app: UseCases) -> None:
    assert await app.portal.ask(BEN, "ana", "Ben", "1") is None
    await app.portal.leave(BEN)
    assert await app.portal.ask(CAI, "ana", "Cai", "1") is None
    assert {CAI: "1"} == app.portal._admission._accepted


async def test_joining_by_another_method_cancels_the_sponsor_request(app: UseCases) -> None:
    assert await app.portal.ask(BEN, "ana", "Ben", "1") is None
    assert isinstance(await app.portal.admit(BEN, TermsAccepted(), "1"), Admitted)
    assert app.portal.guest(BEN).asked_for is None


async def test_a_very_long_passphrase_costs_no_more(app: UseCases) -> None:
    assert Refused("passphrase-wrong") == await app.portal.admit(
        ANA, PassphraseTyped("ana", "x" * 10**6), "1"
    )

"""Coming in: what is shown once is not asked for again, and nobody's memory grows without bound."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from captive_portal.ports import Admitted, CodeTyped, Full, PassphraseTyped, Refused, TermsAccepted
from node.answers import doorway
from node.units import MacAddress
from tests.contracts.house import ANA, BEN, CAI, House, Neighbourhood
from tests.fakes.memory import FakeMemory


@pytest.fixture
def street(tmp_path: Path) -> Neighbourhood:
    return Neighbourhood(FakeMemory, tmp_path)


@pytest.fixture
async def house(street: Neighbourhood) -> AsyncIterator[House]:
    async with street.life() as opened:
        yield opened


async def test_choosing_which_device_makes_room_has_an_end(street: Neighbourhood, house: House) -> None:
    (voucher,) = await house.codes(devices_max=1)
    await house.portal.admit(ANA, CodeTyped(voucher), "1")
    code = await house.portal.new_device_code(ANA)
    typed = CodeTyped(code.code)  # type: ignore[union-attr]
    assert isinstance(await house.portal.admit(BEN, typed, "1"), Full)
    street.pass_time(doorway.CHOOSING)
    street.kernel.send(ANA, up=1)
    assert Refused("code-used") == await house.portal.admit(BEN, typed, "1", ANA)


async def test_only_so_many_may_be_choosing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "CHOOSING_MAX", 2)
    (voucher,) = await house.codes(devices_max=1)
    await house.portal.admit(ANA, CodeTyped(voucher), "1")
    for number in range(5):
        mac = MacAddress(f"02:00:00:00:02:0{number}")
        assert isinstance(await house.portal.admit(mac, CodeTyped(voucher), "1"), Full)
    assert 2 == len(house.portal._doorway._choosing)


async def test_terms_that_a_guest_accepted_are_forgotten_with_the_question(house: House) -> None:
    assert await house.portal.ask(BEN, "ana", "Ben", "1") is None
    await house.portal.leave(BEN)
    assert await house.portal.ask(CAI, "ana", "Cai", "1") is None
    assert {CAI: "1"} == house.portal._doorway._accepted


async def test_who_comes_in_otherwise_asks_nobody_any_more(house: House) -> None:
    assert await house.portal.ask(BEN, "ana", "Ben", "1") is None
    assert isinstance(await house.portal.admit(BEN, TermsAccepted(), "1"), Admitted)
    assert house.portal.guest(BEN).asked_for is None


async def test_a_passphrase_of_any_length_costs_no_more(house: House) -> None:
    assert Refused("passphrase-wrong") == await house.portal.admit(
        ANA, PassphraseTyped("ana", "x" * 10**6), "1"
    )

"""Search for accounts and devices by admins, on a loop with a kernel in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.accounts.device_bindings import Binding
from node.app.admin_people import AdminPeopleService
from node.app.views import Admitted, CodeTyped, TermsAccepted
from node.units import AccountId, MacAddress
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, BEN, CAI, DOT, LISTED, AppFixture, UseCases


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(FakeRepository, tmp_path).life() as opened:
        yield opened


@pytest.fixture
async def people(app: UseCases) -> AdminPeopleService:
    """Ana and Ben share a voucher, Cai is a guest, and a device of the members file is online."""
    (code,) = await app.codes()
    for mac, entry in (
        (ANA, CodeTyped(code)),
        (BEN, CodeTyped(code)),
        (CAI, TermsAccepted()),
        (LISTED, TermsAccepted()),
    ):
        await app.portal.admit(mac, entry, "1")
    return AdminPeopleService(app.loop)


def household(app: UseCases) -> AccountId:
    return app.loop.account_of(ANA)


async def test_every_active_account_is_listed_once(app: UseCases, people: AdminPeopleService) -> None:
    assert {household(app), "guest-0c", "ana"} == set(people.find(""))
    assert 3 == len(people.find(""))
    await app.portal.leave(CAI)
    assert "guest-0c" not in people.find("")


async def test_a_row_has_the_number_of_devices_and_their_join_methods(
    app: UseCases, people: AdminPeopleService
) -> None:
    row = people.row(household(app))
    assert (2, ("voucher",), "guest", 0) == (row.devices, row.ways, row.tier, row.since_s)
    assert ("Ana Puig", "member") == (people.row(AccountId("ana")).name, people.row(AccountId("ana")).tier)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ana", "ana"),
        ("PUIG", "ana"),
        ("carme", "carme"),
        ("guest-0c", "guest-0c"),
        (CAI, "guest-0c"),
        (LISTED, "ana"),
    ],
)
async def test_inactive_accounts_are_found_too(people: AdminPeopleService, query: str, found: str) -> None:
    assert [found] == list(people.find(query))


@pytest.mark.parametrize("query", ["nobody", DOT, "02:00", "7K3M-9Q2W-4X1Z", "x" * 300])
async def test_an_unknown_name_finds_nobody(people: AdminPeopleService, query: str) -> None:
    assert [] == list(people.find(query))


async def test_a_device_is_found_by_its_owners_name_for_it(app: UseCases, people: AdminPeopleService) -> None:
    await app.portal.name_device(ANA, BEN, "kitchen tablet")
    assert [household(app)] == list(people.find("tablet"))


async def test_an_account_is_shown_with_all_its_devices(app: UseCases, people: AdminPeopleService) -> None:
    person = people.person(household(app))
    assert person is not None
    assert {ANA, BEN} == {device.mac for device in person.devices}
    assert person.voucher is not None
    assert ("used", ("day-pass",), False) == (person.voucher.state, person.groups, person.is_member)
    assert people.person("nobody") is None
    carme = people.person("carme")
    assert carme is not None
    assert ((), True) == (carme.devices, carme.is_member)


async def test_only_devices_of_the_account_are_blocked(app: UseCases, people: AdminPeopleService) -> None:
    assert await people.block("ana", CAI, "why") is not None
    assert await people.block("carme", None, "why") is not None
    assert [] == list(people.blocked())
    assert await people.block("guest-0c", MacAddress(CAI), "why") is None
    assert [(CAI, "why", "blocked")] == [(row.mac, row.because, row.state) for row in people.blocked()]


async def test_only_a_blocked_device_can_be_unblocked(people: AdminPeopleService) -> None:
    assert await people.unblock(CAI) is not None
    await people.block("guest-0c", CAI, "why")
    assert await people.unblock(CAI) is None
    assert [] == list(people.blocked())


async def test_an_inactive_device_can_be_blocked_too_and_stays_out(
    app: UseCases, people: AdminPeopleService
) -> None:
    binding = Binding(DOT, household(app), "voucher", "2027-03-01")
    await app.loop.remember(app.loop.registry.bindings.bind(binding))
    assert await people.block(household(app), None, "Enough.") is None
    assert {ANA, BEN, DOT} == {row.mac for row in people.blocked()}
    assert "removed" == getattr(await app.portal.admit(DOT, TermsAccepted(), "1"), "reason", "")
    assert DOT in app.loop.session_table.session_entries, "or a restart would let it in again"
    assert await people.unblock(DOT) is None
    assert isinstance(await app.portal.admit(DOT, TermsAccepted(), "1"), Admitted)


async def test_an_extension_is_not_taken_back_from_a_session_that_changed_since(
    app: UseCases, people: AdminPeopleService
) -> None:
    await app.pass_time(3_600_000)
    assert await people.extend("guest-0c") is None
    (code,) = await app.codes()
    await app.portal.admit(CAI, CodeTyped(code), "1")
    ends = [device.ends_s for device in people.devices(app.loop.account_of(CAI))]
    assert await people.take_back_extension("guest-0c") is not None
    assert ends == [device.ends_s for device in people.devices(app.loop.account_of(CAI))], "the voucher's"


async def test_an_extension_is_not_taken_back_from_a_session_that_its_person_began_later(
    app: UseCases, people: AdminPeopleService
) -> None:
    await app.pass_time(3_600_000)
    assert await people.extend("guest-0c") is None
    await app.pass_time(600_000)
    await app.portal.admit(CAI, TermsAccepted(), "1")
    (before,) = people.devices(AccountId("guest-0c"))
    assert await people.take_back_extension("guest-0c") is not None
    assert (before,) == people.devices(AccountId("guest-0c"))

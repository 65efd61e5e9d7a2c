"""What each address shows to a device in each state."""

import json

import pytest

from captive_portal import guests, reading
from captive_portal.visit import Give, Go, Show, Visit, Welcome
from tests.fakes.front_door import ANA
from tests.fakes.house import FakeHouse
from tests.fakes.visits import inside, visit


def house_where(state: str) -> FakeHouse:
    house = FakeHouse()
    if state == "admitted":
        inside(house)
    if state == "expired":
        inside(house)
        house.now += 5 * 3_600_000
        house.happens(ANA, guests.TimedOut())
    if state == "removed":
        house.happens(ANA, guests.RemovedByAdmin("noise"))
    return house


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("waiting", Welcome("")),
        ("expired", Welcome("expired")),
        ("admitted", "me.html"),
        ("removed", "refused.html"),
    ],
)
async def test_the_first_page_is_the_devices_next_step(state: str, shown: object) -> None:
    outcome = await reading.home(visit(house_where(state)))
    assert shown == (outcome.page.template if isinstance(outcome, Show) else outcome)


async def test_who_asked_a_member_waits_and_looks_again() -> None:
    house = FakeHouse()
    await house.ask(ANA, "ana", "Ben", "2")
    outcome = await reading.home(visit(house))
    assert isinstance(outcome, Show)
    assert ("asking.html", 5) == (outcome.page.template, outcome.refresh_s)


async def test_who_wants_the_waiting_page_to_hold_still_is_not_hurried() -> None:
    """A page that loads anew is read aloud from its top, each time."""
    house = FakeHouse()
    await house.ask(ANA, "ana", "Ben", "2")
    outcome = await reading.home(visit(house, query={"still": "1"}))
    assert isinstance(outcome, Show)
    assert ("asking.html", 0) == (outcome.page.template, outcome.refresh_s)


@pytest.mark.parametrize("state", ["waiting", "expired", "admitted"])
async def test_a_code_in_the_address_is_in_the_field(state: str) -> None:
    outcome = await reading.home(visit(house_where(state), query={"code": "7K3M"}))
    assert isinstance(outcome, Show)
    assert "splash.html" == outcome.page.template


async def test_nothing_in_an_address_lets_somebody_back_who_was_removed() -> None:
    outcome = await reading.home(visit(house_where("removed"), query={"code": "7K3M"}))
    assert isinstance(outcome, Show)
    assert ("refused.html", 403) == (outcome.page.template, outcome.status)
    assert Go("/") == await reading.ways(visit(house_where("removed")))


@pytest.mark.parametrize("state", ["waiting", "expired", "removed"])
async def test_my_page_is_for_who_is_in(state: str) -> None:
    assert Go("/") == await reading.me(visit(house_where(state)))


async def test_my_data_are_a_page_and_a_file() -> None:
    house = house_where("admitted")
    page, document = await reading.my_data(visit(house)), await reading.my_data_file(visit(house))
    assert isinstance(page, Show)
    assert isinstance(document, Give)
    assert "my-data.json" == document.file_name
    assert "ana" == json.loads(document.body)["account"]


@pytest.mark.parametrize("path", [*reading.FOR_ALL, *reading.FOR_DEVICES])
@pytest.mark.parametrize("state", ["waiting", "expired", "admitted", "removed"])
async def test_reading_changes_nothing(path: str, state: str) -> None:
    house = house_where(state)
    before = (dict(house.states), dict(house.accounts), list(house.calls))
    reader = {**reading.FOR_ALL, **reading.FOR_DEVICES}[path]
    assert isinstance(await reader(visit(house, path=path)), Show | Go | Give | Welcome)
    assert before == (house.states, house.accounts, house.calls)


@pytest.mark.parametrize("path", reading.FOR_ALL)
async def test_pages_for_all_need_no_device(path: str) -> None:
    stranger: Visit = visit(mac=None, path=path)
    assert isinstance(await reading.FOR_ALL[path](stranger), Show)

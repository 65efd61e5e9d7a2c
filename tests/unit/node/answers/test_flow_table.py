"""Connection tracking in words, on a loop with a kernel in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from captive_portal.ports import TermsAccepted
from node.admin.ports import FlowsRow
from node.answers.flow_table import flows_row
from node.enforcement.plan import TableUse
from node.membership.bindings import Binding
from node.units import MacAddress
from tests.contracts.house import CAI, LISTED, House, Neighbourhood
from tests.fakes.memory import FakeMemory

LIMIT = 1_024


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Neighbourhood(FakeMemory, tmp_path).life() as opened:
        for mac in (CAI, LISTED):
            await opened.portal.admit(mac, TermsAccepted(), "1")
        yield opened


def row(house: House, use: TableUse) -> FlowsRow:
    return flows_row(use, LIMIT, house.loop.presence, house.loop.register)


def mark_of(house: House, mac: MacAddress) -> int:
    return house.loop.presence.seats[mac].mark


async def test_the_device_with_the_most_is_named_as_admins_see_it(house: House) -> None:
    use = TableUse(5_000, 262_144, (mark_of(house, CAI), 700))
    assert FlowsRow(5_000, 262_144, LIMIT, f"{CAI} of guest-0c", 700) == row(house, use)
    account = house.loop.account_of(LISTED)
    named = Binding(LISTED, account, "card", "2026-11-28", name="Kitchen radio")
    house.loop.register.bindings.take((named,))
    use = TableUse(5_000, 262_144, (mark_of(house, LISTED), 9))
    assert f"Kitchen radio ({LISTED}) of ana" == row(house, use).heaviest


async def test_entries_of_somebody_long_gone_name_nobody(house: House) -> None:
    found = row(house, TableUse(5_000, 262_144, (60_000, 700)))
    assert ("", 0) == (found.heaviest, found.heaviest_flows)
    assert FlowsRow(0, 0, LIMIT) == row(house, TableUse())


async def test_a_device_that_wants_more_than_it_may_have_is_a_warning_with_its_name(house: House) -> None:
    (said,) = row(house, TableUse(2_000, 262_144, None, (CAI,))).warnings
    assert said.startswith(f"{CAI} of guest-0c wants more than 1,024 connections at once")
    assert "lan.flows_per_device" in said


async def test_a_crowd_of_them_is_told_by_its_number(house: House) -> None:
    crowd = tuple(MacAddress(f"02:00:00:00:01:{n:02x}") for n in range(12))
    said = row(house, TableUse(2_000, 262_144, None, crowd)).warnings
    assert 6 == len(said)
    assert said[-1].startswith("7 other devices")


async def test_a_table_that_fills_is_told_before_it_is_full(house: House) -> None:
    assert () == row(house, TableUse(190_000, 262_144)).warnings
    (said,) = row(house, TableUse(200_000, 262_144)).warnings
    assert "200,000 connections, 76 % of what it can" in said

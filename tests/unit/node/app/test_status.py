"""The connection tracking report, on a loop with a kernel in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.accounts.device_bindings import Binding
from node.app.status import FlowsRow, flows_row
from node.app.views import TermsAccepted
from node.enforcement.plan import TableUse
from node.units import MacAddress
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import CAI, LISTED, AppFixture, UseCases

LIMIT = 1_024


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(FakeRepository, tmp_path).life() as opened:
        for mac in (CAI, LISTED):
            await opened.portal.admit(mac, TermsAccepted(), "1")
        yield opened


def row(app: UseCases, use: TableUse) -> FlowsRow:
    return flows_row(use, LIMIT, app.loop.session_table, app.loop.registry)


def mark_of(app: UseCases, mac: MacAddress) -> int:
    return app.loop.session_table.session_entries[mac].mark


async def test_the_device_with_the_most_is_named_as_admins_see_it(app: UseCases) -> None:
    use = TableUse(5_000, 262_144, (mark_of(app, CAI), 700))
    assert FlowsRow(5_000, 262_144, LIMIT, f"{CAI} of guest-0c", 700) == row(app, use)
    account = app.loop.account_of(LISTED)
    named = Binding(LISTED, account, "card", "2026-11-28", name="Kitchen radio")
    app.loop.registry.bindings.take((named,))
    use = TableUse(5_000, 262_144, (mark_of(app, LISTED), 9))
    assert f"Kitchen radio ({LISTED}) of ana" == row(app, use).heaviest


async def test_entries_of_a_deleted_session_name_nobody(app: UseCases) -> None:
    found = row(app, TableUse(5_000, 262_144, (60_000, 700)))
    assert ("", 0) == (found.heaviest, found.heaviest_flows)
    assert FlowsRow(0, 0, LIMIT) == row(app, TableUse())


async def test_a_device_over_its_limit_is_a_warning_with_its_name(app: UseCases) -> None:
    (said,) = row(app, TableUse(2_000, 262_144, None, (CAI,))).warnings
    assert said.startswith(f"{CAI} of guest-0c wants more than 1,024 connections at once")
    assert "lan.flows_per_device" in said


async def test_many_such_devices_are_reported_by_their_number(app: UseCases) -> None:
    crowd = tuple(MacAddress(f"02:00:00:00:01:{n:02x}") for n in range(12))
    said = row(app, TableUse(2_000, 262_144, None, crowd)).warnings
    assert 6 == len(said)
    assert said[-1].startswith("7 other devices")


async def test_a_table_is_reported_before_it_is_full(app: UseCases) -> None:
    assert () == row(app, TableUse(190_000, 262_144)).warnings
    (said,) = row(app, TableUse(200_000, 262_144)).warnings
    assert "200,000 connections, 76 % of what it can" in said

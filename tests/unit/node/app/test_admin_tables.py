"""The tables of the admin pages as CSV: every row once, nothing that a spreadsheet runs, and nobody waits."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.app.admin_sessions import ADMIN
from node.app.admin_tables import BYTE_ORDER_MARK, TABLES, AdminTables, csv_lines
from node.errors import StorageTrouble
from tests.fakes.admin_pages import PHONE, admin_app, populate
from tests.fakes.use_cases import UseCases

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with admin_app(tmp_path) as opened:
        await populate(opened)
        yield opened


async def read(app: UseCases, name: str) -> list[dict[str, str]]:
    parts = [part async for part in await AdminTables(app.admin).file(TABLES[name], ADMIN)]
    text = b"".join(parts).decode()
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK))))


@pytest.mark.parametrize("name", TABLES)
async def test_each_table_has_its_columns_and_full_rows(app: UseCases, name: str) -> None:
    for row in await read(app, name):
        assert TABLES[name].columns == tuple(row)
        assert None not in row.values()


async def test_people_notices_objections_and_events_are_in_their_tables(app: UseCases) -> None:
    people = {row["account"]: row for row in await read(app, "people")}
    assert ("Ana Mas", "2") == (people["ana"]["name"], people["ana"]["devices_online"])
    assert [("en", "Storm tonight")] == [
        (row["language"], row["title"]) for row in await read(app, "notices")
    ]
    assert {"ana"} == {row["account"] for row in await read(app, "objections")}
    assert "blocked" in {row["kind"] for row in await read(app, "events")}
    assert 1 == len(await read(app, "blocked"))
    assert {"ana"} <= {row["account"] for row in await read(app, "members")}


async def test_a_hostile_name_or_reason_is_no_formula(app: UseCases) -> None:
    await app.admin.people.block("ana", PHONE, '=HYPERLINK("http://evil.example","x")')
    newest = (await read(app, "events"))[0]
    assert newest["reason"].startswith("'=HYPERLINK")


@given(st.text())
def test_no_cell_begins_like_a_formula_and_nothing_is_lost(text: str) -> None:
    (cell,), *_ = [*csv.reader(io.StringIO(csv_lines([[text]]), newline="")), [""]][:1] or [[""]]
    assert not cell.startswith(FORMULAS)
    assert cell in {text, f"'{text}"}


async def test_a_database_that_cannot_be_read_gives_no_half_file(app: UseCases) -> None:
    app.node.repository.full = True
    with pytest.raises(StorageTrouble):
        await AdminTables(app.admin).file(TABLES["events"], ADMIN)


async def test_ten_thousand_accounts_hold_nobody_up(app: UseCases, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, row = AdminTables(app.admin), app.admin.people.row("ana")
    monkeypatch.setattr(
        app.admin.people, "find", lambda _query: [f"guest-{number}" for number in range(10_000)]
    )
    monkeypatch.setattr(app.admin.people, "row", lambda _account: row)
    longest_s, is_done = 0.0, False

    async def watch() -> None:
        nonlocal longest_s
        while not is_done:
            before = time.monotonic()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.monotonic() - before)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        size = 0
        async for part in await tables.file(TABLES["people"], ADMIN):
            size += part.count(b"\n")
        is_done = True
    assert size > 10_000
    assert longest_s < 0.2

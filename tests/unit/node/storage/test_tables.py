"""What the storage uses of sqlite-utils stays inside the open transaction, in every version of the library.

Writes of several tasks are committed together. In version 3.38 the library's own `create`, `insert`, `upsert` and
`transform` commit the open transaction, so none of them is used here.
"""

import ast
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

import pytest

from node import storage
from node.accounting.intervals import IntervalUsage
from node.storage.interval_tables import interval_rows, save_intervals
from node.storage.migrations import MIGRATIONS, migrate
from node.storage.preview_tables import load_classes, save_classes
from node.storage.tables import schema, table, table_names
from node.units import AccountId, Bytes, Usage

USES: dict[str, Callable[[Connection], object]] = {
    "create_table_sql": lambda db: db.execute(schema(db).create_table_sql("made", {"name": str}, pk="name")),
    "create_index": lambda db: table(db, "facts").create_index(["value"], "made"),
    "add_column": lambda db: table(db, "facts").add_column("made", int, not_null_default=0),
    "columns": lambda db: table(db, "facts").columns,
}


def begun() -> Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    return db


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_an_open_transaction_stays_open(use: Callable[[Connection], object]) -> None:
    db = begun()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO facts VALUES ('kept', 'no')")
    use(db)
    assert db.in_transaction
    db.execute("ROLLBACK")
    assert [] == db.execute("SELECT * FROM facts").fetchall()
    db.close()


def test_nothing_else_is_used_of_a_table() -> None:
    used = {
        node.attr
        for folder in storage.__path__
        for path in Path(folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "table"
    }
    assert used
    assert set() == used - USES.keys()


def test_a_migration_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(db: Connection) -> None:
        db.execute(schema(db).create_table_sql("half", {"name": str}, pk="name"))
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr("node.storage.migrations.MIGRATIONS", (*MIGRATIONS, fail))
    db = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db)
    assert "half" not in table_names(db)
    assert (len(MIGRATIONS),) == db.execute("PRAGMA user_version").fetchone()
    db.close()


def test_a_notice_that_was_shown_at_this_node_alone_is_not_told_to_others_after_an_update() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    for migration in MIGRATIONS[:17]:
        migration(db)
    db.execute("PRAGMA user_version = 17")
    for number, place in enumerate(("network", "zone:hills", "node:hill")):
        db.execute("INSERT INTO notices VALUES (?, ?, 'everyone', '', '', 0, '', '[]')", (number, place))
    migrate(db)
    places = db.execute("SELECT place FROM notices ORDER BY number").fetchall()
    assert [("here",), ("zone:hills",), ("node:hill",)] == places
    db.close()


def test_after_an_update_no_preview_is_remembered_and_what_was_used_still_is() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    for migration in MIGRATIONS[:18]:
        migration(db)
    db.execute("PRAGMA user_version = 18")
    usage = IntervalUsage(Usage(Bytes(1_000_000), Bytes(0)), is_busy=True)
    save_intervals(db, {300: {AccountId("ana"): usage}})
    migrate(db)
    assert {} == load_classes(db)
    save_classes(db, "2026-11-24", {AccountId("ana"): 3})
    assert {"2026-11-24": {"ana": 3}} == load_classes(db)
    assert [(300, "ana", 1_000_000, 0, 1)] == list(interval_rows(db))
    db.close()


def test_columns_accept_no_value_of_another_type_and_no_unexpected_null() -> None:
    db = begun()
    for statement in (
        "INSERT INTO vouchers VALUES ('f', 'many', 'a', 0, '', NULL, NULL, NULL, NULL, 0)",
        "INSERT INTO vouchers VALUES ('f', 1, NULL, 0, '', NULL, NULL, NULL, NULL, 0)",
        "INSERT INTO vouchers VALUES (NULL, 1, 'a', 0, '', NULL, NULL, NULL, NULL, 0)",
        "INSERT INTO devices VALUES (NULL, 'a', 1, '')",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
    db.execute("INSERT INTO vouchers VALUES ('f', 1, 'a', 0, '', NULL, NULL, NULL, NULL, 0)")
    db.close()


def test_a_database_of_this_version_is_used_without_sqlite_utils(tmp_path: Path) -> None:
    """It takes 3.7 MB with what it imports."""
    use = (
        "import asyncio, sys; from pathlib import Path; from node.storage.database import Store; "
        "from node.storage.repository import StoredArchive, StoredRepository; "
        "store = Store(Path(sys.argv[1])); repository = StoredRepository(store, Path(sys.argv[2])); "
        "asyncio.run(repository.recall()); asyncio.run(StoredArchive(store).history()); "
        "asyncio.run(repository.forget(ended_before='2026-10-01', used_before='2025-10-01', today='2026-11-01')); "
        "asyncio.run(repository.erase('02:00:00:00:00:01', 'ana', '2026-11-01')); "
        "store.close(); print('sqlite_utils' in sys.modules)"
    )
    argv = [sys.executable, "-c", use, str(tmp_path / "procomu.db"), str(tmp_path / "bookings")]
    imported = [
        subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout for _ in range(2)
    ]
    assert ["True\n", "False\n"] == imported

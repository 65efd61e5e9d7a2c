"""What the storage uses of sqlite-utils stays inside the open transaction, in every version of the library.

Writes of several tasks are committed together. In version 3.38 the library's own `create`, `insert`, `upsert` and
`transform` commit the open transaction, so none of them is used here.
"""

import ast
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from node import storage
from node.storage.migrations import MIGRATIONS, migrate
from node.storage.tables import table

USES: dict[str, Callable[[Database], object]] = {
    "create_table_sql": lambda db: db.execute(db.create_table_sql("made", {"name": str}, pk="name")),
    "create_index": lambda db: table(db, "facts").create_index(["value"], "made"),
    "add_column": lambda db: table(db, "facts").add_column("made", int, not_null_default=0),
    "delete_where": lambda db: table(db, "facts").delete_where("name = ?", ["a"]),
    "rows": lambda db: list(table(db, "facts").rows),
    "rows_where": lambda db: list(table(db, "facts").rows_where("name = ?", ["a"], order_by="name", limit=1)),
    "columns": lambda db: table(db, "facts").columns,
    "table_names": lambda db: db.table_names(),
}


def begun() -> Database:
    db = Database(sqlite3.connect(":memory:", isolation_level=None))
    migrate(db)
    return db


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_an_open_transaction_stays_open(use: Callable[[Database], object]) -> None:
    db = begun()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO facts VALUES ('kept', 'no')")
    use(db)
    assert db.conn.in_transaction
    db.execute("ROLLBACK")
    assert [] == list(table(db, "facts").rows)
    db.conn.close()


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
    def fail(db: Database) -> None:
        db.execute(db.create_table_sql("half", {"name": str}, pk="name"))
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr("node.storage.migrations.MIGRATIONS", (*MIGRATIONS, fail))
    db = Database(sqlite3.connect(":memory:", isolation_level=None))
    with pytest.raises(sqlite3.OperationalError):
        migrate(db)
    assert "half" not in db.table_names()
    assert (len(MIGRATIONS),) == db.execute("PRAGMA user_version").fetchone()
    db.conn.close()


def test_columns_accept_no_value_of_another_type_and_no_unexpected_null() -> None:
    db = begun()
    for statement in (
        "INSERT INTO vouchers VALUES ('f', 'many', 'a', 0, '', NULL, NULL, NULL, NULL)",
        "INSERT INTO vouchers VALUES ('f', 1, NULL, 0, '', NULL, NULL, NULL, NULL)",
        "INSERT INTO vouchers VALUES (NULL, 1, 'a', 0, '', NULL, NULL, NULL, NULL)",
        "INSERT INTO devices VALUES (NULL, 'a', 1, '')",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
    db.execute("INSERT INTO vouchers VALUES ('f', 1, 'a', 0, '', NULL, NULL, NULL, NULL)")
    db.conn.close()

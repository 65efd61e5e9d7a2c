"""Reads the rows of a damaged database that are still readable."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlite_utils import Database

from node.storage.copies import commits_of
from node.storage.integrity import lenient
from node.storage.migrations import INVENTORY

Row = tuple[object, ...]
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""UnicodeDecodeError: an error message of SQLite that quotes bytes of the file which are not UTF-8."""
WORDS_ONLY = frozenset({"contests"})
"""Tables that the journal does not cover. If there is a copy, only these are taken from a damaged file."""
_NOT_BELIEVED = frozenset({"facts", "baselines"})
"""Counter baselines and sign-in state are never taken from a damaged file."""


def salvage(damaged: Path, into: Database, *, has_copy: bool, newer_than: int) -> int:
    """Insert the readable rows of `damaged` that `into` lacks; returns their number. `damaged` and its log
    are not changed. With `has_copy` (copy and journal are complete), only the tables in
    WORDS_ONLY are read, and only if the file is at least at the commit `newer_than`."""
    connection = _connect(damaged)
    if connection is None:
        return 0
    try:
        if has_copy and _commits(connection) < newer_than:
            return 0
        tables = [kept.table for kept in INVENTORY if kept.table not in _NOT_BELIEVED]
        return sum(_take(connection, into, table) for table in tables if not has_copy or table in WORDS_ONLY)
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection | None:
    for how in ("mode=ro", "immutable=1"):
        try:
            connection = sqlite3.connect(f"file:{path}?{how}", uri=True, isolation_level=None)
        except UNREADABLE:
            continue
        connection.text_factory = lenient
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except UNREADABLE:
            connection.close()
        else:
            return connection
    return None


def _commits(connection: sqlite3.Connection) -> int:
    try:
        return commits_of(Database(connection))
    except UNREADABLE:
        return 0


def _take(connection: sqlite3.Connection, into: Database, table: str) -> int:
    known = _columns(connection, table)
    columns = [column.name for column in into[table].columns if column.name in known]
    if not columns:
        return 0
    marks = ", ".join("?" * len(columns))
    put = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of this schema only
    before = int(into.conn.total_changes)
    for row in _rows(connection, table, columns):
        try:
            into.execute(put, row)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            continue  # a value of another type than the column's is damage
    return int(into.conn.total_changes) - before


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """An older schema may have fewer columns; missing ones get their default."""
    try:
        return {column.name for column in Database(connection)[table].columns}
    except UNREADABLE:
        return set()


def _rows(connection: sqlite3.Connection, table: str, columns: list[str]) -> Iterator[Row]:
    """Forwards up to an unreadable page, then backwards from the end."""
    order = "node, incarnation, account, day" if table == "cells" else "rowid"
    backwards = ", ".join(f"{each} DESC" for each in order.split(", "))
    for direction in (order, backwards):
        try:
            yield from connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {direction}")  # noqa: S608
        except UNREADABLE:
            continue
        return

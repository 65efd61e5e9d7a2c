"""Integrity check of a database: SQLite's own check, then values that a node never writes.

SQLite has no checksums, so its check does not notice a flipped bit in a text or number. Values that would
prevent the start or add bytes to someone's usage are searched for in SQL, which is fast even on small boards.
"""

import sqlite3
from sqlite3 import Connection
from typing import get_args

from node.accounts.vouchers import voucher_account
from node.enforcement.plan import CLASS_MINOR_MAX
from node.governance.rules import WAYS
from node.sessions.stored import SessionState
from node.storage.bucket_rows import BYTES_MAX
from node.storage.tables import table_names
from node.storage.usage_tables import check_waiting

MARK_MAX = 2**31 - 1
FINGERPRINT_CHARS = 64
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises. UnicodeDecodeError: a message of SQLite quotes bytes of it that are not UTF-8."""
_MAC = ":".join(["[0-9a-f][0-9a-f]"] * 6)
_STATES = ", ".join(f"'{state}'" for state in get_args(SessionState))
_WAYS = ", ".join(f"'{way}'" for way in WAYS)
_SUSPECT = {
    "accounts": f"minor NOT BETWEEN 1 AND {CLASS_MINOR_MAX} OR account = ''",
    "devices": f"mac NOT GLOB '{_MAC}' OR mark NOT BETWEEN 0 AND {MARK_MAX} OR account = ''",
    "sessions": f"mac NOT GLOB '{_MAC}' OR mark NOT BETWEEN 0 AND {MARK_MAX} OR account = '' "
    f"OR state NOT IN ({_STATES})",
    "cells": f"min(down, up, busy_down, busy_up) < 0 OR max(down, up, busy_down, busy_up) > {BYTES_MAX}",
    "baselines": f"min(down, up) < 0 OR max(down, up) > {BYTES_MAX}",
    "batches": "is_revoked NOT IN (0, 1) OR length(accounts) % 12 != 0",
    "vouchers": "is_revoked NOT IN (0, 1) OR (boot IS NULL) != (ends_boot_ms IS NULL) "
    "OR (boot IS NULL) != (since_boot_ms IS NULL) OR NOT is_fingerprint_of(fingerprint, account)",
    "bindings": f"mac NOT GLOB '{_MAC}' OR account = '' OR way NOT IN ({_WAYS})",
    "erasures": "is_over NOT IN (0, 1) OR date(until_day) IS NOT until_day "
    "OR until_day NOT BETWEEN '0001-01-01' AND '9999-12-30'",
    "notices": "NOT json_valid(texts) OR is_urgent NOT IN (0, 1)",
    "terms": "NOT json_valid(texts)",
    "appearance": "NOT json_valid(welcome)",
}


def check(db: Connection) -> None:
    """Raises sqlite3.DatabaseError with the first problem found."""
    problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)
    tables = table_names(db)
    for table in _SUSPECT.keys() & tables:
        if _has_suspects(db, table):
            raise sqlite3.DatabaseError(f"the table {table} has values that no node writes")
    if "facts" in tables:
        check_waiting(db)


def _has_suspects(db: Connection, table: str) -> bool:
    try:
        return bool(db.execute(f"SELECT 1 FROM {table} WHERE {suspect(db, table)} LIMIT 1").fetchone())  # noqa: S608
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return False  # other schema versions have other columns, and their values are not checked
        raise


def suspect(db: Connection, table: str) -> str:
    """SQL condition that is true for damaged rows of the table; ``false`` if there is no check for it."""
    db.create_function("is_fingerprint_of", 2, _is_fingerprint_of, deterministic=True)
    return _SUSPECT.get(table, "false")


def drop_suspects(db: Connection) -> int:
    """Delete rows that `check` rejects; returns their number."""
    tables = sorted(_SUSPECT.keys() & table_names(db))
    return sum(int(db.execute(f"DELETE FROM {each} WHERE {suspect(db, each)}").rowcount) for each in tables)  # noqa: S608


def _is_fingerprint_of(fingerprint: str, account: str) -> bool:
    try:
        return len(fingerprint) != FINGERPRINT_CHARS or voucher_account(fingerprint) == account
    except ValueError:
        return False


def lenient(text: bytes) -> str:
    """For `sqlite3.Connection.text_factory`: invalid UTF-8 is replaced, so that the other rows stay
    readable."""
    return text.decode(errors="replace")

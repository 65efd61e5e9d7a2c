"""Writes the database that is kept of version 0.1.0, with rows in each table: ``python -m tests.docs.kept_database``.

It is kept to test that newer versions open it and lose nothing; it must not be written again once 0.1.0 is released.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from node.accounts.vouchers import voucher_account
from node.storage.migrations import MIGRATIONS

FILE = Path(__file__).parents[1] / "vectors" / "database" / "procomu-0.1.0.db"
FORM = 4
NUMBER = 20_261_129
NODE, OTHER_NODE = "a" * 51 + "q", "b" * 51 + "q"
ANA_PHONE, BEN_PHONE, GUEST_PHONE = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
USED, FRESH = "11" * 32, "22" * 32
BOOT = "7d3c9a52-0000-4000-8000-000000000001"

ROWS: dict[str, list[tuple[object, ...]]] = {
    "accounts": [
        ("ana", 1, "2026-11-28"),
        ("ben", 2, "2026-11-27"),
        (voucher_account(USED), 3, "2026-11-28"),
    ],
    "devices": [
        (ANA_PHONE, "ana", 1, "2026-11-28"),
        (BEN_PHONE, "ben", 2, "2026-11-27"),
        (GUEST_PHONE, voucher_account(USED), 3, "2026-11-28"),
    ],
    "sessions": [
        (ANA_PHONE, 1, "ana", "admitted", "1", BOOT, 1_000, None, None, "", "2026-11-28"),
        (BEN_PHONE, 2, "ben", "removed", "1", BOOT, 2_000, None, None, "Too many floods", "2026-11-27"),
        (GUEST_PHONE, 3, voucher_account(USED), "admitted", "1", BOOT, 3_000, 90_000_000, 1_795_996_800, "",
         "2026-11-28"),
    ],
    "cells": [
        (NODE, "2-f00d", "ana", "2026-11-27", 700_000_000, 50_000_000, 3_000, 200),
        (NODE, "3-beef", "ana", "2026-11-28", 5_000_000_000, 700_000_000, 1_000, 20),
        (NODE, "3-beef", "ben", "2026-11-28", 9_000, 8_000, 0, 0),
        (OTHER_NODE, "1-cafe", "ana", "2026-11-28", 123_456, 7_890, 0, 0),
    ],
    "baselines": [(1, 5_000_000_000, 700_000_000), (2, 9_000, 8_000)],
    "pages": [(f"{OTHER_NODE}/1-cafe/usage/2026-11-28/0000", b"{}", "2026-11-28")],
    "rule_versions": [
        (1, "2026-11-01T09:00:00+01:00", "the node's start", "ab" * 32, "[ruleset]\n"),
        (2, "2026-11-20T18:30:00+01:00", "an admin, on the admin page", "cd" * 32, "[ruleset]\nversion = 2\n"),
    ],
    "facts": [
        ("incarnation", "3-beef"),
        ("counters_id", "0123456789abcdef"),
        ("bookings", "42"),
        ("booked_day", "2026-11-28"),
        ("saved_at_ms", "3600000"),
        ("boot", BOOT),
        ("tried_at_ms", "3600000"),
        ("admin_sign_in", "{}"),
        ("commits", "17 1795910400"),
    ],
    "batches": [(1, "day-pass", 86_400_000, 3, "2026-11-26", "issuer library", "Festa major")],
    "vouchers": [
        (USED, 1, voucher_account(USED), 0, "2026-11-28", BOOT, 3_000, 90_000_000, 1_795_996_800),
        (FRESH, 1, voucher_account(FRESH), 1, "", None, None, None, None),
    ],
    "bindings": [
        (ANA_PHONE, "ana", "card", "2026-11-01", "Mòbil d’Ana", None),
        (GUEST_PHONE, voucher_account(USED), "voucher", "2026-11-28", "", "ana"),
    ],
    "passphrases": [("ana", "scrypt$14$c2FsdA$aGFzaA")],
    "cards_void": [("ben", 739_999)],
    "contests": [
        (1, "ana", "2026-11-25", "night", "Estudio de noche.", "", ""),
        (2, "ben", "2026-11-20", "floods", "It was a backup.", "Then it may stay.", "2026-11-21"),
    ],
    "notices": [(1, "network", "everyone", "2026-11-28", "2026-12-06", 1, "an admin", '[["ca", "Avís", "Tallem."]]')],
    "erasures": [("cai", "2026-11-15", 0)],
    "terms": [
        ("1", "2026-11-01", "an admin", '[["ca", "Compartim."]]'),
        ("2", "2026-11-20", "an admin", '[["ca", "Ara."]]'),
    ],
}  # fmt: skip
UPGRADED = {"notices": {"network": "here"}}
"""Values that get another name at an upgrade, by table: the same place is told apart from all nodes."""


def write(path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA page_size = 1024")
        db.execute(f"PRAGMA application_id = {NUMBER}")
        db.execute("BEGIN")
        for migration in MIGRATIONS[:FORM]:
            migration(db)
        for table, rows in ROWS.items():
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        db.execute(f"PRAGMA user_version = {FORM}")
        db.execute("COMMIT")
        db.execute("VACUUM")


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    write(FILE)

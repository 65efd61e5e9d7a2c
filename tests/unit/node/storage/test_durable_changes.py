"""Changes in the journal are applied to a database of a later version."""

import sqlite3

from node.storage import durable_changes
from node.storage.account_tables import load_kept
from node.storage.journal import Entry
from node.storage.migrations import migrate


def test_a_journal_of_an_earlier_version_is_applied_without_the_columns_that_it_lacks() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    batch = ["put", "batches", [1, "day-pass", 86_400_000, 3, "2026-11-24", "admin", "for the fair"]]
    used = ["put", "vouchers", ["f", 1, "voucher-a", 1, "2026-11-24", "boot-1", 5, 86_400_005, 1_800_000_000]]
    entry = Entry(1, 1_795_000_000, (batch, used))
    assert 0 == durable_changes.apply(db, [entry], durable_changes.HashedDevices(b"k" * 32))
    kept = load_kept(db)
    assert [("for the fair", False, None, "")] == [
        (each.note, each.is_revoked, each.origin, each.accounts) for each in kept.batches
    ]
    assert [(True, False)] == [
        (each.voucher.is_revoked, each.voucher.used_elsewhere) for each in kept.vouchers
    ]
    db.close()

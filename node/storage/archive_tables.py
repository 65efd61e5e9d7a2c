"""Tables of other nodes' signed pages, and of rule files that were in force."""

from collections.abc import Iterable

from sqlite_utils import Database

from node.storage.tables import table


def load_pages(db: Database) -> list[bytes]:
    return [row["page"] for row in table(db, "pages").rows_where(order_by="name")]


def save_pages(db: Database, pages: Iterable[tuple[str, bytes]], gone: Iterable[str], day: str) -> None:
    for name in gone:
        table(db, "pages").delete_where("name = ?", [name])
    db.conn.executemany(
        "INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", ((name, page, day) for name, page in pages)
    )


def save_rule_version(db: Database, adopted: str, by: str, fingerprint: str, text: str) -> None:
    """Store a rule file that came into force, unless it equals the last one stored."""
    last = db.execute("SELECT fingerprint FROM rule_versions ORDER BY number DESC LIMIT 1").fetchone()
    if last is None or last[0] != fingerprint:
        db.execute(
            "INSERT INTO rule_versions (adopted, by, fingerprint, text) VALUES (?, ?, ?, ?)",
            [adopted, by, fingerprint, text],
        )


def load_rule_versions(db: Database) -> list[tuple[int, str, str, str, str]]:
    """(number, adopted, by, fingerprint, text), newest first."""
    rows = table(db, "rule_versions").rows_where(order_by="number DESC", limit=50)
    return [(row["number"], row["adopted"], row["by"], row["fingerprint"], row["text"]) for row in rows]

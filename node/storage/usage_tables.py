"""Tables of usage buckets, the counter baseline, and node state."""

from collections.abc import Iterable
from sqlite3 import Connection

from node.accounting.ledger import ERASED_MAX, Booking, ErasureNote, UsageBucket, UsageKey
from node.accounting.meter import Baseline
from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId, Bytes, NodeId, Usage

COUNTERS_ID = "counters_id"
BUCKETS_OF_A_NODE_MAX = 250_000
"""Limit for another node whose pages of the oldest days are no longer kept: 13 months of 600 accounts a day,
66 MB."""
COMMITS = "commits"
"""Number of commits and time of the last one; used by the storage package only."""


def load_buckets(
    db: Connection, since: str, node: NodeId | None = None, account: AccountId | None = None
) -> list[tuple[UsageKey, UsageBucket]]:
    """Buckets of the day `since` and later, and of unknown days."""
    tests, values = [f"(day >= ? OR day = '{DAY_UNKNOWN}')"], [since]
    for column, value in (("node", node), ("account", account)):
        if value is not None:
            tests.append(f"{column} = ?")
            values.append(value)
    columns = "node, incarnation, account, day, down, up, busy_down, busy_up"
    rows = db.execute(f"SELECT {columns} FROM cells WHERE {' AND '.join(tests)}", values)  # noqa: S608
    return [
        (
            UsageKey(NodeId(writer), incarnation, AccountId(who), day),
            UsageBucket(Usage(Bytes(down), Bytes(up)), Usage(Bytes(busy_down), Bytes(busy_up))),
        )
        for writer, incarnation, who, day, down, up, busy_down, busy_up in rows
    ]


def load_incarnations(db: Connection) -> list[tuple[NodeId, str]]:
    """Nodes and incarnations of which there are buckets."""
    rows = db.execute("SELECT DISTINCT node, incarnation FROM cells")
    return [(NodeId(node), incarnation) for node, incarnation in rows]


def load_baseline(db: Connection) -> Baseline | None:
    facts = load_facts(db)
    if COUNTERS_ID not in facts:
        return None
    rows = db.execute("SELECT mark, down, up FROM baselines")
    return Baseline(facts[COUNTERS_ID], {mark: Usage(Bytes(down), Bytes(up)) for mark, down, up in rows})


def load_facts(db: Connection) -> dict[str, str]:
    """Node state without the row of the storage package."""
    return dict(db.execute("SELECT name, value FROM facts WHERE name != ?", [COMMITS]))


def save_booking(db: Connection, booking: Booking) -> None:
    """Store a booking. Buckets only grow: larger stored values stay, except for `booking.recounted`. Those
    that `ErasureNote.bars` are not stored."""
    for node in {node for node, _ in booking.recounted}:
        _forget_days(db, node, [day for each, day in booking.recounted if each == node])
    db.executemany(
        f"""INSERT INTO cells SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (
           SELECT 1 FROM erasures WHERE account = ?3 AND ?4 != '{DAY_UNKNOWN}'
           AND CASE WHEN is_over THEN ?4 <= until_day ELSE ?4 < date(until_day, 'start of month') END)
           ON CONFLICT DO UPDATE SET
           down = max(down, excluded.down), up = max(up, excluded.up),
           busy_down = max(busy_down, excluded.busy_down), busy_up = max(busy_up, excluded.busy_up)""",  # noqa: S608
        (_bucket_row(key, bucket) for key, bucket in booking.buckets),
    )
    facts = dict(booking.facts)
    if booking.baseline is not None:
        facts[COUNTERS_ID] = booking.baseline.counters_id
        db.execute("DELETE FROM baselines")
        db.executemany(
            "INSERT INTO baselines VALUES (?, ?, ?)",
            ((m, u.down, u.up) for m, u in booking.baseline.booked.items()),
        )
    save_facts(db, facts.items())
    for node in booking.outlived:
        _forget_more_than_is_kept(db, node)


def _forget_days(db: Connection, node: NodeId, days: list[str]) -> None:
    db.executemany("DELETE FROM cells WHERE node = ? AND day = ?", ((node, day) for day in days))


def _forget_more_than_is_kept(db: Connection, node: NodeId) -> None:
    """Delete the oldest days of the node, until it has at most BUCKETS_OF_A_NODE_MAX buckets."""
    found = db.execute(
        "SELECT day FROM cells WHERE node = ? ORDER BY day DESC LIMIT 1 OFFSET ?",
        [node, BUCKETS_OF_A_NODE_MAX],
    ).fetchone()
    if found is not None:
        db.execute("DELETE FROM cells WHERE node = ? AND day <= ?", [node, found[0]])


def save_facts(db: Connection, facts: Iterable[tuple[str, str]]) -> None:
    db.executemany(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", tuple(facts)
    )


def forget_before(db: Connection, day: str) -> None:
    """Retention: delete rows last used before `day`, except devices with a current session and their
    accounts."""
    db.execute("DELETE FROM cells WHERE day < ? AND day != ?", [day, DAY_UNKNOWN])
    db.execute("DELETE FROM pages WHERE day < ?", [day])
    db.execute(
        "DELETE FROM devices WHERE last_used_day < ? "
        "AND NOT mark IN (SELECT mark FROM sessions WHERE state = 'admitted')",
        [day],
    )
    db.execute(
        "DELETE FROM accounts WHERE last_used_day < ? AND NOT account IN (SELECT account FROM devices)", [day]
    )


def date_unknown_days(db: Connection, today: str) -> None:
    """Set the date of rows written while it was unknown; otherwise retention would never delete them. Usage
    buckets keep their unknown day, because they count towards no quota."""
    for name, column, condition in _DAYS:
        db.execute(
            f"UPDATE {name} SET {column} = ? WHERE {column} IN ('', '{DAY_UNKNOWN}') AND {condition}",  # noqa: S608
            [today],
        )


def load_erased(db: Connection) -> list[ErasureNote]:
    """The latest ERASED_MAX, in order of day."""
    rows = db.execute(
        "SELECT account, until_day, is_over FROM erasures ORDER BY until_day DESC LIMIT ?", [ERASED_MAX]
    ).fetchall()
    return [ErasureNote(AccountId(account), day, bool(is_over)) for account, day, is_over in reversed(rows)]


def erase(db: Connection, account: AccountId, until_day: str) -> None:
    """Delete usage of earlier months now, and note the erasure; the rest of the month follows when it is
    over."""
    db.execute(
        "DELETE FROM cells WHERE account = ? AND (day < date(?, 'start of month') OR day = ?)",
        [account, until_day, DAY_UNKNOWN],
    )
    # The journal may repeat an erasure that is already stored and over.
    db.execute(
        """INSERT INTO erasures (account, until_day) VALUES (?, ?) ON CONFLICT DO UPDATE SET
           is_over = is_over AND until_day >= excluded.until_day, until_day = max(until_day, excluded.until_day)""",
        [account, until_day],
    )


def forget_erased(db: Connection, *, used_before: str, today: str) -> tuple[ErasureNote, ...]:
    """Finish erasures whose month is over; returns these, and those whose day was corrected.

    Bytes of unknown days are deleted too, as in `Ledger.erase`, because they may be from before the erasure.
    A note is deleted when the usage it rejects would be past its retention. A day in the future was written
    by a wrong clock.
    """
    changed = "RETURNING account, until_day, is_over"
    early = db.execute(
        f"UPDATE erasures SET until_day = ?, is_over = 0 WHERE until_day > ? {changed}",  # noqa: S608
        [today, today],
    ).fetchall()
    over = db.execute(
        f"UPDATE erasures SET is_over = 1 WHERE NOT is_over AND until_day < date(?, 'start of month') {changed}",  # noqa: S608
        [today],
    ).fetchall()
    db.executemany(
        f"DELETE FROM cells WHERE account = ? AND (day <= ? OR day = '{DAY_UNKNOWN}')",  # noqa: S608
        ((account, day) for account, day, _ in over),
    )
    db.execute("DELETE FROM erasures WHERE is_over AND until_day < ?", [used_before])
    return tuple(
        ErasureNote(AccountId(account), day, bool(is_over)) for account, day, is_over in (*early, *over)
    )


_DAYS = (
    ("accounts", "last_used_day", "true"),
    ("pages", "day", "true"),
    ("devices", "last_used_day", "true"),
    ("sessions", "changed_day", "true"),
    ("batches", "issued_day", "true"),
    ("bindings", "bound_day", "true"),
    ("contests", "answered_day", "answer != ''"),
)


def _bucket_row(key: UsageKey, bucket: UsageBucket) -> tuple[str | int, ...]:
    uplink, busy = bucket.uplink, bucket.busy
    return key.node, key.incarnation, key.account, key.day, uplink.down, uplink.up, busy.down, busy.up

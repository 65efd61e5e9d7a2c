"""Tables of usage buckets, the counter baseline, and node state."""

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from sqlite3 import Connection, DatabaseError

from node.accounting.ledger import (
    ERASED_MAX,
    Booking,
    BucketTable,
    ErasureNote,
    UsageBucket,
    UsageKey,
    highest,
    merge_all,
)
from node.accounting.meter import Baseline
from node.accounting.periods import DAY_UNKNOWN, is_since
from node.storage.bucket_rows import buckets_of_rows, rows_of_buckets
from node.storage.interval_tables import erase_intervals, save_intervals
from node.storage.preview_tables import erase_classes
from node.units import AccountId, Bytes, NodeId, Usage

COUNTERS_ID = "counters_id"
BUCKETS_OF_A_NODE_MAX = 250_000
"""Limit for another node whose pages of the oldest days are no longer kept: 13 months of 600 accounts a day,
66 MB."""
MERGE_MS = 12 * 3_600_000
"""How often bookings are put into the table of usage."""
WAITING = "waiting_bookings"
"""Bookings since then: in base 85, zlib, JSON."""
WAITING_MAX = 1_000
"""Buckets; more are put into the table of usage at once."""
WAITING_BYTES_MAX = 4_000_000
"""Of the JSON; that of WAITING_MAX buckets with the longest names is shorter."""
BOOKED = "booked"
"""Name of the record of the page cache which says that the usage of all pages but a few is in this database."""
COMMITS = "commits"
"""Number of commits and time of the last one; used by the storage package only."""


def load_buckets(
    db: Connection, since: str, node: NodeId | None = None, account: AccountId | None = None
) -> list[tuple[UsageKey, UsageBucket]]:
    """Buckets of the day `since` and later, and of unknown days."""
    found = {key: _bucket(*numbers) for key, numbers in _rows(db, since, node, account)}
    waiting = (
        (key, bucket)
        for key, bucket in _load_waiting(db).items()
        if node in {None, key.node} and account in {None, key.account} and is_since(key.day, since)
    )
    merge_all(found, waiting)
    return list(found.items())


def load_table(db: Connection, since: str) -> BucketTable:
    """As `load_buckets`, of all nodes and accounts; there may be too many to have them as objects."""
    found = BucketTable()
    found.load(_rows(db, since))
    for key, bucket in _load_waiting(db).items():
        if is_since(key.day, since):
            found.put(key, highest(found.get(key) or bucket, bucket))
    return found


def _rows(
    db: Connection, since: str, node: NodeId | None = None, account: AccountId | None = None
) -> Iterator[tuple[UsageKey, tuple[int, int, int, int]]]:
    tests, values = [f"(day >= ? OR day = '{DAY_UNKNOWN}')"], [since]
    for column, value in (("node", node), ("account", account)):
        if value is not None:
            tests.append(f"{column} = ?")
            values.append(value)
    columns = "node, incarnation, account, day, down, up, busy_down, busy_up"
    rows = db.execute(f"SELECT {columns} FROM cells WHERE {' AND '.join(tests)}", values)  # noqa: S608
    return ((UsageKey(*row[:4]), row[4:]) for row in rows)


def load_incarnations(db: Connection) -> list[tuple[NodeId, str]]:
    """Nodes and incarnations of which there are buckets."""
    rows = db.execute("SELECT DISTINCT node, incarnation FROM cells").fetchall()
    known = {(NodeId(node), incarnation): None for node, incarnation in rows}
    known |= {(key.node, key.incarnation): None for key in _load_waiting(db)}
    return list(known)


def load_baseline(db: Connection) -> Baseline | None:
    facts = load_facts(db)
    if COUNTERS_ID not in facts:
        return None
    rows = db.execute("SELECT mark, down, up FROM baselines")
    return Baseline(facts[COUNTERS_ID], {mark: Usage(Bytes(down), Bytes(up)) for mark, down, up in rows})


def load_facts(db: Connection) -> dict[str, str]:
    """Node state without the rows of the storage package."""
    return dict(db.execute("SELECT name, value FROM facts WHERE name NOT IN (?, ?)", [COMMITS, WAITING]))


# Bookings that are not in the table of usage yet.
#
# A row of usage is on the same page as the account's other days, so that a hundred accounts are a hundred pages. What a
# node books each minute is therefore kept together in one row of the node state, and goes into the table of usage each
# MERGE_MS, or when some of it is to be deleted. Every function here that reads or deletes usage takes that row into
# account.


def save_booking(db: Connection, booking: Booking, *, is_merging: bool = True) -> None:
    """Store a booking, with those before it that are not merged; `is_merging` puts all into the table of usage."""
    _save_baseline(db, booking)
    save_intervals(db, booking.intervals)
    whole = _with_waiting(db, booking)
    is_merging |= bool(whole.recounted or whole.outlived) or len(whole.buckets) > WAITING_MAX
    if is_merging:
        _merge(db, whole)
        return
    erased = {note.account: note for note in load_erased(db)}
    kept = [
        each
        for each in whole.buckets
        if each[0].account not in erased or not erased[each[0].account].bars(each[0].day)
    ]
    facts = {**_facts_of(whole), WAITING: _to_text(replace(whole, buckets=tuple(kept)))}
    save_facts(db, facts.items())


def check_waiting(db: Connection) -> None:
    """Raises sqlite3.DatabaseError if the bookings that wait cannot be read."""
    _load_waiting(db)


def take_waiting(damaged: Connection, into: Connection) -> int:
    """Put the bookings that wait in another database into the table of usage of `into`; returns the number of buckets.
    Raises sqlite3.Error if they cannot be read."""
    waiting = _load_waiting(damaged)
    save_booking(into, Booking(tuple(waiting.items()), None, {}))
    return len(waiting)


def rows_of_usage(
    db: Connection, kept: Iterable[tuple[UsageKey, UsageBucket]] = ()
) -> Iterator[tuple[str | int, ...]]:
    """All rows of the table of usage, with those that are not in it yet, without having all of them in memory. `kept` is
    usage that the database lacks."""
    waiting = _load_waiting(db)
    merge_all(waiting, kept)
    for row in db.execute("SELECT node, incarnation, account, day, down, up, busy_down, busy_up FROM cells"):
        key = UsageKey(*row[:4])
        more = waiting.pop(key, None)
        yield tuple(row) if more is None else (*row[:4], *map(max, row[4:], _bucket_row(key, more)[4:]))
    for key, bucket in waiting.items():
        yield _bucket_row(key, bucket)


def _save_baseline(db: Connection, booking: Booking) -> None:
    if booking.baseline is not None:
        db.execute("DELETE FROM baselines")
        db.executemany(
            "INSERT INTO baselines VALUES (?, ?, ?)",
            ((m, u.down, u.up) for m, u in booking.baseline.booked.items()),
        )


def forget_baselines(db: Connection) -> None:
    """For a database that may lack usage: nothing says any longer up to where it was booked, from counters or pages."""
    db.execute("DELETE FROM baselines")
    forget_booked(db)


def forget_booked(db: Connection) -> None:
    """Any page may say usage that is not in this database: the next start merges all of them again."""
    db.execute("DELETE FROM pages WHERE name = ?", [BOOKED])


def merge_waiting(db: Connection) -> None:
    """Put all bookings into the table of usage."""
    if _waiting_text(db):
        _merge(db, _with_waiting(db, Booking((), None, {})))


def _with_waiting(db: Connection, booking: Booking) -> Booking:
    waiting = _load_waiting(db)
    if not waiting:
        return booking
    buckets = {key: each for key, each in waiting.items() if (key.node, key.day) not in booking.recounted}
    merge_all(buckets, booking.buckets)
    return replace(booking, buckets=tuple(buckets.items()))


def _facts_of(booking: Booking) -> dict[str, str]:
    counters = {} if booking.baseline is None else {COUNTERS_ID: booking.baseline.counters_id}
    return {**booking.facts, **counters}


def _to_text(booking: Booking) -> str:
    plain = json.dumps(rows_of_buckets(booking.buckets), separators=(",", ":"))
    return b85encode(zlib.compress(plain.encode(), 6)).decode()


def _waiting_text(db: Connection) -> str:
    row = db.execute("SELECT value FROM facts WHERE name = ?", [WAITING]).fetchone()
    return str(row[0]) if row is not None else ""


def _load_waiting(db: Connection) -> dict[UsageKey, UsageBucket]:
    """Raises sqlite3.DatabaseError for a damaged row."""
    text = _waiting_text(db)
    if not text:
        return {}
    try:
        inflating = zlib.decompressobj()
        plain = inflating.decompress(b85decode(text), WAITING_BYTES_MAX)
        if not inflating.eof:
            raise ValueError("it is too long, or lacks its end")
        return dict(buckets_of_rows(json.loads(plain)))
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise DatabaseError(f"the row {WAITING} of the table facts is damaged") from error


def _merge(db: Connection, booking: Booking) -> None:
    """Buckets only grow: larger stored values stay, except for `booking.recounted`. Those that `ErasureNote.bars` are not
    stored."""
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
    db.execute("DELETE FROM facts WHERE name = ?", [WAITING])
    save_facts(db, _facts_of(booking).items())
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
    if any(key.day < day and key.day != DAY_UNKNOWN for key in _load_waiting(db)):
        merge_waiting(db)
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
    """Delete usage of earlier months and in intervals now, and note the erasure; the rest of the month follows when it
    is over."""
    merge_waiting(db)
    erase_intervals(db, account)
    erase_classes(db, account)
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
    if over:
        merge_waiting(db)
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


def _bucket(down: int, up: int, busy_down: int, busy_up: int) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(up)), Usage(Bytes(busy_down), Bytes(busy_up)))


def _bucket_row(key: UsageKey, bucket: UsageBucket) -> tuple[str | int, ...]:
    uplink, busy = bucket.uplink, bucket.busy
    return key.node, key.incarnation, key.account, key.day, uplink.down, uplink.up, busy.down, busy.up

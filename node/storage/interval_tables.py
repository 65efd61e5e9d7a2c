"""Table of usage in intervals: one row for each interval, in which the usage of all accounts is compressed.

So an interval is one page that is written with each booking, and 14 days of 200 accounts have 17 MB instead of 29 with
one row for each account.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from sqlite3 import Connection

from node.accounting.intervals import AccountUsage, Intervals, IntervalUsage, active, highest
from node.units import AccountId, Bytes, Usage

ROWS_BYTES_MAX = 1_000_000
"""Of the JSON of one interval; 10,000 accounts with the longest names have less."""
IntervalRow = tuple[int, str, int, int, int]
"""Begin, account, bytes down, bytes up, and whether the uplink was busy."""


def save_intervals(db: Connection, intervals: Intervals) -> None:
    """Usage only grows: larger stored values stay. Of an interval that is over, only active accounts stay."""
    for begun in sorted(intervals):
        _close_before(db, begun)
        usage = dict(_load(db, begun))
        for account, more in intervals[begun].items():
            usage[account] = highest(usage[account], more) if account in usage else more
        _save(db, begun, usage)


def erase_intervals(db: Connection, account: AccountId) -> None:
    """Deletes the account's usage from all intervals."""
    for (begun,) in db.execute("SELECT begun FROM intervals").fetchall():
        usage = dict(_load(db, begun))
        if usage.pop(account, None) is not None:
            _save(db, begun, usage)


def forget_intervals(db: Connection, kept: tuple[int, int] | None) -> None:
    """Deletes intervals outside of these times, those of a wrong clock among them; None for all."""
    since, until = kept or (0, 0)
    db.execute("DELETE FROM intervals WHERE begun < ? OR begun >= ?", [since, until])


def interval_rows(db: Connection) -> Iterator[IntervalRow]:
    """One row for each interval and account, without having all of them in memory."""
    for begun, rows in db.execute("SELECT begun, rows FROM intervals ORDER BY begun"):
        for account, (used, is_busy) in _decoded(rows).items():
            yield begun, account, used.down, used.up, int(is_busy)


def load_last_interval(db: Connection) -> Intervals:
    """The latest interval with all its accounts, also those that were not active so far; empty if there is none."""
    row = db.execute("SELECT begun, rows FROM intervals ORDER BY begun DESC LIMIT 1").fetchone()
    return {} if row is None else {row[0]: _decoded(row[1])}


def load_intervals(db: Connection, since: int, until: int) -> Iterator[tuple[int, AccountUsage]]:
    """Intervals that begin between these times, oldest first, with the accounts that were active."""
    found = db.execute(
        "SELECT begun, rows FROM intervals WHERE begun >= ? AND begun < ? ORDER BY begun", [since, until]
    )
    for begun, rows in found:
        yield begun, active(_decoded(rows))


def _close_before(db: Connection, begun: int) -> None:
    """Drops accounts that were not active from the interval before, which is over."""
    before = db.execute("SELECT max(begun) FROM intervals WHERE begun < ?", [begun]).fetchone()[0]
    if before is None or db.execute("SELECT 1 FROM intervals WHERE begun = ?", [begun]).fetchone():
        return
    usage = _load(db, before)
    kept = active(usage)
    if len(kept) < len(usage):
        _save(db, before, kept)


def _load(db: Connection, begun: int) -> AccountUsage:
    row = db.execute("SELECT rows FROM intervals WHERE begun = ?", [begun]).fetchone()
    return {} if row is None else _decoded(row[0])


def _save(db: Connection, begun: int, usage: AccountUsage) -> None:
    if usage:
        db.execute(
            "INSERT INTO intervals VALUES (?, ?) ON CONFLICT DO UPDATE SET rows = excluded.rows",
            [begun, _encoded(usage)],
        )
    else:
        db.execute("DELETE FROM intervals WHERE begun = ?", [begun])


def _encoded(usage: AccountUsage) -> bytes:
    rows = [[account, used.down, used.up, int(is_busy)] for account, (used, is_busy) in sorted(usage.items())]
    return zlib.compress(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode(), 6)


def _decoded(rows: bytes) -> dict[AccountId, IntervalUsage]:
    """Empty for damaged ones: a preview can do without an interval, and the node starts."""
    try:
        inflating = zlib.decompressobj()
        plain = inflating.decompress(rows, ROWS_BYTES_MAX)
        return dict(_usages(json.loads(plain))) if inflating.eof else {}
    except (ValueError, TypeError, RecursionError, zlib.error):
        return {}


def _usages(rows: Iterable[tuple[str, int, int, int]]) -> Iterator[tuple[AccountId, IntervalUsage]]:
    for account, down, up, is_busy in rows:
        if type(account) is not str or type(down) is not int or type(up) is not int or down < 0 or up < 0:
            raise ValueError("no usage of an account")
        yield AccountId(account), IntervalUsage(Usage(Bytes(down), Bytes(up)), bool(is_busy))

"""The table of events: who did what, and when."""

from collections.abc import Iterable
from sqlite3 import Connection
from typing import Any

from node.accounts.events import EVENTS_MAX, Event, EventFound, EventGone, EventQuery, EventsErased
from node.characters import plain

COLUMNS = "key, at_s, day, by, kind, account, about, text, count"
ACCOUNT_AT = COLUMNS.split(", ").index("account")


def event_row(event: Event) -> list[Any]:
    named = [event.key, event.at_s, event.day, event.by, event.kind]
    return [*named, event.account, event.about, event.text, event.count]


def put_statement(values: list[Any]) -> tuple[str, list[Any]]:
    """A stored event never changes, except its count."""
    marks = ", ".join("?" * len(values))
    return (
        f"INSERT INTO events ({COLUMNS}) VALUES ({marks}) "  # noqa: S608 - own names only
        "ON CONFLICT (key) DO UPDATE SET count = max(count, excluded.count)",
        values,
    )


def statement(change: Event | EventGone | EventsErased) -> tuple[str, list[Any]]:
    match change:
        case Event():
            return put_statement(event_row(change))
        case EventGone(key):
            return "DELETE FROM events WHERE key = ?", [key]
        case EventsErased(account, until):
            erase = "UPDATE events SET account = '', about = '', text = '' WHERE account = ? AND day <= ?"
            return erase, [account, until]


def texts_of(db: Connection, erased: EventsErased) -> list[tuple[str]]:
    """What was written about the account."""
    found: list[tuple[str]] = []
    for column in ("text", "about"):
        texts = f"SELECT {column} FROM events WHERE account = ? AND day <= ?"  # noqa: S608
        found += db.execute(texts, [erased.account, erased.until_day])
    return found


def forget_events(db: Connection, today: str, days: int) -> None:
    """Deletes events older than so many days, and the oldest beyond EVENTS_MAX. Events of an unknown day, and of a day that
    a wrong clock put in the future, count from `today`."""
    db.execute("UPDATE events SET day = ? WHERE day = '' OR day > date(?, '+1 day')", [today, today])
    db.execute("DELETE FROM events WHERE day < date(?, ?)", [today, f"-{days} days"])
    last = db.execute(
        "SELECT rowid FROM events ORDER BY rowid DESC LIMIT 1 OFFSET ?", [EVENTS_MAX]
    ).fetchone()
    if last is not None:
        db.execute("DELETE FROM events WHERE rowid <= ?", [last[0]])


def find_events(db: Connection, query: EventQuery) -> tuple[EventFound, ...]:
    """The newest first, at most `query.limit`."""
    db.create_function("plain", 1, plain, deterministic=True)
    wanted, values = _conditions(query)
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    rows = db.execute(
        f"SELECT rowid, {COLUMNS} FROM events {where} ORDER BY rowid DESC LIMIT ?",  # noqa: S608 - values are bound
        [*values, query.limit],
    )
    return tuple(EventFound(place, Event(*values)) for place, *values in rows)


def _conditions(query: EventQuery) -> tuple[list[str], list[Any]]:
    simple: tuple[tuple[str, Any], ...] = (
        ("rowid < ?", query.before),
        ("kind = ?", query.kind),
        ("by = ?", query.by),
        ("day >= ?", query.since),
        ("day <= ?", query.until),
    )
    wanted = [condition for condition, value in simple if value]
    values = [value for _, value in simple if value]
    if query.account is not None:
        wanted.append("account = ?")
        values.append(query.account)
    if query.only:
        wanted.append(f"kind IN ({_marks(query.only)})")
        values += query.only
    if query.text:
        text, more = _text_condition(query)
        wanted.append(text)
        values += more
    return wanted, values


def _text_condition(query: EventQuery) -> tuple[str, list[Any]]:
    sought = plain(query.text)
    # instr, because % and _ mean themselves.
    any_of = [f"instr(plain({column}), ?)" for column in ("text", "about", "by", "account")]
    values: list[Any] = [sought] * len(any_of)
    for column, listed in (("account", query.accounts), ("kind", query.kinds)):
        if listed:
            any_of.append(f"{column} IN ({_marks(listed)})")
            values += listed
    return f"({' OR '.join(any_of)})", values


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)

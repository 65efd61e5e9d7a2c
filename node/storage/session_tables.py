"""Tables of accounts, devices and their sessions."""

from collections.abc import Iterable
from sqlite3 import Connection
from typing import Any

from node.sessions.stored import SavedSession, Session
from node.storage.tables import storable
from node.units import AccountId, MacAddress, Monotonic

SESSION = (
    "mac, mark, account, state, terms, boot, since_boot_ms, ends_boot_ms, ends_wall_s, because, changed_day"
)


def load_minors(db: Connection) -> dict[AccountId, int]:
    return {AccountId(account): minor for account, minor in db.execute("SELECT account, minor FROM accounts")}


def load_marks(db: Connection) -> dict[int, tuple[MacAddress, AccountId]]:
    rows = db.execute("SELECT mark, mac, account FROM devices")
    return {mark: (MacAddress(mac), AccountId(account)) for mark, mac, account in rows}


def load_sessions(db: Connection) -> list[SavedSession]:
    rows = db.execute(
        "SELECT mac, mark, account, state, terms, since_boot_ms, ends_boot_ms, because, boot, ends_wall_s FROM sessions"
    )
    return [
        SavedSession(
            Session(
                MacAddress(mac), mark, AccountId(account), state, terms, Monotonic(since),
                None if ends is None else Monotonic(ends), because,
            ),
            boot,
            ends_wall_s,
        )
        for mac, mark, account, state, terms, since, ends, because, boot, ends_wall_s in rows
    ]  # fmt: skip


def save_sessions(
    db: Connection, saved: Iterable[SavedSession], minors: dict[AccountId, int], day: str
) -> None:
    """Store sessions with their devices and accounts. `day` is today, or ``unknown``."""
    for each in saved:
        s = each.session
        if s.account in minors:
            save_minor(db, s.account, minors[s.account], day)
        # REPLACE: a mark or class id that was given to another device frees the old row.
        db.execute("INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?)", [s.mac, s.account, s.mark, day])
        db.execute(
            "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", session_row(each, day)
        )


def session_row(saved: SavedSession, day: str) -> list[Any]:
    """In the order of `SESSION`."""
    s = saved.session
    ends = [s.ends, saved.ends_wall_s]
    return [
        s.mac, s.mark, s.account, s.state, storable(s.terms), saved.boot, s.since, *ends, storable(s.because), day,
    ]  # fmt: skip


def save_minor(db: Connection, account: AccountId, minor: int, day: str) -> None:
    """Store the class id of an account. Another account that had it gets a new one when it returns."""
    db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", [account, minor, day])


def forget_ended_before(db: Connection, day: str) -> None:
    """Retention: delete sessions that ended before `day`. A blocked device stays until it is unblocked."""
    db.execute("DELETE FROM sessions WHERE state = 'expired' AND changed_day < ?", [day])


def erase(db: Connection, mac: MacAddress) -> None:
    """Delete every row of the device."""
    for name in ("sessions", "devices", "bindings"):
        db.execute(f"DELETE FROM {name} WHERE mac = ?", [mac])  # noqa: S608

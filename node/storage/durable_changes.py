"""Changes that must survive the loss of the database: how they are written to the journal and applied again.

A change is ``["put", table, values]``, ``["gone", table, key, more of the key]``, ``["gone", "events of", account, day]``,
``["removed", values of a session]``, ``["pardoned", device]`` or ``["erased", device, account, until_day]``. Credentials
are stored as in the database: as fingerprints and hashes. A device that was erased or left an account is stored as a keyed
hash. Names of devices, texts of objections, and reasons of cases and events are not in the journal, only in the
copy, so that they need to be erased in one place only. Of registry records only those without a value are in it, which say
that a passphrase or an objection is gone: the others are made again from the registry, or said by other nodes.
"""

import hmac
import sqlite3
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from node.accounts.changes import Change as RegistryChange
from node.accounts.changes import (
    Event,
    EventGone,
    EventsErased,
    LadderCase,
    LadderCaseGone,
    Message,
    MessageGone,
    NoticeGone,
    Objection,
    ObjectionGone,
    PassphraseGone,
    RecordGone,
    RecordRow,
    RuleObjection,
    RuleObjectionGone,
    SavedVoucher,
    Unbound,
)
from node.accounts.device_bindings import Binding
from node.sessions.stored import SavedSession
from node.storage import account_tables, event_tables, session_tables, usage_tables
from node.storage.journal import Change, Entry
from node.storage.tables import storable
from node.units import AccountId, MacAddress

DEVICE_BYTES = 16
ENDED = "{}"
"""The text of a registry record without a value: there is no row any longer from which it could be made again."""
LEASE_MOVES_S = 60
"""If the end of a voucher differs by less, it is the same end, converted to another boot's time."""
_COLUMNS = {
    "batches": account_tables.BATCH,
    "vouchers": account_tables.VOUCHER,
    "bindings": account_tables.BINDING,
    "passphrases": account_tables.HASH,
    "cards_void": account_tables.CARDS_VOID,
    "rule_objections": account_tables.RULE_OBJECTION,
    "ladder_cases": account_tables.LADDER_CASE,
    "notices": account_tables.NOTICE,
    "terms": account_tables.TERMS,
    "appearance": account_tables.APPEARANCE,
    "registry_records": account_tables.RECORD,
    "sessions": session_tables.SESSION,
}
_GONE = {
    "passphrases": ("account",),
    "contests": ("number",),
    "rule_objections": ("account", "version"),
    "ladder_cases": ("number",),
    "notices": ("number",),
    "bindings": ("mac",),
    "events": ("key",),
    "messages": ("account",),
}
"""Columns of the primary key. Before there were drafts an account had one objection, which is gone without its version."""


class HashedDevices:
    """Keyed hashes of MAC addresses for the journal."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hashed(self, mac: str) -> str:
        return hmac.digest(self._key, b"journal device\0" + mac.encode(), "sha256")[:DEVICE_BYTES].hex()


def of_registry(db: Connection, changes: Iterable[RegistryChange], devices: HashedDevices) -> list[Change]:
    """Journal changes for these registry changes; `db` is in the state before them."""
    return [made for change in changes if (made := _of_registry(db, change, devices)) is not None]


def _of_registry(db: Connection, change: RegistryChange, devices: HashedDevices) -> Change | None:
    match change:
        case Unbound(mac):
            return ["gone", "bindings", devices.hashed(mac)]
        case PassphraseGone() | ObjectionGone() | RuleObjectionGone() | LadderCaseGone() | NoticeGone():
            return _gone(change)
        case LadderCase():
            return _put_row(replace(change, reason=""))
        case Event() | EventGone() | EventsErased() | MessageGone():
            return _of_event(change)
        case RecordRow(text=text):
            return _put_row(change) if text == ENDED else None
        case Objection() | RecordGone() | Message():
            return None
        case RuleObjection(account, version, fingerprint, day, _):
            return ["put", "rule_objections", [account, version, fingerprint, day, ""]]
        case SavedVoucher() if _is_known(db, change):
            return None
        case Binding(mac, account, way, day, _, introduced_by):
            return ["put", "bindings", [mac, account, way, day, "", introduced_by]]
        case _:
            return _put_row(change)


def _of_event(change: Event | EventGone | EventsErased | MessageGone) -> Change:
    match change:
        case MessageGone(account):
            return ["gone", "messages", account]
        case Event():
            return ["put", "events", event_tables.event_row(replace(change, text=""))]
        case EventGone(key):
            return ["gone", "events", key]
        case EventsErased(account, until):
            return ["gone", "events of", account, until]


def _put_row(change: account_tables.Row) -> Change:
    name, _, values = account_tables.row(change)
    return ["put", name, [storable(value) for value in values]]


def _gone(
    change: PassphraseGone | ObjectionGone | RuleObjectionGone | LadderCaseGone | NoticeGone,
) -> Change:
    match change:
        case PassphraseGone(account):
            return ["gone", "passphrases", account]
        case ObjectionGone(number):
            return ["gone", "contests", number]
        case RuleObjectionGone(account, version):
            return ["gone", "rule_objections", account, version]
        case LadderCaseGone(number):
            return ["gone", "ladder_cases", number]
        case NoticeGone(number):
            return ["gone", "notices", number]


def _is_known(db: Connection, saved: SavedVoucher) -> bool:
    """Whether the row differs only in its boot's time base: after each start, all vouchers in use are stored
    again."""
    before = db.execute(
        "SELECT is_revoked, used_day, boot IS NOT NULL, ends_wall_s FROM vouchers WHERE fingerprint = ?",
        [saved.voucher.fingerprint],
    ).fetchone()
    if before is None:
        return False
    ends = saved.lease.ends_wall_s if saved.lease is not None else None
    now = (int(saved.voucher.is_revoked), saved.voucher.used_day, int(saved.lease is not None))
    if now != before[:3] or (ends is None) != (before[3] is None):
        return False
    return ends is None or abs(ends - before[3]) < LEASE_MOVES_S


def of_sessions(
    db: Connection, saved: Iterable[SavedSession], day: str, devices: HashedDevices
) -> list[Change]:
    """Journal changes for devices that an admin blocked or unblocked."""
    removed = {row[0] for row in db.execute("SELECT mac FROM sessions WHERE state = 'removed'")}
    made: list[Change] = []
    for each in saved:
        if each.session.state == "removed":
            made.append(["removed", session_tables.session_row(each, day)])
        elif each.session.mac in removed:
            made.append(["pardoned", devices.hashed(each.session.mac)])
    return made


def of_erasure(mac: MacAddress | None, account: AccountId, until_day: str, devices: HashedDevices) -> Change:
    return ["erased", "" if mac is None else devices.hashed(mac), account, until_day]


def row_key(change: Change, devices: HashedDevices) -> Hashable:
    """Key of the row that a change affects. A change equal to the last one with the same key need not be
    written."""
    match change:
        case ["put", "bindings", values] | ["removed", values]:
            return "device", devices.hashed(values[0])
        case ["gone", "bindings", device] | ["pardoned", device]:
            return "device", device
        case ["erased", device, account, _]:
            return ("device", device) if device else ("account", account)
        case ["put", "rule_objections", [account, version, *_]] | [
            "gone",
            "rule_objections",
            account,
            version,
        ]:
            return "rule_objections", account, version
        case ["put", "events", values]:
            return "events of", values[event_tables.ACCOUNT_AT] or values[0]
        case ["gone", "events of", account, _]:
            return "events of", account
        case ["put", "registry_records", [kind, key, *_]]:
            return "registry_records", kind, key
        case ["put", name, [key, *_]] | ["gone", name, key]:
            return name, key
        case _:
            raise ValueError(f"no such change: {change[0]}")


def apply(db: Connection, entries: Iterable[Entry], devices: HashedDevices) -> int:
    """Apply the changes in order; applying them twice has no further effect. Returns how many could not be
    applied, for example because the schema differs."""
    known = _KnownDevices(db, devices)
    failed = 0
    for entry in entries:
        for change in entry.changes:
            db.execute("SAVEPOINT change")
            try:
                _apply(db, change, known)
            except (sqlite3.IntegrityError, sqlite3.ProgrammingError, LookupError, TypeError, ValueError):
                db.execute("ROLLBACK TO change")
                failed += 1
            db.execute("RELEASE change")
    return failed


class _KnownDevices:
    """Devices in the database by their hash; built at first use."""

    def __init__(self, db: Connection, devices: HashedDevices) -> None:
        self._db, self._devices = db, devices
        self._by_hash: dict[str, str] | None = None

    def add(self, mac: str) -> None:
        if self._by_hash is not None:
            self._by_hash[self._devices.hashed(mac)] = mac

    def find(self, device: str) -> MacAddress | None:
        if self._by_hash is None:
            macs = self._db.execute(
                "SELECT mac FROM bindings UNION SELECT mac FROM sessions UNION SELECT mac FROM devices"
            )
            self._by_hash = {self._devices.hashed(mac): mac for (mac,) in macs}
        mac = self._by_hash.get(device)
        return None if mac is None else MacAddress(mac)


def _apply(db: Connection, change: Change, known: _KnownDevices) -> None:
    match change:
        case ["put", "bindings", values]:
            known.add(values[0])
            _put_binding(db, values)
        case ["put", ("rule_objections" | "ladder_cases" | "events") as name, values]:
            _PUT_WITHOUT_TEXT[name](db, values)
        case ["put", name, values]:
            _put(db, name, values)
        case ["gone", "bindings", device]:
            _with_device(known, device, lambda mac: db.execute("DELETE FROM bindings WHERE mac = ?", [mac]))
        case ["gone", name, *keys]:
            _delete(db, name, keys)
        case ["removed", values]:
            known.add(values[0])
            _put(db, "sessions", values)
        case ["pardoned", device]:
            pardon = "DELETE FROM sessions WHERE mac = ? AND state = 'removed'"
            _with_device(known, device, lambda mac: db.execute(pardon, [mac]))
        case ["erased", device, account, until_day]:
            _with_device(known, device, lambda mac: session_tables.erase(db, mac))
            if until_day:
                usage_tables.erase(db, AccountId(account), until_day)
        case _:
            raise ValueError(f"no such change: {change[0]}")


def _delete(db: Connection, name: str, keys: list[Any]) -> None:
    if name == "events of":
        db.execute("DELETE FROM events WHERE account = ? AND day <= ?", keys)
    else:
        db.execute(f"DELETE FROM {name} WHERE {_where(name, len(keys))}", keys)  # noqa: S608


def _where(name: str, keys: int) -> str:
    if not 1 <= keys <= len(_GONE[name]):
        raise ValueError(f"no such key: {name}")
    return " AND ".join(f"{column} = ?" for column in _GONE[name][:keys])


def _with_device(known: _KnownDevices, device: str, do: Callable[[MacAddress], object]) -> None:
    mac = known.find(device) if device else None
    if mac is not None:
        do(mac)


def _put(db: Connection, name: str, values: list[Any]) -> None:
    statement, values = account_tables.put(name, _COLUMNS[name], values)
    db.execute(statement, values)


def _put_binding(db: Connection, values: list[Any]) -> None:
    """Keep the device's name, which is not in the journal, if the account is the same."""
    db.execute(
        f"INSERT INTO bindings ({account_tables.BINDING}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (mac) DO UPDATE SET "  # noqa: S608
        "name = CASE WHEN bindings.account = excluded.account THEN bindings.name ELSE '' END, "
        "account = excluded.account, way = excluded.way, bound_day = excluded.bound_day, "
        "introduced_by = excluded.introduced_by",
        values,
    )


def _put_rule_objection(db: Connection, values: list[Any]) -> None:
    """Keep the objection's text, which is not in the journal, if it is to the same version."""
    db.execute(
        f"INSERT INTO rule_objections ({account_tables.RULE_OBJECTION}) VALUES (?, ?, ?, ?, ?) "  # noqa: S608
        "ON CONFLICT (account, version) DO UPDATE SET "
        "text = CASE WHEN rule_objections.fingerprint = excluded.fingerprint THEN rule_objections.text ELSE '' END, "
        "fingerprint = excluded.fingerprint, day = excluded.day",
        values,
    )


def _put_ladder_case(db: Connection, values: list[Any]) -> None:
    """Keep the reason, which is not in the journal, if it is the same case."""
    number, account = values[:2]
    known = db.execute(
        "SELECT reason FROM ladder_cases WHERE number = ? AND account = ? AND opened_s = ?",
        [number, account, values[_CASE_COLUMNS.index("opened_s")]],
    ).fetchone()
    values = list(values)
    values[_CASE_COLUMNS.index("reason")] = known[0] if known else ""
    _put(db, "ladder_cases", values)


def _put_event(db: Connection, values: list[Any]) -> None:
    """Keep the reason, which is not in the journal."""
    db.execute(*event_tables.put_statement(values))


_PUT_WITHOUT_TEXT: dict[str, Callable[[Connection, list[Any]], None]] = {
    "rule_objections": _put_rule_objection,
    "ladder_cases": _put_ladder_case,
    "events": _put_event,
}
_CASE_COLUMNS = account_tables.LADDER_CASE.split(", ")

"""Tables of the account registry: vouchers, bindings, passphrases, cards, objections to limits and to rules, notices, terms
and appearance."""

import json
from collections.abc import Iterable
from dataclasses import astuple, replace
from sqlite3 import Connection
from typing import Any

from node.accounting.session_leases import Lease, SavedLease
from node.accounts.account_list import without
from node.accounts.appearance import APPEARANCE_ROW, Appearance, WelcomeText
from node.accounts.changes import (
    CardsVoid,
    Change,
    Event,
    EventGone,
    EventsErased,
    Forgotten,
    LadderCase,
    LadderCaseGone,
    Message,
    MessageGone,
    NoticeGone,
    ObjectionGone,
    PassphraseGone,
    PassphraseHash,
    RecordGone,
    RecordRow,
    RuleObjection,
    RuleObjectionGone,
    SavedVoucher,
    StoredAccounts,
    Unbound,
)
from node.accounts.device_bindings import Binding
from node.accounts.events import EVENTS_DAYS
from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import Objection
from node.accounts.terms import Terms, TermsText
from node.accounts.vouchers import Batch, Voucher
from node.storage import event_tables
from node.storage.tables import storable
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, NodeId


def load_kept(db: Connection) -> StoredAccounts:
    def rows(columns: str, table: str) -> list[tuple[Any, ...]]:
        # In order of insertion: the newest terms are last.
        return db.execute(f"SELECT {columns} FROM {table} ORDER BY rowid").fetchall()  # noqa: S608

    return StoredAccounts(
        batches=tuple(_batch(row) for row in rows(BATCH, "batches")),
        vouchers=tuple(_voucher(row) for row in rows(VOUCHER, "vouchers")),
        bindings=tuple(_binding(row) for row in rows(BINDING, "bindings")),
        passphrases=tuple(PassphraseHash(AccountId(a), h) for a, h in rows(HASH, "passphrases")),
        cards_void=tuple(CardsVoid(AccountId(a), n) for a, n in rows(CARDS_VOID, "cards_void")),
        objections=tuple(_objection(row) for row in rows(OBJECTION, "contests")),
        rule_objections=tuple(
            RuleObjection(AccountId(account), *values)
            for account, *values in rows(RULE_OBJECTION, "rule_objections")
        ),
        ladder_cases=tuple(_case(row) for row in rows(LADDER_CASE, "ladder_cases")),
        notices=tuple(_notice(row) for row in rows(NOTICE, "notices")),
        terms=tuple(_terms(row) for row in rows(TERMS, "terms")),
        appearance=tuple(_appearance(row) for row in rows(APPEARANCE, "appearance")),
        messages=tuple(_message(row) for row in rows(MESSAGE, "messages")),
        records=tuple(RecordRow(*values) for values in rows(RECORD, "registry_records")),
    )


def save_changes(db: Connection, changes: Iterable[Change]) -> None:
    """Apply the changes in order; an existing row is overwritten."""
    for change in changes:
        statement, values = _statement(change)
        db.execute(statement, [storable(value) for value in values])


def erased_texts(db: Connection, changes: Iterable[Change]) -> tuple[str, ...]:
    """What was written by people or about them, and hashes of passphrases, that these changes delete or replace."""
    found: list[tuple[Any, ...]] = []
    for change in changes:
        match change:
            case PassphraseGone(account):
                found += db.execute("SELECT hash FROM passphrases WHERE account = ?", [account])
            case PassphraseHash(account, new):  # stored again after a slow write, it replaces itself
                others = "SELECT hash FROM passphrases WHERE account = ? AND hash != ?"
                found += db.execute(others, [account, new])
            case ObjectionGone(number):
                found += db.execute("SELECT text FROM contests WHERE number = ?", [number])
            case RuleObjectionGone(account, version):
                text = "SELECT text FROM rule_objections WHERE account = ? AND version = ?"
                found += db.execute(text, [account, version])
            case LadderCaseGone(number):
                found += db.execute("SELECT reason FROM ladder_cases WHERE number = ?", [number])
            case MessageGone(account):
                found += db.execute("SELECT text FROM messages WHERE account = ?", [account])
            case Message(account=account, text=new):  # one that was read is the same text
                others = "SELECT text FROM messages WHERE account = ? AND text != ?"
                found += db.execute(others, [account, new])
            case EventsErased():
                found += event_tables.texts_of(db, change)
    return tuple(text for (text,) in found if text)


def forget_before(
    db: Connection, *, ended: str, used: str, today: str, events_days: int = EVENTS_DAYS
) -> Forgotten:
    """Retention. Delete rows that ended before the day `ended`, and rows last used, issued or answered before
    the day `used`, except bindings of devices with a current session. Batches that were issued while the date was not known,
    or was wrong, count from `today`, and so do messages. `events_days`: how long events are kept."""

    def gone(statement: str) -> tuple[Any, ...]:
        return tuple(row[0] for row in db.execute(statement, {"ended": ended, "used": used}))

    db.execute(
        "UPDATE batches SET issued_day = ? WHERE issued_day = '' OR issued_day > date(?, '+1 day')",
        [today, today],
    )
    ended_vouchers = db.execute(
        """DELETE FROM vouchers WHERE ends_wall_s < unixepoch(:ended) OR (ends_wall_s IS NULL AND batch IN
           (SELECT number FROM batches WHERE issued_day < :used))
           RETURNING fingerprint, batch, account""",
        {"ended": ended, "used": used},
    ).fetchall()
    _take_from_lists(db, [(batch, AccountId(account)) for _, batch, account in ended_vouchers])
    batches = gone(
        "UPDATE batches SET accounts = '' WHERE accounts != '' AND issued_day < :used RETURNING number"
    )
    # A list of another node stays when it is empty, or an old page would bring back vouchers that have ended; and so does
    # the last batch, or its number would be used again.
    batches += gone(
        """DELETE FROM batches WHERE number NOT IN (SELECT batch FROM vouchers) AND accounts = ''
           AND (origin = '' OR issued_day < :used)
           AND number != (SELECT max(number) FROM batches) RETURNING number"""
    )
    bindings = gone(
        """DELETE FROM bindings WHERE bound_day < :used
           AND mac NOT IN (SELECT mac FROM sessions WHERE state = 'admitted')
           AND NOT EXISTS (SELECT 1 FROM devices WHERE devices.mac = bindings.mac
           AND devices.account = bindings.account AND last_used_day >= :used) RETURNING mac"""
    )
    objections = gone("DELETE FROM contests WHERE answer != '' AND answered_day < :used RETURNING number")
    notices = gone("DELETE FROM notices WHERE last_day != '' AND last_day < :ended RETURNING number")
    event_tables.forget_events(db, today, events_days)
    cases = gone(
        "DELETE FROM ladder_cases WHERE ending != '' AND ended_s < unixepoch(:used) RETURNING number"
    )
    _date_messages(db, today)
    messages = gone(
        "DELETE FROM messages WHERE (is_read AND read_day < :ended) OR day < :used RETURNING account"
    )
    vouchers = tuple(fingerprint for fingerprint, _, _ in ended_vouchers)
    return Forgotten(vouchers, batches, bindings, objections, notices, cases, messages)


def _date_messages(db: Connection, today: str) -> None:
    for day, where in (("day", ""), ("read_day", "is_read AND ")):
        db.execute(
            f"UPDATE messages SET {day} = ? WHERE {where}({day} = '' OR {day} > date(?, '+1 day'))",  # noqa: S608
            [today, today],
        )


def _take_from_lists(db: Connection, gone: Iterable[tuple[int, AccountId]]) -> None:
    """Take these accounts out of the lists of their batches, so that nobody uses them a second time."""
    for number, account in gone:
        found = db.execute(
            "SELECT accounts FROM batches WHERE number = ? AND accounts != ''", [number]
        ).fetchone()
        if found is not None:
            db.execute(
                "UPDATE batches SET accounts = ? WHERE number = ?", [without(found[0], account), number]
            )


BATCH = "number, in_group, lasts_ms, devices_max, issued_day, issued_by, note, is_revoked, origin, origin_number, accounts"
VOUCHER = "fingerprint, batch, account, is_revoked, used_day, boot, since_boot_ms, ends_boot_ms, ends_wall_s, used_elsewhere"
BINDING = "mac, account, way, bound_day, name, introduced_by"
HASH = "account, hash"
CARDS_VOID = "account, below_serial"
OBJECTION = "number, account, day, rule, text, answer, answered_day, key"
RULE_OBJECTION = "account, version, fingerprint, day, text"
LADDER_CASE = (
    "number, account, ladder, step, said, days, reason, by, opened_s, boot, at_ms, ran_ms, objection, objected_s, "
    "objected_ran_ms, is_answered, ending, ended_s, ended_by"
)
RECORD = "kind, key, version, until, text"
KEY_COLUMNS = {"rule_objections": 2, "registry_records": 2}
"""How many columns are the primary key, where it is not the first one alone."""
MESSAGE = "account, number, day, by, text, is_read, read_day"
NOTICE = "number, place, audience, first_day, last_day, is_urgent, by, texts"
TERMS = "version, adopted_day, by, texts"
APPEARANCE = "number, accent, accent_dark, welcome, wifi_name, wifi_passphrase, logo, by"


def _statement(change: Change) -> tuple[str, list[Any]]:
    match change:
        case Unbound(mac):
            return "DELETE FROM bindings WHERE mac = ?", [mac]
        case PassphraseGone(account):
            return "DELETE FROM passphrases WHERE account = ?", [account]
        case ObjectionGone(number):
            return "DELETE FROM contests WHERE number = ?", [number]
        case RuleObjectionGone(account, version):
            return "DELETE FROM rule_objections WHERE account = ? AND version = ?", [account, version]
        case LadderCaseGone(number):
            return "DELETE FROM ladder_cases WHERE number = ?", [number]
        case MessageGone(account):
            return "DELETE FROM messages WHERE account = ?", [account]
        case NoticeGone(number):
            return "DELETE FROM notices WHERE number = ?", [number]
        case RecordGone(kind, key):
            return "DELETE FROM registry_records WHERE kind = ? AND key = ?", [kind, key]
        case Event() | EventGone() | EventsErased():
            return event_tables.statement(change)
        case _:
            return put(*row(change))


Row = (
    Batch
    | SavedVoucher
    | Binding
    | PassphraseHash
    | CardsVoid
    | Objection
    | RuleObjection
    | LadderCase
    | Notice
    | Message
    | Terms
    | Appearance
    | RecordRow
)
"""What is stored as one row."""


def row(change: Row) -> tuple[str, str, list[Any]]:
    """Table, columns and values of a row; the first columns are the primary key."""
    match change:
        case Notice() | Terms() | Objection() | RuleObjection() | Appearance():
            return _written(change)
        case LadderCase():
            return "ladder_cases", LADDER_CASE, _case_row(change)
        case Message(account, number, day, by, text, is_read, read_day):
            return "messages", MESSAGE, [account, number, day, by, text, int(is_read), read_day]
        case RecordRow(kind, key, version, until, text):
            return "registry_records", RECORD, [kind, key, version, until, text]
        case _:
            return _owned(change)


def _owned(
    change: Batch | SavedVoucher | Binding | PassphraseHash | CardsVoid,
) -> tuple[str, str, list[Any]]:
    """Table, columns and values of account data."""
    match change:
        case Batch():
            return "batches", BATCH, _batch_row(change)
        case SavedVoucher():
            return "vouchers", VOUCHER, _voucher_row(change)
        case Binding(mac, account, way, day, name, introduced_by):
            return "bindings", BINDING, [mac, account, way, day, name, introduced_by]
        case PassphraseHash(account, text):
            return "passphrases", HASH, [account, text]
        case CardsVoid(account, below):
            return "cards_void", CARDS_VOID, [account, below]


def _written(
    change: Objection | RuleObjection | Notice | Terms | Appearance,
) -> tuple[str, str, list[Any]]:
    """Table, columns and values of texts written for others to read."""
    match change:
        case Objection(number, account, day, rule, text, answer, answered, key):
            return "contests", OBJECTION, [number, account, day, rule, text, answer, answered, key]
        case RuleObjection(account, version, fingerprint, day, text):
            return "rule_objections", RULE_OBJECTION, [account, version, fingerprint, day, text]
        case Notice():
            return "notices", NOTICE, _notice_row(change)
        case Terms(version, written, day, by):
            return "terms", TERMS, [version, day, by, _json((each.language, each.text) for each in written)]
        case Appearance(accent, accent_dark, welcome, wifi_name, wifi_passphrase, logo, by):
            texts = _json((each.language, each.text) for each in welcome)
            values = [APPEARANCE_ROW, accent, accent_dark, texts, wifi_name, wifi_passphrase, logo, by]
            return "appearance", APPEARANCE, values


def _case_row(case: LadderCase) -> list[Any]:
    values = astuple(case)
    place = LADDER_CASE.split(", ").index("is_answered")
    return [*values[:place], int(case.is_answered), *values[place + 1 :]]


def _case(row: tuple[Any, ...]) -> LadderCase:
    case = LadderCase(*row)
    return replace(case, is_answered=bool(case.is_answered))


def put(table: str, columns: str, values: list[Any]) -> tuple[str, list[Any]]:
    """UPSERT statement and its values. A journal of an earlier version has no values for the last columns."""
    names = columns.split(", ")[: len(values)]
    keys, others = names[: KEY_COLUMNS.get(table, 1)], names[KEY_COLUMNS.get(table, 1) :]
    marks = ", ".join("?" * len(values))
    # Not INSERT OR REPLACE, which would move the row to the end.
    over = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {over}",  # noqa: S608
        values,
    )


def _batch(row: tuple[Any, ...]) -> Batch:
    number, group, lasts_ms, devices_max, day, by, note, is_revoked, origin, origin_number, accounts = row
    return Batch(
        number,
        group,
        Milliseconds(lasts_ms),
        devices_max,
        day,
        by,
        note,
        bool(is_revoked),
        NodeId(origin) if origin else None,
        origin_number,
        accounts,
    )


def _batch_row(batch: Batch) -> list[Any]:
    given = [
        batch.number,
        batch.group,
        batch.lasts_ms,
        batch.devices_max,
        batch.issued_day,
        batch.issued_by,
        batch.note,
    ]
    return [*given, int(batch.is_revoked), batch.origin or "", batch.origin_number, batch.accounts]


def _voucher(row: tuple[Any, ...]) -> SavedVoucher:
    fingerprint, batch, account, is_revoked, used_day, boot, since, ends, ends_wall_s, used_elsewhere = row
    lease = None
    if since is not None:
        lease = SavedLease(Lease(Monotonic(since), Monotonic(ends)), boot, ends_wall_s)
    voucher = Voucher(
        fingerprint, batch, AccountId(account), None, bool(is_revoked), used_day, bool(used_elsewhere)
    )
    return SavedVoucher(voucher, lease)


def _voucher_row(saved: SavedVoucher) -> list[Any]:
    voucher, lease = saved.voucher, saved.lease
    known = [voucher.fingerprint, voucher.batch, voucher.account, int(voucher.is_revoked), voucher.used_day]
    until: list[Any] = [None, None, None, None]
    if lease is not None:
        until = [lease.boot, lease.lease.since, lease.lease.ends, lease.ends_wall_s]
    return [*known, *until, int(voucher.used_elsewhere)]


def _binding(row: tuple[Any, ...]) -> Binding:
    mac, account, way, day, name, introduced_by = row
    by = None if introduced_by is None else AccountId(introduced_by)
    return Binding(MacAddress(mac), AccountId(account), way, day, name, by)


def _objection(row: tuple[Any, ...]) -> Objection:
    number, account, *others = row
    return Objection(number, AccountId(account), *others)


def _message(row: tuple[Any, ...]) -> Message:
    account, number, day, by, text, is_read, read_day = row
    return Message(AccountId(account), number, day, by, text, bool(is_read), read_day)


def _notice(row: tuple[Any, ...]) -> Notice:
    number, place, audience, first, last, is_urgent, by, texts = row
    written = tuple(NoticeText(*each) for each in json.loads(texts))
    return Notice(number, place, audience, first, last, bool(is_urgent), written, by)


def _notice_row(notice: Notice) -> list[Any]:
    texts = _json((each.language, each.title, each.text) for each in notice.texts)
    dates = [notice.first_day, notice.last_day]
    return [notice.number, notice.where, notice.audience, *dates, int(notice.is_urgent), notice.by, texts]


def _terms(row: tuple[Any, ...]) -> Terms:
    version, day, by, texts = row
    return Terms(version, tuple(TermsText(*each) for each in json.loads(texts)), day, by)


def _appearance(row: tuple[Any, ...]) -> Appearance:
    _, accent, accent_dark, texts, *others = row
    return Appearance(accent, accent_dark, tuple(WelcomeText(*each) for each in json.loads(texts)), *others)


def _json(texts: Iterable[tuple[str, ...]]) -> str:
    return json.dumps(list(texts), ensure_ascii=False)

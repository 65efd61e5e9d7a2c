"""The tables of the admin pages as CSV (RFC 4180): all rows of each, a few at a time, so that nobody waits for 10,000
accounts.

The first line has the names of the columns, in English and always the same, so that a sheet or a program finds them whatever
the language of the page. A text that a spreadsheet would take for a formula begins with an apostrophe.
"""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.accounts.events import EventQuery
from node.accounts.vouchers import VOUCHER_STATES
from node.app.admin import AdminService
from node.app.admin_events import EventRow
from node.app.admin_sessions import Signed
from node.characters import spreadsheet_text
from node.translator import LazyText, gettext_lazy
from node.units import AccountId

ROWS_TOGETHER = 50
"""Between two pauses, in which others are served."""
BYTE_ORDER_MARK = "\ufeff"
"""By which spreadsheets know UTF-8."""
EVENTS_TOGETHER = 500

type Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class AdminTable:
    """One table: `columns` are stable names."""

    name: str
    title: LazyText
    columns: tuple[str, ...]


TABLES: Mapping[str, AdminTable] = {
    each.name: each
    for each in (
        AdminTable(
            "people",
            gettext_lazy("People"),
            (
                "account",
                "name",
                "tier",
                "devices_online",
                "down_bits_per_s",
                "up_bits_per_s",
                "used_month_bytes",
                "online_s",
                "joined_by",
            ),
        ),
        AdminTable(
            "blocked",
            gettext_lazy("Blocked devices"),
            ("device", "name", "account", "reason", "ends_s"),
        ),
        AdminTable(
            "vouchers",
            gettext_lazy("Vouchers"),
            (
                "batch",
                "group",
                "lasts_ms",
                "devices_max",
                "issued_day",
                "issued_by",
                "note",
                "is_revoked",
                "node",
                *VOUCHER_STATES,
            ),
        ),
        AdminTable(
            "members",
            gettext_lazy("Members"),
            ("account", "name", "tier", "groups", "devices", "paid_until"),
        ),
        AdminTable(
            "notices",
            gettext_lazy("Notices"),
            (
                "number",
                "where",
                "audience",
                "first_day",
                "last_day",
                "is_urgent",
                "by",
                "language",
                "title",
                "text",
            ),
        ),
        AdminTable(
            "objections",
            gettext_lazy("Objections"),
            ("number", "account", "day", "rule", "text", "answer", "answered_day"),
        ),
        AdminTable(
            "cases",
            gettext_lazy("Cases of ladders"),
            ("number", "account", "ladder", "step", "reason", "by", "opened", "ending", "ended", "ended_by"),
        ),
        AdminTable(
            "rules",
            gettext_lazy("Versions of the rules"),
            ("version", "adopted", "by", "state", "reason", "due", "ended", "approved_by", "fingerprint"),
        ),
        AdminTable("terms", gettext_lazy("Terms"), ("version", "day", "by", "language", "text")),
        AdminTable("nodes", gettext_lazy("Nodes"), ("node", "name", "is_online", "version", "addresses")),
        AdminTable(
            "events",
            gettext_lazy("Events"),
            ("at", "day", "by", "kind", "account", "name", "about", "reason", "count"),
        ),
    )
}


class AdminTables:
    """Reads the tables from the services of the admin pages."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend
        self._rows: Mapping[str, Callable[[Signed], Iterable[Row]]] = {
            "people": lambda _signed: self._people(),
            "blocked": lambda _signed: self._blocked(),
            "vouchers": self._vouchers,
            "members": lambda _signed: self._members(),
            "notices": lambda _signed: self._notices(),
            "objections": lambda _signed: self._objections(),
            "cases": lambda _signed: self._cases(),
            "rules": lambda _signed: self._rules(),
            "terms": lambda _signed: self._terms(),
            "nodes": lambda _signed: self._nodes(),
        }

    async def file(self, table: AdminTable, signed: Signed) -> AsyncIterator[bytes]:
        """The file in parts. Raises NodeError if the database has to be read and cannot."""
        chunks = self._event_chunks() if table.name == "events" else self._chunks(table, signed)
        return _after(csv_lines([table.columns]), await anext(chunks), chunks)

    async def _chunks(self, table: AdminTable, signed: Signed) -> AsyncGenerator[str]:
        waiting: list[Row] = []
        for row in self._rows[table.name](signed):
            waiting.append(row)
            if len(waiting) == ROWS_TOGETHER:
                yield csv_lines(waiting)
                waiting = []
                await asyncio.sleep(0)
        yield csv_lines(waiting)

    async def _event_chunks(self) -> AsyncGenerator[str]:
        before = 0
        while True:
            found = await self._backend.events.find(EventQuery(before=before), size=EVENTS_TOGETHER)
            yield csv_lines(map(_event_row, found.rows))
            if not found.before:
                return
            before = found.before

    def _people(self) -> Iterator[Row]:
        """Those online, the busiest first, then the other members."""
        people = self._backend.people
        members = (each.account for each in self._backend.members.find("").members)
        for account in dict.fromkeys((*people.find(""), *map(AccountId, members))):
            row = people.row(account)
            online_s = "" if row.since_s is None else row.since_s
            rates = row.rate.down, row.rate.up
            who = account, row.name, row.tier, row.devices
            yield (*who, *rates, row.used_month, online_s, " ".join(row.ways))

    def _blocked(self) -> Iterator[Row]:
        for each in self._backend.people.blocked():
            yield each.mac, each.name, each.account, each.because, "" if each.ends_s is None else each.ends_s

    def _vouchers(self, signed: Signed) -> Iterator[Row]:
        vouchers = self._backend.vouchers
        for each in vouchers.batches(signed):
            counts = vouchers.counts(each.number)
            states = (counts.get(state, 0) for state in VOUCHER_STATES)
            allowed = each.number, each.group, each.lasts_ms, each.devices_max
            issued = each.issued_day, each.issued_by, each.note, int(each.is_revoked), vouchers.origin(each)
            yield (*allowed, *issued, *states)

    def _members(self) -> Iterator[Row]:
        for each in self._backend.members.find("").members:
            lists = " ".join(each.groups), " ".join(each.devices)
            yield (each.account, each.name, each.tier, *lists, each.paid_until)

    def _notices(self) -> Iterator[Row]:
        for each in self._backend.content.notices():
            days = each.first_day, each.last_day, int(each.is_urgent), each.by
            for text in each.texts:
                yield (each.number, each.where, each.audience, *days, text.language, text.title, text.text)

    def _objections(self) -> Iterator[Row]:
        for each in self._backend.content.objections():
            filed = each.number, each.account, each.day, each.rule, each.text
            yield (*filed, each.answer, each.answered_day)

    def _cases(self) -> Iterator[Row]:
        for each in self._backend.cases.cases():
            opened = each.number, each.account, each.ladder, each.step, each.reason, each.by
            ended = "" if each.ended is None else each.ended.isoformat(" ", "minutes")
            yield (*opened, each.opened.isoformat(" ", "minutes"), each.ending, ended, each.ended_by)

    def _rules(self) -> Iterator[Row]:
        for each in self._backend.adoption.versions():
            state = each.state, each.reason, each.due, each.ended
            yield (each.number, each.adopted, each.by, *state, ", ".join(each.approved), each.fingerprint)

    def _terms(self) -> Iterator[Row]:
        for each in self._backend.content.terms():
            for text in each.texts:
                yield each.version, each.adopted_day, each.by, text.language, text.text

    def _nodes(self) -> Iterator[Row]:
        for each in self._backend.graph().nodes:
            yield each.node, each.name, int(each.is_online), each.version, " ".join(each.addresses)


def csv_lines(rows: Iterable[Row]) -> str:
    """Lines of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(
        [spreadsheet_text(value) if isinstance(value, str) else value for value in row] for row in rows
    )
    return text.getvalue()


def _event_row(row: EventRow) -> Row:
    event = row.found.event
    at = "" if row.at is None else row.at.isoformat(" ", "seconds")
    done = event.kind, event.account, row.name, event.about, event.text, event.count
    return (at, event.day, event.by, *done)


async def _after(head: str, first: str, rest: AsyncGenerator[str]) -> AsyncIterator[bytes]:
    yield (BYTE_ORDER_MARK + head + first).encode()
    async for chunk in rest:
        yield chunk.encode()

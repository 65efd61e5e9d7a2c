"""The pages of who is in: my page, and everything that is kept about me."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from captive_portal import forms, page_notices
from captive_portal.page_context import PageContext
from captive_portal.page_notices import PageNotice
from captive_portal.ports import DeviceCode, DeviceView, IntroductionRequest, Outage, RefusalReason, Refused
from captive_portal.request_context import RequestContext
from node.accounts.objections import Objection
from node.governance.allowance import Allowance, Bound
from node.governance.join_methods import Way
from node.units import Bytes, Rates, Usage

SENTENCES_MAX = 200
DEVICES_MAX = 100
REQUESTS_MAX = 10
OBJECTIONS_MAX = 20
ROWS_MAX = 300
"""Of one table of my data; the file has all of them."""

Deed = Literal["named", "removed", "passphrase", "contested", "answered"]
DEEDS: tuple[Deed, ...] = ("named", "removed", "passphrase", "contested", "answered")
"""What may just have been done, and is said once."""

Corner = Literal["requests", "devices", "passphrase", "contest", "leave"]
"""A part of my page that something can fail in."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that limits me now, and where it comes from."""

    kind: Literal["ceiling", "share"]
    rates: Rates | None
    sentence: str
    rule: str
    decision: str
    until: datetime | None
    own_right: bool
    """It stands in the code of every node and needs no decision."""


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """One month's (or week's) volume: allowed, used, left."""

    rule: str
    allowed: Bytes
    left: Bytes
    used_percent: int
    resets: datetime | None
    """None while the clock is unknown."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something on my page was not done."""

    corner: Corner
    reason: RefusalReason | Literal["old"]
    """``old``: the page was open for too long."""
    detail: str = ""
    text: str = ""
    """What the person wrote, so that it is not lost."""
    wait_minutes: int = 0
    device: str = ""
    """Which device `text` is the name of; empty for none."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """One token for each thing that my page can do."""

    join: str
    leave: str
    answer: str
    devices: str
    passphrase: str
    objection: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """What I used, what is left, until when, my devices, what limits me and why, and the way out."""

    template = "me.html"
    place: PageContext
    proofs: Proofs
    account: str
    name: str
    way: Way | None
    used: Usage
    bytes_left: Bytes | None
    """The smallest remainder of all quotas; None without any."""
    seconds_left: int | None
    quotas: tuple[QuotaLine, ...]
    limits: tuple[Limit, ...]
    floor: Rates | None
    floor_is_of_all: bool
    """Whether `floor` is kept for all guests together and not for each."""
    floor_percent: int
    """Of what was promised; less than 100 while the line has no room for all of it."""
    devices: tuple[DeviceView, ...]
    devices_max: int | None
    device_code: DeviceCode | None
    requests: tuple[IntroductionRequest, ...]
    unasked_s: int | None
    objections: tuple[Objection, ...]
    notices: tuple[PageNotice, ...]
    is_member: bool
    has_passphrase: bool
    has_shown_card: bool
    secure_at: str
    """As on the first page."""
    terms_version: str
    can_extend: bool
    """Accepting the terms once more gives a new session."""
    outage: Outage | None = None
    pool: str = ""
    """Rule by which the account counts together with others."""
    not_binding: tuple[str, ...] = ()
    deed: Deed | Literal[""] = ""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class DataTable:
    """Rows of one kind, as text."""

    name: str
    columns: tuple[str, ...]
    """Empty for facts that stand alone: each row is then a name and a value."""
    rows: tuple[tuple[str, ...], ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class MyData:
    """Everything that is kept about this device and its account."""

    template = "mydata.html"
    place: PageContext
    tables: tuple[DataTable, ...]


@dataclass(frozen=True, slots=True)
class Erasing:
    """The question before everything is erased."""

    template = "erase.html"
    place: PageContext
    token: str
    is_old: bool = False
    """The page before was open for too long."""


def account_page(context: RequestContext, deed: str = "", trouble: Trouble | None = None) -> AccountPage:
    guest = context.guest()
    allowance = context.said(guest.allowance)
    return AccountPage(
        context.place(),
        _proofs(context),
        guest.account or "",
        guest.name,
        guest.way,
        guest.used,
        guest.bytes_left,
        guest.seconds_left,
        _quotas(allowance),
        _limits(allowance),
        (allowance.own_floor or allowance.floor).value if allowance else None,
        allowance is not None and allowance.pool is not None and allowance.own_floor is None,
        allowance.kept_permille // 10 if allowance else 100,
        guest.devices[:DEVICES_MAX],
        guest.devices_max,
        guest.device_code,
        guest.requests[:REQUESTS_MAX],
        guest.unasked_s,
        guest.objections[-OBJECTIONS_MAX:],
        page_notices.short_page_notices(
            context.backend.notices(context.mac), context.page_language.language.tag
        ),
        guest.is_member,
        guest.has_passphrase,
        guest.has_shown_card,
        context.typed_at("/me"),
        context.community.terms_version,
        guest.seconds_left is not None and guest.way in {None, "terms"} and "terms" in context.community.ways,
        context.community.outage,
        (allowance.pool or "") if allowance else "",
        allowance.not_binding[:SENTENCES_MAX] if allowance else (),
        next((each for each in DEEDS if each == deed), ""),
        trouble,
    )


def trouble(corner: Corner, refused: Refused, text: str = "") -> Trouble:
    return Trouble(corner, refused.reason, refused.detail, text, refused.wait_minutes)


def my_data(context: RequestContext, data: Mapping[str, object]) -> MyData:
    return MyData(context.place(), tables(data))


def erasing(context: RequestContext) -> Erasing:
    return Erasing(context.place(), context.token(forms.ERASE))


def tables(data: Mapping[str, object]) -> tuple[DataTable, ...]:
    """A document as tables that a person can read: lists of rows, groups of facts, and first what stands alone."""
    alone = {name: value for name, value in data.items() if not isinstance(value, Mapping | list | tuple)}
    found = [_facts("", alone)] if alone else []
    for name, value in data.items():
        if isinstance(value, Mapping):
            found.append(_facts(name, value))
        elif isinstance(value, list | tuple):
            found.append(_rows(name, value))
    return tuple(found)


def _facts(name: str, facts: Mapping[str, object]) -> DataTable:
    rows = tuple((str(key), _text(value)) for key, value in facts.items())
    return DataTable(name, (), rows[:ROWS_MAX], len(rows) > ROWS_MAX)


def _rows(name: str, values: Sequence[object]) -> DataTable:
    shown = values[:ROWS_MAX]
    columns = tuple(dict.fromkeys(str(key) for row in shown if isinstance(row, Mapping) for key in row))
    rows: tuple[tuple[str, ...], ...] = tuple(
        tuple(_text(row.get(column)) for column in columns) if isinstance(row, Mapping) else (_text(row),)
        for row in shown
    )
    if not columns:
        rows = tuple((str(number), *row) for number, row in enumerate(rows, 1))
    return DataTable(name, columns, rows, len(values) > ROWS_MAX)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _proofs(context: RequestContext) -> Proofs:
    purposes = (forms.JOIN, forms.LEAVE, forms.ANSWER, forms.DEVICES, forms.PASSPHRASE, forms.OBJECTION)
    return Proofs(*(context.token(purpose) for purpose in purposes))


def _limits(allowance: Allowance | None) -> tuple[Limit, ...]:
    """The ceiling first: it is what a person feels. The share is what holds while the line is busy."""
    if allowance is None:
        return ()
    share = _limit("share", None, allowance.share)
    if allowance.ceiling is None:
        return (share,)
    return _limit("ceiling", allowance.ceiling.value, allowance.ceiling), share


def _limit(kind: Literal["ceiling", "share"], rates: Rates | None, bound: Bound[int] | Bound[Rates]) -> Limit:
    in_code = bound.rule in {"lifeline", "equal-share"}
    return Limit(kind, rates, bound.sentence, bound.rule, bound.decision, bound.until, in_code)


def _quotas(allowance: Allowance | None) -> tuple[QuotaLine, ...]:
    return tuple(
        QuotaLine(
            quota.rule,
            quota.allowed,
            quota.left,
            min(100, quota.used * 100 // max(1, quota.allowed)),
            quota.resets,
        )
        for quota in (allowance.quotas if allowance else ())
    )

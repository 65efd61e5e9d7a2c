"""Pages for an authorized device: the account page, and access to and erasure of personal data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from captive_portal import forms, page_notices
from captive_portal.page_notices import PageNotice
from captive_portal.request_context import PageContext, RequestContext
from node.accounts.messages import Message
from node.accounts.objections import Objection
from node.app.admin_sessions import label_text
from node.app.case_views import CaseView
from node.app.daily_usage import DayUse
from node.app.views import (
    LINE_KNOWN,
    NO_NEXT_RULES,
    DeviceCode,
    DeviceView,
    IntroductionRequest,
    LineView,
    NextRules,
    Outage,
    RefusalReason,
    Refused,
)
from node.governance.allowance import Allowance, Bound
from node.governance.rules import Ceiling, Quota, Ruleset, Way
from node.governance.sentences import BUILT_IN, allowance_in, sentence_of
from node.translator import ENGLISH, N_, Translator, translate
from node.units import Bytes, Rates, Usage

DEVICES_MAX = 100
REQUESTS_MAX = 10
OBJECTIONS_MAX = 20
CASES_MAX = 5
ROWS_MAX = 300
REMOVED_NODES_MAX = 5
"""Rows of one table on the page; the file has all of them."""

Deed = Literal["named", "removed", "passphrase", "contested", "answered", "read"]
DEEDS: tuple[Deed, ...] = ("named", "removed", "passphrase", "contested", "answered", "read")
"""What has just been done; shown once."""

Corner = Literal["message", "requests", "devices", "passphrase", "contest", "leave"]
"""Part of the account page in which something can fail."""


EXPORT_LABELS: Mapping[str, str] = {
    "about": N_("Concerns"),
    "account": N_("Account"),
    "act": N_("What was done"),
    "admin_acts": N_("What admins did to my account"),
    "at": N_("When"),
    "answer": N_("Answer"),
    "answered_day": N_("Date of the answer"),
    "asked": N_("Request to a member"),
    "bound_day": N_("Date joined"),
    "begins": N_("Holds from"),
    "by": N_("Decided by"),
    "ended": N_("Ended"),
    "ended_by": N_("Ended by"),
    "ending": N_("How it ended"),
    "key": N_("Identifier on all nodes"),
    "ladder": N_("Ladder"),
    "ladder_cases": N_("Cases of ladders"),
    "objection": N_("Number of my objection"),
    "reason": N_("Why"),
    "said": N_("What it says"),
    "step": N_("Step"),
    "until": N_("Holds until"),
    "begun": N_("Five minutes from"),
    "bytes_by_day": N_("Bytes each day"),
    "bytes_by_interval": N_("Bytes in each five minutes"),
    "objections": N_("My objections to limits"),
    "fingerprint": N_("Fingerprint"),
    "rule_objections": N_("My objection to new rules"),
    "day": N_("Day"),
    "device": N_("Device"),
    "devices": N_("Devices"),
    "devices_max": N_("Devices at once"),
    "group": N_("Group"),
    "down": N_("Bytes down"),
    "guests": N_("Guests I let in"),
    "has_passphrase": N_("Has a passphrase"),
    "host": N_("Member asked"),
    "introduced_by": N_("Let in by"),
    "is_busy": N_("The line was busy"),
    "issued_day": N_("Date issued"),
    "lasts_ms": N_("Lasts (milliseconds)"),
    "left_ms": N_("Time left (milliseconds)"),
    "mac": N_("Hardware address"),
    "messages": N_("Messages of admins to me"),
    "is_read": N_("Read"),
    "read_day": N_("Date read"),
    "name": N_("Name"),
    "number": N_("Number"),
    "removed_because": N_("Why it was blocked"),
    "rule": N_("Rule"),
    "seconds_left": N_("Seconds left"),
    "state": N_("State"),
    "terms_accepted": N_("Accepted terms"),
    "paid_until": N_("Dues are paid until"),
    "text": N_("Text"),
    "told": N_("What the community’s nodes tell each other about me"),
    "told_kind": N_("About what"),
    "up": N_("Bytes up"),
    "used_day": N_("Date of first use"),
    "version": N_("Version of the rules"),
    "voucher": N_("Printed code"),
    "way": N_("How it joined"),
}
"""Labels for the fields of `AccountService.own_data` and its JSON file."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that applies now, and the rule that sets it."""

    kind: Literal["ceiling", "share"]
    rates: Rates | None
    sentence: str
    rule: str
    decision: str
    until: datetime | None
    own_right: bool
    """Built into every node; needs no decision."""


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """Volume of one month or week: allowed, used, left."""

    rule: str
    allowed: Bytes
    left: Bytes
    used_percent: int
    resets: datetime | None
    """None while the clock is not synchronized; see `QuotaLeft`."""
    ceiling: Rates | None
    """The highest speed once it is used up; None: others go first while the line is busy."""
    is_alert: bool = False
    """Nothing is limited once it is used up."""
    sentence: str = ""
    """The rule, while a person who used it up is asked to use less."""
    days: int | None = None
    """It counts so many last days; None for a day, week or month."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an action on the account page was not done."""

    corner: Corner
    reason: RefusalReason | Literal["old"]
    """``old``: the page was open for too long."""
    text: str = ""
    """The text as typed, so that it is not lost."""
    wait_minutes: int = 0
    device: str = ""
    """The device that `text` was to name; empty for none."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """Form tokens, one for each purpose."""

    join: str
    leave: str
    answer: str
    devices: str
    passphrase: str
    objection: str


@dataclass(frozen=True, slots=True)
class DayBar:
    """Use of one day."""

    day: str
    used: Bytes
    percent: int
    """Of the day with most."""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Usage, quotas, time left, devices, limits with their rules, and logout."""

    template = "me.html"
    place: PageContext
    proofs: Proofs
    account: str
    name: str
    way: Way | None
    used: Usage
    bytes_left: Bytes | None
    """The smallest remainder of all quotas; None without quotas."""
    seconds_left: int | None
    quotas: tuple[QuotaLine, ...]
    limits: tuple[Limit, ...]
    floor: Rates
    floor_is_of_all: bool
    """Whether `floor` is shared by all guests rather than given to each."""
    floor_percent: int
    """Percentage of the guaranteed rate that is granted; below 100 while the uplink cannot give all of it."""
    floor_is_certain: bool
    """Whether the uplink always carries all that is promised, as far as the rules say."""
    line: LineView | None
    """None while the uplink is not shared."""
    line_known: str
    """How its speed is known; empty while it is not shared."""
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
    """As in `Splash`."""
    terms_version: str
    can_extend: bool
    """Accepting the terms again starts a new session."""
    outage: Outage | None = None
    next_rules: NextRules = NO_NEXT_RULES
    cases: tuple[CaseView, ...] = ()
    """Of ladders: the open one, and those that ended not long ago."""
    answer_days: int = 0
    """An objection to a case that nobody answers for so long lifts it."""
    late_dues: date | None = None
    """The last day for which dues are paid, while rules for late dues apply."""
    pool: str = ""
    """Rule under which the account shares limits with others."""
    not_binding: tuple[str, ...] = ()
    deed: Deed | Literal[""] = ""
    trouble: Trouble | None = None
    days: tuple[DayBar, ...] = ()
    """Use of the last days, the latest first."""
    is_at_ceiling: bool = False
    """Its transfers are as fast as its top speed allows."""
    message: Message | None = None
    """Of an admin, not read yet."""

    @property
    def message_by(self) -> str:
        """Translatable."""
        return "" if self.message is None else label_text(self.message.by)

    @property
    def is_slow(self) -> bool:
        """Whether something slows the account down now: a top speed that it reaches or that holds for a time only, an
        allowance that is used up, less than half of the line, or promises that cannot be kept."""
        ceilings = [limit for limit in self.limits if limit.kind == "ceiling"]
        has_ceiling = any(self.is_at_ceiling or limit.until is not None for limit in ceilings)
        is_used_up = any(not quota.left and not quota.is_alert for quota in self.quotas)
        return has_ceiling or is_used_up or self._is_crowded() or self.floor_percent < 100

    def _is_crowded(self) -> bool:
        if self.line is None or self.line.could_have is None:
            return False
        could_have, whole = self.line.could_have, self.line.rates
        return 2 * could_have.down < whole.down or 2 * could_have.up < whole.up


@dataclass(frozen=True, slots=True)
class DataTable:
    """Rows of one kind, as text."""

    name: str
    columns: tuple[str, ...]
    """Empty for single values: each row is then a name and a value."""
    rows: tuple[tuple[str, ...], ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class MyData:
    """All personal data about this device and its account."""

    template = "mydata.html"
    place: PageContext
    tables: tuple[DataTable, ...]
    copies: str = ""
    """Names of nodes that left the community: what is erased may stay there."""


@dataclass(frozen=True, slots=True)
class Erasing:
    """Asks for confirmation before erasure."""

    template = "erase.html"
    place: PageContext
    token: str
    is_old: bool = False
    """The previous page was open for too long."""
    copies: str = ""
    """Names of nodes that left the community: what is erased may stay there."""


def account_page(context: RequestContext, deed: str = "", trouble: Trouble | None = None) -> AccountPage:
    """The device must be authorized."""
    guest = context.guest()
    assert guest.allowance is not None
    allowance = allowance_in(context.words, guest.allowance, context.community.own_rules)
    return AccountPage(
        context.place(),
        _proofs(context),
        guest.account or "",
        guest.name,
        guest.way,
        guest.used,
        guest.bytes_left,
        guest.seconds_left,
        _quotas(allowance, context.community.own_rules, context.words),
        _limits(allowance),
        (allowance.own_floor or allowance.floor).value,
        allowance.pool is not None and allowance.own_floor is None,
        allowance.kept_permille // 10,
        not context.community.own_rules.floors_may_shrink,
        guest.line,
        "" if guest.line is None else LINE_KNOWN[guest.line.known],
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
        guest.seconds_left is not None and guest.way == "terms" and "terms" in context.community.ways,
        context.community.outage,
        context.backend.next_rules_note(),
        context.backend.ladder_cases(context.device, context.words)[:CASES_MAX],
        context.community.ruleset.charter.answer_days,
        guest.late_dues,
        allowance.pool or "",
        allowance.not_binding,
        next((each for each in DEEDS if each == deed), ""),
        trouble,
        day_bars(context.backend.week(context.device)),
        guest.is_at_ceiling,
        context.backend.message(context.device),
    )


def day_bars(days: Sequence[DayUse]) -> tuple[DayBar, ...]:
    """Each relative to the day with most; none for fewer than two days, or if nothing was used."""
    most = max((each.used.total for each in days), default=0)
    if not most or len(days) < 2:
        return ()
    return tuple(DayBar(each.day, each.used.total, each.used.total * 100 // most) for each in days)


def trouble(corner: Corner, refused: Refused, text: str = "") -> Trouble:
    return Trouble(corner, refused.reason, text, refused.wait_minutes)


def my_data(context: RequestContext, data: Mapping[str, object]) -> MyData:
    copies = copies_of(context.community.removed_nodes)
    return MyData(context.place(), tables(data, context.words), copies)


def copies_of(names: tuple[str, ...]) -> str:
    """Some of the names; empty for none."""
    return ", ".join((*names[:REMOVED_NODES_MAX], *("…" for _ in names[REMOVED_NODES_MAX:][:1])))


def erasing(context: RequestContext) -> Erasing:
    copies = copies_of(context.community.removed_nodes)
    return Erasing(context.place(), context.token(forms.ERASE), copies=copies)


def label(name: str, words: Translator) -> str:
    """Readable name of an exported field such as ``seconds_left``; any other text is returned unchanged."""
    known = EXPORT_LABELS.get(name)
    return name if known is None else words.gettext(known)


def tables(data: Mapping[str, object], words: Translator = ENGLISH) -> tuple[DataTable, ...]:
    """Renders a JSON document as tables: single values first, then groups of values and lists of rows."""
    alone = {name: value for name, value in data.items() if not isinstance(value, Mapping | list | tuple)}
    found = [_facts("", alone, words)] if alone else []
    for name, value in data.items():
        if isinstance(value, Mapping):
            found.append(_facts(name, value, words))
        elif isinstance(value, list | tuple):
            found.append(_rows(name, value, words))
    return tuple(found)


def _facts(name: str, facts: Mapping[str, object], words: Translator) -> DataTable:
    rows = tuple((label(str(key), words), _text(value)) for key, value in facts.items())
    return DataTable(label(name, words), (), rows[:ROWS_MAX], len(rows) > ROWS_MAX)


def _rows(name: str, values: Sequence[object], words: Translator) -> DataTable:
    shown = values[:ROWS_MAX]
    columns = tuple(dict.fromkeys(str(key) for row in shown if isinstance(row, Mapping) for key in row))
    rows: tuple[tuple[str, ...], ...] = tuple(
        tuple(_text(row.get(column), words) for column in columns)
        if isinstance(row, Mapping)
        else (_text(row),)
        for row in shown
    )
    if not columns:
        rows = tuple((str(number), *row) for number, row in enumerate(rows, 1))
    headings = tuple(label(column, words) for column in columns)
    return DataTable(label(name, words), headings, rows, len(values) > ROWS_MAX)


def _text(value: object, words: Translator = ENGLISH) -> str:
    if value is None:
        return ""
    return (
        translate(value, words)
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )


def _proofs(context: RequestContext) -> Proofs:
    purposes = (forms.JOIN, forms.LEAVE, forms.ANSWER, forms.DEVICES, forms.PASSPHRASE, forms.OBJECTION)
    return Proofs(*(context.token(purpose) for purpose in purposes))


def _limits(allowance: Allowance) -> tuple[Limit, ...]:
    """The ceiling first, because users notice it. The share applies while the uplink is busy."""
    share = _limit("share", None, allowance.share)
    if allowance.ceiling is None:
        return (share,)
    return _limit("ceiling", allowance.ceiling.value, allowance.ceiling), share


def _limit(kind: Literal["ceiling", "share"], rates: Rates | None, bound: Bound[int] | Bound[Rates]) -> Limit:
    is_own_right = bound.decision == BUILT_IN
    return Limit(kind, rates, bound.sentence, bound.rule, bound.decision, bound.until, is_own_right)


def _quotas(allowance: Allowance, ruleset: Ruleset, words: Translator) -> tuple[QuotaLine, ...]:
    effects = {rule.id: rule.effect.then for rule in ruleset.rules if isinstance(rule.effect, Quota)}
    return tuple(
        QuotaLine(
            quota.rule,
            quota.allowed,
            quota.left,
            min(100, quota.used * 100 // max(1, quota.allowed)),
            quota.resets,
            then.rates if isinstance(then := effects.get(quota.rule), Ceiling) else None,
            quota.is_alert,
            sentence_of(ruleset, quota.rule, words) if quota.rule in allowance.alerts else "",
            quota.days,
        )
        for quota in allowance.quotas
    )

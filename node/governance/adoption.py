"""Adoption of rules as a confirmed commit (RFC 6241, section 8.4): a log of records, and the state machine over it.

Rules that an admin adopts are in force at once, on trial: unless they are confirmed in time, those confirmed before come
back. The rule file always has the rules confirmed last, and a trial is in the log and in memory only, so that whatever
happens to the node (a crash, a power cut, a lost database, a wrong clock) it starts with confirmed rules.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from node.governance.approvals import missing_approvals
from node.units import Milliseconds, Monotonic

RecordKind = Literal[
    "before",
    "edited",
    "adopted",
    "scheduled",
    "draft",
    "approved",
    "confirmed",
    "reverted",
    "withdrawn",
    "checkpoint",
]
"""``before`` is a version from before there were records; ``edited`` one that came into force by an edit of the file. Both
are confirmed. ``adopted`` is on trial, ``scheduled`` waits for its time or for approvals; a ``draft`` is shown to members
and binds nobody. ``approved`` is an approval of the record `subject`, and the others say what became of it. A ``checkpoint``
can only be the first: it stands for a record and all before it, which were removed, and has its `number` and `hash`."""
Reason = Literal[
    "",
    "time",
    "restart",
    "kernel",
    "lifeline",
    "portal",
    "file",
    "disk",
    "admin",
    "newer",
    "invalid",
    "objections",
]
"""Why a trial was reverted, or a schedule or a draft withdrawn."""
VersionState = Literal[
    "draft", "waiting", "trial", "fallback", "active", "superseded", "reverted", "withdrawn"
]
"""``fallback`` is the version confirmed last, while another one is on trial."""
VERSIONS: frozenset[RecordKind] = frozenset({"before", "edited", "adopted", "scheduled", "draft"})
"""Kinds of records that have a text."""
RECORDS_MAX, TEXT_CHARS_MAX = 2_000, 32_000_000
"""Of the log: when there are more records, or characters in their texts, the older half is removed. No community decides so
often; a program that edits the rule file each minute does."""
FAILS_FOR = Milliseconds(5_000)
"""A health gate that fails for so long ends the trial."""
BOOT_MS = Monotonic(0)
DRAFTS_MAX = 5
"""Open at once."""
DRAFT_DAYS = 90
"""After so many days a draft that nobody decided ends by itself."""
_DRAFT_DAYS_MAX = DRAFT_DAYS + 366
"""Older ones do not end by themselves: the clock may be wrong."""
LATE_MAX = timedelta(days=31)
"""Scheduled rules whose time is longer ago than this do not start by themselves: the clock may be wrong."""


@dataclass(frozen=True, slots=True)
class AdoptionRecord:
    """One entry of the log. Records are never changed; `prev` and `hash` chain them."""

    kind: RecordKind
    adopted: str
    """Civil time, as an ISO text; only as reliable as the clock was."""
    by: str
    """The label of an admin, or how it came to be."""
    fingerprint: str = ""
    """Of the text; empty for a record about another one."""
    text: str = ""
    subject: int = 0
    """The record that this one is about: the trial that was confirmed or reverted, the version that was put back, the
    schedule that began; 0 for none."""
    reason: Reason = ""
    due: str = ""
    """Of a schedule: local time, as an ISO text without zone; empty for rules that wait for approvals only."""
    trial_s: int = 0
    """Length of the trial in seconds; of a schedule, 0 for none."""
    objections: int = 0
    """How many members objected to a schedule that was withdrawn because of that; otherwise 0."""
    accounts: int = 0
    """In the members' file at that time."""
    meaning: str = ""
    """Of the text: fingerprint of what it would do; empty in records from before there were drafts, and for a text that
    cannot be read."""
    waits_s: int = 0
    """Of a schedule: for so many seconds of operation it waits at least, whatever the clock says."""
    number: int = 0
    """1 is the first; 0 before it is in the log."""
    prev: str = ""
    """Hash of the record before; empty for the first."""
    hash: str = ""


def sealed(record: AdoptionRecord, number: int, prev: str) -> AdoptionRecord:
    """The record as it stands in the log, behind one with the hash `prev`."""
    body = [
        number,
        prev,
        record.kind,
        record.subject,
        record.adopted,
        record.by,
        record.reason,
        record.fingerprint,
        record.due,
        record.trial_s,
        hashlib.sha256(record.text.encode("utf-8", "surrogatepass")).hexdigest(),
    ]
    # The records from before there was one of these keep their hashes.
    if record.objections:
        body += [record.objections, record.accounts]
    if record.meaning:
        body.append(f"meaning {record.meaning}")
    if record.waits_s:
        body.append(f"waits_s {record.waits_s}")
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(record, number=number, prev=prev, hash=digest)


class LogCheck:
    """Checks the chain, record by record, from the first one or a checkpoint. That records are missing at its end cannot
    be seen."""

    def __init__(self) -> None:
        self._number, self._prev = 0, ""

    def add(self, record: AdoptionRecord) -> int:
        """The next record, oldest first. Returns 0, or the number of the record that is missing or was changed; the
        chain goes on behind it."""
        expected = self._number + 1
        is_checkpoint = record.kind == "checkpoint" and not self._number
        is_whole = is_checkpoint or record == sealed(record, expected, self._prev)
        self._number, self._prev = record.number, record.hash
        return 0 if is_whole else expected


# --- the state machine ---


@dataclass(frozen=True, slots=True)
class Trial:
    """Rules in force that nobody has confirmed yet."""

    number: int
    ends: Monotonic
    ignored: frozenset[Reason] = frozenset()
    """Health gates that failed before it began."""
    fails: Reason = ""
    fails_since: Monotonic = BOOT_MS
    """Since when `fails` has failed."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rules that wait for their time, for approvals, or for both."""

    number: int
    due: datetime | None
    """Local time without zone; None for as soon as they are approved."""
    approved: frozenset[str] = frozenset()
    """Labels of the admins who approve them, with the one who proposed them."""
    waits_s: int = 0
    """For so many seconds of operation they wait at least, whatever the clock says."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Rules that members can read, and that nobody has decided."""

    number: int
    meaning: str
    adopted: str
    """When it was shown: civil time, as an ISO text."""


@dataclass(frozen=True, slots=True)
class AdoptionState:
    """Numbers of the records that count now."""

    active: int = 0
    """The rules confirmed last; 0 while there is no record of them."""
    trial: Trial | None = None
    waiting: Schedule | None = None
    drafts: tuple[Draft, ...] = ()
    """Open ones, the oldest first."""

    @property
    def in_force(self) -> int:
        return self.active if self.trial is None else self.trial.number


@dataclass(frozen=True, slots=True)
class Adopted:
    """Rules are in the log, to go on trial."""

    number: int
    lasts: Milliseconds
    began: int = 0
    """The schedule that it comes from; 0 for none."""
    failing: frozenset[Reason] = frozenset()
    """Health gates that fail already."""
    meaning: str = ""
    """Here and below, as `AdoptionRecord.meaning`: a draft with the same one is superseded."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Rules are in the log, to wait. They replace others that wait."""

    number: int
    due: datetime | None
    by: str = ""
    """Label of the admin who proposed them."""
    meaning: str = ""
    waits_s: int = 0


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft is in the log, for members to read."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class DraftEnded:
    """A draft is withdrawn. Anything but an open one is ignored."""

    number: int
    reason: Reason = "admin"


@dataclass(frozen=True, slots=True)
class DayPassed:
    """Ends the drafts that are too old. Not to be told while the clock is not known."""

    today: date


@dataclass(frozen=True, slots=True)
class ApprovedBy:
    """An admin approves rules that wait, which is in the log. Anything but the present ones is ignored."""

    number: int
    by: str


@dataclass(frozen=True, slots=True)
class ConfirmedBy:
    """The trial is confirmed. Anything but the present trial is ignored, so that a repeated confirmation does nothing."""

    number: int
    is_written: bool = False
    """Whether the file has these rules already."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The file was edited by hand and is in force: this is confirmed, and ends a trial and a schedule."""

    number: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Ends the trial; without one, the schedule."""

    reason: Reason
    only_waiting: bool = False
    """Ends the schedule and leaves a trial alone."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time passes."""

    civil: datetime | None
    """Local time without zone; None while the clock is not known."""
    failing: frozenset[Reason] = frozenset()
    """Health gates that fail now."""
    needed: int = 1
    """How many admins must approve the rules that wait; see `approvals_needed`."""
    waited_s: int = 0
    """For how many seconds of operation they have waited."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The node starts, with the rules of the file."""

    is_written: bool
    """Whether the file has the rules on trial: they were being confirmed when the node stopped."""


DraftEvent = Drafted | DraftEnded | DayPassed
Event = (
    Adopted | Scheduled | ApprovedBy | ConfirmedBy | Edited | TakenBack | TimePassed | Restarted | DraftEvent
)


@dataclass(frozen=True, slots=True)
class PutInForce:
    """Apply the rules of this record; 0 for those of the file."""

    number: int


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Make the rules of this record those of the file. If it fails, the state before stays."""

    number: int


@dataclass(frozen=True, slots=True)
class Append:
    """Append to the log what became of the record `subject`. If it fails, it is tried again; the state has changed."""

    kind: RecordKind
    subject: int
    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """The time of these rules has come: check them again and adopt them, or withdraw them."""

    number: int


Effect = PutInForce | WriteFile | Append | Begin
Step = tuple[AdoptionState, tuple[Effect, ...]]


def step(state: AdoptionState, event: Event, now: Monotonic) -> Step:
    """The state after `event`, and what is to be done, in this order."""
    match event:
        case Adopted():
            return _adopt(state, event, now)
        case Scheduled(number, due, by, meaning, waits_s):
            waiting = Schedule(number, due, frozenset({by}), waits_s)
            drafts = _other_drafts(state, meaning)
            return replace(state, waiting=waiting, drafts=drafts), _without_waiting(state)
        case ApprovedBy(number, by):
            return _approve(state, number, by), ()
        case ConfirmedBy(number, is_written):
            return _confirm(state, number, is_written=is_written)
        case Edited(number, meaning):
            return _edit(state, number, meaning)
        case TakenBack(reason, only_waiting):
            return _take_back(state, reason, only_waiting=only_waiting)
        case TimePassed():
            return _tick(state, event, now)
        case Restarted(is_written):
            return _restart(state, is_written=is_written)
        case _:
            return _change_drafts(state, event)


def _change_drafts(state: AdoptionState, event: DraftEvent) -> Step:
    match event:
        case Drafted(draft):
            return replace(state, drafts=(*state.drafts, draft)), ()
        case DraftEnded(number, reason):
            return _end_drafts(state, {number}, reason)
        case DayPassed(today):
            return _end_drafts(state, {each.number for each in state.drafts if _is_old(each, today)}, "time")


def _end_drafts(state: AdoptionState, numbers: set[int], reason: Reason) -> Step:
    ended = tuple(Append("withdrawn", each.number, reason) for each in state.drafts if each.number in numbers)
    return replace(state, drafts=tuple(each for each in state.drafts if each.number not in numbers)), ended


def _is_old(draft: Draft, today: date) -> bool:
    try:
        days = (today - date.fromisoformat(draft.adopted[:10])).days
    except ValueError:
        return False
    return DRAFT_DAYS <= days <= _DRAFT_DAYS_MAX


def _other_drafts(state: AdoptionState, meaning: str) -> tuple[Draft, ...]:
    """Without the draft that says what is scheduled or in force now: it is superseded."""
    return tuple(each for each in state.drafts if not meaning or each.meaning != meaning)


def _edit(state: AdoptionState, number: int, meaning: str) -> Step:
    ended: tuple[Effect, ...] = ()
    if state.trial is not None:
        ended = (PutInForce(number), Append("reverted", state.trial.number, "newer"))
    drafts = _other_drafts(state, meaning)
    return AdoptionState(number, drafts=drafts), (*ended, *_without_waiting(state))


def _adopt(state: AdoptionState, event: Adopted, now: Monotonic) -> Step:
    # What the trial before has broken is not put down to what was before it.
    ignored = event.failing if state.trial is None else event.failing & state.trial.ignored
    trial = Trial(event.number, Monotonic(now + event.lasts), ignored)
    has_begun = state.waiting is not None and state.waiting.number == event.began
    waiting = None if has_begun else state.waiting
    drafts = _other_drafts(state, event.meaning)
    return replace(state, trial=trial, waiting=waiting, drafts=drafts), (PutInForce(event.number),)


def _approve(state: AdoptionState, number: int, by: str) -> AdoptionState:
    waiting = state.waiting
    if waiting is None or waiting.number != number:
        return state
    return replace(state, waiting=replace(waiting, approved=waiting.approved | {by}))


def _confirm(state: AdoptionState, number: int, *, is_written: bool) -> Step:
    if state.trial is None or state.trial.number != number:
        return state, ()
    writing = () if is_written else (WriteFile(number),)
    confirmed = AdoptionState(number, drafts=state.drafts)
    return confirmed, (*writing, Append("confirmed", number), *_without_waiting(state))


def _revert(state: AdoptionState, trial: Trial, reason: Reason) -> Step:
    effects = (PutInForce(state.active), Append("reverted", trial.number, reason))
    return replace(state, trial=None), effects


def _take_back(state: AdoptionState, reason: Reason, *, only_waiting: bool) -> Step:
    if state.trial is not None and not only_waiting:
        return _revert(state, state.trial, reason)
    gone = (Append("withdrawn", state.waiting.number, reason),) if state.waiting else ()
    return replace(state, waiting=None), gone


def _restart(state: AdoptionState, *, is_written: bool) -> Step:
    if state.trial is None:
        return state, ()
    if is_written:
        return _confirm(state, state.trial.number, is_written=True)
    return _revert(state, state.trial, "restart")


def _without_waiting(state: AdoptionState) -> tuple[Append, ...]:
    """A schedule was written against rules that are no longer the confirmed ones."""
    return (Append("withdrawn", state.waiting.number, "newer"),) if state.waiting else ()


def _tick(state: AdoptionState, event: TimePassed, now: Monotonic) -> Step:
    trial, waiting = state.trial, state.waiting
    if trial is None:
        is_ready = waiting is not None and _is_ready(waiting, event)
        return state, (Begin(waiting.number),) if waiting and is_ready else ()
    if now >= trial.ends:
        return _revert(state, trial, "time")
    failing = sorted(event.failing - trial.ignored)
    if not failing:
        return (state if not trial.fails else replace(state, trial=replace(trial, fails=""))), ()
    if trial.fails not in failing:
        return replace(state, trial=replace(trial, fails=failing[0], fails_since=now)), ()
    if now - trial.fails_since >= FAILS_FOR:
        return _revert(state, trial, trial.fails)
    return state, ()


def _is_ready(waiting: Schedule, event: TimePassed) -> bool:
    """Whether the time of these rules has come, and enough admins approve them."""
    if missing_approvals(waiting.approved, event.needed) or event.waited_s < waiting.waits_s:
        return False
    if waiting.due is None:
        return True
    return event.civil is not None and waiting.due <= event.civil <= waiting.due + LATE_MAX

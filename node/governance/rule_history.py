"""The log of adoptions, read again: the state, and what became of each version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from node.governance.adoption import (
    BOOT_MS,
    RECORDS_MAX,
    TEXT_CHARS_MAX,
    VERSIONS,
    Adopted,
    AdoptionRecord,
    AdoptionState,
    ApprovedBy,
    ConfirmedBy,
    Draft,
    Drafted,
    DraftEnded,
    Edited,
    Event,
    Reason,
    Scheduled,
    TakenBack,
    VersionState,
    step,
)
from node.governance.approvals import approver
from node.units import Milliseconds


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One text of the history."""

    number: int
    adopted: str
    by: str
    fingerprint: str
    state: VersionState = "superseded"
    reason: Reason = ""
    """Why it was reverted or withdrawn."""
    due: str = ""
    trial_s: int = 0
    ended: str = ""
    """When it was reverted or withdrawn: civil time, as an ISO text."""
    objections: int = 0
    """How many members' objections stopped it."""
    accounts: int = 0
    """In the members' file when they did."""
    put_back: int = 0
    """The earlier version with this text that was put back; 0 for none."""
    approved: tuple[str, ...] = ()
    """Labels of the admins who approved it after it was proposed, in this order."""
    has_waited: bool = False
    """Whether it waits, or has waited, for its time or for approvals."""
    is_draft: bool = False
    """Whether it is or was only shown to members."""
    draft: int = 0
    """The draft that was open and said the same when this was scheduled or adopted; 0 for none."""
    replaces: int = 0
    """The version that waited when this was scheduled and would do the same; 0 for none."""
    decided_as: int = 0
    """Of a superseded draft: the version that has its rules."""
    meaning: str = ""
    """See `AdoptionRecord.meaning`."""
    waits_s: int = 0
    """See `AdoptionRecord.waits_s`."""


STOPPED_DAYS = 30
"""For so many days after members stopped rules, an admin alone cannot bring back what would do the same."""


def is_stopped(version: RuleVersion, today: str) -> bool:
    """Whether members stopped these rules so lately. While the day is not known, any day is late enough."""
    ended, now = day_of(version.ended), day_of(today)
    is_over = ended is not None and now is not None and (now - ended).days > STOPPED_DAYS
    return version.reason == "objections" and not is_over


def day_of(text: str) -> date | None:
    """Of an ISO text; None if it has none."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


class RuleHistory:
    """What the log says so far: the state, and what became of each version."""

    def __init__(self) -> None:
        self.state = AdoptionState()
        self.length = 0
        """Records so far."""
        self._last = ""
        """When the last one was made."""
        self._versions: dict[int, RuleVersion] = {}
        self._confirmed: list[int] = []
        """Versions that were the active ones, oldest first."""

    def add(self, record: AdoptionRecord) -> None:
        """The next record. One that cannot be understood, as after damage, changes nothing."""
        self.length, self._last = record.number, record.adopted
        drafts, waiting = self.state.drafts, self.state.waiting
        event = _event(record, self.state)
        if event is not None:
            self.state, _ = step(self.state, event, BOOT_MS)
        if self.state.active not in {0, *self._confirmed[-1:]}:
            self._confirmed.append(self.state.active)
        subject = self._versions.get(record.subject)
        if record.kind in VERSIONS:
            made = _version(record, subject)
            gone = {each.number for each in drafts} - {each.number for each in self.state.drafts}
            for number in gone & self._versions.keys():
                self._versions[number] = replace(self._versions[number], decided_as=record.number)
                made = replace(made, draft=number)
            before = None if waiting is None else self._versions.get(waiting.number)
            if before is not None and before.meaning == record.meaning != "" and made.has_waited:
                made = replace(made, replaces=before.number)
            self._versions[record.number] = made
        elif subject is not None:
            self._versions[record.subject] = _after(subject, record)

    def versions(self) -> tuple[RuleVersion, ...]:
        """The newest first."""
        return tuple(self._now(each) for each in reversed(self._versions.values()))

    def newest(self) -> RuleVersion | None:
        """That is no draft."""
        number = next((each for each, made in reversed(self._versions.items()) if not made.is_draft), None)
        return None if number is None else self.version(number)

    def version(self, number: int) -> RuleVersion | None:
        found = self._versions.get(number)
        return None if found is None else self._now(found)

    def previous(self) -> RuleVersion | None:
        """The version confirmed before the active one, with another text; None without one."""
        active = self._versions.get(self.state.active)
        for number in reversed(self._confirmed):
            version = self._versions.get(number)
            if version is not None and active is not None and version.fingerprint != active.fingerprint:
                return version
        return None

    @property
    def needed(self) -> int:
        """The oldest record that the state, putting back the version before, or a stop by members depends on; 0 for none."""
        now = (self.state.trial, self.state.waiting, self.previous(), *self.state.drafts)
        stopped = [number for number, each in self._versions.items() if is_stopped(each, self._last)]
        return min([each.number for each in now if each] + [self.state.active] + stopped)

    def _now(self, version: RuleVersion) -> RuleVersion:
        trial, waiting = self.state.trial, self.state.waiting
        if version.number == self.state.active:
            return replace(version, state="active" if trial is None else "fallback")
        if trial is not None and version.number == trial.number:
            return replace(version, state="trial")
        if waiting is not None and version.number == waiting.number:
            return replace(version, state="waiting")
        if any(version.number == each.number for each in self.state.drafts):
            return replace(version, state="draft")
        return version


def _after(version: RuleVersion, record: AdoptionRecord) -> RuleVersion:
    """The version, after a record about it."""
    match record.kind:
        case "reverted" | "withdrawn":
            return replace(
                version,
                # A draft is never in force, so that nothing can be reverted, also in a log that no node wrote.
                state="withdrawn" if version.is_draft else record.kind,
                reason=record.reason,
                ended=record.adopted,
                objections=record.objections,
                accounts=record.accounts,
            )
        case "approved":
            known = {approver(label) for label in (version.by, *version.approved)}
            # On a slow disk, one approval can be there twice.
            new = () if approver(record.by) in known else (record.by,)
            return replace(version, approved=(*version.approved, *new))
        case _:
            return version


def _version(record: AdoptionRecord, subject: RuleVersion | None) -> RuleVersion:
    """`subject`: the version that it puts back, or the one that waited and begins with it."""
    made = RuleVersion(
        record.number,
        record.adopted,
        record.by,
        record.fingerprint,
        due=record.due,
        trial_s=record.trial_s,
        has_waited=record.kind == "scheduled",
        is_draft=record.kind == "draft",
        meaning=record.meaning,
        waits_s=record.waits_s,
    )
    if subject is None:
        return made
    if subject.has_waited and record.kind == "adopted":
        return replace(made, put_back=subject.put_back, approved=subject.approved, draft=subject.draft)
    return replace(made, put_back=subject.number)


def is_full(
    records: int, chars: int, records_max: int = RECORDS_MAX, text_chars_max: int = TEXT_CHARS_MAX
) -> bool:
    """Whether a log with so many records, and characters in their texts, is over its limits."""
    return records > records_max or chars > text_chars_max


def removable(
    history: RuleHistory,
    sizes: Sequence[tuple[int, int]],
    records_max: int = RECORDS_MAX,
    text_chars_max: int = TEXT_CHARS_MAX,
) -> int:
    """The record that a checkpoint replaces when the log is full; those before it are removed. 0 if none can be. `sizes`:
    the number of each record, oldest first, and of the characters in its text. What is needed stays, however old."""
    records = chars = 0
    for number, size in reversed(sizes):
        records, chars = records + 1, chars + size
        if is_full(2 * records, 2 * chars, records_max, text_chars_max):
            last = min(number, history.needed - 1)
            return last if last > sizes[0][0] else 0
    return 0


def _event(record: AdoptionRecord, state: AdoptionState) -> Event | None:
    match record.kind:
        case "before" | "edited":
            return Edited(record.number, record.meaning)
        case "adopted":
            lasts = Milliseconds(record.trial_s * 1000)
            return Adopted(record.number, lasts, record.subject, meaning=record.meaning)
        case "scheduled":
            due = _local(record.due)
            is_understood = due is not None or not record.due
            if not is_understood:
                return None
            return Scheduled(record.number, due, record.by, record.meaning, record.waits_s)
        case "draft":
            return Drafted(Draft(record.number, record.meaning, record.adopted))
        case "approved":
            return ApprovedBy(record.subject, record.by)
        case "confirmed":
            return ConfirmedBy(record.subject)
        case "reverted" | "withdrawn":
            return _ending(record, state)
        case "checkpoint":
            return None


def _ending(record: AdoptionRecord, state: AdoptionState) -> Event | None:
    """Of a trial, a schedule or a draft; None if it is none of these now."""
    if any(each.number == record.subject for each in state.drafts):
        return DraftEnded(record.subject, record.reason)
    now = state.trial if record.kind == "reverted" else state.waiting
    if now is None or now.number != record.subject:
        return None
    return TakenBack(record.reason, only_waiting=record.kind == "withdrawn")


def _local(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None

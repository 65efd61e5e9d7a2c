"""A case about one account, one step of a ladder: notice, in force, suspended by an objection, ended. State machine.

A case has two times: civil time, and the time that the node has run. What begins a limit needs both, what ends it needs
one. So a clock that is set wrong, or that is not known, can only shorten a step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from node.governance.ladders import LADDER_NOTICE_HOURS, step_group, step_text
from node.governance.rules import Ladder
from node.units import AccountId, Monotonic, Now

Ending = Literal["over", "lifted", "silence", "removed"]
"""``over``: its time is over; ``lifted``: by an admin; ``silence``: nobody answered the objection; ``removed``: the rules
have no such step any longer."""
Phase = Literal["notice", "in force", "suspended", "ended"]

HOUR_MS, DAY_MS, DAY_S = 3_600_000, 86_400_000, 86_400
NOTICE_MS, NOTICE_S = LADDER_NOTICE_HOURS * HOUR_MS, LADDER_NOTICE_HOURS * 3_600


@dataclass(frozen=True, slots=True)
class LadderCase:
    """One case."""

    number: int
    account: AccountId
    ladder: str
    step: int
    """From 1."""
    said: str
    """The step as the rules said it when the case was opened."""
    days: int
    """0: a word only."""
    reason: str
    by: str
    """The admin who opened it."""
    opened_s: int
    """Unix time."""
    boot: str
    at_ms: Monotonic
    """A moment of this boot..."""
    ran_ms: int = 0
    """... and how long the node had run with the case by then."""
    objection: int = 0
    """Number of the person's objection; 0 for none."""
    objected_s: int = 0
    objected_ran_ms: int = 0
    is_answered: bool = False
    ending: Ending | Literal[""] = ""
    ended_s: int = 0
    ended_by: str = ""

    @property
    def begins_s(self) -> int:
        """Unix time from which the step holds."""
        return self.opened_s + NOTICE_S

    @property
    def until_s(self) -> int:
        return self.begins_s + self.days * DAY_S

    @property
    def group(self) -> str:
        return step_group(self.ladder, self.step)

    @property
    def is_suspended(self) -> bool:
        return bool(self.objection) and not self.is_answered

    def ran_by(self, now: Now) -> int:
        """For how long the node has run with the case, in ms; `now` is of its boot."""
        return self.ran_ms + max(0, now.now - self.at_ms)


@dataclass(frozen=True, slots=True)
class Objected:
    """The person objects."""

    objection: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An admin answered the objection; the step goes on."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """An admin lifts the case."""

    by: str


@dataclass(frozen=True, slots=True)
class StepRemoved:
    """The rules have no such step any longer."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Time has passed."""

    answer_days: int


Event = Objected | Answered | Lifted | StepRemoved | Checked
CaseEffect = Literal["suspended", "resumed", "over", "lifted", "silence", "removed"]
"""What happened, for the log."""


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """What an admin decides about an account."""

    account: AccountId
    ladder: Ladder
    step: int
    """From 1; the ladder has it."""
    reason: str
    by: str


def open_case(number: int, opened: CaseOpened, now: Now) -> LadderCase:
    """A new case. Precondition: the time is known."""
    assert now.wall_s is not None, "without the time nobody could be told until when it holds"
    its_step = opened.ladder.steps[opened.step - 1]
    return LadderCase(
        number,
        opened.account,
        opened.ladder.id,
        opened.step,
        step_text(its_step),
        its_step.days,
        opened.reason,
        opened.by,
        now.wall_s,
        now.boot,
        now.now,
    )


def step(case: LadderCase, event: Event, now: Now) -> tuple[LadderCase, tuple[CaseEffect, ...]]:
    """The case after the event, and what happened. An event that does not fit changes nothing."""
    if case.ending:
        return case, ()
    match event:
        case Objected(number):
            if case.objection:
                return case, ()
            suspended = replace(
                case, objection=number, objected_s=now.wall_s or 0, objected_ran_ms=case.ran_by(now)
            )
            return suspended, ("suspended",)
        case Answered():
            return (replace(case, is_answered=True), ("resumed",)) if case.is_suspended else (case, ())
        case Lifted(by):
            return _ended(case, "lifted", now, by), ("lifted",)
        case StepRemoved():
            return _ended(case, "removed", now), ("removed",)
        case Checked(answer_days):
            ending = _due(case, now, answer_days)
            return (case, ()) if ending is None else (_ended(case, ending, now), (ending,))


def phase(case: LadderCase, now: Now, answer_days: int) -> Phase:
    """Where it stands now, also before the end of its time was noted."""
    if case.ending or _due(case, now, answer_days) is not None:
        return "ended"
    if case.is_suspended:
        return "suspended"
    return "in force" if _has_begun(case, now) else "notice"


def holds(case: LadderCase, now: Now, answer_days: int) -> bool:
    """Whether the step limits the account. While the time is not known no step does."""
    return now.wall_s is not None and phase(case, now, answer_days) == "in force"


def rebased(case: LadderCase, now: Now, saved_at: Monotonic | None) -> LadderCase:
    """The case of another boot in the time of this one. `saved_at`: the last moment of that boot that is known."""
    if case.boot == now.boot:
        return case
    ran = case.ran_ms + (0 if saved_at is None else max(0, saved_at - case.at_ms))
    return replace(case, boot=now.boot, at_ms=now.now, ran_ms=ran)


def next_step(before: Iterable[LadderCase], ladder: Ladder, wall_s: int) -> int:
    """The step that a new case of the account brings. `before`: its cases. One that was lifted, or whose step was removed,
    does not count; nor does one of a future that a wrong clock wrote."""
    counting = [each for each in before if each.ladder == ladder.id and each.ending == "over"]
    last = max(counting, key=lambda each: each.number, default=None)
    if last is None or not 0 <= wall_s - last.ended_s <= ladder.decay_days * DAY_S:
        return 1
    return min(last.step + 1, len(ladder.steps))


def _has_begun(case: LadderCase, now: Now) -> bool:
    return case.ran_by(now) >= NOTICE_MS and (now.wall_s is None or now.wall_s >= case.begins_s)


def _due(case: LadderCase, now: Now, answer_days: int) -> Ending | None:
    """Why it should end now. An objection that waits is answered first, so that the case does not count as if it stood."""
    if case.is_suspended:
        is_silent = case.ran_by(now) - case.objected_ran_ms >= answer_days * DAY_MS or (
            now.wall_s is not None and 0 < case.objected_s <= now.wall_s - answer_days * DAY_S
        )
        return "silence" if is_silent else None
    ran_out = case.ran_by(now) >= NOTICE_MS + case.days * DAY_MS
    return "over" if ran_out or (now.wall_s is not None and now.wall_s >= case.until_s) else None


def _ended(case: LadderCase, ending: Ending, now: Now, by: str = "") -> LadderCase:
    """The end of its time counts from when it was due."""
    ended = case.until_s if now.wall_s is None else now.wall_s
    return replace(case, ending=ending, ended_s=min(ended, case.until_s), ended_by=by)

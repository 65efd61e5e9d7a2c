"""The state machine of adoption, its log, and whatever order things happen in."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.adoption import (
    FAILS_FOR,
    LATE_MAX,
    RECORDS_MAX,
    TEXT_CHARS_MAX,
    Adopted,
    AdoptionRecord,
    AdoptionState,
    Append,
    ApprovedBy,
    Begin,
    ConfirmedBy,
    Edited,
    Event,
    LogCheck,
    PutInForce,
    Restarted,
    Schedule,
    Scheduled,
    TakenBack,
    TimePassed,
    Trial,
    WriteFile,
    sealed,
    step,
)
from node.governance.rule_history import RuleHistory, is_full, removable
from node.units import Milliseconds, Monotonic

TEN_MINUTES = Milliseconds(600_000)
NOON = datetime(2026, 11, 24, 12)
ON_TRIAL = AdoptionState(1, Trial(2, Monotonic(600_000)))
NOW = Monotonic(0)
BY_ANA = frozenset({"admin Ana"})


def test_adopted_rules_are_in_force_until_their_time_is_over() -> None:
    state, effects = step(AdoptionState(1), Adopted(2, TEN_MINUTES), NOW)
    assert (2, (PutInForce(2),)) == (state.in_force, effects)
    state, effects = step(state, TimePassed(None), Monotonic(599_999))
    assert (2, ()) == (state.in_force, effects)
    state, effects = step(state, TimePassed(None), Monotonic(600_000))
    assert (1, (PutInForce(1), Append("reverted", 2, "time"))) == (state.in_force, effects)


def test_confirmed_rules_go_into_the_file_before_the_log() -> None:
    state, effects = step(ON_TRIAL, ConfirmedBy(2), NOW)
    assert (AdoptionState(2), (WriteFile(2), Append("confirmed", 2))) == (state, effects)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_confirming_anything_but_the_trial_changes_nothing(number: int) -> None:
    assert (ON_TRIAL, ()) == step(ON_TRIAL, ConfirmedBy(number), NOW)
    assert (AdoptionState(2), ()) == step(AdoptionState(2), ConfirmedBy(2), NOW)


def test_a_second_adoption_begins_a_trial_of_its_own_and_the_confirmed_rules_stay_the_way_back() -> None:
    state, _ = step(ON_TRIAL, Adopted(3, TEN_MINUTES), Monotonic(500_000))
    assert (1, 3, 1_100_000) == (state.active, state.in_force, state.trial and state.trial.ends)
    _, effects = step(state, TakenBack("admin"), Monotonic(500_001))
    assert (PutInForce(1), Append("reverted", 3, "admin")) == effects


@pytest.mark.parametrize(
    ("is_written", "active", "effects"),
    [
        (False, 1, (PutInForce(1), Append("reverted", 2, "restart"))),
        (True, 2, (Append("confirmed", 2),)),
    ],
)
def test_a_restart_ends_a_trial_unless_its_rules_are_in_the_file(is_written, active, effects) -> None:
    assert (AdoptionState(active), effects) == step(ON_TRIAL, Restarted(is_written), NOW)
    assert (AdoptionState(1), ()) == step(AdoptionState(1), Restarted(is_written), NOW)


def test_a_health_gate_that_fails_for_a_while_ends_the_trial_and_a_short_failure_does_not() -> None:
    fails = TimePassed(None, frozenset({"kernel"}))
    state, effects = step(ON_TRIAL, fails, Monotonic(1_000))
    assert () == effects
    state, effects = step(state, TimePassed(None), Monotonic(1_000 + FAILS_FOR))
    assert () == effects, "it works again"
    state, _ = step(state, fails, Monotonic(20_000))
    assert () == step(state, fails, Monotonic(20_000 + FAILS_FOR - 1))[1]
    _, effects = step(state, fails, Monotonic(20_000 + FAILS_FOR))
    assert (PutInForce(1), Append("reverted", 2, "kernel")) == effects


def test_a_health_gate_that_failed_before_does_not_end_the_trial() -> None:
    state, _ = step(AdoptionState(1), Adopted(2, TEN_MINUTES, failing=frozenset({"lifeline"})), NOW)
    for now in (1_000, 100_000):
        state, effects = step(state, TimePassed(None, frozenset({"lifeline"})), Monotonic(now))
        assert () == effects


def test_a_health_gate_that_failed_since_the_trial_before_does_end_the_next() -> None:
    state, _ = step(AdoptionState(1), Adopted(2, TEN_MINUTES), NOW)
    state, _ = step(state, Adopted(3, TEN_MINUTES, failing=frozenset({"kernel"})), Monotonic(1_000))
    fails = TimePassed(None, frozenset({"kernel"}))
    state, _ = step(state, fails, Monotonic(2_000))
    _, effects = step(state, fails, Monotonic(2_000 + FAILS_FOR))
    assert (PutInForce(1), Append("reverted", 3, "kernel")) == effects


def test_an_edit_is_in_force_whatever_was_on_trial() -> None:
    assert (AdoptionState(3), (PutInForce(3), Append("reverted", 2, "newer"))) == step(
        ON_TRIAL, Edited(3), NOW
    )


@pytest.mark.parametrize(
    ("civil", "is_due"),
    [
        (None, False),
        (datetime(1970, 1, 1), False),
        (NOON - timedelta(minutes=1), False),
        (NOON, True),
        (NOON + LATE_MAX, True),
        (datetime(2099, 1, 1), False),
    ],
)
def test_scheduled_rules_begin_at_their_time_and_not_by_a_clock_that_is_wrong(civil, is_due) -> None:
    state = AdoptionState(1, waiting=Schedule(2, NOON, BY_ANA))
    assert (state, (Begin(2),) if is_due else ()) == step(state, TimePassed(civil), NOW)


def test_scheduled_rules_that_begin_no_longer_wait() -> None:
    state = AdoptionState(1, waiting=Schedule(2, NOON, BY_ANA))
    state, _ = step(state, Adopted(3, TEN_MINUTES, began=2), NOW)
    assert None is state.waiting


def test_scheduled_rules_are_withdrawn_when_others_are_confirmed_meanwhile() -> None:
    waiting = replace(ON_TRIAL, waiting=Schedule(5, NOON, BY_ANA))
    for event in (ConfirmedBy(2), Edited(6), Scheduled(7, NOON)):
        state, effects = step(waiting, event, NOW)
        assert Append("withdrawn", 5, "newer") in effects
        assert state.waiting is None or state.waiting.number == 7


def test_a_schedule_can_be_withdrawn_during_a_trial_which_goes_on() -> None:
    state = replace(ON_TRIAL, waiting=Schedule(5, NOON, BY_ANA))
    after, effects = step(state, TakenBack("admin", only_waiting=True), NOW)
    assert (ON_TRIAL, (Append("withdrawn", 5, "admin"),)) == (after, effects)
    assert (ON_TRIAL, ()) == step(ON_TRIAL, TakenBack("admin", only_waiting=True), NOW)


@given(st.lists(st.sampled_from(["Ana", "Ben", "Cora", "Dan"]), max_size=8), st.integers(1, 5))
def test_rules_begin_when_enough_different_admins_approve_them_and_not_before(
    admins: list[str], needed: int
) -> None:
    state, _ = step(AdoptionState(1), Scheduled(2, None, "Ana"), NOW)
    passed = TimePassed(None, needed=needed)
    for count in range(len(admins) + 1):
        different = {"Ana", *admins[:count]}
        assert (state, (Begin(2),) if len(different) >= needed else ()) == step(state, passed, NOW)
        if count < len(admins):
            state, effects = step(state, ApprovedBy(2, admins[count]), NOW)
            assert () == effects, "it is in the log already"


def test_approved_rules_still_wait_for_their_time_and_those_whose_time_has_come_for_approvals() -> None:
    state, _ = step(AdoptionState(1), Scheduled(2, NOON, "Ana"), NOW)
    early, due = NOON - timedelta(minutes=1), NOON + timedelta(days=1)
    assert () == step(state, TimePassed(due, needed=2), NOW)[1]
    state, _ = step(state, ApprovedBy(2, "Ben"), NOW)
    assert () == step(state, TimePassed(early, needed=2), NOW)[1]
    assert (Begin(2),) == step(state, TimePassed(due, needed=2), NOW)[1]


def test_an_approval_of_other_rules_than_those_that_wait_changes_nothing() -> None:
    state, _ = step(AdoptionState(1), Scheduled(3, None, "Ana"), NOW)
    assert (state, ()) == step(state, ApprovedBy(2, "Ben"), NOW)
    assert (ON_TRIAL, ()) == step(ON_TRIAL, ApprovedBy(2, "Ben"), NOW)


# --- the log ---


def chain(*records: AdoptionRecord) -> list[AdoptionRecord]:
    made: list[AdoptionRecord] = []
    for record in records:
        made.append(sealed(record, len(made) + 1, made[-1].hash if made else ""))
    return made


def said(kind: str, text: str = "", **more: object) -> AdoptionRecord:
    return AdoptionRecord(kind, "2026-11-24T12:00", "admin", text and f"f-{text}", text, **more)  # type: ignore[arg-type]


LOG = chain(
    said("before", "one"),
    said("adopted", "two", trial_s=600),
    said("reverted", subject=2, reason="time"),
    said("adopted", "three", trial_s=600),
    said("confirmed", subject=4),
    said("scheduled", "four", due="2026-12-01T06:00"),
    said("withdrawn", subject=6, reason="admin"),
    said("adopted", "one", subject=1, trial_s=600),
)


def history(log: list[AdoptionRecord]) -> RuleHistory:
    made = RuleHistory()
    for record in log:
        made.add(record)
    return made


def test_the_log_says_what_became_of_each_version() -> None:
    found = {each.number: (each.state, each.reason, each.put_back) for each in history(LOG).versions()}
    assert {
        8: ("trial", "", 1),
        6: ("withdrawn", "admin", 0),
        4: ("fallback", "", 0),
        2: ("reverted", "time", 0),
        1: ("superseded", "", 0),
    } == found


def test_the_log_says_who_approved_a_version_and_what_it_puts_back() -> None:
    log = chain(
        said("before", "one"),
        said("edited", "two"),
        said("scheduled", "one", subject=1, trial_s=600),
        replace(said("approved", subject=3), by="admin Ben"),
        said("adopted", "one", subject=3, trial_s=600),
    )
    made = history(log)
    begun, waited = made.version(5), made.version(3)
    assert begun is not None
    assert waited is not None
    assert ("trial", 1, ("admin Ben",)) == (begun.state, begun.put_back, begun.approved)
    assert ("superseded", True) == (waited.state, waited.has_waited)
    assert None is made.state.waiting
    before = history(log[:4]).state.waiting
    assert before == Schedule(3, None, frozenset({"admin", "admin Ben"}))


def test_a_record_of_a_kind_from_a_later_version_changes_nothing() -> None:
    log = chain(said("before", "one"), said("edited", "two"), said("vetoed", subject=1))  # type: ignore[arg-type]
    assert history(log[:2]).versions() == history(log).versions()


def test_an_approval_that_is_in_the_log_twice_is_shown_once() -> None:
    twice = [replace(said("approved", subject=1), by=by) for by in ("admin Ben", "admin ben", "admin")]
    version = history(chain(replace(said("scheduled", "one"), by="admin Ana"), *twice)).version(1)
    assert version is not None
    assert ("admin Ben", "admin") == version.approved


def test_the_version_before_is_the_one_confirmed_last_with_another_text() -> None:
    previous = history(LOG).previous()
    assert 1 == (previous and previous.number)
    assert None is history(LOG[:3]).previous()


def damage(log: list[AdoptionRecord]) -> int:
    check = LogCheck()
    return next((found for record in log if (found := check.add(record))), 0)


def test_a_whole_log_is_whole() -> None:
    assert 0 == damage(LOG)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "other"),
        ("by", "admin Eva"),
        ("adopted", "2026-11-25T12:00"),
        ("reason", "kernel"),
        ("subject", 1),
        ("kind", "confirmed"),
        ("fingerprint", "x"),
        ("due", "2027"),
        ("trial_s", 1),
    ],
)
def test_a_record_that_was_changed_is_named(field: str, value: object) -> None:
    assert 3 == damage([*LOG[:2], replace(LOG[2], **{field: value}), *LOG[3:]])  # type: ignore[arg-type]


def test_a_record_that_was_removed_or_replaced_is_named() -> None:
    assert 3 == damage([*LOG[:2], *LOG[3:]])
    again = sealed(replace(LOG[2], by="admin Eva"), 3, LOG[1].hash)
    assert 4 == damage([*LOG[:2], again, *LOG[3:]])


def test_a_damaged_log_is_read_as_far_as_it_makes_sense() -> None:
    nonsense = said("scheduled", "x", due="soon"), said("confirmed", subject=99), said("reverted", subject=77)
    assert 4 == history([*LOG[:5], *chain(*nonsense)]).state.active


# --- a full log loses its oldest records ---


def shortened(
    log: list[AdoptionRecord], records_max: int, text_chars_max: int = 10**6
) -> list[AdoptionRecord]:
    sizes = [(record.number, len(record.text)) for record in log]
    last = removable(history(log), sizes, records_max, text_chars_max)
    if not last:
        return log
    first = log[0].number
    place = log[last - first]
    checkpoint = AdoptionRecord("checkpoint", "", "", number=place.number, prev=place.prev, hash=place.hash)
    return [checkpoint, *log[last - first + 1 :]]


EDITS = chain(*(said("edited", f"text {number}") for number in range(10)))


def test_the_newest_half_of_a_full_log_stays_behind_a_checkpoint() -> None:
    assert not is_full(RECORDS_MAX, TEXT_CHARS_MAX)
    assert is_full(RECORDS_MAX + 1, 0)
    assert is_full(1, TEXT_CHARS_MAX + 1)
    left = shortened(EDITS, 8)
    assert [6, 7, 8, 9, 10] == [record.number for record in left]
    assert [10, 9, 8, 7] == [each.number for each in history(left).versions()]
    assert [8, 9, 10] == [record.number for record in shortened(EDITS, 100, text_chars_max=6 * 4)]
    assert EDITS == shortened(EDITS, 100)


def test_a_chain_that_begins_with_a_checkpoint_can_be_checked_and_goes_on() -> None:
    left = shortened(EDITS, 8)
    assert 0 == damage(left)
    assert 8 == damage([*left[:2], replace(left[2], by="admin Eva"), *left[3:]])
    assert 6 == damage([*EDITS[:5], *left])  # a checkpoint can only be the first
    assert 1 == damage(left[1:])
    longer = [*left, sealed(said("edited", "more"), 11, left[-1].hash)]
    assert 0 == damage(longer)
    assert 11 == history(longer).state.active


def test_what_is_needed_stays_in_a_full_log() -> None:
    trials = [said("adopted", f"trial {number}", trial_s=600) for number in range(20)]
    edits = [said("edited", f"text {number}") for number in range(4)]
    left = shortened(chain(*edits, *trials), 4)
    assert list(range(2, 25)) == [record.number for record in left]
    assert (4, 3) == (history(left).state.active, (before := history(left).previous()) and before.number)


# --- whatever the order of events, and with the node killed between any two steps ---


class AdoptingNode:
    """A node as far as adoption goes: the log and the file outlive it, what is in force does not."""

    def __init__(self) -> None:
        self.now, self.state = 1_000, AdoptionState()
        self.log: list[AdoptionRecord] = []
        self.file = "start"
        self.in_force, self.texts = self.file, {0: self.file}
        self.left = 0
        """Effects until the next kill; 0 for none."""
        self.append(said("edited", "start"))
        self.handle(Edited(1))

    def append(self, record: AdoptionRecord) -> int:
        self.log = chain(*self.log, record)
        self.texts[len(self.log)] = record.text
        return len(self.log)

    def handle(self, event: Event) -> None:
        self.state, effects = step(self.state, event, Monotonic(self.now))
        for effect in effects:
            if self.left and self.left == 1:
                self.kill()
                return
            self.left = max(0, self.left - 1)
            match effect:
                case PutInForce(number):
                    self.in_force = self.texts[number]
                case WriteFile(number):
                    self.file = self.texts[number]
                case Append(kind, subject, reason):
                    self.append(said(kind, subject=subject, reason=reason))
                case Begin(number):
                    self.adopt(self.texts[number], began=number)

    def adopt(self, text: str, began: int = 0) -> None:
        number = self.append(said("adopted", text, subject=began, trial_s=600))
        self.handle(Adopted(number, TEN_MINUTES, began))

    def kill(self) -> None:
        """And start again."""
        self.left, self.in_force = 0, self.file
        self.now = 1_000
        self.state = history(self.log).state
        trial = self.state.trial
        self.handle(Restarted(trial is not None and self.texts[trial.number] == self.file))
        if self.file != self.texts.get(self.state.active):
            self.handle(Edited(self.append(said("edited", self.file))))

    def do(self, action: str, amount: int) -> None:
        match action:
            case "adopt":
                self.adopt(f"text {amount}")
            case "schedule":
                due = NOON + timedelta(seconds=amount)
                number = self.append(said("scheduled", f"text {amount}", due=due.isoformat()))
                self.handle(Scheduled(number, due, "admin"))
            case "propose":
                number = self.append(said("scheduled", f"text {amount}"))
                self.handle(Scheduled(number, None, "admin"))
            case "approve":
                waiting, by = self.state.waiting, f"admin {amount % 3}"
                number = waiting.number if waiting and amount % 5 else amount % 9
                self.append(replace(said("approved", subject=number), by=by))
                self.handle(ApprovedBy(number, by))
            case "confirm":
                self.handle(
                    ConfirmedBy(self.state.trial.number if amount % 2 and self.state.trial else amount % 9)
                )
            case "edit":
                self.file = self.in_force = f"edit {amount}"
                self.handle(Edited(self.append(said("edited", self.file))))
            case "take back":
                self.handle(TakenBack("admin"))
            case "withdraw":
                self.handle(TakenBack("admin", only_waiting=True))
            case "wait":
                self.now += amount * 1_000
                failing = frozenset({"kernel"} if amount % 7 == 0 else ())
                civil, needed = NOON + timedelta(milliseconds=self.now), 1 + amount % 3
                before = self.state.waiting
                self.handle(TimePassed(civil, failing, needed))  # type: ignore[arg-type]
                has_begun = before is not None and any(
                    r.subject == before.number for r in self.log if r.kind == "adopted"
                )
                assert not has_begun or len(before.approved) >= needed, "not without approvals"
            case "kill soon":
                self.left = 1 + amount % 3
            case _:
                self.kill()


ACTIONS = (
    "adopt",
    "schedule",
    "propose",
    "approve",
    "approve",
    "confirm",
    "edit",
    "take back",
    "withdraw",
    "wait",
    "wait",
    "kill soon",
    "kill",
)


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 700)), max_size=25))
def test_the_rules_in_force_are_those_confirmed_last_or_a_trial_that_still_ends(
    actions: list[tuple[str, int]],
) -> None:
    node = AdoptingNode()
    for action, amount in actions:
        node.do(action, amount)
        trial = node.state.trial
        if trial is None:
            assert node.file == node.in_force == node.texts[node.state.active]
        else:
            assert node.in_force == node.texts[trial.number]
            assert trial.ends <= node.now + TEN_MINUTES
        read = history(node.log).state
        assert (node.state.active, node.state.in_force) == (read.active, read.in_force)
        assert node.state.waiting == read.waiting
        left, whole = history(shortened(node.log, 4)), history(node.log)
        assert (whole.state, whole.previous()) == (left.state, left.previous())
        assert 0 == damage(shortened(node.log, 4))
    node.now += TEN_MINUTES
    node.handle(TimePassed(None, needed=9))
    assert node.file == node.in_force
    assert 0 == damage(node.log)

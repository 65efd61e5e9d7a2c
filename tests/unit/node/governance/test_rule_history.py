"""Drafts in the log of adoptions: they change nothing else, and the log says what became of them."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.governance.adoption import (
    BOOT_MS,
    AdoptionRecord,
    AdoptionState,
    Append,
    DayPassed,
    Draft,
    LogCheck,
    RecordKind,
    sealed,
    step,
)
from node.governance.rule_history import RuleHistory, removable

KINDS: list[RecordKind] = ["edited", "adopted", "scheduled", "approved", "confirmed", "reverted", "withdrawn"]
OF_TEXTS = {"edited", "adopted", "scheduled", "draft"}


def record(kind: RecordKind, subject: int = 0, meaning: str = "") -> AdoptionRecord:
    text = f"rules {meaning}" if kind in OF_TEXTS else ""
    mark = f"f-{meaning}" if text else ""
    return AdoptionRecord(
        kind,
        "2026-11-24T12:00",
        "admin Ana",
        mark,
        text,
        0 if text else subject,
        meaning=meaning if text else "",
    )


def history(records: list[AdoptionRecord]) -> RuleHistory:
    made = RuleHistory()
    for each in records:
        made.add(each)
    return made


records = st.lists(
    st.tuples(st.sampled_from([*KINDS, "draft", "draft"]), st.integers(1, 12), st.sampled_from("abcdef")),
    max_size=24,
)


@given(records)
def test_drafts_change_nothing_about_what_is_in_force_on_trial_or_waits(story) -> None:
    numbered = [replace(record(*each), number=place) for place, each in enumerate(story, start=1)]
    drafts = {each.number for each in numbered if each.kind == "draft"}
    others = [each for each in numbered if each.number not in drafts and each.subject not in drafts]
    with_drafts, without = history(numbered).state, history(others).state
    assert (without.active, without.trial, without.waiting) == (
        with_drafts.active,
        with_drafts.trial,
        with_drafts.waiting,
    )


@example([("edited", 1, "a"), ("draft", 1, "a"), ("reverted", 2, "a")])
@given(records)
def test_each_draft_is_open_withdrawn_or_superseded_by_a_later_version_that_says_the_same(story) -> None:
    numbered = [replace(record(*each), number=place) for place, each in enumerate(story, start=1)]
    made = history(numbered)
    is_open = {each.number for each in made.state.drafts}
    for version in made.versions():
        if not version.is_draft:
            continue
        assert (version.number in is_open) == (version.state == "draft")
        if version.state == "superseded":
            decided = made.version(version.decided_as)
            assert decided is not None
            assert (decided.meaning, True) == (version.meaning, decided.number > version.number)
        else:
            assert version.state == "draft" or version.state == "withdrawn"
    newest = made.newest()
    assert newest is None or not newest.is_draft


def test_records_without_what_drafts_brought_keep_their_hashes_and_others_are_protected_by_theirs() -> None:
    before = sealed(AdoptionRecord("edited", "2026-11-24T12:00", "admin", "f", "x"), 1, "")
    assert "c819b035c43298bcf95c0c5a0b7055ad" == before.hash[:32]
    for changed in (replace(before, meaning="m"), replace(before, waits_s=60)):
        assert before.hash != sealed(changed, 1, "").hash
        assert 1 == LogCheck().add(changed)


@pytest.mark.parametrize(
    ("day", "ended"), [(1, False), (89, False), (90, True), (455, True), (30_000, False)]
)
def test_a_draft_ends_after_ninety_days_unless_the_clock_cannot_be_right(day: int, ended: bool) -> None:
    state = AdoptionState(1, drafts=(Draft(2, "m", "2026-01-01T09:00:00+01:00"), Draft(3, "n", "?")))
    today = date.fromordinal(date(2026, 1, 1).toordinal() + day)
    after, effects = step(state, DayPassed(today), BOOT_MS)
    assert ((Append("withdrawn", 2, "time"),) if ended else ()) == effects
    assert ([3] if ended else [2, 3]) == [each.number for each in after.drafts]


def test_an_open_draft_stays_in_a_full_log() -> None:
    log = [replace(record("edited", meaning="a"), number=1), replace(record("draft", meaning="b"), number=2)]
    log += [replace(record("edited", meaning="cd"[number % 2]), number=number) for number in range(3, 40)]
    sizes = [(each.number, len(each.text)) for each in log]
    assert removable(history(log), sizes, records_max=10) < 2
    log.append(replace(record("withdrawn", 2), number=40))
    assert removable(history(log), [*sizes, (40, 0)], records_max=10) > 30


@pytest.mark.parametrize(("day", "stays"), [("2026-12-24", True), ("2026-12-25", False), ("unknown", True)])
def test_what_members_stopped_stays_in_a_full_log_for_thirty_days(day: str, stays: bool) -> None:
    log = [record("edited", meaning="a"), record("scheduled", meaning="b")]
    log += [replace(record("withdrawn", 2), reason="objections")]
    for number in range(18):
        log += [record("draft", meaning="b"), record("withdrawn", 4 + 2 * number)]
    log += [replace(record("edited", meaning=each), adopted=day) for each in "cd"]
    numbered = [replace(each, number=place) for place, each in enumerate(log, start=1)]
    made = history(numbered)
    sizes = [(each.number, len(each.text)) for each in numbered]
    assert stays == (removable(made, sizes, records_max=10) < 2)

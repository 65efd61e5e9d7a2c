"""Cases of ladders, event by event: notice, the step, objections, the end, and what wrong clocks cannot do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.governance.ladder_case import (
    DAY_MS,
    DAY_S,
    HOUR_MS,
    Answered,
    CaseOpened,
    Checked,
    Event,
    LadderCase,
    Lifted,
    Objected,
    StepRemoved,
    holds,
    next_step,
    open_case,
    phase,
    rebased,
    step,
)
from node.governance.rules import Ceiling, Ladder, LadderStep, Share, UsageAlert, Who
from node.units import AccountId, BitsPerSecond, Monotonic, Now, Rates
from tests.examples import examples

ANSWER = 7
SLOW = Ceiling(Rates(BitsPerSecond(1_000_000), BitsPerSecond(1_000_000)))
STEPS = (LadderStep(UsageAlert()), LadderStep(Share(50), 7), LadderStep(SLOW, 14))
LADDER = Ladder("big-users", Who(everyone=True), STEPS, "D-1")
OPENED_S = 1_795_000_000


def at(hours: float = 0, *, wall: float | None = -1, boot: str = "b1") -> Now:
    """So many hours of running after the opening; `wall`: other hours by the clock, None for an unknown one."""
    wall_s = None if wall is None else OPENED_S + int((hours if wall == -1 else wall) * 3_600)
    return Now(Monotonic(int(hours * HOUR_MS) + 5), boot, wall_s, "2026-11-29")


def case(number: int = 2) -> LadderCase:
    opened = CaseOpened(AccountId("ana"), LADDER, number, "much", "admin Pere")
    return open_case(1, opened, at())


def after(subject: LadderCase, *events: tuple[Event, Now]) -> LadderCase:
    for event, now in events:
        subject, _ = step(subject, event, now)
    return subject


def test_a_step_holds_after_a_day_of_notice_for_its_days_and_ends_by_itself() -> None:
    told = {
        hours: (phase(case(), at(hours), ANSWER), holds(case(), at(hours), ANSWER))
        for hours in (0, 23, 24, 191, 192)
    }
    assert {
        0: ("notice", False),
        23: ("notice", False),
        24: ("in force", True),
        191: ("in force", True),
        192: ("ended", False),
    } == told
    assert (case(), ()) == step(case(), Checked(ANSWER), at(191))
    over, effects = step(case(), Checked(ANSWER), at(200))
    assert (("over",), "over", case().until_s) == (effects, over.ending, over.ended_s)


def test_a_word_limits_nothing_and_is_over_after_a_day() -> None:
    assert not any(holds(case(1), at(hours), ANSWER) for hours in range(50))
    assert "over" == after(case(1), (Checked(ANSWER), at(24))).ending


def test_an_objection_suspends_until_the_answer_and_the_end_stays_where_it_was() -> None:
    suspended, effects = step(case(), Objected(9), at(30))
    assert ("suspended",) == effects
    assert ("suspended", False) == (phase(suspended, at(40), ANSWER), holds(suspended, at(40), ANSWER))
    answered, effects = step(suspended, Answered(), at(50))
    assert ("resumed",) == effects
    assert holds(answered, at(50), ANSWER)
    assert case().until_s == answered.until_s
    assert not holds(answered, at(192), ANSWER)


def test_only_the_first_objection_of_a_case_suspends_it() -> None:
    answered = after(case(), (Objected(9), at(30)), (Answered(), at(40)))
    assert (answered, ()) == step(answered, Objected(10), at(50))
    assert (case(), ()) == step(case(), Answered(), at(50))


def test_silence_lifts_the_case_after_the_days_of_the_charter_and_it_does_not_count() -> None:
    suspended = after(case(), (Objected(9), at(30)))
    assert (suspended, ()) == step(suspended, Checked(ANSWER), at(30 + 7 * 24 - 1))
    lifted, effects = step(suspended, Checked(ANSWER), at(30 + 7 * 24))
    assert (("silence",), "silence") == (effects, lifted.ending)
    assert 1 == next_step([lifted], LADDER, OPENED_S + 9 * DAY_S)


def test_an_objection_that_waits_keeps_the_case_from_counting_as_over() -> None:
    suspended = after(case(1), (Objected(9), at(3)))
    assert (suspended, ()) == step(suspended, Checked(ANSWER), at(100))
    assert "silence" == after(suspended, (Checked(ANSWER), at(3 + 7 * 24))).ending
    answered = after(suspended, (Answered(), at(100)), (Checked(ANSWER), at(100)))
    assert "over" == answered.ending


def test_an_admin_lifts_a_case_at_any_time_and_only_once() -> None:
    for before in (case(), after(case(), (Objected(9), at(30)))):
        lifted, effects = step(before, Lifted("admin Ana"), at(31))
        assert (("lifted",), "admin Ana") == (effects, lifted.ended_by)
        assert (lifted, ()) == step(lifted, Lifted("admin Ben"), at(32))
        assert "ended" == phase(lifted, at(31), ANSWER)


def test_a_step_that_the_rules_no_longer_have_ends_the_case() -> None:
    removed, effects = step(case(), StepRemoved(), at(30))
    assert (("removed",), "removed") == (effects, removed.ending)


@pytest.mark.parametrize("ending", ["lifted", "silence", "removed"])
def test_no_step_is_skipped_and_what_was_lifted_does_not_count(ending: str) -> None:
    over = [replace(case(number), number=number, ending="over", ended_s=OPENED_S) for number in (1, 2, 3)]
    now = OPENED_S + DAY_S
    found = [next_step(over[:count], LADDER, now) for count in range(4)]
    assert [1, 2, 3, 3] == found
    not_counting = replace(case(2), number=9, ending=ending, ended_s=OPENED_S)
    assert 2 == next_step([over[0], not_counting], LADDER, now)
    assert 1 == next_step(over, replace(LADDER, id="other"), now)


def test_after_so_long_without_a_case_the_first_step_comes_again() -> None:
    over = [replace(case(1), ending="over", ended_s=OPENED_S)]
    for days, expected in ((90, 2), (91, 1), (-1, 1)):
        assert expected == next_step(over, LADDER, OPENED_S + days * DAY_S), days


def test_a_ladder_that_became_shorter_has_its_own_last_step() -> None:
    over = [replace(case(3), ending="over", ended_s=OPENED_S)]
    assert 2 == next_step(over, replace(LADDER, steps=STEPS[:2]), OPENED_S)


def test_while_the_time_is_not_known_no_step_holds_and_its_time_runs() -> None:
    assert not holds(case(), at(30, wall=None), ANSWER)
    assert "over" == after(case(), (Checked(ANSWER), at(192, wall=None))).ending


CLOCK_1970, CLOCK_2099 = -OPENED_S / 3_600, 640_000


def test_a_clock_set_to_1970_does_not_prolong_a_step_nor_one_of_2099_hasten_it() -> None:
    assert "notice" == phase(case(), at(30, wall=CLOCK_1970), ANSWER)
    assert "over" == after(case(), (Checked(ANSWER), at(192, wall=CLOCK_1970))).ending
    assert not holds(case(), at(1, wall=CLOCK_2099), ANSWER)
    assert "over" == after(case(), (Checked(ANSWER), at(1, wall=CLOCK_2099))).ending
    early = open_case(1, CaseOpened(AccountId("ana"), LADDER, 2, "", "a"), at(0, wall=CLOCK_2099))
    assert "over" == after(early, (Checked(ANSWER), at(192))).ending


def test_after_a_reboot_the_time_that_the_node_ran_is_counted_on() -> None:
    again = rebased(case(), at(0, boot="b2"), Monotonic(5 + 20 * HOUR_MS))
    assert 20 * HOUR_MS == again.ran_ms
    assert 30 * HOUR_MS == again.ran_by(at(10, boot="b2"))
    assert 0 == rebased(case(), at(0, boot="b2"), None).ran_ms
    assert case() == rebased(case(), at(7), Monotonic(9))


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[Event, Now]]:
    """Events of a node whose clock jumps and that restarts; time that it runs only grows."""
    moments, ran = [], 0
    for _ in range(draw(st.integers(1, 30))):
        ran += draw(st.sampled_from([0, 1, 5, 23, 24, 100]))
        wall = draw(st.sampled_from([-1, -1, -1, None, CLOCK_1970, CLOCK_2099, 3, 400]))
        event: Event = draw(
            st.sampled_from([Objected(9), Answered(), Lifted("admin"), StepRemoved(), *[Checked(ANSWER)] * 5])
        )
        moments.append((event, at(ran, wall=wall)))
    return moments


@settings(max_examples=examples(400), deadline=None)
@given(stories(), st.integers(1, 3))
def test_whatever_happens_a_step_holds_only_after_notice_and_within_its_own_time(
    story: list[tuple[Event, Now]], number: int
) -> None:
    subject, days = case(number), STEPS[number - 1].days
    for event, now in story:
        ended = subject
        subject, effects = step(subject, event, now)
        if ended.ending:
            assert (ended, ()) == (subject, effects)
        assert bool(effects) == (ended != subject)
        assert case(number).until_s == subject.until_s
        if holds(subject, now, ANSWER):
            assert DAY_MS <= subject.ran_by(now) < DAY_MS + days * DAY_MS
            assert now.wall_s is not None
            assert subject.begins_s <= now.wall_s < subject.until_s
            assert not subject.is_suspended
            assert not subject.ending
        if subject.ending:
            assert subject.ended_s <= subject.until_s

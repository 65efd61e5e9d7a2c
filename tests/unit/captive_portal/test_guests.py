"""A guest's life, as a table of every state and every event, and as promises that hold in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.guests import (
    STAY,
    Admitted,
    Effect,
    Event,
    Expired,
    Guest,
    Left,
    LetPass,
    Pardoned,
    Remember,
    Removed,
    RemovedByAdmin,
    RestoredAfterRestart,
    StopPassing,
    TermsAccepted,
    Tick,
    Waiting,
    step,
)

NOW = 50_000
WAITING, EXPIRED, REMOVED = Waiting(), Expired(), Removed("noise at night")
OPEN, TIMED, OVERDUE = Admitted(10_000, None), Admitted(10_000, 90_000), Admitted(10_000, 50_000)
JOIN_FOREVER, JOIN = TermsAccepted("1", None), TermsAccepted("1", 60_000)
KICK = RemovedByAdmin("shared a stolen key")
BACK, BACK_FOREVER, TOO_LATE = (
    RestoredAfterRestart(5_000),
    RestoredAfterRestart(None),
    RestoredAfterRestart(0),
)

FRESH, FRESH_FOREVER, RESTORED = Admitted(NOW, 110_000), Admitted(NOW, None), Admitted(NOW, 55_000)
KICKED = Removed("shared a stolen key")
ENTERS = (FRESH, (Remember(FRESH), LetPass(110_000)))
ENTERS_FOREVER = (FRESH_FOREVER, (Remember(FRESH_FOREVER), LetPass(None)))
IS_KICKED = (KICKED, (Remember(KICKED), StopPassing()))
LEAVES = (WAITING, (Remember(WAITING), StopPassing()))
WAITS = (WAITING, (Remember(WAITING),))
ENDS = (EXPIRED, (Remember(EXPIRED), StopPassing()))
EVENTS = (JOIN, JOIN_FOREVER, Left(), Tick(), KICK, Pardoned(), BACK, BACK_FOREVER, TOO_LATE)
TABLE: dict[Guest, tuple[tuple[Guest, tuple[Effect, ...]] | None, ...]] = {
    # join, join forever, leave, tick, kick, pardon, restored: with time, without end, too late. None: stays.
    WAITING: (
        ENTERS,
        ENTERS_FOREVER,
        None,
        None,
        IS_KICKED,
        None,
        (RESTORED, (LetPass(55_000),)),
        (FRESH_FOREVER, (LetPass(None),)),
        ENDS,
    ),
    OPEN: (ENTERS, ENTERS_FOREVER, LEAVES, None, IS_KICKED, None, None, None, None),
    TIMED: (ENTERS, ENTERS_FOREVER, LEAVES, None, IS_KICKED, None, None, None, None),
    OVERDUE: (ENTERS, ENTERS_FOREVER, LEAVES, ENDS, IS_KICKED, None, None, None, None),
    EXPIRED: (ENTERS, ENTERS_FOREVER, WAITS, None, IS_KICKED, None, None, None, None),
    REMOVED: (None, None, None, None, IS_KICKED, WAITS, None, None, None),
}


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        (state, event, (state, STAY) if expected is None else expected)
        for state, row in TABLE.items()
        for event, expected in zip(EVENTS, row, strict=True)
    ],
    ids=repr,
)
def test_every_state_answers_every_event(state: Guest, event: Event, expected: tuple) -> None:
    assert expected == step(state, event, NOW)


events = st.one_of(
    st.builds(TermsAccepted, st.just("1"), st.none() | st.integers(1, 10_000)),
    st.builds(RemovedByAdmin, st.text(max_size=9)),
    st.builds(RestoredAfterRestart, st.none() | st.integers(-100, 10_000)),
    st.sampled_from([Left(), Tick(), Pardoned()]),
)
lives = st.lists(st.tuples(events, st.integers(0, 5_000)))


def live(life: list) -> list[tuple[int, Guest, Event, Guest, tuple[Effect, ...]]]:
    state, now, story = Waiting(), 0, []
    for event, pause in life:
        now += pause
        after, effects = step(state, event, now)
        story.append((now, state, event, after, effects))
        state = after
    return story


@given(lives)
def test_the_kernel_lets_pass_exactly_who_is_admitted(life: list) -> None:
    """Following the effects alone leads to the same door, open or shut, as the state says."""
    door: tuple[bool, int | None] = (False, None)
    for _, _, _, after, effects in live(life):
        for effect in effects:
            if isinstance(effect, LetPass):
                door = (True, effect.until)
            if isinstance(effect, StopPassing):
                door = (False, None)
        assert ((True, after.until) if isinstance(after, Admitted) else (False, None)) == door


@given(lives)
def test_a_change_is_remembered_before_the_kernel_is_told(life: list) -> None:
    for _, before, event, after, effects in live(life):
        remembered = [place for place, effect in enumerate(effects) if isinstance(effect, Remember)]
        if isinstance(event, RestoredAfterRestart) and isinstance(after, Admitted):
            continue  # storage is where it comes from
        assert ([0] if before != after or effects else []) == remembered
        assert all(effects[place].state == after for place in remembered)


@given(lives)
def test_who_was_removed_comes_back_only_when_pardoned(life: list) -> None:
    for _, before, event, after, _ in live(life):
        if isinstance(before, Removed) and not isinstance(after, Removed):
            assert isinstance(event, Pardoned)


@given(lives, st.integers(0, 10**6))
def test_a_tick_leaves_nobody_admitted_past_the_end(life: list, later: int) -> None:
    for now, _, _, after, _ in live(life):
        ticked, _ = step(after, Tick(), now + later)
        if isinstance(ticked, Admitted) and ticked.until is not None:
            assert now + later < ticked.until

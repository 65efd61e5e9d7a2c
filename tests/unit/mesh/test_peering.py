"""The states of a neighbour, for every pair of state and event."""

import itertools
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh import peering
from mesh.peering import (
    Admit,
    Closed,
    Dial,
    Dismiss,
    Effect,
    Event,
    Forget,
    Gone,
    Greeted,
    HangUp,
    Heard,
    Introduced,
    Listed,
    Proved,
    Sighted,
    Silent,
    Spoke,
    State,
    Stranger,
    Ticked,
    Trusted,
    step,
)
from node.units import Monotonic

NOW = Monotonic(1_000_000)
SOON = Monotonic(NOW + 500)
STATES: dict[str, State] = {
    "heard": Heard(NOW, 1, Monotonic(NOW + 1_000)),
    "greeted": Greeted(NOW),
    "trusted": Trusted(NOW),
    "stranger": Stranger(NOW, Monotonic(NOW + 300_000)),
    "silent": Silent(NOW, 1, Monotonic(NOW + 1_000)),
    "gone": Gone(NOW, Monotonic(NOW + 60_000), Monotonic(NOW + 86_400_000)),
}
EVENTS: dict[str, Event] = {
    "sighted": Sighted(),
    "proved": Proved(True),
    "proved, not a member": Proved(False),
    "introduced": Introduced(True),
    "introduced, elsewhere": Introduced(False),
    "spoke": Spoke(),
    "closed": Closed(),
    "listed": Listed(True),
    "unlisted": Listed(False),
    "ticked": Ticked(),
}
AWAY = HangUp("not a member")
ELSEWHERE = HangUp("another community")
# state, event -> the next state and its actions. Any other pair changes nothing.
TABLE: dict[tuple[str, str], tuple[str, tuple[Effect, ...]]] = {
    ("gone", "sighted"): ("heard", (Dial(),)),
    ("heard", "proved"): ("greeted", ()),
    ("stranger", "proved"): ("greeted", ()),
    ("silent", "proved"): ("greeted", ()),
    ("gone", "proved"): ("greeted", ()),
    ("heard", "proved, not a member"): ("stranger", ()),
    ("greeted", "proved, not a member"): ("stranger", (AWAY,)),
    ("trusted", "proved, not a member"): ("stranger", (Dismiss(), AWAY)),
    ("silent", "proved, not a member"): ("stranger", ()),
    ("gone", "proved, not a member"): ("stranger", ()),
    ("greeted", "introduced"): ("trusted", (Admit(),)),
    ("trusted", "introduced"): ("trusted", (Admit(),)),
    ("silent", "introduced"): ("trusted", (Admit(),)),
    ("greeted", "introduced, elsewhere"): ("stranger", (ELSEWHERE,)),
    ("trusted", "introduced, elsewhere"): ("stranger", (Dismiss(), ELSEWHERE)),
    ("silent", "introduced, elsewhere"): ("stranger", (ELSEWHERE,)),
    ("trusted", "closed"): ("silent", (Dismiss(),)),
    ("greeted", "closed"): ("heard", ()),
    ("stranger", "listed"): ("heard", (Dial(),)),
    ("trusted", "unlisted"): ("stranger", (Dismiss(), AWAY)),
    ("greeted", "unlisted"): ("stranger", (AWAY,)),
    ("silent", "unlisted"): ("stranger", ()),
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(state: str, event: str) -> None:
    after, effects = step(STATES[state], EVENTS[event], SOON)
    assert TABLE.get((state, event), (state, ())) == (peering.name_of(after), effects)


def test_the_table_names_every_state() -> None:
    assert set(get_args(State.__value__)) == {type(state) for state in STATES.values()}
    assert list(get_args(peering.StateName.__value__)) == [
        peering.name_of(state) for state in STATES.values()
    ]
    assert set(get_args(Event.__value__)) == {type(event) for event in EVENTS.values()}


@pytest.mark.parametrize(
    ("state", "after_ms", "expected", "effects"),
    [
        ("heard", 999, "heard", ()),
        ("heard", 1_000, "heard", (Dial(),)),
        ("heard", 900_001, "heard", (Forget(),)),
        ("greeted", 10_000, "greeted", ()),
        ("greeted", 10_001, "heard", (HangUp("silent"),)),
        ("trusted", 18_000, "trusted", ()),
        ("trusted", 18_001, "silent", (Dismiss(), HangUp("silent"))),
        ("silent", 1_000, "silent", (Dial(),)),
        ("silent", 180_001, "gone", ()),
        ("stranger", 299_999, "stranger", ()),
        ("stranger", 300_000, "stranger", (Dial(),)),
        ("stranger", 900_001, "stranger", (Forget(),)),
        ("gone", 60_000, "gone", (Dial(),)),
        ("gone", 86_400_000, "gone", (Forget(),)),
    ],
)
def test_what_timeouts_alone_do(
    state: str, after_ms: int, expected: str, effects: tuple[Effect, ...]
) -> None:
    after, done = step(STATES[state], Ticked(), Monotonic(NOW + after_ms))
    assert (expected, effects) == (peering.name_of(after), done)


def test_three_missed_keepalives_make_a_neighbour_silent() -> None:
    assert peering.SILENT_AFTER == 3 * peering.KEEPALIVE_EVERY


def test_a_neighbour_that_sends_stays_trusted() -> None:
    state: State = Trusted(NOW)
    for second in range(0, 600, 6):
        state, _ = step(state, Spoke(), Monotonic(NOW + second * 1_000))
        state, effects = step(state, Ticked(), Monotonic(NOW + second * 1_000 + 5_999))
        assert () == effects
    assert isinstance(state, Trusted)


def test_a_node_that_does_not_answer_is_dialled_with_growing_pauses() -> None:
    state: State = peering.never_met(NOW)
    state, _ = step(state, Sighted(), NOW)
    dials = []
    for second in range(300):
        state, effects = step(state, Ticked(), Monotonic(NOW + second * 1_000))
        if Dial() in effects:
            dials.append(second)
    waits = [later - earlier for earlier, later in itertools.pairwise(dials)]
    assert waits == sorted(waits)
    assert peering.DIAL_AGAIN_MAX // 1_000 == waits[-1]


def test_a_new_sighting_ends_the_wait() -> None:
    patient = replace(STATES["silent"], dial_at=Monotonic(NOW + 60_000))
    state, _ = step(patient, Sighted(), NOW)
    assert Silent(NOW, 1, Monotonic(NOW + 1_000)) == state


@example([("proved", 0), ("introduced", 0), ("closed", 0), ("unlisted", 0), ("introduced", 0)])
@given(st.lists(st.tuples(st.sampled_from(list(EVENTS)), st.integers(0, 400_000)), max_size=80))
def test_pages_are_exchanged_only_with_trusted_neighbours(steps: list[tuple[str, int]]) -> None:
    """In any order of events: a neighbour that is no longer trusted has been dismissed, and none is trusted
    without proof.
    """
    state: State = peering.never_met(NOW)
    now, admitted, proven = NOW, False, False
    for name, wait in steps:
        now = Monotonic(now + wait)
        event = EVENTS[name]
        state, effects = step(state, event, now)
        proven = event == Proved(True) or (proven and event not in {Proved(False), Listed(False)})
        for effect in effects:
            if effect == Admit():
                admitted = True
            if effect == Dismiss():
                admitted = False
        assert admitted == isinstance(state, Trusted)
        assert proven or not admitted


def test_a_quiet_neighbour_may_be_silent_for_two_rounds() -> None:
    state, _ = step(STATES["greeted"], Introduced(True, is_quiet=True), NOW)
    state, _ = step(state, Spoke(), SOON)
    for after_ms, expected in ((90_000, "trusted"), (90_001, "silent")):
        later, _ = step(state, Ticked(), Monotonic(SOON + after_ms))
        assert expected == peering.name_of(later)
    state, _ = step(state, Introduced(True), SOON)
    later, _ = step(state, Ticked(), Monotonic(SOON + peering.SILENT_AFTER + 1))
    assert "silent" == peering.name_of(later), "it was replaced by an earlier version"

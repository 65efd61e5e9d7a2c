"""Hysteresis: when an alert is raised and when it is over, whatever clocks, restarts and gaps do."""

from hypothesis import given
from hypothesis import strategies as st

from node.alerts.alert_list import ALERTS, BY_NAME, AlertKey
from node.alerts.states import WATCHED_MAX, AlertChange, AlertState, States, step
from node.alerts.stored import StoredAlerts, from_text, to_text
from node.units import Milliseconds

LOOK = Milliseconds(15_000)
KEYS: list[AlertKey] = [(each.name, "a" if each.name == "node_silent" else "") for each in ALERTS]
LOOKS = st.lists(
    st.tuples(
        st.sampled_from([True, True, True, False, False, None]),
        st.integers(-100_000, 400_000).map(Milliseconds),
        st.none() | st.integers(0, 4_102_444_800),
        st.integers(1, 30),
    ),
    max_size=40,
)


def after(
    states: States, key: AlertKey, verdict: bool | None, looks: int, now_s: int | None = 0
) -> tuple[States, list[AlertChange]]:
    changes: list[AlertChange] = []
    for _ in range(looks):
        states, found = step(states, {key: verdict}, LOOK, now_s)
        changes += found
    return states, changes


@given(st.sampled_from(KEYS))
def test_it_is_raised_when_it_was_so_for_its_time_and_over_when_it_was_otherwise_for_its_time(
    key: AlertKey,
) -> None:
    alert, states = BY_NAME[key[0]], dict[AlertKey, AlertState]()
    for verdict, wait in ((True, alert.raise_after), (False, alert.clear_after)):
        enough = wait // LOOK + 1
        states, changes = after(states, key, verdict, enough - 1)
        assert [] == changes
        states, changes = after(states, key, verdict, 1)
        assert [verdict] == [each.is_raised for each in changes]
        states, changes = after(states, key, verdict, 100)
        assert [] == changes, "none is told twice"
    assert {} == states


@given(st.sampled_from(KEYS), LOOKS, st.sets(st.integers(0, 40)))
def test_changes_alternate_and_never_come_early_whatever_happens(
    key: AlertKey, looks: list[tuple[bool | None, Milliseconds, int | None, int]], restarts: set[int]
) -> None:
    """`restarts`: after these looks the state is stored and read again."""
    alert, states = BY_NAME[key[0]], dict[AlertKey, AlertState]()
    is_raised, opposed = False, 0
    for number, (verdict, watched, now_s, times) in enumerate(looks):
        for _ in range(times):
            states, changes = step(states, {key: verdict}, watched, now_s)
            if verdict is not None:
                is_first = not opposed
                counted = max(0, min(watched, WATCHED_MAX))
                opposed = 0 if verdict == is_raised else 1 if is_first else opposed + counted
            due = opposed > 0 and opposed >= (alert.clear_after if is_raised else alert.raise_after)
            assert ([not is_raised] if due else []) == [each.is_raised for each in changes]
            if due:
                is_raised, opposed = not is_raised, 0
        if number in restarts:
            states = dict(from_text(to_text(StoredAlerts(states))).states)
    assert is_raised == any(state.is_raised for state in states.values())


@given(st.sampled_from(KEYS), st.integers(1, 200), st.integers(1, 200))
def test_what_is_not_known_neither_raises_nor_ends_anything(key: AlertKey, before: int, gap: int) -> None:
    states, _ = after({}, key, True, before)
    held, changes = after(states, key, None, gap)
    assert states == held
    assert [] == changes


def test_a_machine_that_slept_has_watched_nothing_meanwhile() -> None:
    key: AlertKey = ("line_dead", "")
    states, _ = step({}, {key: True}, LOOK, 0)
    states, changes = step(states, {key: True}, Milliseconds(10 * 3_600_000), 36_000)
    assert () == changes
    assert WATCHED_MAX + 1 == states[key].opposed


def test_times_are_civil_and_missing_while_the_clock_is_not_known() -> None:
    key: AlertKey = ("line_dead", "")
    states, (raised,) = after({}, key, True, 30, 1_700_000_000)
    _, (cleared,) = after(states, key, False, 30, 1_700_000_600)
    begun = 1_700_000_000 - 300
    assert (1_700_000_000, begun) == (raised.at_s, raised.since_s), "it began when it was noticed first"
    assert (1_700_000_600, begun) == (cleared.at_s, cleared.since_s)
    _, (raised,) = after({}, key, True, 30, None)
    assert (None, None) == (raised.at_s, raised.since_s)


def test_the_name_of_a_node_is_remembered_when_it_is_gone() -> None:
    key: AlertKey = ("node_silent", "abc")
    states: States = {}
    for _ in range(61):
        states, _ = step(states, {key: True}, LOOK, 0, {"abc": "school"})
    for _ in range(21):
        states, changes = step(states, {key: False}, LOOK, 0, {})
    assert ["school"] == [each.subject_name for each in changes]


@given(st.integers(1, 59), st.sampled_from([True, False, None]))
def test_nothing_is_kept_of_a_node_that_left_before_it_counted_as_silent(
    looks: int, own: bool | None
) -> None:
    """Else one that is back counts as silent too early, and nodes that come and go fill the memory."""
    key: AlertKey = ("node_silent", "abc")
    states, changes = after({}, key, True, looks)
    states, found = step(states, {("line_dead", ""): own}, LOOK, 0)
    assert key not in states
    states, more = after(states, key, True, 60)
    assert ([], (), []) == (changes, found, more)
    _, (raised,) = after(states, key, True, 1)
    assert raised.is_raised


def test_an_alert_that_is_raised_stays_when_nobody_watches_it() -> None:
    key: AlertKey = ("node_silent", "abc")
    states, _ = after({}, key, True, 61)
    assert (states, ()) == step(states, {}, LOOK, 0)

"""When an alert is raised and when it is over: hysteresis in time, counted in seconds of watching, so that neither a clock
that jumps nor a machine that slept decides one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from node.alerts.alert_list import BY_NAME, AlertKey, AlertName
from node.units import Milliseconds

_NONE = Milliseconds(0)
WATCHED_MAX = Milliseconds(60_000)
"""At most this counts as watched between two looks."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """One alert that is raised, or may soon be raised or over."""

    is_raised: bool = False
    opposed: Milliseconds = _NONE
    """For how long the readings have said the opposite of `is_raised`."""
    since_s: int | None = None
    """Unix time since which it has been so; None if it is not raised, or the clock was not known."""
    subject_name: str = ""
    """Of the node that it is about."""


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert was raised, or is over."""

    name: AlertName
    subject: str
    subject_name: str
    is_raised: bool
    at_s: int | None
    """Unix time; None while the clock is not known."""
    since_s: int | None
    """Since when it has been so, or was."""


States = Mapping[AlertKey, AlertState]


def step(
    states: States,
    verdicts: Mapping[AlertKey, bool | None],
    watched: Milliseconds,
    now_s: int | None,
    names: Mapping[str, str] | None = None,
) -> tuple[dict[AlertKey, AlertState], tuple[AlertChange, ...]]:
    """The states after one look, and what has changed. `watched`: since the look before; `now_s`: Unix time, None while the
    clock is not known; `names` of subjects. What is not known changes nothing; one reading that agrees with a state begins
    its time again, and so does what is no longer watched, such as a node that left the community."""
    after = {key: state for key, state in states.items() if state.is_raised or key in verdicts}
    changes = list[AlertChange]()
    counted = max(0, min(watched, WATCHED_MAX))
    for key, verdict in verdicts.items():
        if verdict is None:
            continue
        state = states.get(key, AlertState())
        name = (names or {}).get(key[1]) or state.subject_name
        state, change = _next(key, replace(state, subject_name=name), verdict, counted, now_s)
        if change is not None:
            changes.append(change)
        if state.is_raised or state.opposed:
            after[key] = state
        else:
            after.pop(key, None)
    return after, tuple(changes)


def _next(
    key: AlertKey, state: AlertState, verdict: bool, counted: int, now_s: int | None
) -> tuple[AlertState, AlertChange | None]:
    if verdict == state.is_raised:
        return replace(state, opposed=_NONE), None
    alert = BY_NAME[key[0]]
    # The first reading only begins the time: nothing was watched before it.
    opposed = Milliseconds(state.opposed + counted if state.opposed else 1)
    if opposed < (alert.clear_after if state.is_raised else alert.raise_after):
        return replace(state, opposed=opposed), None
    since_s = None if now_s is None else max(0, now_s - opposed // 1_000)
    change = AlertChange(*key, state.subject_name, verdict, now_s, since_s if verdict else state.since_s)
    since_s = since_s if verdict else None
    return AlertState(verdict, _NONE, since_s, state.subject_name), change

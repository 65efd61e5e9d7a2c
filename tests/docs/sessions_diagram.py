"""Draws the state machine of a session from its table: ``python -m tests.docs.sessions_diagram``."""

from captive_portal.guests import (
    TRANSITIONS,
    Admitted,
    Discarded,
    Event,
    Expired,
    FoundInKernel,
    Guest,
    Left,
    Pardoned,
    Removed,
    RemovedByAdmin,
    Restored,
    Shortened,
    TermsAccepted,
    TimedOut,
    Waiting,
    step,
)
from node.units import AccountId, Milliseconds, Monotonic

Arrow = tuple[str, str, str]
"""State, event, state."""
NOW, LATER = Monotonic(5), Monotonic(9)
STATES: tuple[Guest, ...] = (Waiting(), Admitted(Monotonic(0), LATER), Expired(), Removed("x"))
STORED = (Admitted(Monotonic(0), LATER), Admitted(Monotonic(0), NOW), Expired(), Removed("x"))
EVENTS: tuple[Event, ...] = (
    TermsAccepted("1", Milliseconds(9)),
    Left(),
    TimedOut(),
    Shortened(NOW),
    RemovedByAdmin("x"),
    Pardoned(),
    *(Restored(state, AccountId("ana"), 1, "1") for state in STORED),
    FoundInKernel(1, 1, LATER),
    Discarded(),
)


def _arrows() -> set[Arrow]:
    pairs = [
        (state, event) for state in STATES for event in EVENTS if (type(state), type(event)) in TRANSITIONS
    ]
    lived = [(state, event, step(state, event, NOW)[0]) for state, event in pairs]
    return {
        (type(state).__name__, type(event).__name__, type(after).__name__) for state, event, after in lived
    }


ARROWS = _arrows()


def diagram() -> str:
    order = [type(state).__name__ for state in STATES]
    arrows = sorted(ARROWS, key=lambda arrow: (order.index(arrow[0]), order.index(arrow[2]), arrow[1]))
    lines = [f"    {before} --> {after}: {event}" for before, event, after in arrows]
    return "\n".join(["stateDiagram-v2", "    [*] --> Waiting", *lines])


if __name__ == "__main__":
    print(diagram())

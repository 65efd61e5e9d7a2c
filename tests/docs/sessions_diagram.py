"""Draws the state machine of a session from its transition table: ``python -m tests.docs.sessions_diagram``."""

from node.sessions.state import (
    TRANSITIONS,
    Authorized,
    Blocked,
    BlockedByAdmin,
    DeviceSession,
    Discarded,
    Event,
    Expired,
    FoundInKernel,
    LoggedOff,
    Restored,
    SessionGranted,
    Shortened,
    Superseded,
    TimedOut,
    Unauthorized,
    Unblocked,
    step,
)
from node.units import AccountId, Milliseconds, Monotonic

Arrow = tuple[str, str, str]
"""State, event, state."""
NOW, LATER = Monotonic(5), Monotonic(9)
STATES: tuple[DeviceSession, ...] = (Unauthorized(), Authorized(Monotonic(0), LATER), Expired(), Blocked("x"))
STORED = (Authorized(Monotonic(0), LATER), Authorized(Monotonic(0), NOW), Expired(), Blocked("x"))
EVENTS: tuple[Event, ...] = (
    SessionGranted("1", Milliseconds(9)),
    LoggedOff(),
    Superseded(),
    TimedOut(),
    Shortened(NOW),
    BlockedByAdmin("x"),
    Unblocked(),
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
    return "\n".join(["stateDiagram-v2", "    [*] --> Unauthorized", *lines])


if __name__ == "__main__":
    print(diagram())

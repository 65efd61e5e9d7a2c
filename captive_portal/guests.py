"""A guest's life: waiting, admitted, expired, removed. One device, one state; the caller keeps them all.

`now` is CLOCK_BOOTTIME in milliseconds. Effects come in the order in which they must be done: what a person
was promised is remembered before the kernel is told.
"""

from dataclasses import dataclass

from node.units import Milliseconds, Monotonic


@dataclass(frozen=True, slots=True)
class Waiting:
    """Seen on the link, not admitted: only the portal answers it."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """May pass until `until`; None for as long as the rules do not end it."""

    since: Monotonic
    until: Monotonic | None


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time ended by itself; accepting the terms again starts a new session."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A person of the community ended it; the guest may read why. Only `Pardoned` opens the door again."""

    because: str


@dataclass(frozen=True, slots=True)
class TermsAccepted:
    """The guest accepted these terms; the rules give the session this long (None: no end)."""

    terms_version: str
    session_ms: Milliseconds | None


@dataclass(frozen=True, slots=True)
class Left:
    """The guest pressed "leave"."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; also sent when the kernel says that an element timed out."""


@dataclass(frozen=True, slots=True)
class RemovedByAdmin:
    """Somebody who may do so ended the session, for a reason that the guest sees."""

    because: str


@dataclass(frozen=True, slots=True)
class Pardoned:
    """A removal was taken back."""


@dataclass(frozen=True, slots=True)
class RestoredAfterRestart:
    """Storage remembers an admission with this much time left (None: no end)."""

    left_ms: Milliseconds | None


@dataclass(frozen=True, slots=True)
class Remember:
    """Store this state before doing anything after it in the list."""

    state: "Guest"


@dataclass(frozen=True, slots=True)
class LetPass:
    """The kernel lets the device through until then, and ends it by itself."""

    until: Monotonic | None


@dataclass(frozen=True, slots=True)
class StopPassing:
    """The kernel stops the device's running flows at once. Doing it twice is harmless."""


Guest = Waiting | Admitted | Expired | Removed
Event = TermsAccepted | Left | Tick | RemovedByAdmin | Pardoned | RestoredAfterRestart
Effect = Remember | LetPass | StopPassing

STAY: tuple[Effect, ...] = ()


def step(state: Guest, event: Event, now: Monotonic) -> tuple[Guest, tuple[Effect, ...]]:
    """What becomes of the guest, and what must be done for it. Pairs that mean nothing leave it as it is."""
    match state, event:
        case _, RemovedByAdmin(because):
            removed = Removed(because)
            return removed, (Remember(removed), StopPassing())
        case Removed(), Pardoned():
            return _wait()
        case Removed(), _:
            return state, STAY
        case _, TermsAccepted(_, session_ms):
            admitted = Admitted(now, _end(now, session_ms))
            return admitted, (Remember(admitted), LetPass(admitted.until))
        case Admitted(), Left():
            waiting, remember = _wait()
            return waiting, (*remember, StopPassing())
        case Expired(), Left():
            return _wait()
        case Admitted(_, until), Tick() if until is not None and now >= until:
            expired = Expired()
            return expired, (Remember(expired), StopPassing())
        case Waiting(), RestoredAfterRestart(left_ms):
            return _restore(left_ms, now)
        case _:
            return state, STAY


def _wait() -> tuple[Guest, tuple[Effect, ...]]:
    waiting = Waiting()
    return waiting, (Remember(waiting),)


def _restore(left_ms: Milliseconds | None, now: Monotonic) -> tuple[Guest, tuple[Effect, ...]]:
    # A session that ended while the daemon was dead is over, even if the kernel still holds its element.
    if left_ms is not None and left_ms <= 0:
        expired = Expired()
        return expired, (Remember(expired), StopPassing())
    admitted = Admitted(now, _end(now, left_ms))
    return admitted, (LetPass(admitted.until),)


def _end(now: Monotonic, session_ms: Milliseconds | None) -> Monotonic | None:
    return None if session_ms is None else Monotonic(now + session_ms)

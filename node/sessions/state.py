"""The session of one device as a state machine: one transition table, which `SessionTable.handle` executes.

Every change of a session's state is a row of `TRANSITIONS`; an event for which a state has no row leaves it as it is.
`now` is CLOCK_BOOTTIME in milliseconds. Effects come in the order in which they are carried out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from node.units import AccountId, Milliseconds, Monotonic


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """Not admitted: only the portal answers it. Also the state of every device that the node does not know."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """May pass until `until`; None for as long as the rules do not end it."""

    since: Monotonic
    until: Monotonic | None

    def is_over(self, now: Monotonic) -> bool:
        return self.until is not None and self.until <= now


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time ended by itself; accepting the terms again starts a new session."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """An admin ended it; the person may read why. Only `Unblocked` lets the device come in again."""

    because: str


DeviceSession = Unauthorized | Authorized | Expired | Blocked


@dataclass(frozen=True, slots=True)
class SessionGranted:
    """The person accepted these terms; the rules give the session this long (None: no end)."""

    terms_version: str
    session_ms: Milliseconds | None


@dataclass(frozen=True, slots=True)
class LoggedOff:
    """The person pressed "leave", or another device takes this one's place."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The end of the session has come. Sent only when `Authorized.is_over`."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """The session ends no later than this, whatever was promised before: its voucher or its account ends then."""

    until: Monotonic


@dataclass(frozen=True, slots=True)
class BlockedByAdmin:
    """An admin ended the session, or blocked a device that is not here, for a reason that its person sees."""

    because: str


@dataclass(frozen=True, slots=True)
class Unblocked:
    """A removal was taken back."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Storage has this state of the session, in this boot's time, under this account and mark."""

    state: Authorized | Expired | Blocked
    account: AccountId
    mark: int
    terms_version: str


@dataclass(frozen=True, slots=True)
class FoundInKernel:
    """The kernel lets the device pass under a mark that storage does not know: it was admitted while nothing could be
    stored."""

    mark: int
    class_minor: int
    until: Monotonic | None


@dataclass(frozen=True, slots=True)
class Discarded:
    """The entry of a session that is not admitted is no longer needed."""


Event = (
    SessionGranted
    | LoggedOff
    | TimedOut
    | Shortened
    | BlockedByAdmin
    | Unblocked
    | Restored
    | FoundInKernel
    | Discarded
)


class Effect(Enum):
    """What `SessionTable.handle` does for a transition."""

    TAKE_SEAT = auto()
    """The device gets the account, the mark and the class of this event. First of all: when there is no room for it,
    nothing has changed."""
    SAVE = auto()
    """The session is stored, before a plan that knows of the change is applied to the kernel."""
    STOP_PASSING = auto()
    """Its mark retires: the kernel ends its flows, and its last bytes are counted. Harmless when done twice."""
    DISCARD_ENTRY = auto()
    """The node knows nothing of the device any longer."""


Outcome = tuple[DeviceSession, tuple[Effect, ...]]


def step(state: DeviceSession, event: Event, now: Monotonic) -> Outcome:
    """The state after the event, and what is to be done for it; nothing where the table has no row."""
    transition = TRANSITIONS.get((type(state), type(event)))
    return (state, ()) if transition is None else transition(state, event, now)


def _admit(_state: DeviceSession, event: SessionGranted, now: Monotonic) -> Outcome:
    until = None if event.session_ms is None else Monotonic(now + event.session_ms)
    return Authorized(now, until), (Effect.TAKE_SEAT, Effect.SAVE)


def _leave(_state: Authorized, _event: LoggedOff, _now: Monotonic) -> Outcome:
    return Unauthorized(), (Effect.SAVE, Effect.STOP_PASSING)


def _time_out(_state: Authorized, _event: TimedOut, _now: Monotonic) -> Outcome:
    return Expired(), (Effect.SAVE, Effect.STOP_PASSING)


def _shorten(state: Authorized, event: Shortened, _now: Monotonic) -> Outcome:
    if state.until is not None and state.until <= event.until:
        return state, ()
    return Authorized(state.since, event.until), (Effect.SAVE,)


def _remove(_state: DeviceSession, event: BlockedByAdmin, _now: Monotonic) -> Outcome:
    return Blocked(event.because), (Effect.TAKE_SEAT, Effect.SAVE, Effect.STOP_PASSING)


def _wait(_state: Expired | Blocked, _event: LoggedOff | Unblocked, _now: Monotonic) -> Outcome:
    return Unauthorized(), (Effect.SAVE,)


def _restore(_state: Unauthorized, event: Restored, now: Monotonic) -> Outcome:
    # A session that ended while the daemon was not running is over, even if the kernel still has its element.
    if isinstance(event.state, Authorized) and event.state.is_over(now):
        return Expired(), (Effect.TAKE_SEAT, Effect.SAVE)
    return event.state, (Effect.TAKE_SEAT,)


def _adopt(_state: Unauthorized | Expired, event: FoundInKernel, now: Monotonic) -> Outcome:
    return Authorized(now, event.until), (Effect.TAKE_SEAT, Effect.SAVE)


def _discard(_state: Unauthorized | Expired, _event: Discarded, _now: Monotonic) -> Outcome:
    return Unauthorized(), (Effect.DISCARD_ENTRY,)


TRANSITIONS: Mapping[tuple[type[DeviceSession], type[Event]], Callable[..., Outcome]] = {
    (Unauthorized, SessionGranted): _admit,
    (Unauthorized, BlockedByAdmin): _remove,
    (Unauthorized, Restored): _restore,
    (Unauthorized, FoundInKernel): _adopt,
    (Unauthorized, Discarded): _discard,
    (Authorized, SessionGranted): _admit,
    (Authorized, LoggedOff): _leave,
    (Authorized, TimedOut): _time_out,
    (Authorized, Shortened): _shorten,
    (Authorized, BlockedByAdmin): _remove,
    (Expired, SessionGranted): _admit,
    (Expired, LoggedOff): _wait,
    (Expired, BlockedByAdmin): _remove,
    (Expired, FoundInKernel): _adopt,
    (Expired, Discarded): _discard,
    (Blocked, BlockedByAdmin): _remove,
    (Blocked, Unblocked): _wait,
}

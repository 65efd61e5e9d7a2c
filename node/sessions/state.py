"""The session of one device as a state machine: one transition table, which `SessionTable.handle` executes.

Every change of a session's state is a row of `TRANSITIONS`; an event for which a state has no row leaves it as it is.
`now` is CLOCK_BOOTTIME in milliseconds. Effects are listed in the order in which they are carried out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from node.units import AccountId, Milliseconds, Monotonic

BECAUSE_CHARS_MAX = 200
"""Of the reason for a block."""


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """Captive (RFC 8908): the device reaches only the portal. Also the state of every unknown device."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """Not captive until `until`; None for no end."""

    since: Monotonic
    until: Monotonic | None

    def is_over(self, now: Monotonic) -> bool:
        return self.until is not None and self.until <= now


@dataclass(frozen=True, slots=True)
class Expired:
    """The session timed out; accepting the terms again starts a new one."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """An admin ended the session; the person sees the reason. Only `Unblocked` lets the device sign in again."""

    because: str
    until: Monotonic | None = None
    """The end of a pause, at which the control loop unblocks the device; None for no end."""

    def is_over(self, now: Monotonic) -> bool:
        return self.until is not None and self.until <= now


DeviceSession = Unauthorized | Authorized | Expired | Blocked


@dataclass(frozen=True, slots=True)
class SessionGranted:
    """The person accepted these terms; the session lasts this long (None: no end)."""

    terms_version: str
    session_ms: Milliseconds | None


@dataclass(frozen=True, slots=True)
class LoggedOff:
    """The person pressed "leave", or removed or disconnected the device; so at every node of the community."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """The device was idle here while another one of its account signed in, or guests need the room."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The end of the session was reached. Sent only when `Authorized.is_over`."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """The session ends at this time at the latest: its voucher or its account ends then."""

    until: Monotonic


@dataclass(frozen=True, slots=True)
class BlockedByAdmin:
    """An admin ended the session, or blocked a device without one; the person sees the reason."""

    because: str
    until: Monotonic | None = None
    """None for no end."""


@dataclass(frozen=True, slots=True)
class Unblocked:
    """An admin lifted the block, or its time is over."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The database has this state of the session, in this boot's time, with this account and ct mark."""

    state: Authorized | Expired | Blocked
    account: AccountId
    mark: int
    terms_version: str


@dataclass(frozen=True, slots=True)
class FoundInKernel:
    """The kernel authorizes the device under a ct mark that the database does not know: the session began
    while nothing could be stored."""

    mark: int
    class_minor: int
    until: Monotonic | None


@dataclass(frozen=True, slots=True)
class Discarded:
    """The entry of a session that is not authorized is no longer needed."""


Event = (
    SessionGranted
    | LoggedOff
    | Superseded
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

    TAKE_ENTRY = auto()
    """The device gets the account, ct mark and traffic class of this event. Comes first: if the table
    is full, nothing has changed."""
    SAVE = auto()
    """The session is stored before a plan that includes the change is applied to the kernel."""
    STOP_PASSING = auto()
    """Its ct mark is retired: the kernel ends its flows and counts its last bytes. Idempotent."""
    DISCARD_ENTRY = auto()
    """The session entry is deleted."""


Outcome = tuple[DeviceSession, tuple[Effect, ...]]


def step(state: DeviceSession, event: Event, now: Monotonic) -> Outcome:
    """The state after the event and the effects to carry out; unchanged and none where the table has no row."""
    transition = TRANSITIONS.get((type(state), type(event)))
    return (state, ()) if transition is None else transition(state, event, now)


def _admit(_state: DeviceSession, event: SessionGranted, now: Monotonic) -> Outcome:
    until = None if event.session_ms is None else Monotonic(now + event.session_ms)
    return Authorized(now, until), (Effect.TAKE_ENTRY, Effect.SAVE)


def _leave(_state: Authorized, _event: LoggedOff | Superseded, _now: Monotonic) -> Outcome:
    return Unauthorized(), (Effect.SAVE, Effect.STOP_PASSING)


def _time_out(_state: Authorized, _event: TimedOut, _now: Monotonic) -> Outcome:
    return Expired(), (Effect.SAVE, Effect.STOP_PASSING)


def _shorten(state: Authorized, event: Shortened, _now: Monotonic) -> Outcome:
    if state.until is not None and state.until <= event.until:
        return state, ()
    return Authorized(state.since, event.until), (Effect.SAVE,)


def _remove(_state: DeviceSession, event: BlockedByAdmin, _now: Monotonic) -> Outcome:
    return Blocked(event.because, event.until), (Effect.TAKE_ENTRY, Effect.SAVE, Effect.STOP_PASSING)


def _wait(_state: Expired | Blocked, _event: LoggedOff | Unblocked, _now: Monotonic) -> Outcome:
    return Unauthorized(), (Effect.SAVE,)


def _restore(_state: Unauthorized, event: Restored, now: Monotonic) -> Outcome:
    # A session that ended while the daemon was not running is over, even if the kernel still has its element.
    if isinstance(event.state, Authorized) and event.state.is_over(now):
        return Expired(), (Effect.TAKE_ENTRY, Effect.SAVE)
    return event.state, (Effect.TAKE_ENTRY,)


def _adopt(_state: Unauthorized | Expired, event: FoundInKernel, now: Monotonic) -> Outcome:
    return Authorized(now, event.until), (Effect.TAKE_ENTRY, Effect.SAVE)


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
    (Authorized, Superseded): _leave,
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

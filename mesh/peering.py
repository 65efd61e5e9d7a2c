"""State machine of a neighbour: heard, greeted, trusted, stranger, silent, gone. Diagram in PROTOCOL.md.

Pairs of state and event that are not listed are ignored: a late or repeated event changes nothing. Times are
milliseconds of `Monotonic`.
"""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from node.units import Milliseconds, Monotonic

KEEPALIVE_EVERY = Milliseconds(6_000)
"""A keepalive is sent after this long without another message."""
SILENT_AFTER = Milliseconds(3 * KEEPALIVE_EVERY)
QUIET_SILENT_AFTER = Milliseconds(90_000)
"""For a neighbour that sends nothing but rounds while nothing is new: two and a half of them."""
GREETING_MAX = Milliseconds(10_000)
GONE_AFTER = Milliseconds(180_000)
HEARD_FORGOTTEN_AFTER = Milliseconds(900_000)
GONE_FORGOTTEN_AFTER = Milliseconds(86_400_000)
STRANGER_ASKED_AGAIN_AFTER = Milliseconds(300_000)
STRANGER_FORGOTTEN_AFTER = Milliseconds(900_000)
DIAL_AGAIN_MIN = Milliseconds(1_000)
DIAL_AGAIN_MAX = Milliseconds(60_000)

type StateName = Literal["heard", "greeted", "trusted", "stranger", "silent", "gone"]


@dataclass(frozen=True, slots=True)
class Heard:
    """The node was reported; nothing is proven."""

    since: Monotonic
    tries: int
    dial_at: Monotonic


@dataclass(frozen=True, slots=True)
class Greeted:
    """It proved the key of a member; its hello has not arrived yet."""

    since: Monotonic


@dataclass(frozen=True, slots=True)
class Trusted:
    """A member of our community, connected."""

    heard: Monotonic
    silent_after: Milliseconds = SILENT_AFTER


@dataclass(frozen=True, slots=True)
class Stranger:
    """It proved a key that is not on the roster, or belongs to another community. It gets no information."""

    proven: Monotonic
    dial_at: Monotonic


@dataclass(frozen=True, slots=True)
class Silent:
    """Was trusted; nothing has been received for a while."""

    heard: Monotonic
    tries: int
    dial_at: Monotonic


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing received for so long that it may never return."""

    heard: Monotonic | None
    dial_at: Monotonic
    forget_at: Monotonic


type State = Heard | Greeted | Trusted | Stranger | Silent | Gone


@dataclass(frozen=True, slots=True)
class Sighted:
    """Discovery or configuration reported an address."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A TLS handshake proved its key."""

    member: bool


@dataclass(frozen=True, slots=True)
class Introduced:
    """Its hello arrived on the authenticated connection."""

    same_community: bool
    is_quiet: bool = False
    """Whether it sends no keepalives."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """A frame arrived on the trusted connection."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Its last connection ended, or none could be opened."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The roster changed for this key."""

    member: bool


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""


type Event = Sighted | Proved | Introduced | Spoke | Closed | Listed | Ticked


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection to one of its addresses."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close its connection."""

    why: Literal["not a member", "another community", "silent"]


@dataclass(frozen=True, slots=True)
class Admit:
    """Start to exchange pages with it."""


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Stop exchanging pages with it."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove it from the table of neighbours."""


type Effect = Dial | HangUp | Admit | Dismiss | Forget
type Outcome = tuple[State, tuple[Effect, ...]]


def never_met(now: Monotonic) -> State:
    """The state of a node before its first event."""
    return Gone(None, now, _later(now, GONE_FORGOTTEN_AFTER))


def name_of(state: State) -> StateName:
    """Name of a state on status pages."""
    match state:
        case Heard():
            return "heard"
        case Greeted():
            return "greeted"
        case Trusted():
            return "trusted"
        case Stranger():
            return "stranger"
        case Silent():
            return "silent"
        case Gone():
            return "gone"
        case _:
            assert_never(state)


def step(state: State, event: Event, now: Monotonic) -> Outcome:
    """The state after `event`, and the effects to carry out."""
    match event:
        case Ticked():
            return _tick(state, now)
        case Proved(member) | Listed(member):
            return _judge(state, event, member, now)
        case Sighted():
            return _sighted(state, now)
        case Introduced():
            return _introduced(state, event, now)
        case Spoke():
            return (replace(state, heard=now), ()) if isinstance(state, Trusted) else _ignored(state)
        case Closed():
            return _closed(state, now)
        case _:
            assert_never(event)


def _ignored(state: State) -> Outcome:
    return state, ()


def _sighted(state: State, now: Monotonic) -> Outcome:
    match state:
        case Gone():
            return Heard(now, 1, _later(now, DIAL_AGAIN_MIN)), (Dial(),)
        case Heard(_, tries, dial_at):
            return Heard(now, tries, min(dial_at, _later(now, DIAL_AGAIN_MIN))), ()
        case Silent(heard, tries, dial_at):
            return Silent(heard, tries, min(dial_at, _later(now, DIAL_AGAIN_MIN))), ()
        case _:
            return _ignored(state)


def _judge(state: State, event: Proved | Listed, member: bool, now: Monotonic) -> Outcome:
    if not member:
        return _turn_away(state, event, now)
    match state, event:
        case ((Heard() | Stranger() | Silent() | Gone()), Proved()):
            return Greeted(now), ()
        case Stranger(), Listed():
            return Heard(now, 1, _later(now, DIAL_AGAIN_MIN)), (Dial(),)
        case _:
            return _ignored(state)


def _turn_away(state: State, event: Proved | Listed, now: Monotonic) -> Outcome:
    stranger = Stranger(now, _later(now, STRANGER_ASKED_AGAIN_AFTER))
    match state, event:
        case Trusted(), _:
            return stranger, (Dismiss(), HangUp("not a member"))
        case Greeted(), _:
            return stranger, (HangUp("not a member"),)
        case (Silent(), _) | (_, Proved()):
            return stranger, ()
        case _:
            return _ignored(state)


def _introduced(state: State, event: Introduced, now: Monotonic) -> Outcome:
    silent_after = QUIET_SILENT_AFTER if event.is_quiet else SILENT_AFTER
    match state, event.same_community:
        case ((Greeted() | Trusted() | Silent()), True):
            return Trusted(now, silent_after), (Admit(),)
        case Trusted(), False:
            return Stranger(now, _later(now, STRANGER_ASKED_AGAIN_AFTER)), (
                Dismiss(),
                HangUp("another community"),
            )
        case ((Greeted() | Silent()), False):
            return Stranger(now, _later(now, STRANGER_ASKED_AGAIN_AFTER)), (HangUp("another community"),)
        case _:
            return _ignored(state)


def _closed(state: State, now: Monotonic) -> Outcome:
    match state:
        case Trusted(heard):
            return Silent(heard, 0, now), (Dismiss(),)
        case Greeted():
            return Heard(now, 1, _later(now, DIAL_AGAIN_MIN)), ()
        case _:
            return _ignored(state)


def _tick(state: State, now: Monotonic) -> Outcome:
    match state:
        case Trusted(heard, silent_after) if now - heard > silent_after:
            return Silent(heard, 0, now), (Dismiss(), HangUp("silent"))
        case Greeted(since) if now - since > GREETING_MAX:
            return Heard(now, 1, _later(now, DIAL_AGAIN_MIN)), (HangUp("silent"),)
        case Heard(since) if now - since > HEARD_FORGOTTEN_AFTER:
            return state, (Forget(),)
        case Heard(since, tries, dial_at) if now >= dial_at:
            return Heard(since, tries + 1, _dial_again(tries, now)), (Dial(),)
        case _:
            return _tick_while_away(state, now)


def _tick_while_away(state: State, now: Monotonic) -> Outcome:
    match state:
        case Silent(heard) if now - heard > GONE_AFTER:
            return Gone(heard, now, _later(now, GONE_FORGOTTEN_AFTER)), ()
        case Silent(heard, tries, dial_at) if now >= dial_at:
            return Silent(heard, tries + 1, _dial_again(tries, now)), (Dial(),)
        case Stranger(proven) if now - proven > STRANGER_FORGOTTEN_AFTER:
            return state, (Forget(),)
        case Stranger(proven, dial_at) if now >= dial_at:
            return Stranger(proven, _later(now, STRANGER_ASKED_AGAIN_AFTER)), (Dial(),)
        case Gone(_, _, forget_at) if now >= forget_at:
            return state, (Forget(),)
        case Gone(heard, dial_at, forget_at) if now >= dial_at:
            return Gone(heard, _later(now, DIAL_AGAIN_MAX), forget_at), (Dial(),)
        case _:
            return _ignored(state)


def _dial_again(tries: int, now: Monotonic) -> Monotonic:
    return _later(now, Milliseconds(min(DIAL_AGAIN_MAX, DIAL_AGAIN_MIN * 2 ** min(tries, 8))))


def _later(now: Monotonic, wait: Milliseconds) -> Monotonic:
    return Monotonic(now + wait)

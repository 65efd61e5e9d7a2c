"""The transition table: every state and every event, with and without a row."""

import pytest

from node.sessions.state import (
    Authorized,
    Blocked,
    BlockedByAdmin,
    DeviceSession,
    Discarded,
    Effect,
    Event,
    Expired,
    FoundInKernel,
    LoggedOff,
    Outcome,
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

NOW = Monotonic(50_000)


def admitted(since: int, until: int | None) -> Authorized:
    return Authorized(Monotonic(since), None if until is None else Monotonic(until))


def restored(state: Authorized | Expired | Blocked) -> Restored:
    return Restored(state, AccountId("ana"), 7, "1")


WAITING, EXPIRED, REMOVED = Unauthorized(), Expired(), Blocked("noise at night")
OPEN, TIMED, OVERDUE = admitted(10_000, None), admitted(10_000, 90_000), admitted(10_000, 50_000)
JOIN_FOREVER, JOIN = SessionGranted("1", None), SessionGranted("1", Milliseconds(60_000))
KICK = BlockedByAdmin("shared a stolen key")
FOUND, FOUND_FOREVER = FoundInKernel(9, 3, Monotonic(70_000)), FoundInKernel(9, 3, None)
SHORTER = Shortened(Monotonic(60_000))

TAKE, SAVE, STOP, DISCARD = Effect
ENTERS: Outcome = (admitted(NOW, 110_000), (TAKE, SAVE))
ENTERS_FOREVER: Outcome = (admitted(NOW, None), (TAKE, SAVE))
IS_FOUND: Outcome = (admitted(NOW, 70_000), (TAKE, SAVE))
IS_KICKED: Outcome = (Blocked("shared a stolen key"), (TAKE, SAVE, STOP))
LEAVES: Outcome = (WAITING, (SAVE, STOP))
WAITS: Outcome = (WAITING, (SAVE,))
ENDS: Outcome = (EXPIRED, (SAVE, STOP))
ENDS_EARLIER: Outcome = (admitted(10_000, 60_000), (SAVE,))
GOES: Outcome = (WAITING, (DISCARD,))
COMES_BACK_EXPIRED: Outcome = (EXPIRED, (TAKE, SAVE))

EVENTS: tuple[Event, ...] = (
    JOIN, JOIN_FOREVER, LoggedOff(), Superseded(), TimedOut(), KICK, Unblocked(), SHORTER, FOUND, FOUND_FOREVER, Discarded(),
    restored(TIMED), restored(OPEN), restored(OVERDUE), restored(EXPIRED), restored(REMOVED),
)  # fmt: skip
STAYS = (None,) * 5
"""What storage says of a device that has been seen since is ignored."""
TABLE: dict[DeviceSession, tuple[Outcome | None, ...]] = {
    # join, join forever, leave, superseded, time out, kick, pardon, shorten, found, found forever, discard, five restored.
    # None: the state does not change.
    WAITING: (
        ENTERS, ENTERS_FOREVER, None, None, None, IS_KICKED, None, None, IS_FOUND, ENTERS_FOREVER, GOES,
        (TIMED, (TAKE,)), (OPEN, (TAKE,)), COMES_BACK_EXPIRED, (EXPIRED, (TAKE,)), (REMOVED, (TAKE,)),
    ),
    OPEN: (ENTERS, ENTERS_FOREVER, LEAVES, LEAVES, ENDS, IS_KICKED, None, ENDS_EARLIER, None, None, None, *STAYS),
    TIMED: (ENTERS, ENTERS_FOREVER, LEAVES, LEAVES, ENDS, IS_KICKED, None, ENDS_EARLIER, None, None, None, *STAYS),
    OVERDUE: (ENTERS, ENTERS_FOREVER, LEAVES, LEAVES, ENDS, IS_KICKED, None, None, None, None, None, *STAYS),
    EXPIRED: (
        ENTERS, ENTERS_FOREVER, WAITS, None, None, IS_KICKED, None, None, IS_FOUND, ENTERS_FOREVER, GOES, *STAYS,
    ),
    REMOVED: (None, None, None, None, None, IS_KICKED, WAITS, None, None, None, None, *STAYS),
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        (state, event, (state, ()) if expected is None else expected)
        for state, row in TABLE.items()
        for event, expected in zip(EVENTS, row, strict=True)
    ],
    ids=repr,
)
def test_every_pair_of_state_and_event_is_handled(
    state: DeviceSession, event: Event, expected: Outcome
) -> None:
    assert expected == step(state, event, NOW)

"""Visits that end early, because another device has taken their place: phones change their hardware address, and what they
left behind would fill memory, classes and the list of devices until the visit's time is over."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from node.units import AccountId, MacAddress, Milliseconds, Monotonic

IDLE_OF_ACCOUNT = Milliseconds(2 * 3_600_000)
"""Silent for so long, and another device came into the account since: this is the one before it."""
IDLE_OF_GUEST = Milliseconds(15 * 60_000)
"""Silent for so long while there are more guests than there is comfortable room for."""
LOOK_EVERY = Milliseconds(60_000)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A device that is on."""

    mac: MacAddress
    account: AccountId
    since: Monotonic
    """When it came in this time."""
    idle_ms: int | None
    """Since its last packet; None while that is not known."""
    is_guest: bool
    """Of a guest's account, which has no member and no voucher behind it."""
    is_listed: bool
    """The roll names it: its hardware address is the one its people know."""


def superseded(
    stays: Iterable[OpenSession], now: Monotonic, guests_comfortable: int
) -> tuple[MacAddress, ...]:
    """Those whose visit ends now. A device in use is never among them, nor one whose silence is not known, nor one that
    the roll lists; who comes back is let in again as after any visit."""
    by_account: defaultdict[AccountId, list[OpenSession]] = defaultdict(list)
    guests: list[OpenSession] = []
    for stay in stays:
        if stay.is_guest:
            guests.append(stay)
        else:
            by_account[stay.account].append(stay)
    left = [stay.mac for stays_of in by_account.values() for stay in _left_behind(stays_of, now)]
    surplus = len(guests) - guests_comfortable
    if surplus > 0:
        idle = [stay for stay in guests if stay.idle_ms is not None and stay.idle_ms >= IDLE_OF_GUEST]
        idle.sort(key=lambda stay: -(stay.idle_ms or 0))
        left += [stay.mac for stay in idle[:surplus]]
    return tuple(left)


def _left_behind(stays: list[OpenSession], now: Monotonic) -> list[OpenSession]:
    newest = max(stay.since for stay in stays)
    return [
        stay
        for stay in stays
        if not stay.is_listed
        and stay.idle_ms is not None
        and stay.idle_ms >= IDLE_OF_ACCOUNT
        and newest > now - stay.idle_ms
    ]

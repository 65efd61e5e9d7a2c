"""Sessions that end early because another device replaced theirs: phones change their MAC address, and the sessions
left behind would use memory, traffic classes and lines of the device list until they time out."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from node.units import AccountId, MacAddress, Milliseconds, Monotonic

IDLE_OF_ACCOUNT = Milliseconds(2 * 3_600_000)
"""Idle for so long, while a newer device signed in to the account: the older session is superseded."""
IDLE_OF_GUEST = Milliseconds(15 * 60_000)
"""Idle for so long, while there are more guests than `guests_comfortable`."""
LOOK_EVERY = Milliseconds(60_000)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A device with an authorized session."""

    mac: MacAddress
    account: AccountId
    since: Monotonic
    """When this session began."""
    idle_ms: int | None
    """Since its last packet; None when not known."""
    is_guest: bool
    """The account is a guest's own: no member and no voucher."""
    is_listed: bool
    """The member directory lists this MAC address, so it is a fixed one."""


def superseded(
    stays: Iterable[OpenSession], now: Monotonic, guests_comfortable: int
) -> tuple[MacAddress, ...]:
    """Devices whose session ends now: never one that is in use, one with unknown idle time, or one that the member
    directory lists. They can sign in again as after any session."""
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

"""Device limit (FreeRADIUS `Simultaneous-Use`): which session is evicted for a new device of the same account."""

from collections.abc import Iterable
from dataclasses import dataclass

from node.governance.rules import WhenFull
from node.units import MacAddress, Milliseconds

IDLE_MIN = Milliseconds(5 * 60_000)
"""A device that was idle for less is in use: it is evicted only when the person chose it."""


@dataclass(frozen=True, slots=True)
class ActiveDevice:
    """A device of the account with an authorized session."""

    mac: MacAddress
    idle_ms: int | None
    """Since its last packet; None when not known."""


@dataclass(frozen=True, slots=True)
class DeviceLimitReached:
    """The account is at its device limit, and no session may be evicted."""

    devices_max: int


def device_to_evict(
    occupants: Iterable[ActiveDevice],
    devices_max: int,
    when_full: WhenFull,
    instead_of: MacAddress | None = None,
) -> tuple[MacAddress, ...] | DeviceLimitReached:
    """The account's other devices to evict so that one more is within `devices_max`: first the one that the person
    chose, then, if `when_full` is "oldest", those idle longest."""
    on = list(occupants)
    surplus = len(on) + 1 - devices_max
    if surplus <= 0:
        return ()
    chosen = [each for each in on if each.mac == instead_of]
    idle = [each for each in on if each.mac != instead_of and (each.idle_ms or 0) >= IDLE_MIN]
    if when_full == "oldest":
        chosen += sorted(idle, key=lambda each: -(each.idle_ms or 0))
    if len(chosen) < surplus:
        return DeviceLimitReached(devices_max)
    return tuple(each.mac for each in chosen[:surplus])

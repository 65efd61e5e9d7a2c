"""Room for one more device of an account: who makes it, or why nobody does."""

from collections.abc import Iterable
from dataclasses import dataclass

from node.governance.join_methods import WhenFull
from node.units import MacAddress, Milliseconds

IDLE_MIN = Milliseconds(5 * 60_000)
"""A device that was silent for less is in use: it makes room only when its person says so."""


@dataclass(frozen=True, slots=True)
class ActiveDevice:
    """A device of the account that is on."""

    mac: MacAddress
    idle_ms: int | None
    """Since its last packet; None while that is not known."""


@dataclass(frozen=True, slots=True)
class DeviceLimitReached:
    """The account has as many devices on as it may, and nobody makes room by itself."""

    devices_max: int


def device_to_evict(
    occupants: Iterable[ActiveDevice],
    devices_max: int,
    when_full: WhenFull,
    instead_of: MacAddress | None = None,
) -> tuple[MacAddress, ...] | DeviceLimitReached:
    """Those of the account's other devices that leave so that one more is within `devices_max`: first the one that
    the person chose, then, if the community wants it so, the longest idle ones."""
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

"""Which device a connection belongs to, and detection of addresses that two devices claim."""

from collections import OrderedDict
from typing import Protocol

from node.units import MacAddress
from node.web.connections import Caller, SocketAddresses

ADDRESSES_MAX = 4_096
"""Addresses with a remembered last change; the oldest change is evicted first."""
DEVICES_MAX = 4_096
"""Devices with frames seen lately, by hardware address."""
CLAIMS_MAX = 256
TURNS_WITHIN_S = 60.0
"""An address that returns to its previous device within this time is claimed by two; a normal move goes one
way."""
WARNED_FOR_S = 600.0
"""How long admins see a warning after a claim was last seen."""

ELSEWHERE, DISPUTED = Caller(None), Caller(None, is_disputed=True)


class ActiveDevices:
    """Devices whose own frames reached the portal lately: so their hardware addresses are in real use."""

    def __init__(self) -> None:
        self._devices: OrderedDict[MacAddress, None] = OrderedDict()

    def add(self, device: MacAddress) -> None:
        self._devices[device] = None
        self._devices.move_to_end(device)
        if len(self._devices) > DEVICES_MAX:
            self._devices.popitem(last=False)

    def is_lease_of_another(self, holder: MacAddress | None, device: MacAddress) -> bool:
        """Whether an address that `device` uses is leased to another active device of this link.

        An address without a lease proves nothing (static and privacy addresses). Nor does a leaseholder
        without frames: behind a Wi-Fi repeater, devices get leases under their own hardware address and send
        under the repeater's.
        """
        return holder is not None and holder != device and holder in self._devices


class AddressConflicts:
    """Addresses that two hardware addresses claimed. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[MacAddress, MacAddress | None, float]] = OrderedDict()
        """By address: holder, previous holder, and since when."""
        self._claimed: OrderedDict[str, float] = OrderedDict()

    def seen(self, address: str, device: MacAddress, now: float) -> None:
        """The neighbour table now has `device` for `address`."""
        holder, before, since = self._held.get(address, (device, None, now))
        if device != holder:
            if device == before and now - since < TURNS_WITHIN_S:
                self.claimed(address, now)
            holder, before, since = device, holder, now
        self._held[address] = holder, before, since
        self._held.move_to_end(address)
        if len(self._held) > ADDRESSES_MAX:
            self._held.popitem(last=False)

    def claimed(self, address: str, now: float) -> None:
        """Two devices claim `address`."""
        self._claimed[address] = now
        self._claimed.move_to_end(address)
        if len(self._claimed) > CLAIMS_MAX:
            self._claimed.popitem(last=False)

    def lately(self, now: float) -> int:
        """Number of addresses claimed by two devices within `WARNED_FOR_S`."""
        return sum(now - at < WARNED_FOR_S for at in self._claimed.values())


def warning(addresses: int) -> str:
    """For admins and the log, without addresses or names; empty while nothing is claimed twice."""
    if not addresses:
        return ""
    how_many = "one address" if addresses == 1 else f"{addresses} addresses"
    return (
        f"Two devices claim {how_many} of the people's network: someone may be forging ARP or neighbour advertisements to "
        "pass for another device, or an address was set by hand twice. The portal shows such a device nothing about "
        "anybody. 'ip neigh' on the node tells who holds which address."
    )


class Callers(Protocol):
    """Identifies clients by what they cannot choose in a request."""

    def caller(self, ends: SocketAddresses) -> Caller:
        """Device of a connection. Called once, when it opens; valid until it closes."""

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        """Whether another device now claims the address from which `device` sends. Called for each
        request."""

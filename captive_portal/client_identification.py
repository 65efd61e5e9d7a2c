"""Identifies clients on the LAN from the kernel and the DHCP leases, and detects addresses that two devices
claim."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from captive_portal.callers import DISPUTED, ELSEWHERE, ActiveDevices, AddressConflicts, warning
from captive_portal.dhcp_leases import LeaseFile
from captive_portal.neighbours import KernelNeighbours, NeighbourMonitor
from captive_portal.senders import FrameSenders
from node.enforcement.nft import SENDERS, TABLE_NAME
from node.units import MacAddress
from node.web.connections import Caller, SocketAddresses

LOOK_EVERY_S = 1.0
LOGGED_EVERY_S = 600.0

log = logging.getLogger(__name__)


class LinkCallers:
    """Implements `Callers` for one LAN interface; `run` watches leases and claims until cancelled."""

    def __init__(
        self,
        neighbours: KernelNeighbours,
        senders: FrameSenders,
        leases: LeaseFile,
        *,
        monitor: Callable[[], NeighbourMonitor],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._neighbours, self._senders, self._leases = neighbours, senders, leases
        self._monitor, self._clock = monitor, clock
        self._active, self._claims = ActiveDevices(), AddressConflicts()
        self._logged = -LOGGED_EVERY_S
        self.on_neighbour: Callable[[MacAddress, str], None] = lambda _device, _address: None
        """Called when the kernel tells of a device on the link and its address, which any host there can forge."""

    def caller(self, ends: SocketAddresses) -> Caller:
        """The neighbour table gives the device of the address; the frames must come from that device."""
        device = self._neighbours.mac_of(ends.address)
        if device is None:
            return ELSEWHERE
        sends = self._senders.sends(device, ends)
        if sends is False:
            # The address may have moved to another device a moment ago.
            device = self._neighbours.mac_of(ends.address, is_fresh=True)
            sends = device is not None and self._senders.sends(device, ends)
        if device is None or sends is None:
            return DISPUTED  # no second claim, but the sender cannot be verified
        if not sends:
            return self._disputed(ends.address)
        self._active.add(device)
        if self._is_leased_to_another(ends.address, device):
            return self._disputed(ends.address)
        return Caller(device)

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        holder = self._neighbours.mac_of(address)
        if holder in {None, device} and not self._is_leased_to_another(address, device):
            return False
        self._disputed(address)
        return True

    def warnings(self) -> tuple[str, ...]:
        found = warning(self._claims.lately(self._clock()))
        return (found,) if found else ()

    async def run(self) -> None:
        """Reads leases and neighbour notifications until cancelled."""
        loop, monitor = asyncio.get_running_loop(), self._monitor()
        loop.add_reader(monitor.fileno(), self._read_monitor, monitor)
        try:
            while True:
                await asyncio.to_thread(self._leases.look)
                self._log()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            loop.remove_reader(monitor.fileno())
            monitor.close()

    def close(self) -> None:
        self._neighbours.close()
        self._senders.close()

    def _is_leased_to_another(self, address: str, device: MacAddress) -> bool:
        return self._active.is_lease_of_another(self._leases.holders.get(address), device)

    def _disputed(self, address: str) -> Caller:
        self._claims.claimed(address, self._clock())
        return DISPUTED

    def _read_monitor(self, monitor: NeighbourMonitor) -> None:
        now = self._clock()
        for address, device in monitor.read():
            self._claims.seen(address, device, now)
            self.on_neighbour(device, address)

    def _log(self) -> None:
        now = self._clock()
        found = warning(self._claims.lately(now))
        if found and now - self._logged >= LOGGED_EVERY_S:
            self._logged = now
            log.warning("%s", found)


def link_callers(interface: str, leases: Path) -> LinkCallers:
    """Of the LAN, with the kernel's own neighbour table and our firewall table."""
    return LinkCallers(
        KernelNeighbours(interface),
        FrameSenders(TABLE_NAME, SENDERS),
        LeaseFile(leases),
        monitor=partial(NeighbourMonitor, interface),
    )

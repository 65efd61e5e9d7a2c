"""Finds other DHCP servers and routers on the LAN: sends the requests a device would send, and reads who answered."""

import asyncio
import secrets
import socket

from node.enforcement.foreign_servers import (
    DHCP,
    ROUTERS,
    ForeignServer,
    Kind,
    dhcp_discover,
    listed,
    router_solicitation,
)
from node.enforcement.libnftables import Nftables
from node.enforcement.nft import TABLE
from node.errors import KernelRefused

ASK_EVERY_S = 300.0
ANSWERED_WITHIN_S = 2.0
NAMED_MAX = 3
"""Per kind, in a warning."""
_SETS: tuple[tuple[Kind, str], ...] = (("dhcp", DHCP), ("router", ROUTERS))


class ForeignServers:
    """Other servers that answered on `interface` within the last half hour."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._found: tuple[ForeignServer, ...] = ()

    def warnings(self) -> tuple[str, ...]:
        return tuple(
            warning(kind, self._found) for kind, _ in _SETS if any(f.kind == kind for f in self._found)
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.update()
            await asyncio.sleep(ASK_EVERY_S)

    async def update(self) -> None:
        """Check once; `warnings` then reports the result."""
        self._found = await self.look()

    async def look(self) -> tuple[ForeignServer, ...]:
        """Send the requests, then return the servers that answered, most recent first; empty when our table does not
        exist."""
        await asyncio.to_thread(solicit, self._interface)
        await asyncio.sleep(ANSWERED_WITHIN_S)
        return await asyncio.to_thread(seen)


def warning(kind: Kind, found: tuple[ForeignServer, ...]) -> str:
    """One sentence for all servers of a kind."""
    those = [each for each in found if each.kind == kind]
    named = ", ".join(f"{each.mac} ({each.address})" for each in those[:NAMED_MAX])
    more = f" and {len(those) - NAMED_MAX} more" if len(those) > NAMED_MAX else ""
    if kind == "dhcp":
        return (
            f"Another DHCP server answers on the people's side: {named}{more}. Devices that take its addresses meet "
            "neither the page nor the rules. Find the device, perhaps a router plugged in by a LAN port, and take it off "
            "the network."
        )
    return (
        f"Another router announces itself by IPv6 on the people's side: {named}{more}. Devices may go past the page and "
        "the rules by it. Find the device and take it off the network, or switch its router advertisements off."
    )


def solicit(interface: str) -> None:
    """Send one request for each kind of server; nothing when the interface is missing."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
            line.bind((interface, 0))
            mac: bytes = line.getsockname()[4]
            line.send(dhcp_discover(mac, secrets.randbits(32)))
            line.send(router_solicitation(mac))
    except OSError:
        return  # tried again later; 'doctor' and the part "addresses" report a missing interface


def seen() -> tuple[ForeignServer, ...]:
    """Servers that answered within the last half hour, most recent first."""
    nftables, found = Nftables(), []
    try:
        for kind, name in _SETS:
            found += list(listed(kind, nftables.run(f"list set {TABLE} {name}")))
    except KernelRefused:
        return ()  # without our table nothing was recorded
    finally:
        nftables.close()
    return tuple(sorted(found, key=lambda each: each.seconds_ago))

"""Finds other DHCP servers and routers on the LAN: sends the requests a device would send, and reads who answered."""

import asyncio
import secrets
import socket
import time

from node.enforcement.foreign_servers import (
    DHCP,
    KNOWN_MAX,
    ROUTERS,
    ForeignServer,
    Kind,
    dhcp_discover,
    foreign_server,
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
_ETH_P_ALL = 0x0003
"""From linux/if_ether.h."""
_FRAME_BYTES_MAX = 2_048
"""More than the headers that are read; the rest of a longer frame is cut off."""
_SETS: tuple[tuple[Kind, str], ...] = (("dhcp", DHCP), ("router", ROUTERS))


class ForeignServers:
    """Other servers that answered on `interface` within the last half hour."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._found: tuple[ForeignServer, ...] = ()

    def warnings(self) -> tuple[str, ...]:
        return warnings(self._found)

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


def warnings(found: tuple[ForeignServer, ...]) -> tuple[str, ...]:
    """One sentence for each kind of server that was found."""
    return tuple(warning(kind, found) for kind, _ in _SETS if any(each.kind == kind for each in found))


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
            _send_requests(line)
    except OSError:
        return  # tried again later; 'doctor' and the part "addresses" report a missing interface


def listen(interface: str) -> tuple[ForeignServer, ...] | None:
    """Like `ForeignServers.look`, also where our table does not exist: send the requests, and add the answers of other
    machines to those that the table recorded. At most `KNOWN_MAX` servers are added. Blocks for `ANSWERED_WITHIN_S`. None
    if nothing can be sent by `interface`."""
    answered: dict[ForeignServer, None] = {}
    ends = time.monotonic() + ANSWERED_WITHIN_S
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
            line.bind((interface, _ETH_P_ALL))
            _send_requests(line)
            while (left := ends - time.monotonic()) > 0 and len(answered) < KNOWN_MAX:
                line.settimeout(left)
                frame, sender = line.recvfrom(_FRAME_BYTES_MAX)
                server = None if sender[2] == socket.PACKET_OUTGOING else foreign_server(frame)
                if server is not None:
                    answered[server] = None
    except TimeoutError:
        pass  # the usual end
    except OSError:
        return None
    # Where bridged packets pass the packet filter (br_netfilter), our table drops such answers before a socket has them.
    return tuple({(each.kind, each.mac, each.address): each for each in (*answered, *seen())}.values())


def _send_requests(line: socket.socket) -> None:
    mac: bytes = line.getsockname()[4]
    line.send(dhcp_discover(mac, secrets.randbits(32)))
    line.send(router_solicitation(mac))


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

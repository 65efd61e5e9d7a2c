"""nftables rules for TCP flows that began at another node of the community, whose device is here now.

Connection tracking does not know such a flow: its packets are new, and not the first. A reset would end it before the device
is let in here, so until then they are dropped, and sent again, if the flow is between the LAN and another node. Flows by the
uplink are refused as ever: they have ended here, or have another node's address and cannot go on.

Afterwards the device's own packets carry it on. A download has none until its server's packets arrive, which have no mark.
Those to the address under which the device was heard when it came pass for a while, uncounted as all traffic inside the
community; later ones get the mark of the device that lately began a flow from their address.
"""

from collections.abc import Collection, Iterable

from node.enforcement.plan import Admission

PLACES_MAX = 65_535
PLACE_KEPT_S = 120
CAME_S, CAME_MAX = 30, 65_535
"""A server sends again after 0.2, 0.4, 0.8, 1.6, 3.2, 6.4 and 12.8 seconds."""

_LATER = "meta l4proto tcp ct state new tcp flags & (syn | rst) == 0"
_FAMILIES = (("4", "ip", "ipv4_addr"), ("6", "ip6", "ipv6_addr"))


def moved_sets(table: str) -> str:
    """From which address a device that is let in lately began a flow, and its mark; and the addresses of devices that lately
    came."""
    return "".join(
        f"add set {table} came{version} {{ type {kind}; size {CAME_MAX}; flags timeout; timeout {CAME_S}s; }}\n"
        f"add map {table} places{version} {{ type {kind} : mark; size {PLACES_MAX}; flags dynamic,timeout; "
        f"timeout {PLACE_KEPT_S}s; }}\n"
        for version, _, kind in _FAMILIES
    )


def noted_places(links: Collection[str]) -> Iterable[str]:
    """For the first packet of a flow from the LAN of a node with these `links` to others: marks it, and notes where its
    device is."""
    if not links:
        return
    yield "ct mark set ether saddr map @members"
    for version, ip, _ in _FAMILIES:
        yield f"ct mark != 0 update @places{version} {{ {ip} saddr : ct mark }}"


def came_lately(table: str, admitted: Iterable[Admission]) -> Iterable[str]:
    """Commands for devices that are let in now."""
    addresses = {address for each in admitted for address in each.addresses}
    for version, _, _ in _FAMILIES:
        found = sorted(each for each in addresses if (":" in each) == (version == "6"))
        if found:
            yield f"add element {table} came{version} {{ {', '.join(found)} }}\n"


def moved_rules(links: Collection[str], marked: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """For packets that nothing else lets pass, to the LAN and from it: those of flows that began elsewhere pass, are marked,
    or are dropped. `marked` lets packets with the mark of a device that is let in pass."""
    if not links:
        return (), ()
    names = ", ".join(f'"{name}"' for name in links)
    moved = [
        f"iifname {{ {names} }} {_LATER} {does}"
        for version, ip, _ in _FAMILIES
        for does in (f"{ip} daddr @came{version} accept", f"ct mark set {ip} daddr map @places{version}")
    ]
    return (*moved, *marked, f"iifname {{ {names} }} {_LATER} drop"), (
        f"oifname {{ {names} }} {_LATER} drop",
    )

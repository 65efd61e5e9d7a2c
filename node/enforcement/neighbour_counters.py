"""nftables text that counts what passes the mesh interfaces, by the hardware address at the other end, and what the kernel
lists of it.

The table is one of the family netdev, because only there the address that a frame goes to is known when it leaves. The
packets' path fills the sets, so a new neighbour needs no change of the ruleset; the sets outlive the chains and the daemon.
A frame costs one rule. Frames to groups are counted for nobody.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from node.accounting.link_days import Carried, NeighbourReading
from node.units import MacAddress

TABLE = "netdev procomu_mesh"
ADDRESSES_MAX = 4_096
"""Hardware addresses counted in each direction; a flood of invented ones keeps out new ones, until it is `KEPT` over."""
KEPT = "1d"
"""How long the count of an address that is silent stays: a node that is there says something each minute."""
ETHERNET_HEADER_BYTES = 14
"""Counted on the way out, and not on the way in: taken off."""
_GROUP_BIT = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept"


def sets(counters_id: int) -> str:
    """The table and its sets, empty."""
    kind = f"type ether_addr; size {ADDRESSES_MAX}; flags dynamic,timeout; timeout {KEPT};"
    return (
        f"add table {TABLE}\ndelete table {TABLE}\nadd table {TABLE}\n"
        f"add set {TABLE} sent {{ {kind} }}\nadd set {TABLE} received {{ {kind} }}\n"
        f"add set {TABLE} id {{ type mark; }}\nadd element {TABLE} id {{ {counters_id} }}\n"
    )


def chains(before: Iterable[str], interfaces: Iterable[str]) -> str:
    """Count on these interfaces, which must exist, and no longer on those `before`."""
    wanted, lines = tuple(interfaces), list[str]()
    for name in dict.fromkeys((*before, *wanted)):
        for chain in _chains_of(name):
            # "destroy" needs Linux 6.3. A chain without a hook is made where there is none.
            lines += [f"add chain {TABLE} {chain}", f"delete chain {TABLE} {chain}"]
    for name in wanted:
        inwards, outwards = _chains_of(name)
        hook = f'device "{name}" priority 0; policy accept;'
        lines += [
            f"add chain {TABLE} {inwards} {{ type filter hook ingress {hook} }}",
            f"add rule {TABLE} {inwards} update @received {{ ether saddr counter }}",
            f"add chain {TABLE} {outwards} {{ type filter hook egress {hook} }}",
            f"add rule {TABLE} {outwards} {_GROUP_BIT}",
            f"add rule {TABLE} {outwards} update @sent {{ ether daddr counter }}",
        ]
    return "".join(f"{line}\n" for line in lines)


def _chains_of(interface: str) -> tuple[str, str]:
    """Names of interfaces may have characters that those of chains may not."""
    return f"in_{interface.encode().hex()}", f"out_{interface.encode().hex()}"


def remove() -> str:
    """Delete the table; no error when there is none."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def counted(listed: str, indexes: Mapping[str, int]) -> NeighbourReading:
    """From the JSON that lists the table. `indexes`: of the interfaces that there are now. A chain may leave with its
    interface, so the counters are others when an interface is gone, or has come again."""
    found, on = dict[str, list[Any]](), set[str]()
    for item in json.loads(listed)["nftables"]:
        if "set" in item:
            found[item["set"]["name"]] = item["set"].get("elem", [])
        if "chain" in item:
            on.add(f"{item['chain']['name']}:{indexes.get(item['chain'].get('dev', ''), 0)}")
    sent, received = (dict(map(_element, found.get(name, ()))) for name in ("sent", "received"))
    named = found.get("id", [])
    return NeighbourReading(
        " ".join((str(named[0]), *sorted(on))) if named else "",
        {
            mac: Carried(_without_headers(sent.get(mac, (0, 0))), received.get(mac, (0, 0))[0])
            for mac in sent.keys() | received.keys()
        },
    )


def _element(item: Any) -> tuple[MacAddress, tuple[int, int]]:
    """Hardware address, bytes and packets."""
    element = item["elem"]
    counter = element["counter"]
    return MacAddress(element["val"]), (counter["bytes"], counter["packets"])


def _without_headers(counter: tuple[int, int]) -> int:
    counted_bytes, packets = counter
    return counted_bytes - packets * ETHERNET_HEADER_BYTES

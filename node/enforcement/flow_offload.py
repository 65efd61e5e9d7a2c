"""nftables text for flow offload: a flowtable takes the packets of running flows from the ingress of one interface to the
egress of the other, past every other hook.

It comes beside the rules of `nft`, which stay complete: they admit the first packets of every flow, count what they see,
and hand a flow over once it is established. What they see they also unmark, so that the chains here count, shape and
refuse only what went past them:

- ``lan_in`` marks each packet from the LAN with the device that its frame comes from, ``uplink_in`` each from the uplink;
- ``uplink_out`` and ``lan_out`` count and shape marked packets by device, and drop those of devices without a lease.

A flowtable takes no packet that has one hop left. So ``lan_in`` leaves one to TCP and UDP of devices without a lease, and
``lan_after``, which comes after the flowtable, gives them more again: even on a flow that was handed over, such a device
meets all rules, and is refused at once instead of waiting in silence.

The chains are in a table of their own, because only the family netdev has an egress hook. Its maps time out with those of
the other table; its counters are added to those of the other. At the egress a packet already has its Ethernet header,
which is not counted.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from node.enforcement.flows import STRANGER_NUMBERS
from node.enforcement.plan import Admission, FirewallConfig, class_text

FlowOffload = Literal["flowtable", "emulated"]
"""``emulated``: running flows pass the forward hook without its rules; for tests of the chains here on a kernel that has
no flowtables."""
TABLE_NAME = "procomu"
TABLE = f"netdev {TABLE_NAME}"
FLOWTABLE, EMULATED = "running", "running_flows"
MARKED, MARKED_BITS = 0x4000_0000, 0xC000_0000
"""A packet's mark is `MARKED` and the mark of the device's admission. Programs that set marks of their own use others."""
FROM_UPLINK, FROM_NOBODY = MARKED | STRANGER_NUMBERS, MARKED
ETHERNET_HEADER_BYTES = 14
CHAINS = ("lan_in", "lan_after", "uplink_in", "uplink_out", "lan_out")
HOPS, HOPS_SET = (("ip", "ip ttl"), ("ip6", "ip6 hoplimit")), 64
TRANSPORT = "meta l4proto { tcp, udp }"
"""Only these can be in a flowtable; neighbour discovery needs its hop limit."""
DEVICES_MAX = 65_535
"""In a class at once. A map with a fixed size, and without timeouts, gets the kernel's fast hash."""
BEFORE_FLOWTABLE, AFTER_FLOWTABLE = -10, 10
"""Priorities of ingress chains; the flowtable has 0."""
_IS_MARKED = f"meta mark & {MARKED_BITS:#x} == {MARKED:#x}"
_RUNNING = "ct state established"


def create() -> str:
    """Replace any existing table by an empty one with its maps."""
    maps = {
        "members": "ether_addr : mark",
        "up": "mark : counter",
        "down": "ether_addr : counter",
    }
    made = "".join(
        f"add map {TABLE} {name} {{ type {kind}; flags timeout; }}\n" for name, kind in maps.items()
    )
    for name, kind in (("classes_up", "mark : classid"), ("classes_down", "ether_addr : classid")):
        made += f"add map {TABLE} {name} {{ type {kind}; size {DEVICES_MAX}; }}\n"
    return f"{remove()}add table {TABLE}\n{made}"


def remove() -> str:
    """Delete the whole table; no error when there is none."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def chains(firewall: FirewallConfig, *, shaped: bool) -> str:
    """All chains, bound to the interfaces that have these names now."""
    lan, uplink = firewall.lan_interface, firewall.uplink_interface
    up, down = (
        f"meta priority set {key} map @classes_{way} " if shaped else ""
        for way, key in (("up", "meta mark"), ("down", "ether daddr"))
    )
    marks_sender = (
        f"meta mark set {FROM_NOBODY:#x}",
        "meta mark set ether saddr map @members accept",
        *(f"meta protocol {family} {TRANSPORT} {hops} set 1" for family, hops in HOPS),
    )
    hops_again = (
        f"meta mark != {FROM_NOBODY:#x} accept",
        "meta mark set 0",
        *(f"meta protocol {family} {TRANSPORT} {hops} set {HOPS_SET}" for family, hops in HOPS),
    )
    counts_up = (
        f"meta mark & {MARKED_BITS:#x} != {MARKED:#x} accept",
        f"counter name meta mark map @up {up}accept",
        # One of the interfaces can be a VLAN of the other; then these were counted there.
        f"meta mark {FROM_UPLINK:#x} accept",
        "drop",
    )
    counts_down = (
        f"meta mark != {FROM_UPLINK:#x} accept",
        f"counter name ether daddr map @down {down}accept",
        "drop",
    )
    return "".join(
        (
            without_chains(),
            _chain("lan_in", _hook("ingress", lan, BEFORE_FLOWTABLE), marks_sender),
            _chain("lan_after", _hook("ingress", lan, AFTER_FLOWTABLE), hops_again),
            _chain(
                "uplink_in", _hook("ingress", uplink, BEFORE_FLOWTABLE), (f"meta mark set {FROM_UPLINK:#x}",)
            ),
            _chain("uplink_out", _hook("egress", uplink), counts_up),
            _chain("lan_out", _hook("egress", lan), counts_down),
        )
    )


def without_chains() -> str:
    """Delete the chains, also those that left with an interface."""
    # "destroy" needs Linux 6.3. A chain is added without its hook, which does nothing when it exists.
    return "".join(f"add chain {TABLE} {name}\ndelete chain {TABLE} {name}\n" for name in CHAINS)


def _hook(hook: str, interface: str, priority: int = 0) -> str:
    return f' {{ type filter hook {hook} device "{interface}" priority {priority}; policy accept; }}'


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    return f"add chain {TABLE} {name}{hook}\n" + "".join(
        f"add rule {TABLE} {name} {rule}\n" for rule in rules
    )


def counters(action: str, marks: Iterable[int]) -> list[str]:
    return [f"{action} counter {TABLE} {way}{mark}\n" for mark in marks for way in "ud"]


def sessions(action: str, people: Sequence[Admission], timeouts: Sequence[str]) -> list[str]:
    """The elements of each device, with the timeout of its lease."""
    both = list(zip(people, timeouts, strict=True))
    return (
        _elements(action, "members", [f"{a.mac}{ends} : {MARKED | a.mark:#x}" for a, ends in both])
        + _elements(action, "up", [f'{MARKED | a.mark:#x}{ends} : "u{a.mark}"' for a, ends in both])
        + _elements(action, "down", [f'{a.mac}{ends} : "d{a.mark}"' for a, ends in both])
        + classes(action, people)
    )


def classes(action: str, people: Sequence[Admission]) -> list[str]:
    """The class of each device; a device whose class is not known has none. These stay when a lease ends in the kernel."""
    classed = [a for a in people if a.class_minor]
    return _elements(
        action, "classes_up", [f"{MARKED | a.mark:#x} : {class_text(a.class_minor)}" for a in classed]
    ) + _elements(action, "classes_down", [f"{a.mac} : {class_text(a.class_minor)}" for a in classed])


def flush_classes() -> str:
    return f"flush map {TABLE} classes_up\nflush map {TABLE} classes_down\n"


def end_sessions(gone: Sequence[Admission]) -> list[str]:
    """Delete elements that exist."""
    classed = [a for a in gone if a.class_minor]
    return (
        _elements("delete", "members", [a.mac for a in gone])
        + _elements("delete", "up", [f"{MARKED | a.mark:#x}" for a in gone])
        + _elements("delete", "down", [a.mac for a in gone])
        + _elements("delete", "classes_up", [f"{MARKED | a.mark:#x}" for a in classed])
        + _elements("delete", "classes_down", [a.mac for a in classed])
    )


def _elements(action: str, name: str, elements: list[str]) -> list[str]:
    return [f"{action} element {TABLE} {name} {{ {', '.join(elements)} }}\n"] if elements else []


# --- in the other table, which has the forward hook ---


def handed_over(table: str, kind: FlowOffload, lan: str, uplink: str) -> str:
    """Add what running flows are handed over to."""
    if kind == "emulated":
        return f"add set {table} {EMULATED} {{ typeof ct id; size 65535; flags dynamic,timeout; timeout 30s; }}\n"
    devices = f"{{ {', '.join(f'"{name}"' for name in sorted({lan, uplink}))} }}"
    return f"add flowtable {table} {FLOWTABLE} {{ hook ingress priority filter; devices = {devices}; }}\n"


def unmarked(kind: FlowOffload) -> Iterable[str]:
    """First rules of the forward hook: what it sees is counted there."""
    if kind == "emulated":
        ends = "meta l4proto tcp tcp flags & (fin | syn | rst) != 0"
        yield f"{_IS_MARKED} {ends} meta mark set 0"
        yield f"{_IS_MARKED} {_RUNNING} ct id @{EMULATED} accept"
    yield f"{_IS_MARKED} meta mark set 0"


def counted(kind: FlowOffload, links: tuple[int, int]) -> Iterable[str]:
    """Rules for packets that were counted and may pass. Only between the interfaces that the chains are bound to: after
    one of them was recreated, nothing would count what went past."""
    lan, uplink = links
    to = f"add @{EMULATED} {{ ct id }}" if kind == "emulated" else f"flow add @{FLOWTABLE}"
    for ways in (f"iif {lan} oif {uplink}", f"iif {uplink} oif {lan}"):
        yield f"{ways} {_RUNNING} {TRANSPORT} {to}"
    yield "accept"

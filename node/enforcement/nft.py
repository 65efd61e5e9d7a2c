"""A plan as nftables text: the table, and the smallest transaction that leads from one state to another.

The table keeps its state in sets and maps, never in a rule for a device (design, data plane):

- ``members`` names a device (hardware address to mark), ``leases`` and ``seats`` end with the session by
  themselves, so a session is over in the kernel even when the daemon is dead;
- ``up`` and ``down`` give a mark its class and count its bytes; they have no time-out, so what a session used can
  still be booked after its end;
- ``facts`` holds what the node must know about its own table after a crash.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.enforcement.plan import Admission, Gate, TrafficPlan
from node.units import MacAddress, Monotonic

TABLE = "inet procomu"
LAYOUT = 1
"""Raised with every change of a set's type; another number makes the node build the table anew."""

FACT_LAYOUT, FACT_COUNTERS_ID, FACT_FORWARDING4, FACT_FORWARDING6 = 1, 2, 3, 4
DNS_PER_SECOND_BEFORE_ADMISSION = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the kernel, as far as a transition needs to know it."""

    gate: Gate | None
    """None when the chains are unknown and must be written again."""
    admitted: Mapping[MacAddress, Admission]
    marks: Mapping[int, int]


EMPTY = Standing(None, {}, {})


def create(counters_id: int, forwarding_before: tuple[bool, bool]) -> str:
    """The bare table with its sets, in place of any older one of ours; nothing is admitted."""
    facts = {
        FACT_LAYOUT: LAYOUT,
        FACT_COUNTERS_ID: counters_id,
        FACT_FORWARDING4: int(forwarding_before[0]),
        FACT_FORWARDING6: int(forwarding_before[1]),
    }
    elements = ", ".join(f"{key} : {value}" for key, value in facts.items())
    return f"""\
add table {TABLE}
delete table {TABLE}
add table {TABLE}
add map {TABLE} facts {{ type mark : mark; }}
add element {TABLE} facts {{ {elements} }}
add map {TABLE} members {{ type ether_addr : mark; flags timeout; }}
add set {TABLE} seats {{ type ether_addr . mark; flags timeout; }}
add set {TABLE} leases {{ type mark; flags timeout; }}
add map {TABLE} up {{ type mark : classid; counter; }}
add map {TABLE} down {{ type mark : classid; counter; }}
add set {TABLE} dns_askers {{ type ether_addr; size 65535; flags dynamic,timeout; timeout 1m; }}
"""


def transition(before: Standing, plan: TrafficPlan, now: Monotonic) -> str:
    """One transaction from `before` to `plan`; empty when nothing differs. Applying it never resets a counter."""
    parts: list[str] = []
    if before.gate != plan.gate:
        parts.append(chains(plan.gate))
    wanted_marks = marks_of(plan)
    parts += _map_changes("up", before.marks, wanted_marks)
    parts += _map_changes("down", before.marks, wanted_marks)
    gone = [a for mac, a in before.admitted.items() if plan.admitted.get(mac) != a]
    new = [a for mac, a in plan.admitted.items() if before.admitted.get(mac) != a]
    parts += _end_sessions(gone)
    parts += _begin_sessions([a for a in new if a.ends is None or a.ends > now], now)
    return "".join(parts)


def marks_of(plan: TrafficPlan) -> dict[int, int]:
    """Every mark that must be counted, with its class."""
    marks = {a.mark: a.class_minor for a in plan.admitted.values()}
    return {**plan.retiring, **marks}


def chains(gate: Gate) -> str:
    """The rules, which never change with the people on the network."""
    return "".join((_prerouting(gate), _forward(gate), _input(gate), _postrouting(gate)))


def remove() -> str:
    """Takes the whole table away, whether it stands or not."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    lines = [f"add chain {TABLE} {name} {hook}".rstrip(), f"flush chain {TABLE} {name}"]
    lines += [f"add rule {TABLE} {name} {rule}" for rule in rules]
    return "\n".join(lines) + "\n"


def _prerouting(gate: Gate) -> str:
    """Only first packets of a flow come here: the device's mark is set once for each flow."""
    lan = f'iifname != "{gate.lan_interface}" accept'
    return _chain(
        "prerouting",
        "{ type nat hook prerouting priority dstnat; policy accept; }",
        (
            lan,
            f"fib daddr type local tcp dport 80 redirect to :{gate.portal_port}",
            "ct mark set ether saddr map @members accept",
            f"fib daddr type != local udp dport 53 redirect to :{gate.dns_port}",
            f"fib daddr type != local tcp dport 53 redirect to :{gate.dns_port}",
            f"fib daddr type != local tcp dport 80 redirect to :{gate.portal_port}",
        ),
    )


REFUSE = ("meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited")


def _forward(gate: Gate) -> str:
    """Every packet in both directions is checked against a lease; the class comes from one map look-up."""
    lan, wan = gate.lan_interface, gate.uplink_interface
    mesh = "{ " + ", ".join(f'"{name}"' for name in gate.mesh_interfaces) + " }"
    local_up = [f"oifname {mesh} ether saddr . ct mark @seats accept"] if gate.mesh_interfaces else []
    local_down = [f"iifname {mesh} ct mark @leases accept"] if gate.mesh_interfaces else []
    ride = f'oifname "{wan}" ether saddr . ct mark @seats meta priority set ct mark map @up accept'
    return (
        _chain("leaving", "", (ride, "ct mark set ether saddr map @members", ride, *local_up, *REFUSE))
        + _chain(
            "arriving",
            "",
            (
                f'iifname "{wan}" ct mark @leases meta priority set ct mark map @down accept',
                *local_down,
                *REFUSE,
            ),
        )
        + _chain(
            "forward",
            "{ type filter hook forward priority filter; policy accept; }",
            (f'iifname "{lan}" jump leaving', f'oifname "{lan}" jump arriving'),
        )
    )


def _input(gate: Gate) -> str:
    """What a device may ask of the node itself before it is admitted; afterwards the host's own rules decide."""
    welcome = (
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "udp dport { 67, 547 } accept",
        f"tcp dport {gate.portal_port} accept",
        "ether saddr . ct mark @seats accept",
        "meta l4proto { tcp, udp } th dport 53 add @dns_askers { ether saddr limit rate over "
        f"{DNS_PER_SECOND_BEFORE_ADMISSION}/second burst {2 * DNS_PER_SECOND_BEFORE_ADMISSION} packets }} drop",
        f"meta l4proto {{ tcp, udp }} th dport {{ 53, {gate.dns_port} }} accept",
        *REFUSE,
    )
    return _chain("asking", "", welcome) + _chain(
        "input",
        "{ type filter hook input priority filter; policy accept; }",
        (f'iifname "{gate.lan_interface}" jump asking',),
    )


def _postrouting(gate: Gate) -> str:
    hide = (f'oifname "{gate.uplink_interface}" meta nfproto ipv4 masquerade',) if gate.masquerade else ()
    return _chain("postrouting", "{ type nat hook postrouting priority srcnat; policy accept; }", hide)


def class_text(minor: int) -> str:
    return f"1:{minor:x}"


def _map_changes(name: str, before: Mapping[int, int], after: Mapping[int, int]) -> list[str]:
    gone = [str(mark) for mark, minor in before.items() if after.get(mark) != minor]
    new = [f"{mark} : {class_text(minor)}" for mark, minor in after.items() if before.get(mark) != minor]
    return _elements("delete", name, gone) + _elements("add", name, new)


def _end_sessions(gone: list[Admission]) -> list[str]:
    # An element may have timed out a moment ago, and deleting what is not there would refuse the whole
    # transaction: it is added first, which does nothing where it still stands. "destroy" needs Linux 6.3.
    parts: list[str] = []
    for action in ("add", "delete"):
        suffix = " timeout 1s" if action == "add" else ""
        mark = " : {0}" if action == "add" else ""
        parts += _elements(action, "members", [f"{a.mac}{suffix}{mark.format(a.mark)}" for a in gone])
        parts += _elements(action, "seats", [f"{a.mac} . {a.mark}{suffix}" for a in gone])
        parts += _elements(action, "leases", [f"{a.mark}{suffix}" for a in gone])
    return parts


def _begin_sessions(new: list[Admission], now: Monotonic) -> list[str]:
    return (
        _elements("add", "members", [f"{a.mac}{_timeout(a, now)} : {a.mark}" for a in new])
        + _elements("add", "seats", [f"{a.mac} . {a.mark}{_timeout(a, now)}" for a in new])
        + _elements("add", "leases", [f"{a.mark}{_timeout(a, now)}" for a in new])
    )


def _timeout(admission: Admission, now: Monotonic) -> str:
    return "" if admission.ends is None else f" timeout {max(1, admission.ends - now)}ms"


def _elements(action: str, name: str, elements: list[str]) -> list[str]:
    return [f"{action} element {TABLE} {name} {{ {', '.join(elements)} }}\n"] if elements else []

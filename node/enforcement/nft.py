"""nftables text: the table, and the smallest transaction that changes one applied state into another.

State is kept in sets and maps, never in one rule per device (design, data plane):

- ``members``: hardware address to mark, for the first packet of a flow and to set the mark of a flow again;
- ``up`` and ``down``: allow and count a device's packets in one lookup. Their elements are the lease and time out by
themselves, also while the daemon is down. They refer to the counters ``u<mark>`` and ``d<mark>``, which outlive the
lease, so that the usage of a session can still be booked after its end;
- ``guests``: admitted devices without a member's guarantee, which share one part of the connection-tracking table;
- ``classes``: mark to traffic class, looked up only while shaping is on;
- ``services4`` and ``services6``: address and TCP port of services that every device reaches, admitted or not;
- ``senders4`` and ``senders6``: each connection to the portal with the hardware address of its first frame. Frames of
other devices on it are dropped, and the portal reads these sets to identify the client;
- ``facts``: what the node must know about its own table after a crash.

A packet of a running flow matches one short rule: on the machines measured an expression costs about 30 ns and a jump
60 ns, so the first two rules of ``forward`` are inline and match by interface index. The slower rules after them
match
by interface name: they handle new flows, repair marks, and still work when an interface was recreated with another
index.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.enforcement import announcements, arrivals, dns_limits, flow_offload, flows, foreign_servers
from node.enforcement.flow_offload import FlowOffload
from node.enforcement.moved_flows import came_lately, moved_rules, moved_sets, noted_places
from node.enforcement.mss_clamping import mss_answered, mss_repeated, mss_sent
from node.enforcement.plan import (
    CONTROL_MINOR,
    DNS_MINOR,
    OWN_MINOR,
    Admission,
    FirewallConfig,
    TrafficPlan,
    class_text,
)
from node.enforcement.respondd_limits import rules as respondd_rules
from node.units import MacAddress, Monotonic

TABLE_NAME = flow_offload.TABLE_NAME
TABLE = f"inet {TABLE_NAME}"
LAYOUT = 3
"""Increase it whenever the type of a set changes: a table with another number is rebuilt."""

FACT_LAYOUT, FACT_COUNTERS_ID, FACT_FORWARDING4, FACT_FORWARDING6 = 1, 2, 3, 4
FACT_OFFLOAD, FACT_ESTABLISHED = 5, 6
NO_PORT = 1
"""tcpmux, which is no longer in use (RFC 7805). The kernel's sockets refuse what is redirected here; a reject rule
would not work, because its answer does not pass through the address translation of the flow."""
PORTAL_CONNECTIONS_PER_SECOND_OF_STRANGERS = 2_000
PORTAL_CONNECTIONS_AT_ONCE_OF_STRANGERS = 16_000
"""New connections of all unauthorized devices together (for one device see `flows`). With `SENDER_KEPT_S` they cannot
fill `SENDERS_MAX`, so members can always connect."""
SENDERS_MAX = 131_072
"""Portal connections per address family with a known sender. When the set is full, new connections are dropped."""
SENDER_OPENING_S, SENDER_KEPT_S, SENDER_CLOSING_S = 5, 45, 2
"""Lifetime of an entry: during the handshake (a lost SYN-ACK is sent again after 1 and 3 s), after the last packet
(longer than the portal's idle and response timeouts), and after a FIN or RST."""
SENDER_REPEATING_S = 20
"""For a SYN without an answer, which is retransmitted after 1, 3, 7, 15 and 31 s."""
CONNECTED_S = 120
"""Connection tracking keeps an established flow for longer than this and a flow in any other state for at most this
long (`flows` and Linux's defaults), so only established connections keep their entry."""
MARKS_MAX = 65_535
"""Devices that can be counted at once. A map with a fixed size gets the kernel's fast hash."""

SENDERS: Mapping[int, str] = {4: "senders4", 6: "senders6"}
"""Names of the sets of known senders, by IP version."""

# The sender's hardware address. As a raw payload offset it needs no test for an Ethernet link on each packet; the LAN
# is always Ethernet.
SENDER = "@ll,48,48"

CONTROL_ICMPV6 = (
    "echo-request",
    "nd-router-solicit",
    "nd-router-advert",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "mld-listener-query",
    "mld-listener-report",
    "mld2-listener-report",
)
"""ICMPv6 types of the class that keeps the line alive."""


@dataclass(frozen=True, slots=True)
class ChainLayout:
    """Everything the rules depend on; they are written again only when it changes."""

    firewall: FirewallConfig
    shaped: bool
    links: tuple[int, int] | None
    """Interface indexes of the LAN and the uplink; None while one is missing, then rules match by name only."""
    table_size: int = flows.TABLE_SIZE_DEFAULT
    """Maximum number of entries in the kernel's connection-tracking table."""
    offload: FlowOffload | None = None
    """What takes running flows past these rules; only while the table for it stands and both links are there."""


@dataclass(frozen=True, slots=True)
class AppliedState:
    """The part of the kernel's state that a transition depends on."""

    layout: ChainLayout | None
    """None when the rules are unknown and must be written again."""
    admitted: Mapping[MacAddress, Admission]
    marks: Mapping[int, int]
    offloads: bool = False
    """Whether the table of `flow_offload` stands."""
    has_flowtable: bool = False


EMPTY = AppliedState(None, {}, {})


def create(
    counters_id: int,
    forwarding_before: tuple[bool, bool],
    *,
    offloads: bool = False,
    established_before: int = 0,
) -> str:
    """Replace any existing table by an empty one with its sets; no device is admitted. `offloads`: with the table of
    `flow_offload`."""
    facts = {
        FACT_LAYOUT: LAYOUT,
        FACT_COUNTERS_ID: counters_id,
        FACT_FORWARDING4: int(forwarding_before[0]),
        FACT_FORWARDING6: int(forwarding_before[1]),
        FACT_OFFLOAD: int(offloads),
        FACT_ESTABLISHED: established_before,
    }
    elements = ", ".join(f"{key} : {value}" for key, value in facts.items())
    return f"""\
add table {TABLE}
delete table {TABLE}
add table {TABLE}
add map {TABLE} facts {{ type mark : mark; }}
add element {TABLE} facts {{ {elements} }}
add map {TABLE} members {{ type ether_addr : mark; flags timeout; }}
add map {TABLE} up {{ typeof {SENDER} . ct mark : counter; flags timeout; }}
add map {TABLE} down {{ type mark : counter; flags timeout; }}
add map {TABLE} classes {{ type mark : classid; size {MARKS_MAX}; }}
add set {TABLE} guests {{ type ether_addr; flags timeout; }}
{flows.timeouts(TABLE)}\
{dns_limits.sets(TABLE)}{foreign_servers.sets(TABLE)}{_senders(4)}{_senders(6)}\
{flow_offload.create() if offloads else ""}"""


def _senders(version: int) -> str:
    """The set of portal connections: hardware address, source address and port, destination address and port, as the
    portal's socket sees them."""
    key = f"ether_addr . ipv{version}_addr . inet_service . ipv{version}_addr . inet_service"
    return (
        f"add set {TABLE} {SENDERS[version]} {{ type {key}; size {SENDERS_MAX}; flags dynamic,timeout; "
        f"timeout {SENDER_KEPT_S}s; }}\n"
    )


def transition(before: AppliedState, plan: TrafficPlan, layout: ChainLayout, now: Monotonic) -> str:
    """One nft transaction from `before` to `plan`; empty when nothing differs. It never resets a counter and keeps
    the counters of marks that are no longer wanted; `forget` deletes those."""
    wanted = marks_of(plan)
    gone = [a for mac, a in before.admitted.items() if plan.admitted.get(mac) != a]
    new = [a for mac, a in plan.admitted.items() if before.admitted.get(mac) != a]
    parts = _counters("add", [mark for mark in wanted if mark not in before.marks], offloads=before.offloads)
    parts += _class_changes(before.marks, wanted)
    if before.offloads and before.layout is None:
        # Those of leases that ended in the kernel are still there, and an element is not replaced by adding another.
        parts += [flow_offload.flush_classes(), *flow_offload.classes("add", list(before.admitted.values()))]
    parts += _end_sessions(gone, offloads=before.offloads)
    new = [a for a in new if a.ends is None or a.ends > now]
    parts += _sessions("add", new, [_timeout(a, now) for a in new], offloads=before.offloads)
    if before.layout != layout:
        parts += _rules_after(before, layout)
    parts += came_lately(TABLE, new)
    return "".join(parts)


def _rules_after(before: AppliedState, layout: ChainLayout) -> Iterable[str]:
    """A flowtable is recreated: then every flow passes the new rules once."""
    lan, uplink = layout.firewall.lan_interface, layout.firewall.uplink_interface
    if before.has_flowtable:
        yield f"flush chain {TABLE} counted\ndelete flowtable {TABLE} {flow_offload.FLOWTABLE}\n"
    if layout.offload is not None:
        yield flow_offload.handed_over(TABLE, layout.offload, lan, uplink)
    yield rules(layout)
    if layout.offload is not None:
        yield flow_offload.chains(layout.firewall, shaped=layout.shaped)
    elif before.offloads:
        yield flow_offload.without_chains()


def forget(marks: Iterable[int], *, offloads: bool = False) -> str:
    """Delete the counters of `marks`. The kernel refuses this until expired map elements have been collected; try
    again later."""
    return "".join(_counters("delete", marks, offloads=offloads))


def marks_of(plan: TrafficPlan) -> dict[int, int]:
    """Every mark to count, with its class minor."""
    marks = {a.mark: a.class_minor for a in plan.admitted.values()}
    return {**plan.retiring, **marks}


def rules(layout: ChainLayout) -> str:
    """The rules; they do not depend on which devices are admitted."""
    firewall = layout.firewall
    chains = (
        _forward(layout),
        _opening(layout),
        _prerouting(firewall),
        _input(firewall),
        _output(layout),
        _postrouting(firewall),
    )
    sets = (flows.sets(TABLE, firewall.flows_per_device), arrivals.sets(TABLE), announcements.sets(TABLE))
    return "".join((_services(firewall), *sets, moved_sets(TABLE), *chains))


def remove() -> str:
    """Delete the whole table; no error when there is none."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    lines = [f"add chain {TABLE} {name} {hook}".rstrip(), f"flush chain {TABLE} {name}"]
    lines += [f"add rule {TABLE} {name} {rule}" for rule in rules]
    return "\n".join(lines) + "\n"


def _services(firewall: FirewallConfig) -> str:
    """Create the sets of services where missing and replace their elements."""
    lines = []
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        name = f"services{version}"
        lines.append(f"add set {TABLE} {name} {{ type {kind} . inet_service; }}\n")
        lines.append(f"flush set {TABLE} {name}\n")
        places = [f"{address} . {port}" for address, port in firewall.services if address.version == version]
        lines += _elements("add", name, places)
    return "".join(lines)


TO_SERVICES = ("ip daddr . tcp dport @services4 accept", "ip6 daddr . tcp dport @services6 accept")
FROM_SERVICES = (
    "ct direction reply ip saddr . tcp sport @services4 accept",
    "ct direction reply ip6 saddr . tcp sport @services6 accept",
)


def _opening(layout: ChainLayout) -> str:
    """Chains for the first packet of a flow from the LAN: may this device have another flow?"""
    found = flows.chains(
        layout.firewall.flows_per_device, layout.table_size, has_services=bool(layout.firewall.services)
    )
    return "".join(_chain(name, "", rules) for name, rules in found.items())


def _prerouting(firewall: FirewallConfig) -> str:
    """First packets only: a flow's mark is set once here. TLS for other hosts is not redirected, because the node has
    no certificate for their names."""
    secure = (f"fib daddr type local tcp dport 443 redirect to :{firewall.portal_tls_port}",)
    return _chain(
        "prerouting",
        "{ type nat hook prerouting priority dstnat; policy accept; }",
        (
            f'iifname != "{firewall.lan_interface}" accept',
            foreign_servers.first_packets(),
            SPOOFED_SOURCE,
            "jump opening",
            *_dns_fallback(firewall),
            f"fib daddr type local tcp dport 80 redirect to :{firewall.portal_port}",
            *(secure if firewall.portal_tls_port else ()),
            *noted_places(firewall.mesh_interfaces),
            "ct mark set ether saddr map @members accept",
            *(TO_SERVICES if firewall.services else ()),
            *dns_limits.redirection(firewall.captive_dns_port),
            # Only the first packet of a connection: a request on one that began before its device lost access is
            # refused with a reset, so that the browser repeats it on a new connection and reaches the portal.
            f"fib daddr type != local {SYN_FLAGS} == syn tcp dport 80 redirect to :{firewall.portal_port}",
        ),
    )


def _dns_fallback(firewall: FirewallConfig) -> Iterable[str]:
    """While the fallback resolver answers, unauthorized devices are sent to the portal for every name on port 80;
    other ports are refused at once. Admitted devices are not redirected: the portal's answer would tell their system
    that the Internet works."""
    for address in firewall.dns_fallback:
        target = f"{'ip' if address.version == 4 else 'ip6'} daddr {address}"
        yield f"{target} tcp dport 80 ether saddr != @members redirect to :{firewall.portal_port}"
        yield f"{target} meta l4proto {{ tcp, udp }} redirect to :{NO_PORT}"


REFUSE = ("meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited")

# Reverse path filter (RFC 2827): no route back to the source through the incoming interface. Any answer, even a
# refusal, would be sent to the owner of the spoofed address. Checked on first packets and on packets to the node.
SPOOFED_SOURCE = "fib saddr . iif oif missing drop"

# A packet that conntrack cannot assign to a flow, such as a late segment, must not be answered with a reset: that
# would end a valid flow.
INVALID = "ct state invalid drop"

# When a device changes account, its next outgoing packet updates the mark of a running flow. Until then packets from
# the far end are dropped and retransmitted; a reset would end the flow.
REFUSE_AFTER_RATE = "meta l4proto tcp ct state established drop"


def _forward(layout: ChainLayout) -> str:
    """Every packet in both directions needs a lease; a flow is not accepted only because it is established."""
    firewall = layout.firewall
    lan, wan = f'"{firewall.lan_interface}"', f'"{firewall.uplink_interface}"'
    shape = " meta priority set ct mark map @classes" if layout.shaped else ""
    passes, counted, unmarked = "accept", "", tuple[str, ...]()
    if layout.offload is not None and layout.links is not None:
        passes = "goto counted"
        counted = _chain("counted", "", flow_offload.counted(layout.offload, layout.links))
        unmarked = tuple(flow_offload.unmarked(layout.offload))
    counts_up = f"counter name {SENDER} . ct mark map @up{shape}"
    ride = f"{counts_up} {passes}"
    arrive = f"counter name ct mark map @down{shape} {passes}"
    mesh = "{ " + ", ".join(f'"{name}"' for name in firewall.mesh_interfaces) + " }"
    # The lookup alone neither counts nor shapes: traffic inside the community does not use the uplink.
    stay = (f"oifname {mesh} {SENDER} . ct mark @up accept",) if firewall.mesh_interfaces else ()
    come = (f"iifname {mesh} ct mark @down accept",) if firewall.mesh_interfaces else ()
    moved, unknown = moved_rules(firewall.mesh_interfaces, come)
    ends = (REFUSE_AFTER_RATE, *moved, "goto refuse")
    # One test each, download first: every expression costs about 30 ns per packet. Upload needs no test of the
    # incoming interface: only flows from the LAN carry a mark that is in the map together with their sender.
    fast = (f"iif {wan} {arrive}", f"oif {wan} {ride}") if layout.links is not None else ()
    leaving = (f"oifname {wan} {ride}", *stay)
    to_services, from_services = _services_passed(layout)
    own_use = (
        (f"iifname {mesh} oifname {wan} goto refuse",)
        if firewall.mesh_interfaces and not firewall.transit
        else ()
    )
    syn_again, opening = mss_repeated(firewall.uplink_interface, firewall.uplink_mtu, f"{counts_up} accept")
    answers = mss_answered(firewall.uplink_interface, firewall.uplink_mtu)
    transit = mss_answered(firewall.uplink_interface, firewall.uplink_mtu) if firewall.transit else ()
    return (
        _chain("refuse", "", (INVALID, SPOOFED_SOURCE, *REFUSE))
        + counted
        + _chain("syn_again", "", opening)
        + _chain(
            "leaving",
            "",
            (
                *leaving,
                syn_again,
                "ct mark set ether saddr map @members",
                *leaving,
                *to_services,
                *unknown,
                "goto refuse",
            ),
        )
        + _chain(
            "arriving",
            "",
            (*answers, f"iifname {wan} {arrive}", *come, *from_services, *ends),
        )
        + _chain(
            "forward",
            "{ type filter hook forward priority filter; policy accept; }",
            (
                *unmarked,
                *fast,
                f"iifname {lan} goto leaving",
                f"oifname {lan} goto arriving",
                *own_use,
                *transit,
                *_class_of_others(layout),
            ),
        )
    )


def _services_passed(layout: ChainLayout) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Rules for packets to and from services that are open to everyone: on the uplink they have the node's own class."""
    firewall = layout.firewall
    if not firewall.services:
        return (), ()
    own = (f"meta priority set {class_text(OWN_MINOR)}",) if layout.shaped else ()
    uplink = f'"{firewall.uplink_interface}"'
    return (
        (*(f"oifname {uplink} {each}" for each in own), *TO_SERVICES),
        (*(f"iifname {uplink} {each}" for each in own), *FROM_SERVICES),
    )


def _class_of_others(layout: ChainLayout) -> Iterable[str]:
    """Forwarded packets that are nobody's here. Those of other nodes' people are limited there, and wait for nobody;
    what the administrator forwards besides (a second LAN, a container) shares the node's own class."""
    if not layout.shaped:
        return
    firewall = layout.firewall
    leaves = f'oifname "{firewall.uplink_interface}"'
    if firewall.transit and firewall.mesh_interfaces:
        mesh = ", ".join(f'"{name}"' for name in firewall.mesh_interfaces)
        yield f"iifname {{ {mesh} }} {leaves} meta priority set {class_text(0)} accept"
    yield f"{leaves} meta priority set {class_text(OWN_MINOR)}"


def _input(firewall: FirewallConfig) -> str:
    """What a device may send to the node before it is admitted; after that the host's own rules decide. The portal is
    reachable from the LAN only."""
    welcome = (
        *arrivals.rules(),
        foreign_servers.incoming(),
        "ip6 saddr :: meta l4proto ipv6-icmp accept",
        SPOOFED_SOURCE,
        # Before the rule for established flows: `portal_input` decides.
        f"tcp dport {_portal_ports(firewall)} accept",
        # Before the rule for established flows: a DNS tunnel can use one long flow.
        *dns_limits.asked(firewall.captive_dns_port),
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        *(TO_SERVICES if firewall.services else ()),
        *(announcements.rules() if firewall.hears_services else ()),
        *(respondd_rules() if firewall.answers_respondd else ()),
        *((f"meta l4proto {{ tcp, udp }} th dport {NO_PORT} accept",) if firewall.dns_fallback else ()),
        f"{SENDER} . ct mark @up accept",
        *REFUSE,
    )
    names = dns_limits.chains(firewall.open_names)
    return (
        "".join(_chain(name, "", rules) for name, rules in names.items())
        + _chain("portal", "", _to_portal())
        + "".join(_chain(name, "", rules) for name, rules in arrivals.chains().items())
        + _chain("asking", "", welcome)
        + _chain("other_nodes", "", _other_nodes(firewall))
        + _chain(
            "input",
            "{ type filter hook input priority filter; policy accept; }",
            (
                *((f"tcp dport {firewall.mesh_port} goto other_nodes",) if firewall.mesh_port else ()),
                f'iifname "{firewall.lan_interface}" goto asking',
                f'iifname != "lo" tcp dport {_portal_ports(firewall)} goto refuse',
            ),
        )
        + _chain(
            "portal_input",
            "{ type filter hook input priority srcnat + 1; policy accept; }",
            (f'iifname "{firewall.lan_interface}" tcp dport {_portal_ports(firewall)} goto portal',),
        )
    )


def _other_nodes(firewall: FirewallConfig) -> Iterable[str]:
    """Access to the mesh port: packets from a mesh interface, and the peers in the configuration."""
    links = ", ".join(f'"{name}"' for name in ("lo", *firewall.mesh_interfaces))
    yield f"iifname {{ {links} }} accept"
    yield SPOOFED_SOURCE
    peers: dict[str, list[str]] = {}
    for peer in firewall.mesh_peers:
        address, _, link = str(peer).partition("%")  # nft does not read an address with its interface
        source = "ip saddr" if peer.version == 4 else "ip6 saddr"
        peers.setdefault(f'iifname "{link}" {source}' if link else source, []).append(address)
    for match, addresses in peers.items():
        yield f"{match} {{ {', '.join(addresses)} }} accept"
    yield "goto refuse"


SYN_FLAGS = "tcp flags & (fin | syn | rst | ack)"


def _to_portal() -> Iterable[str]:
    """Packets from the LAN to the portal's ports. The first packet of a connection records the hardware address of
    its frames; frames with another one are dropped silently, since an answer could end the connection. When the set
    is full the connection is dropped: the portal could not identify the client.

    This needs the ports that the portal's socket sees. A device may use one source port towards two hosts; when both
    connections are redirected here, address translation changes the second one's port, after the chains of priority
    "filter"."""
    keys = {
        version: f"ether saddr . {ip} saddr . tcp sport . {ip} daddr . tcp dport"
        for version, ip in ((4, "ip"), (6, "ip6"))
    }
    for version, key in keys.items():
        known, update = f"{key} @{SENDERS[version]}", f"update @{SENDERS[version]} {{ {key} timeout"
        yield f"tcp flags & (fin | rst) == 0 {known} ct expiration > {CONNECTED_S}s {update} {SENDER_KEPT_S}s }} accept"
        yield f"tcp flags & (fin | rst) != 0 {known} {update} {SENDER_CLOSING_S}s }} accept"
        yield f"{SYN_FLAGS} == syn {known} ct state new {update} {SENDER_REPEATING_S}s }} accept"
        yield f"{known} accept"
    yield f"{SYN_FLAGS} != syn drop"
    yield "ct state != new drop"
    # A SYN on a flow that another device began: without an answer conntrack still calls it "new", and both devices
    # would be recorded as its sender.
    yield "ct status confirmed drop"
    rate, burst = PORTAL_CONNECTIONS_PER_SECOND_OF_STRANGERS, PORTAL_CONNECTIONS_AT_ONCE_OF_STRANGERS
    yield f"ether saddr != @members limit rate over {rate}/second burst {burst} packets drop"
    for version, key in keys.items():
        yield f"update @{SENDERS[version]} {{ {key} timeout {SENDER_OPENING_S}s }} accept"
    yield "drop"


def _portal_ports(firewall: FirewallConfig) -> str:
    """Ports of the pages that only the LAN can open."""
    ports = (firewall.portal_port, firewall.portal_tls_port, firewall.admin_tls_port)
    return f"{{ {', '.join(str(port) for port in ports if port)} }}"


def _output(layout: ChainLayout) -> str:
    """The kernel sends ICMP "time exceeded" before these rules see the packet, even to a spoofed source address."""
    firewall = layout.firewall
    complaint = f'oifname "{firewall.uplink_interface}" meta l4proto {{ icmp, ipv6-icmp }} {INVALID}'
    answers = dns_limits.answered(firewall.lan_interface, firewall.captive_dns_port)
    rules = (complaint, answers, *flows.own_questions(firewall.uplink_interface))
    if layout.shaped:
        rules = (*rules, f'oifname "{firewall.uplink_interface}" jump own_class')
    return _chain("own_class", "", _own_class(firewall)) + _chain(
        "output", "{ type filter hook output priority filter; policy accept; }", rules
    )


def _own_class(firewall: FirewallConfig) -> Iterable[str]:
    """Traffic classes of what the node itself sends to the uplink. Answers to pings, and refusals of connections to the
    mesh port, have no class that goes first, so that a flood of them does not take it. Neighbours' usage data is more than
    the control class carries at once on a slow line."""
    first = f"meta priority set {class_text(DNS_MINOR)} return"
    yield f"meta l4proto {{ tcp, udp }} th dport 53 {first}"
    control = f"meta priority set {class_text(CONTROL_MINOR)} return"
    yield f"udp dport {{ 67, 123, 547 }} {control}"
    yield f"icmp type {{ echo-request, timestamp-request }} {control}"
    yield f"icmpv6 type {{ {', '.join(CONTROL_ICMPV6)} }} {control}"
    if firewall.mesh_port:
        yield f"tcp dport {firewall.mesh_port} {first}"
        yield f"tcp sport {firewall.mesh_port} ct state established {first}"
    yield f"meta priority set {class_text(OWN_MINOR)}"


def _postrouting(firewall: FirewallConfig) -> str:
    hide = (
        (f'oifname "{firewall.uplink_interface}" meta nfproto ipv4 masquerade',)
        if firewall.masquerade
        else ()
    )
    sizes = mss_sent(firewall.uplink_interface, firewall.uplink_mtu)
    return _chain(
        "postrouting", "{ type nat hook postrouting priority srcnat; policy accept; }", (*sizes, *hide)
    )


def _counters(action: str, marks: Iterable[int], *, offloads: bool) -> list[str]:
    marks = tuple(marks)
    more = flow_offload.counters(action, marks) if offloads else []
    return [f"{action} counter {TABLE} {way}{mark}\n" for mark in marks for way in "ud"] + more


def _class_changes(before: Mapping[int, int], after: Mapping[int, int]) -> list[str]:
    # Class 0: the mark was missing from the map because another program flushed it.
    gone = [str(mark) for mark, minor in before.items() if minor and after.get(mark) != minor]
    new = [f"{mark} : {class_text(minor)}" for mark, minor in after.items() if before.get(mark) != minor]
    return _elements("delete", "classes", gone) + _elements("add", "classes", new)


def _end_sessions(gone: list[Admission], *, offloads: bool) -> list[str]:
    # An element may just have timed out, and deleting a missing element fails the whole transaction. So it is added
    # first, which does nothing when it exists. "destroy" needs Linux 6.3.
    return (
        _sessions("add", gone, [" timeout 1s"] * len(gone), offloads=offloads)
        + _elements("delete", "members", [f"{a.mac}" for a in gone])
        + _elements("delete", "guests", [f"{a.mac}" for a in gone if a.is_guest])
        + _elements("delete", "up", [_place(a) for a in gone])
        + _elements("delete", "down", [f"{a.mark}" for a in gone])
        + (flow_offload.end_sessions(gone) if offloads else [])
    )


def _sessions(action: str, people: list[Admission], timeouts: list[str], *, offloads: bool) -> list[str]:
    both = list(zip(people, timeouts, strict=True))
    return (
        _elements(action, "members", [f"{a.mac}{ends} : {a.mark}" for a, ends in both])
        + _elements(action, "guests", [f"{a.mac}{ends}" for a, ends in both if a.is_guest])
        + _elements(action, "up", [f'{_place(a)}{ends} : "u{a.mark}"' for a, ends in both])
        + _elements(action, "down", [f'{a.mark}{ends} : "d{a.mark}"' for a, ends in both])
        + (flow_offload.sessions(action, people, timeouts) if offloads else [])
    )


def _place(admission: Admission) -> str:
    """The device's key in the map `up`."""
    return f"0x{admission.mac.replace(':', '')} . {admission.mark}"


def _timeout(admission: Admission, now: Monotonic) -> str:
    return "" if admission.ends is None else f" timeout {max(1, admission.ends - now)}ms"


def _elements(action: str, name: str, elements: list[str]) -> list[str]:
    return [f"{action} element {TABLE} {name} {{ {', '.join(elements)} }}\n"] if elements else []

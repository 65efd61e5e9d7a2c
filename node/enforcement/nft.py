"""A plan as nftables text: the table, and the smallest transaction that leads from one state to another.

The table keeps its state in sets and maps, never in a rule for a device (design, data plane):

- ``members`` names a device (hardware address to mark), for first packets and to repair a flow's mark;
- ``up`` and ``down`` let a device pass and count it, in one look-up: their elements are the lease and end with the
  session by themselves, even when the daemon is dead; they point at the counters ``u<mark>`` and ``d<mark>``, which
  outlive the lease, so that what a session used can still be booked after its end;
- ``guests`` names the admitted devices that nobody vouches for, which share a part of the connection-tracking table;
- ``classes`` gives a mark its class; it is looked up only while something is shaped;
- ``services4`` and ``services6`` hold what everybody reaches, admitted or not, as address and TCP port;
- ``senders4`` and ``senders6`` hold each connection to the portal with the hardware address that its first frame came
  from: no other device may send on it, and the portal asks them whose connection it is;
- ``facts`` holds what the node must know about its own table after a crash.

Each packet of a running flow meets one short rule: on the machines measured an expression costs about 30 ns and a
jump 60, so the first two rules of ``forward`` are inline, by interface index. The slow rules behind them go by name:
they find new flows, repair marks, and still hold when an interface was recreated under another index.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.enforcement import announcements, arrivals, dns_limits, flows, foreign_servers, segment_size
from node.enforcement.plan import Admission, FirewallConfig, TrafficPlan
from node.units import MacAddress, Monotonic

TABLE_NAME = "procomu"
TABLE = f"inet {TABLE_NAME}"
LAYOUT = 3
"""Raised with every change of a set's type; another number makes the node build the table anew."""

FACT_LAYOUT, FACT_COUNTERS_ID, FACT_FORWARDING4, FACT_FORWARDING6 = 1, 2, 3, 4
NO_PORT = 1
"""tcpmux, which nobody serves any more (RFC 7805): what is sent here is refused by the kernel's own sockets. A refusal
by a rule would not get through the change of address that brought the packet here."""
PORTAL_CONNECTIONS_PER_SECOND_OF_STRANGERS = 2_000
PORTAL_CONNECTIONS_AT_ONCE_OF_STRANGERS = 16_000
"""New ones of all that are not admitted together (of one device: `flows`). With `SENDER_KEPT_S` they cannot fill
`SENDERS_MAX`, so that there is always room for members."""
SENDERS_MAX = 131_072
"""Connections to the portal of each family whose sender is known; when it is full, no new one is taken."""
SENDER_OPENING_S, SENDER_KEPT_S, SENDER_CLOSING_S = 5, 45, 2
"""For the handshake, of which an answer that is lost is sent again after 1 and 3 seconds; after the last packet, which is
longer than the portal leaves a connection idle or works on an answer; and for the last words of one that is closed."""
SENDER_REPEATING_S = 20
"""For a SYN that nobody answered, which comes again after 1, 3, 7, 15 and 31 seconds."""
CONNECTED_S = 120
"""Connection tracking keeps an established flow for longer than this, and one in any other state no longer than this
(`flows`, and Linux's own): so only a connection that stands keeps its place."""
MARKS_MAX = 65_535
"""Devices that can be counted at once; a set of known size has the kernel's fast hash."""

SENDERS: Mapping[int, str] = {4: "senders4", 6: "senders6"}
"""The sets of known senders, by IP version."""

# The sender's hardware address. Spelled by its place in the frame it needs no test for an Ethernet link on each
# packet, and the people's side is always one.
SENDER = "@ll,48,48"


@dataclass(frozen=True, slots=True)
class ChainLayout:
    """What the rules depend on, and nothing else: they are written again when it changes."""

    firewall: FirewallConfig
    shaped: bool
    links: tuple[int, int] | None
    """Index of the people's and of the uplink's interface; None while one is missing: then only names are used."""
    table_size: int = flows.TABLE_SIZE_DEFAULT
    """Entries that the kernel's connection tracking has room for."""


@dataclass(frozen=True, slots=True)
class AppliedState:
    """What stands in the kernel, as far as a transition needs to know it."""

    form: ChainLayout | None
    """None when the rules are unknown and must be written again."""
    admitted: Mapping[MacAddress, Admission]
    marks: Mapping[int, int]


EMPTY = AppliedState(None, {}, {})


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
add map {TABLE} up {{ typeof {SENDER} . ct mark : counter; flags timeout; }}
add map {TABLE} down {{ type mark : counter; flags timeout; }}
add map {TABLE} classes {{ type mark : classid; size {MARKS_MAX}; }}
add set {TABLE} guests {{ type ether_addr; flags timeout; }}
{flows.timeouts(TABLE)}\
{dns_limits.sets(TABLE)}{foreign_servers.sets(TABLE)}{_senders(4)}{_senders(6)}"""


def _senders(version: int) -> str:
    """One connection: the device, its address and port, and the node's, as the portal's socket sees them."""
    key = f"ether_addr . ipv{version}_addr . inet_service . ipv{version}_addr . inet_service"
    return (
        f"add set {TABLE} {SENDERS[version]} {{ type {key}; size {SENDERS_MAX}; flags dynamic,timeout; "
        f"timeout {SENDER_KEPT_S}s; }}\n"
    )


def transition(before: AppliedState, plan: TrafficPlan, form: ChainLayout, now: Monotonic) -> str:
    """One transaction from `before` to `plan`; empty when nothing differs. Applying it never resets a counter, and
    leaves the counters of marks that are no longer wanted: `forget` takes them away."""
    wanted = marks_of(plan)
    gone = [a for mac, a in before.admitted.items() if plan.admitted.get(mac) != a]
    new = [a for mac, a in plan.admitted.items() if before.admitted.get(mac) != a]
    parts = _counters("add", [mark for mark in wanted if mark not in before.marks])
    parts += _class_changes(before.marks, wanted)
    parts += _end_sessions(gone)
    parts += _begin_sessions([a for a in new if a.ends is None or a.ends > now], now)
    if before.form != form:
        parts.append(rules(form))
    return "".join(parts)


def forget(marks: Iterable[int]) -> str:
    """Takes counters away. Refused while a lease that has timed out is still to be collected: ask again later."""
    return "".join(_counters("delete", marks))


def marks_of(plan: TrafficPlan) -> dict[int, int]:
    """Every mark that must be counted, with its class."""
    marks = {a.mark: a.class_minor for a in plan.admitted.values()}
    return {**plan.retiring, **marks}


def rules(form: ChainLayout) -> str:
    """The rules, which never change with the people on the network."""
    firewall = form.firewall
    chains = (
        _forward(form),
        _opening(form),
        _prerouting(firewall),
        _input(firewall),
        _output(firewall),
        _postrouting(firewall),
    )
    sets = (flows.sets(TABLE, firewall.flows_per_device), arrivals.sets(TABLE), announcements.sets(TABLE))
    return "".join((_services(firewall), *sets, *chains))


def remove() -> str:
    """Takes the whole table away, whether it stands or not."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    lines = [f"add chain {TABLE} {name} {hook}".rstrip(), f"flush chain {TABLE} {name}"]
    lines += [f"add rule {TABLE} {name} {rule}" for rule in rules]
    return "\n".join(lines) + "\n"


def _services(firewall: FirewallConfig) -> str:
    """The sets of services, made where they are missing and filled anew."""
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


def _opening(form: ChainLayout) -> str:
    """What each new flow from the people's side is asked: whether its device may have one more."""
    found = flows.chains(
        form.firewall.flows_per_device, form.table_size, has_services=bool(form.firewall.services)
    )
    return "".join(_chain(name, "", rules) for name, rules in found.items())


def _prerouting(firewall: FirewallConfig) -> str:
    """Only first packets of a flow come here: the device's mark is set once for each flow. TLS for anybody else's name
    is never taken: no certificate of ours could answer for it."""
    secure = (f"fib daddr type local tcp dport 443 redirect to :{firewall.portal_tls_port}",)
    return _chain(
        "prerouting",
        "{ type nat hook prerouting priority dstnat; policy accept; }",
        (
            f'iifname != "{firewall.lan_interface}" accept',
            foreign_servers.first_packets(),
            SPOOFED_SOURCE,
            "jump opening",
            *_stand_in(firewall),
            f"fib daddr type local tcp dport 80 redirect to :{firewall.portal_port}",
            *(secure if firewall.portal_tls_port else ()),
            "ct mark set ether saddr map @members accept",
            *(TO_SERVICES if firewall.services else ()),
            *dns_limits.redirection(firewall.strangers_dns_port),
            f"fib daddr type != local tcp dport 80 redirect to :{firewall.portal_port}",
        ),
    )


def _stand_in(firewall: FirewallConfig) -> Iterable[str]:
    """The portal answers for every name whoever is not in yet; the rest is refused by this node at once. Systems of
    people who are in are told nothing false: the portal would tell them that all is well."""
    for address in firewall.stand_in:
        target = f"{'ip' if address.version == 4 else 'ip6'} daddr {address}"
        yield f"{target} tcp dport 80 ether saddr != @members redirect to :{firewall.portal_port}"
        yield f"{target} meta l4proto {{ tcp, udp }} redirect to :{NO_PORT}"


REFUSE = ("meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited")

# No way leads back to the sender through where the packet came from. An answer to it, even a refusal, would carry a
# stranger's bytes to whomever the forged address names. Looked at on first packets and on what is for the node.
SPOOFED_SOURCE = "fib saddr . iif oif missing drop"

# A reset for what conntrack takes for no part of its flow, such as a late segment, would end an honest flow.
INVALID = "ct state invalid drop"

# A device that moved to another account marks its running flow anew with its own next packet. Until then the far end
# waits and sends again; a reset would end the flow.
REFUSE_AFTER_RATE = "meta l4proto tcp ct state established drop"


def _forward(form: ChainLayout) -> str:
    """Every packet in both directions is checked against a lease, and no flow is trusted because it is running."""
    firewall = form.firewall
    lan, wan = f'"{firewall.lan_interface}"', f'"{firewall.uplink_interface}"'
    shape = " meta priority set ct mark map @classes" if form.shaped else ""
    ride = f"counter name {SENDER} . ct mark map @up{shape} accept"
    arrive = f"counter name ct mark map @down{shape} accept"
    mesh = "{ " + ", ".join(f'"{name}"' for name in firewall.mesh_interfaces) + " }"
    # A look-up alone neither counts nor shapes: what stays in the community is nobody's uplink.
    stay = (f"oifname {mesh} {SENDER} . ct mark @up accept",) if firewall.mesh_interfaces else ()
    come = (f"iifname {mesh} ct mark @down accept",) if firewall.mesh_interfaces else ()
    # One test each and the download first: every expression costs a packet some 30 ns. Who goes out need not be
    # asked where they came from: only our own link's flows carry a mark that stands in the map with their sender.
    fast = (f"iif {wan} {arrive}", f"oif {wan} {ride}") if form.links is not None else ()
    leaving = (f"oifname {wan} {ride}", *stay)
    to_services, from_services = (TO_SERVICES, FROM_SERVICES) if firewall.services else ((), ())
    own_use = (
        (f"iifname {mesh} oifname {wan} goto refuse",)
        if firewall.mesh_interfaces and not firewall.transit
        else ()
    )
    syn_again, opening = segment_size.repeated(firewall.uplink_interface, firewall.uplink_mtu, ride)
    answers = segment_size.answered(firewall.uplink_interface, firewall.uplink_mtu)
    transit = (
        segment_size.answered(firewall.uplink_interface, firewall.uplink_mtu) if firewall.transit else ()
    )
    return (
        _chain("refuse", "", (INVALID, SPOOFED_SOURCE, *REFUSE))
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
                "goto refuse",
            ),
        )
        + _chain(
            "arriving",
            "",
            (*answers, f"iifname {wan} {arrive}", *come, *from_services, REFUSE_AFTER_RATE, "goto refuse"),
        )
        + _chain(
            "forward",
            "{ type filter hook forward priority filter; policy accept; }",
            (*fast, f"iifname {lan} goto leaving", f"oifname {lan} goto arriving", *own_use, *transit),
        )
    )


def _input(firewall: FirewallConfig) -> str:
    """What a device may ask of the node itself before it is admitted; afterwards the host's own rules decide. Who is
    not on the people's side never meets the portal."""
    welcome = (
        *arrivals.rules(),
        foreign_servers.incoming(),
        "ip6 saddr :: meta l4proto ipv6-icmp accept",
        SPOOFED_SOURCE,
        # Before running flows: nobody else may send on somebody's connection.
        f"tcp dport {_portal_ports(firewall)} goto portal",
        # Before running flows: a tunnel through one flow of questions is a tunnel all the same.
        *dns_limits.asked(firewall.strangers_dns_port),
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        *(TO_SERVICES if firewall.services else ()),
        *(announcements.rules() if firewall.hears_services else ()),
        *((f"meta l4proto {{ tcp, udp }} th dport {NO_PORT} accept",) if firewall.stand_in else ()),
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
    )


def _other_nodes(firewall: FirewallConfig) -> Iterable[str]:
    """Who reaches the port where nodes talk: what comes by a mesh interface, and the nodes that the settings name."""
    links = ", ".join(f'"{name}"' for name in ("lo", *firewall.mesh_interfaces))
    yield f"iifname {{ {links} }} accept"
    yield SPOOFED_SOURCE
    for version, family in ((4, "ip"), (6, "ip6")):
        peers = ", ".join(str(peer) for peer in firewall.mesh_peers if peer.version == version)
        if peers:
            yield f"{family} saddr {{ {peers} }} accept"
    yield "goto refuse"


SYN_FLAGS = "tcp flags & (fin | syn | rst | ack)"


def _to_portal() -> Iterable[str]:
    """What comes to the portal's ports on the people's side. A connection's first packet writes down from which hardware
    address its frames come; frames of any other on the same connection are dropped, without an answer that could end it.
    Where nothing can be written down nothing is let in: the portal would not know who is asking."""
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
    # Of a flow that somebody else began: unanswered, it is still "new", and both would be its senders.
    yield "ct status confirmed drop"
    rate, burst = PORTAL_CONNECTIONS_PER_SECOND_OF_STRANGERS, PORTAL_CONNECTIONS_AT_ONCE_OF_STRANGERS
    yield f"ether saddr != @members limit rate over {rate}/second burst {burst} packets drop"
    for version, key in keys.items():
        yield f"update @{SENDERS[version]} {{ {key} timeout {SENDER_OPENING_S}s }} accept"
    yield "drop"


def _portal_ports(firewall: FirewallConfig) -> str:
    return (
        f"{{ {firewall.portal_port}, {firewall.portal_tls_port} }}"
        if firewall.portal_tls_port
        else f"{firewall.portal_port}"
    )


def _output(firewall: FirewallConfig) -> str:
    """The kernel complains before our rules see a packet whose time to live is over, even to a forged sender."""
    complaint = f'oifname "{firewall.uplink_interface}" meta l4proto {{ icmp, ipv6-icmp }} {INVALID}'
    answers = dns_limits.answered(firewall.lan_interface, firewall.strangers_dns_port)
    rules = (complaint, answers, *flows.own_questions(firewall.uplink_interface))
    return _chain("output", "{ type filter hook output priority filter; policy accept; }", rules)


def _postrouting(firewall: FirewallConfig) -> str:
    hide = (
        (f'oifname "{firewall.uplink_interface}" meta nfproto ipv4 masquerade',)
        if firewall.masquerade
        else ()
    )
    sizes = segment_size.sent(firewall.uplink_interface, firewall.uplink_mtu)
    return _chain(
        "postrouting", "{ type nat hook postrouting priority srcnat; policy accept; }", (*sizes, *hide)
    )


def class_text(minor: int) -> str:
    return f"1:{minor:x}"


def _counters(action: str, marks: Iterable[int]) -> list[str]:
    return [f"{action} counter {TABLE} {way}{mark}\n" for mark in marks for way in "ud"]


def _class_changes(before: Mapping[int, int], after: Mapping[int, int]) -> list[str]:
    # Class 0 is what a mark has that stands in no map, after somebody else flushed it.
    gone = [str(mark) for mark, minor in before.items() if minor and after.get(mark) != minor]
    new = [f"{mark} : {class_text(minor)}" for mark, minor in after.items() if before.get(mark) != minor]
    return _elements("delete", "classes", gone) + _elements("add", "classes", new)


def _end_sessions(gone: list[Admission]) -> list[str]:
    # An element may have timed out a moment ago, and deleting what is not there would refuse the whole
    # transaction: it is added first, which does nothing where it still stands. "destroy" needs Linux 6.3.
    return (
        _sessions("add", gone, [" timeout 1s"] * len(gone))
        + _elements("delete", "members", [f"{a.mac}" for a in gone])
        + _elements("delete", "guests", [f"{a.mac}" for a in gone if a.is_guest])
        + _elements("delete", "up", [_place(a) for a in gone])
        + _elements("delete", "down", [f"{a.mark}" for a in gone])
    )


def _begin_sessions(new: list[Admission], now: Monotonic) -> list[str]:
    return _sessions("add", new, [_timeout(a, now) for a in new])


def _sessions(action: str, people: list[Admission], timeouts: list[str]) -> list[str]:
    both = list(zip(people, timeouts, strict=True))
    return (
        _elements(action, "members", [f"{a.mac}{ends} : {a.mark}" for a, ends in both])
        + _elements(action, "guests", [f"{a.mac}{ends}" for a, ends in both if a.is_guest])
        + _elements(action, "up", [f'{_place(a)}{ends} : "u{a.mark}"' for a, ends in both])
        + _elements(action, "down", [f'{a.mark}{ends} : "d{a.mark}"' for a, ends in both])
    )


def _place(admission: Admission) -> str:
    """The key of a device in the map `up`."""
    return f"0x{admission.mac.replace(':', '')} . {admission.mark}"


def _timeout(admission: Admission, now: Monotonic) -> str:
    return "" if admission.ends is None else f" timeout {max(1, admission.ends - now)}ms"


def _elements(action: str, name: str, elements: list[str]) -> list[str]:
    return [f"{action} element {TABLE} {name} {{ {', '.join(elements)} }}\n"] if elements else []

"""How much of the connection-tracking table (conntrack) each device and all of them may use, as nftables rules.

The rules stand in the nat prerouting chain, which only the first packet of a flow reaches: a running flow meets none
of them. A flow over a limit is refused with a TCP reset or "administratively prohibited", never dropped in silence.

- A device is counted by its hardware address (``ct count``). The kernel keeps the list of its flows, leaves closed
  ones out, and removes the element with the last flow, so no time-out can make it forget flows that stand.
- ``ct count`` walks its list once in each jiffy in which a flow begins, which takes up to a microsecond for each
  entry. So every limit is made of short counts: each flow falls into one of them by chance, and a limit is reached
  a little before its number.
- The table is divided so that what costs nothing cannot fill it: all guests together may have half of it, all devices
  that are not admitted a sixteenth, and an eighth besides for what leads to the portal, so that the page opens whatever
  else strangers do. The rest is for devices that somebody vouches for.
- What leads to the portal over the limits of all strangers together is dropped, not refused: the newcomer among them tries
  again after a second, as TCP does, and a refusal would be the end of the page.
- Closed flows are not counted but stay in the table for their time-out: the rates bound them.
"""

from collections.abc import Iterable

FLOWS_PER_DEVICE = 1_024
"""At once, of an admitted device; a setting. A busy browser has about 100, a file-sharing program some hundreds."""
FLOWS_PER_STRANGER = 64
"""At once, of a device that is not admitted. It needs the portal (32 connections) and services; its questions to the
resolver are bounded by their own rate."""
NEW_PER_SECOND = 200
"""Flows that one device may begin, on average. It also bounds the kernel's list of flows that were refused: each walk
collects eight of them."""
NEW_AT_ONCE = 1_024
TABLE_SIZE_DEFAULT = 65_536
"""Where the kernel does not tell its own (nf_conntrack_max)."""
GUESTS_PART, STRANGERS_PART, PORTAL_PART, RATE_PART = 2, 16, 8, 64
"""All guests together may have one in two entries of the table, all strangers one in sixteen, and one in eight to the
portal; each of the three may begin one in sixty-four of its size in a second."""
FLOWS_PER_COUNT = 128
"""The longest list that a new flow makes the kernel walk."""
DEVICES_COUNTED_MAX, COUNTS_MAX = 65_535, 524_288
CROWDED = "crowded"
"""The set of devices that were refused a flow within `RECENT_SECONDS`."""
RECENT_SECONDS = 60

TCP_OF_DEVICES = "syn_sent : 30, syn_recv : 30, established : 7440, fin_wait : 30, time_wait : 15, close : 5"
"""Seconds. Established: 2 hours and 4 minutes, the least that RFC 5382 (REQ-5) allows a NAT, where Linux has five days.
A flow that was forgotten is taken up again by the device's next packet, as Linux does by default. What is closing waits
shorter than usual: the rates above times these seconds are what churn can hold of the table."""
TCP_TO_THE_NODE = "syn_recv : 3, established : 600, fin_wait : 10, time_wait : 5, close : 2"
"""The portal closes idle connections itself after 15 seconds. Half-open: the node's answer, sent again after 1 and 3
seconds, renews it twice, so it ends after 6 s; what strangers may begin in that time does not fill the portal's part."""
QUESTION = "unreplied : 10, replied : 10"
"""DNS and DHCP with the node: one datagram each way. As long as dnsmasq waits for an upstream answer."""

FAMILIES = (("4", "ipv4", "ip"), ("6", "ipv6", "ip6"))
NODE_ITSELF = "fib daddr type { local, broadcast, multicast }"


_TO_SERVICES = tuple(
    f"{ip} daddr . tcp dport @services{number} goto opening_stranger" for number, _, ip in FAMILIES
)


def timeouts(table: str) -> str:
    """The time-outs as objects of the table, one for each family: they go with it, and no setting of the machine's is
    changed."""
    kinds = (
        ("device", "tcp", TCP_OF_DEVICES),
        ("node", "tcp", TCP_TO_THE_NODE),
        ("question", "udp", QUESTION),
    )
    return "".join(
        f"add ct timeout {table} {name}{number} "
        f"{{ protocol {protocol}; l3proto {family}; policy = {{ {policy} }}; }}\n"
        for name, protocol, policy in kinds
        for number, _, family in FAMILIES
    )


def sets(table: str, per_device: int) -> str:
    """The counted elements. A count keeps the limit that it was made with, so the set of another limit has another
    name."""
    recent = f"type ether_addr; size {DEVICES_COUNTED_MAX}; flags dynamic,timeout; timeout {RECENT_SECONDS}s;"
    counted = f"type ether_addr . mark; size {COUNTS_MAX}; flags dynamic;"
    shards = f"type mark; size {COUNTS_MAX}; flags dynamic;"
    kinds = {
        CROWDED: recent,
        "openings": recent,
        _flows_of_devices(per_device): counted,
        "flows_of_strangers": counted,
        "shards_of_guests": shards,
        "shards_of_strangers": shards,
        "shards_of_portal": shards,
    }
    return "".join(f"add set {table} {name} {{ {body} }}\n" for name, body in kinds.items())


def chains(per_device: int, table_size: int, *, has_services: bool = False) -> dict[str, tuple[str, ...]]:
    """The rules by chain, those that others lead to first; ``opening`` is for the first packet of each flow from the
    people's side and returns when the flow may stand."""
    rate = f"limit rate over {NEW_PER_SECOND}/second burst {NEW_AT_ONCE} packets"
    together = max(1, table_size // RATE_PART)
    rate_together = f"limit rate over {together}/second burst {4 * together} packets goto refuse"
    guests, strangers = _counts(table_size // GUESTS_PART), _counts(table_size // STRANGERS_PART)
    portal = _counts(table_size // PORTAL_PART)
    return {
        "question": tuple(_set_timeouts("udp", "question")),
        # Who was refused a moment ago is shown to the admins.
        "over": (f"update @{CROWDED} {{ ether saddr }}", "goto refuse"),
        "opening_guest": (rate_together, f"add @shards_of_guests {{ {guests} }} goto refuse"),
        "opening_device": (
            *_set_timeouts("tcp", "device"),
            f"add @openings {{ ether saddr {rate} }} goto over",
            f"add @{_flows_of_devices(per_device)} {{ ether saddr . {_counts(per_device)} }} goto over",
            "ether saddr @guests goto opening_guest",
        ),
        "opening_stranger": (
            *_set_timeouts("tcp", "node"),
            f"add @openings {{ ether saddr {rate} }} goto refuse",
            rate_together,
            f"add @flows_of_strangers {{ ether saddr . {_counts(FLOWS_PER_STRANGER)} }} goto refuse",
            f"add @shards_of_strangers {{ {strangers} }} goto refuse",
        ),
        "opening_portal": (
            *_set_timeouts("tcp", "node"),
            f"add @openings {{ ether saddr {rate} }} goto refuse",
            f"limit rate over {together}/second burst {together} packets drop",
            f"add @flows_of_strangers {{ ether saddr . {_counts(FLOWS_PER_STRANGER)} }} goto refuse",
            f"add @shards_of_portal {{ {portal} }} drop",
        ),
        "opening": (
            f"udp dport {{ 53, 67, 547 }} {NODE_ITSELF} goto question",
            "ether saddr @members goto opening_device",
            "udp dport 53 goto question",  # led to the node's own resolver
            *(_TO_SERVICES if has_services else ()),
            "tcp dport 80 goto opening_portal",  # led to it, whatever the address
            f"meta l4proto tcp {NODE_ITSELF} goto opening_portal",
            "goto opening_stranger",
        ),
    }


def own_questions(uplink: str) -> Iterable[str]:
    """For what the node itself sends: each of its resolver's questions has a port of its own."""
    for number, family, _ in FAMILIES:
        yield f'oifname "{uplink}" meta nfproto {family} udp dport 53 ct timeout set "question{number}"'


def _set_timeouts(protocol: str, name: str) -> Iterable[str]:
    for number, family, _ in FAMILIES:
        yield f'meta nfproto {family} meta l4proto {protocol} ct timeout set "{name}{number}"'


def _flows_of_devices(limit: int) -> str:
    return f"flows_of_devices_{limit}"


def _counts(limit: int) -> str:
    """One of so many counts, by chance, that together they hold `limit` flows."""
    counts = max(1, limit // FLOWS_PER_COUNT)
    return f"numgen random mod {counts} ct count over {limit // counts}"

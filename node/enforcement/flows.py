"""Flows: the meaning of their conntrack marks, and nftables limits for their entries in the connection-tracking table,
per device and per group of devices.

The rules are in the nat prerouting chain, which only the first packet of a flow reaches; running flows are not
affected. A flow over a limit is refused with a TCP reset or ICMP "administratively prohibited", not dropped silently.

- Devices are counted by hardware address (``ct count``). The kernel keeps the list of a device's flows, skips closed
  ones, and removes the element with the last flow, so no timeout can lose flows that are still open.
- ``ct count`` walks its list once per jiffy in which a flow begins, up to a microsecond per entry. So every limit is
  split into several short counts; a new flow is assigned to one at random, and a limit is reached slightly early.
- The table is divided so that devices without a member's guarantee cannot fill it: all guests together get half of
  it, unauthorized devices a sixteenth, and portal connections another eighth, so that the page opens under any load.
  The rest is for members' devices.
- Portal connections over the common limit of unauthorized devices are dropped, not refused: TCP retries after a
  second, whereas a refusal would make the browser give up.
- Closed flows are not counted but stay in the table until they time out; the rate limits bound their number.
"""

from collections.abc import Iterable

STRANGER_FIRST, STRANGER_NUMBERS = 0x4000_0000, 0x3FFF_FFFF
"""Marks of DNS queries of unauthorized devices: a hash of the hardware address (`dns_limits`). Below the first is the
device of an admission (`Admission.mark`); 0 means no device."""
ANSWER_AWAITED = 0x8000_0000
"""Added to the mark of an admission: a TCP flow whose SYN has not been answered yet (`mss_clamping`)."""
DEVICE_BITS = ANSWER_AWAITED - 1
"""All bits except `ANSWER_AWAITED`."""

FLOWS_PER_DEVICE = 1_024
"""Flows at once of an admitted device; configurable. A busy browser has about 100, a file-sharing program several
hundred."""
FLOWS_PER_STRANGER = 64
"""Flows at once of an unauthorized device: it needs the portal (32 connections) and services. DNS queries have a
limit of their own."""
NEW_PER_SECOND = 200
"""New flows per second of one device, on average. It also bounds the kernel's list of refused flows: each walk
collects eight of them."""
NEW_AT_ONCE = 1_024
TABLE_SIZE_DEFAULT = 65_536
"""Used when the kernel does not report nf_conntrack_max."""
GUESTS_PART, STRANGERS_PART, PORTAL_PART, RATE_PART = 2, 16, 8, 64
"""Divisors of the table size: entries of all guests, of all unauthorized devices, and of portal connections; and the
new flows per second of each of these groups."""
FLOWS_PER_COUNT = 128
"""Longest list that a new flow makes the kernel walk."""
DEVICES_COUNTED_MAX, COUNTS_MAX = 65_535, 524_288
CROWDED = "crowded"
"""Set of devices that were refused a flow within `RECENT_SECONDS`."""
RECENT_SECONDS = 60

ESTABLISHED_S = 7_440
TCP_OF_DEVICES = (
    f"syn_sent : 30, syn_recv : 30, established : {ESTABLISHED_S}, fin_wait : 30, time_wait : 15, close : 5"
)
"""Timeouts in seconds. Established: 2 h 4 min, the minimum that RFC 5382 (REQ-5) allows a NAT (Linux's default is
five days). The device's next packet picks up an expired flow, as is Linux's default. Closing states are shorter than
the default: the rates above times these seconds bound the entries of closed flows."""
TCP_TO_THE_NODE = "syn_recv : 3, established : 600, fin_wait : 10, time_wait : 5, close : 2"
"""The portal closes idle connections after 15 s. Half-open: the SYN-ACK is sent again after 1 and 3 s and renews the
timeout twice, so the entry ends after 6 s; what unauthorized devices can open in that time does not fill the portal's
part."""
QUESTION = "unreplied : 10, replied : 10"
"""DNS and DHCP with the node: one datagram each way. As long as dnsmasq waits for an upstream answer."""

FAMILIES = (("4", "ipv4", "ip"), ("6", "ipv6", "ip6"))
NODE_ITSELF = "fib daddr type { local, broadcast, multicast }"
_TO_SERVICES = tuple(
    f"{ip} daddr . tcp dport @services{number} goto opening_stranger" for number, _, ip in FAMILIES
)


def device_mark(mark: int) -> int:
    """The admission mark of a flow; 0 when the flow does not belong to an admitted device."""
    own = mark & DEVICE_BITS
    return own if own < STRANGER_FIRST else 0


def timeouts(table: str) -> str:
    """The timeouts as objects of the table, one per family: they are deleted with it, and no global setting changes."""
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
    """Definitions of the counting sets. An element keeps the limit with which it was created, so another limit needs
    a set with another name."""
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
    """Chain name to rules; a chain comes after the chains it jumps to. ``opening`` takes the first packet of each
    flow from the LAN and returns when the flow is allowed."""
    rate = f"limit rate over {NEW_PER_SECOND}/second burst {NEW_AT_ONCE} packets"
    together = max(1, table_size // RATE_PART)
    rate_together = f"limit rate over {together}/second burst {4 * together} packets goto refuse"
    guests, strangers = _counts(table_size // GUESTS_PART), _counts(table_size // STRANGERS_PART)
    portal = _counts(table_size // PORTAL_PART)
    return {
        "question": tuple(_set_timeouts("udp", "question")),
        # Devices refused recently are shown to the admins.
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
            "udp dport 53 goto question",  # redirected to the node's resolver
            *(_TO_SERVICES if has_services else ()),
            "tcp dport 80 goto opening_portal",  # redirected to the portal for any destination
            f"meta l4proto tcp {NODE_ITSELF} goto opening_portal",
            "goto opening_stranger",
        ),
    }


def own_questions(uplink: str) -> Iterable[str]:
    """For packets from the node itself: every query of its resolver uses a new source port, hence a new flow."""
    for number, family, _ in FAMILIES:
        yield f'oifname "{uplink}" meta nfproto {family} udp dport 53 ct timeout set "question{number}"'


def _set_timeouts(protocol: str, name: str) -> Iterable[str]:
    for number, family, _ in FAMILIES:
        yield f'meta nfproto {family} meta l4proto {protocol} ct timeout set "{name}{number}"'


def _flows_of_devices(limit: int) -> str:
    return f"flows_of_devices_{limit}"


def _counts(limit: int) -> str:
    """Match when one randomly chosen count is over its part of `limit`; all counts together allow `limit` flows."""
    counts = max(1, limit // FLOWS_PER_COUNT)
    return f"numgen random mod {counts} ct count over {limit // counts}"

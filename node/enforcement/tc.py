"""HTB as a list of changes, rendered as ``tc`` command lines and as rtnetlink messages.

Every message can be sent twice without harm, so after a crash everything is sent again; running flows keep their
queue.
"""

import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from node.enforcement.htb_classes import FRAME_BYTES, HtbClass
from node.enforcement.plan import CONTROL_MINOR, Leaf
from node.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
    attribute,
    message,
)
from node.units import BitsPerSecond

Action = Literal[
    "add-root",
    "delete-root",
    "set-class",
    "delete-class",
    "set-leaf",
    "resize-leaf",
    "choose-arp",
    "choose-dhcp",
]

HTB_MAJOR = 1
BFIFO_MS, BFIFO_AT_CEILING_US = 100, 12_500
"""Longest queue of a bfifo whose class has its share, and of one that has the line to itself. A queue of 100 ms at the
ceiling is one of 2.5 s at a 25th of the line."""
BFIFO_BYTES_MIN, BFIFO_BYTES_MAX = 20 * FRAME_BYTES, 1_000 * FRAME_BYTES
"""With less than the first a few downloads lose so much that the line is full of what is sent again: it passed the line
before the queue dropped it."""
FQ_CODEL_FLOWS, FQ_CODEL_PACKETS = 64, 2_000
"""Hash buckets and packets of an fq_codel leaf. With the kernel's defaults 1,000 leaves take 74 MB on each interface
while they are empty, with these 10 MB."""
FQ_CODEL_MS, FQ_CODEL_MEMORY_MIN, FQ_CODEL_MEMORY_MAX = 100, 512 << 10, 4 << 20
"""fq_codel's `memory_limit`: so much time at the class's ceiling, twice, because it counts whole buffers, 2,304 bytes for
a full frame. The least holds three packets of each of 64 flows, and some merged segments of 64 kB."""
FQ_CODEL_TARGET_US, FQ_CODEL_TARGET_US_MAX, FQ_CODEL_TARGET_FRAMES = 5_000, 200_000, 4
FQ_CODEL_INTERVAL_US = 100_000
"""fq_codel's `target` is 5 ms, its default, or the time of so many frames at the class's share: with less it drops
packets that are not even late. Its `interval` is its default and what `target` is longer."""

TCMSG = struct.Struct("=BBHiIII")
"""struct tcmsg of linux/rtnetlink.h: family, two of padding, interface, handle, parent, info."""
RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTCLASS, RTM_DELTCLASS, RTM_NEWTFILTER = 36, 37, 40, 41, 44
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_FQ_CODEL_TARGET, TCA_FQ_CODEL_LIMIT, TCA_FQ_CODEL_INTERVAL, TCA_FQ_CODEL_FLOWS = 1, 2, 3, 5
TCA_FQ_CODEL_MEMORY_LIMIT = 9
TCA_HTB_PARMS, TCA_HTB_INIT, TCA_HTB_RATE64, TCA_HTB_CEIL64 = 1, 2, 6, 7
HTB_VERSION, HTB_RATE_TO_QUANTUM = 3, 10
TC_LINKLAYER_ETHERNET = 1
TCA_U32_CLASSID, TCA_U32_SEL, TC_U32_TERMINAL = 1, 5, 1
ETH_P_IP, ETH_P_ARP = 0x0800, 0x0806
PSCHED_TICK_NS = 64


@dataclass(frozen=True, slots=True)
class LeafQueue:
    """Settings of a leaf's queue."""

    kind: Leaf
    limit_bytes: int
    """Of a bfifo all that waits in it, of an fq_codel its `memory_limit`."""
    target_us: int = 0
    """Of an fq_codel."""


@dataclass(frozen=True, slots=True)
class TcChange:
    """One change on one interface."""

    action: Action
    minor: int = 0
    htb: HtbClass | None = None
    leaf: LeafQueue | None = None


@dataclass(frozen=True, slots=True)
class ChosenPackets:
    """Packets that pass beside the packet filter, which could choose their class."""

    text: str
    """As `tc filter` takes it."""
    protocol: int
    """EtherType."""
    preference: int
    keys: tuple[tuple[int, int, int], ...]
    """Octets from the start of the network header, mask, value."""


CHOSEN: Mapping[str, ChosenPackets] = {
    "choose-arp": ChosenPackets("protocol arp prio 1 u32 match u32 0 0", ETH_P_ARP, 1, ((0, 0, 0),)),
    "choose-dhcp": ChosenPackets(
        "protocol ip prio 2 u32 match ip protocol 17 0xff match ip dport 67 0xffff",
        ETH_P_IP,
        2,
        ((8, 0x00FF0000, 17 << 16), (20, 0x0000FFFF, 67)),
    ),
}
"""By action. The kernel sends ARP, and DHCP clients send their packets, where nftables does not see them. All else
without a class is not the node's own: it passes the uplink's port from an interface on top of it (VLAN, macvlan)."""


def changes(
    before: Mapping[int, HtbClass] | None, after: Mapping[int, HtbClass] | None, leaf: Leaf
) -> Iterator[TcChange]:
    """Changes from the existing classes to the wanted ones; None means no HTB. Parents come before children."""
    if after is None:
        if before is not None:
            yield TcChange("delete-root")
        return
    if before is None:
        yield from _new_root(after)
        before = {}
    gone = _gone(before, after)
    for minor in _children_first(gone, before):
        yield TcChange("delete-class", minor)
    for minor, htb in after.items():
        if minor not in gone and before.get(minor) == htb:
            continue
        yield TcChange("set-class", minor, htb)
        if not htb.is_leaf:
            continue
        queue = leaf_queue(leaf, htb)
        if minor in gone or minor not in before or not before[minor].is_leaf:
            yield TcChange("set-leaf", minor, None, queue)
        elif leaf_queue(leaf, before[minor]) != queue or not before[minor].ceil:
            yield TcChange("resize-leaf", minor, None, queue)


def _new_root(after: Mapping[int, HtbClass]) -> Iterator[TcChange]:
    yield TcChange("add-root")
    if CONTROL_MINOR in after:
        # Before that class: a filter that finds its class holds it, and then it could never be deleted.
        yield TcChange("choose-arp", CONTROL_MINOR)
        yield TcChange("choose-dhcp", CONTROL_MINOR)


def with_former(
    before: Mapping[int, HtbClass] | None, after: Mapping[int, HtbClass] | None
) -> Mapping[int, HtbClass] | None:
    """`after` with those that are only in `before`, as far as they can stay beside it; these come last."""
    if before is None or after is None:
        return before if after is None else after
    leaves = {minor for minor, htb in after.items() if htb.is_leaf}
    former = {
        minor: htb for minor, htb in before.items() if minor not in after and htb.parent_minor not in leaves
    }
    gone = _gone(before, {**after, **former})
    return {**after, **{minor: htb for minor, htb in former.items() if minor not in gone}}


def leaf_queue(kind: Leaf, htb: HtbClass) -> LeafQueue:
    """The queue of a class by its share and its ceiling."""
    top = htb.ceil if htb.peak is None else htb.peak
    if kind == "bfifo":
        wanted = max(htb.share * BFIFO_MS // 8_000, top * BFIFO_AT_CEILING_US // 8_000_000)
        return LeafQueue(kind, max(BFIFO_BYTES_MIN, min(BFIFO_BYTES_MAX, wanted)))
    memory = max(FQ_CODEL_MEMORY_MIN, min(FQ_CODEL_MEMORY_MAX, 2 * top * FQ_CODEL_MS // 8_000))
    frames_us = FQ_CODEL_TARGET_FRAMES * FRAME_BYTES * 8_000_000 // max(1, htb.share)
    return LeafQueue(kind, memory, max(FQ_CODEL_TARGET_US, min(FQ_CODEL_TARGET_US_MAX, frames_us)))


def _gone(before: Mapping[int, HtbClass], after: Mapping[int, HtbClass]) -> set[int]:
    """Classes that are not wanted or have another parent, and all their descendants."""
    gone: set[int] = set()
    for minor in reversed(_children_first(before, before)):
        htb = before[minor]
        moves = minor not in after or after[minor].parent_minor != htb.parent_minor
        if moves or htb.parent_minor in gone:
            gone.add(minor)
    return gone


def _children_first(gone: Iterable[int], before: Mapping[int, HtbClass]) -> list[int]:
    """HTB refuses to delete a class with children; the tree has at most five levels."""

    def depth(minor: int) -> int:
        above = before[minor].parent_minor
        return 0 if above is None or above not in before else 1 + depth(above)

    return sorted(gone, key=depth, reverse=True)


def as_text(change: TcChange, interface: str) -> str:
    """The change as a line for ``tc -batch``, for logs and golden files."""
    if change.action == "add-root":
        return f"qdisc replace dev {interface} root handle {HTB_MAJOR}: htb"
    if change.action == "delete-root":
        return f"qdisc delete dev {interface} root"
    classid = f"{HTB_MAJOR}:{change.minor:x}"
    if change.action in CHOSEN:
        chosen = CHOSEN[change.action]
        return f"filter add dev {interface} parent {HTB_MAJOR}: {chosen.text} flowid {classid}"
    if change.action == "delete-class":
        return f"class delete dev {interface} classid {classid}"
    if change.leaf is not None:
        queue = _leaf_text(change.leaf, is_new=change.action == "set-leaf")
        return f"qdisc replace dev {interface} parent {classid} {queue}"
    htb = change.htb
    assert htb is not None
    parent = f"{HTB_MAJOR}:" if htb.parent_minor is None else f"{HTB_MAJOR}:{htb.parent_minor:x}"
    return (
        f"class replace dev {interface} parent {parent} classid {classid} htb rate {htb.rate}bit ceil {htb.ceil}bit "
        f"burst {htb.burst_bytes} cburst {htb.cburst_bytes} prio {htb.prio} quantum {htb.quantum_bytes}"
    )


def as_message(change: TcChange, ifindex: int, sequence: int) -> bytes:
    """The change as one rtnetlink message that requests an acknowledgement."""
    handle, parent = HTB_MAJOR << 16, TC_H_ROOT
    replace = NLM_F_CREATE | NLM_F_REPLACE
    if change.action == "add-root":
        return root_message(ifindex, "htb", sequence)
    if change.action == "delete-root":
        return _message(RTM_DELQDISC, 0, sequence, ifindex, 0, parent, b"")
    classid = handle | change.minor
    if change.action in CHOSEN:
        return _filter_message(CHOSEN[change.action], classid, ifindex, sequence)
    if change.action == "delete-class":
        return _message(RTM_DELTCLASS, 0, sequence, ifindex, classid, 0, b"")
    if change.leaf is not None:
        # With NLM_F_EXCL a queue of the same kind is replaced as well: fq_codel refuses a change of `flows`.
        flags = replace | NLM_F_EXCL if change.action == "set-leaf" else replace
        body = leaf_attributes(change.leaf, is_new=change.action == "set-leaf")
        return _message(RTM_NEWQDISC, flags, sequence, ifindex, 0, classid, body)
    assert change.htb is not None
    above = handle | (change.htb.parent_minor or 0)
    body = _kind("htb") + attribute(TCA_OPTIONS, _htb_options(change.htb))
    return _message(RTM_NEWTCLASS, replace, sequence, ifindex, classid, above, body)


def _filter_message(chosen: ChosenPackets, classid: int, ifindex: int, sequence: int) -> bytes:
    """A filter of kind u32 (tc-u32(8)), whose keys are looked for from the network header on."""
    keys = b"".join(
        struct.pack("!II", mask, value) + struct.pack("=ii", at, 0) for at, mask, value in chosen.keys
    )
    selector = struct.pack("=BBBxHHhhI", TC_U32_TERMINAL, 0, len(chosen.keys), 0, 0, 0, 0, 0) + keys
    options = attribute(TCA_U32_CLASSID, struct.pack("=I", classid)) + attribute(TCA_U32_SEL, selector)
    head = TCMSG.pack(
        0,
        0,
        0,
        ifindex,
        0,
        HTB_MAJOR << 16,
        chosen.preference << 16 | int.from_bytes(chosen.protocol.to_bytes(2), sys.byteorder),
    )
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
    return message(RTM_NEWTFILTER, flags, sequence, head + _kind("u32") + attribute(TCA_OPTIONS, options))


def class_priority(minor: int) -> int:
    """The socket priority (SO_PRIORITY) that chooses this class; where nothing is shaped it means nothing."""
    return HTB_MAJOR << 16 | minor


def root_message(ifindex: int, kind: str, sequence: int = 0, *, only_if_none: bool = False) -> bytes:
    """Replace the root queueing discipline, or with `only_if_none` add it, which the kernel refuses with EEXIST where
    one was added before. HTB sends unclassified packets without shaping."""
    flags = NLM_F_CREATE | (NLM_F_EXCL if only_if_none else NLM_F_REPLACE)
    return _message(
        RTM_NEWQDISC, flags, sequence, ifindex, HTB_MAJOR << 16, TC_H_ROOT, _root_attributes(kind)
    )


def _root_attributes(kind: str) -> bytes:
    if kind == "htb":
        init = struct.pack("=IIIII", HTB_VERSION, HTB_RATE_TO_QUANTUM, 0, 0, 0)
        return _kind(kind) + attribute(TCA_OPTIONS, attribute(TCA_HTB_INIT, init))
    if kind == "fq_codel":
        return leaf_attributes(LeafQueue("fq_codel", FQ_CODEL_MEMORY_MIN, FQ_CODEL_TARGET_US), is_new=True)
    return _kind(kind)


def leaf_attributes(leaf: LeafQueue, *, is_new: bool) -> bytes:
    if leaf.kind == "bfifo":
        return _kind(leaf.kind) + attribute(TCA_OPTIONS, struct.pack("=I", leaf.limit_bytes))
    options = {
        TCA_FQ_CODEL_TARGET: leaf.target_us,
        TCA_FQ_CODEL_INTERVAL: _interval_us(leaf),
        TCA_FQ_CODEL_MEMORY_LIMIT: leaf.limit_bytes,
    }
    if is_new:
        options |= {TCA_FQ_CODEL_LIMIT: FQ_CODEL_PACKETS, TCA_FQ_CODEL_FLOWS: FQ_CODEL_FLOWS}
    packed = b"".join(attribute(key, struct.pack("=I", value)) for key, value in options.items())
    return _kind(leaf.kind) + attribute(TCA_OPTIONS, packed)


def _interval_us(leaf: LeafQueue) -> int:
    return FQ_CODEL_INTERVAL_US + leaf.target_us - FQ_CODEL_TARGET_US


def _leaf_text(leaf: LeafQueue, *, is_new: bool) -> str:
    if leaf.kind == "bfifo":
        return f"bfifo limit {leaf.limit_bytes}"
    made = f" limit {FQ_CODEL_PACKETS} flows {FQ_CODEL_FLOWS}" if is_new else ""
    times = f" target {leaf.target_us}us interval {_interval_us(leaf)}us"
    return f"fq_codel{made}{times} memory_limit {leaf.limit_bytes}"


def _htb_options(htb: HtbClass) -> bytes:
    parameters = (
        _rate_spec(htb.rate)
        + _rate_spec(htb.ceil)
        + struct.pack(
            "=IIIII",
            _ticks(htb.burst_bytes, htb.rate),
            _ticks(htb.cburst_bytes, htb.ceil),
            htb.quantum_bytes,
            0,
            htb.prio,
        )
    )
    return (
        attribute(TCA_HTB_PARMS, parameters)
        + attribute(TCA_HTB_RATE64, struct.pack("=Q", htb.rate // 8))
        + attribute(TCA_HTB_CEIL64, struct.pack("=Q", htb.ceil // 8))
    )


def _rate_spec(rate: BitsPerSecond) -> bytes:
    return struct.pack("=BBHhHI", 0, TC_LINKLAYER_ETHERNET, 0, -1, 0, min(rate // 8, 0xFFFFFFFF))


def _ticks(size_bytes: int, rate: BitsPerSecond) -> int:
    return min(0xFFFFFFFF, size_bytes * 8 * 1_000_000_000 // max(1, rate) // PSCHED_TICK_NS)


def _kind(name: str) -> bytes:
    return attribute(TCA_KIND, name.encode() + b"\0")


def _message(  # noqa: PLR0917
    kind: int, flags: int, sequence: int, ifindex: int, handle: int, parent: int, body: bytes
) -> bytes:
    payload = TCMSG.pack(0, 0, 0, ifindex, handle, parent, 0) + body
    return message(kind, flags | NLM_F_REQUEST | NLM_F_ACK, sequence, payload)

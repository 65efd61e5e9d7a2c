"""HTB as changes: the smallest set that leads from one state to the next, in an order that the kernel accepts."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.htb_classes import HtbClass
from node.enforcement.plan import CONTROL_MINOR, Leaf
from node.enforcement.tc import (
    TCMSG,
    LeafQueue,
    TcChange,
    as_message,
    as_text,
    changes,
    leaf_queue,
    with_former,
)
from node.netlink import HEADER, find_attribute, messages
from node.units import BitsPerSecond


def htb(minor: int, parent: int | None = 0xFFFF, rate: int = 1_000_000, *, is_leaf: bool = True) -> HtbClass:
    return HtbClass(
        minor, parent, BitsPerSecond(rate), BitsPerSecond(40_000_000), 4542, 25_000, 20_000, is_leaf
    )


ROOT = htb(0xFFFF, None, 40_000_000, is_leaf=False)


def told(before: dict[int, HtbClass] | None, after: dict[int, HtbClass] | None) -> list[str]:
    return [as_text(change, "lan0") for change in changes(before, after, "bfifo")]


def test_the_first_plan_adds_the_root_then_parents_then_children_with_their_queues() -> None:
    assert [
        "qdisc replace dev lan0 root handle 1: htb",
        "class replace dev lan0 parent 1: classid 1:ffff htb rate 40000000bit ceil 40000000bit"
        " burst 4542 cburst 25000 prio 1 quantum 20000",
        "class replace dev lan0 parent 1:ffff classid 1:11 htb rate 1000000bit ceil 40000000bit"
        " burst 4542 cburst 25000 prio 1 quantum 20000",
        "qdisc replace dev lan0 parent 1:11 bfifo limit 62500",
    ] == told(None, {0xFFFF: ROOT, 0x11: htb(0x11)})


def test_what_passes_beside_the_packet_filter_is_control_traffic_where_there_is_such_a_class() -> None:
    lines = told(None, {0xFFFF: ROOT, CONTROL_MINOR: htb(CONTROL_MINOR)})
    assert [
        "qdisc replace dev lan0 root handle 1: htb",
        "filter add dev lan0 parent 1: protocol arp prio 1 u32 match u32 0 0 flowid 1:fffe",
        "filter add dev lan0 parent 1: protocol ip prio 2 u32 match ip protocol 17 0xff match ip dport 67 0xffff"
        " flowid 1:fffe",
    ] == lines[:3]


def test_a_new_rate_keeps_the_existing_queue() -> None:
    before = {0xFFFF: ROOT, 0x11: htb(0x11)}
    lines = told(before, {**before, 0x11: htb(0x11, rate=2_000_000)})
    assert 1 == len(lines)
    assert lines[0].startswith("class replace dev lan0 parent 1:ffff classid 1:11 htb rate 2000000bit ")


def test_no_message_is_sent_when_nothing_changes() -> None:
    assert [] == told({0x11: htb(0x11)}, {0x11: htb(0x11)})
    assert [] == told(None, None)


def test_a_pool_is_deleted_after_its_children() -> None:
    before = {0xFFFF: ROOT, 0x20: htb(0x20, is_leaf=False), 0x11: htb(0x11, 0x20)}
    assert ["class delete dev lan0 classid 1:11", "class delete dev lan0 classid 1:20"] == told(
        before, {0xFFFF: ROOT}
    )


def test_an_account_that_moves_into_a_pool_gets_a_new_class_and_queue() -> None:
    before = {0xFFFF: ROOT, 0x11: htb(0x11)}
    lines = told(before, {0xFFFF: ROOT, 0x20: htb(0x20, is_leaf=False), 0x11: htb(0x11, 0x20)})
    assert "class delete dev lan0 classid 1:11" == lines[0]
    assert lines[-1].startswith("qdisc replace dev lan0 parent 1:11 ")


def test_a_pool_that_moves_takes_its_children_along() -> None:
    """HTB refuses to delete a class while it has children."""
    floor, pool, person = htb(0x30, is_leaf=False), htb(0x20, is_leaf=False), htb(0x11, 0x20)
    before = {0xFFFF: ROOT, 0x20: pool, 0x11: person}
    after = {0xFFFF: ROOT, 0x30: floor, 0x20: htb(0x20, 0x30, is_leaf=False), 0x11: person}
    lines = told(before, after)
    assert ["class delete dev lan0 classid 1:11", "class delete dev lan0 classid 1:20"] == lines[:2]
    assert lines[-1].startswith("qdisc replace dev lan0 parent 1:11 ")


class Htb:
    """What the kernel accepts: a class is deleted when it has no children, and created below an existing one."""

    def __init__(self) -> None:
        self.parents: dict[int, int | None] = {}
        self.queues: set[int] = set()

    def take(self, change: TcChange) -> None:
        if change.action == "delete-class":
            assert change.minor not in self.parents.values(), "busy"
            del self.parents[change.minor]
            self.queues.discard(change.minor)
        elif change.action == "set-class":
            assert change.htb is not None
            parent = change.htb.parent_minor
            assert parent is None or parent in self.parents
            assert self.parents.get(change.minor, parent) == parent, "a class keeps its parent"
            self.parents[change.minor] = parent
            self.queues.discard(parent or 0)
        elif change.action == "set-leaf":
            assert change.minor not in self.parents.values()
            self.queues.add(change.minor)


@st.composite
def trees(draw: st.DrawFn) -> dict[int, HtbClass]:
    """Parents come before their children; either may be at any place."""
    parents: dict[int, int | None] = {}
    for minor in draw(st.permutations(range(1, 8))):
        if draw(st.booleans()):
            parents[minor] = draw(st.sampled_from([None, *parents]))
    return {m: htb(m, parent, is_leaf=m not in parents.values()) for m, parent in parents.items()}


@given(st.lists(trees(), min_size=2, max_size=5))
def test_the_kernel_accepts_every_transition_between_two_trees(wanted: list[dict[int, HtbClass]]) -> None:
    kernel, before = Htb(), None
    for after in wanted:
        for change in changes(before, after, "bfifo"):
            kernel.take(change)
        assert {m: each.parent_minor for m, each in after.items()} == kernel.parents
        assert {m for m, each in after.items() if each.is_leaf} == kernel.queues
        before = after


@given(st.lists(trees(), min_size=2, max_size=5))
def test_the_kernel_accepts_every_transition_in_two_steps_and_the_first_deletes_only_what_is_made_again(
    wanted: list[dict[int, HtbClass]],
) -> None:
    kernel, before = Htb(), None
    for after in wanted:
        both = with_former(before, after)
        assert both is not None
        assert both | after == both
        for change in changes(before, both, "bfifo"):
            kernel.take(change)
            assert change.action != "delete-class" or change.minor in after or change.minor not in both
        for change in changes(both, after, "bfifo"):
            kernel.take(change)
            assert change.action == "delete-class"
        assert {m: each.parent_minor for m, each in after.items()} == kernel.parents
        assert {m for m, each in after.items() if each.is_leaf} == kernel.queues
        before = after


def test_a_class_that_is_not_wanted_stays_in_the_first_step() -> None:
    before, after = {0xFFFF: ROOT, 0x11: htb(0x11)}, {0xFFFF: ROOT, 0x12: htb(0x12)}
    both = with_former(before, after)
    assert [0xFFFF, 0x12, 0x11] == list(both or {})
    assert not any("delete" in line for line in told(before, both))
    assert ["class delete dev lan0 classid 1:11"] == told(both, after)
    assert None is with_former(None, None)
    assert before == with_former(before, None)
    assert after == with_former(None, after)


def test_no_shaping_removes_the_root() -> None:
    assert ["qdisc delete dev lan0 root"] == told({0x11: htb(0x11)}, None)


def test_messages_carry_rates_beyond_32_bits() -> None:
    fast = htb(0x11, rate=100_000_000_000)
    ((kind, sequence, payload),) = messages(
        as_message(TcChange("set-class", 0x11, fast), ifindex=7, sequence=3)
    )
    assert (40, 3) == (kind, sequence)
    assert struct.pack("=Q", 12_500_000_000) in payload


def test_a_message_puts_a_class_below_its_parent_and_the_top_class_below_the_root() -> None:
    for parent, expected in ((0x20, 0x1_0020), (0xFFFF, 0x1_FFFF), (None, 0x1_0000)):
        change = TcChange("set-class", 0x11, htb(0x11, parent))
        ((_, _, payload),) = messages(as_message(change, ifindex=7, sequence=3))
        _, _, _, ifindex, handle, above, _ = TCMSG.unpack_from(payload)
        assert (7, 0x1_0011, expected) == (ifindex, handle, above)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("bfifo", LeafQueue("bfifo", 125_000)), ("fq_codel", LeafQueue("fq_codel", 2_000_000, 5_000))],
)
def test_a_queue_is_resized_when_its_settings_change_and_not_made_again(
    kind: Leaf, wanted: LeafQueue
) -> None:
    before = {0xFFFF: ROOT, 0x11: htb(0x11)}
    faster = replace(htb(0x11), ceil=BitsPerSecond(80_000_000), share=BitsPerSecond(10_000_000))
    assert [("set-class", None), ("resize-leaf", wanted)] == [
        (change.action, change.leaf) for change in changes(before, {**before, 0x11: faster}, kind)
    ]


@pytest.mark.parametrize(
    ("share", "ceil", "bfifo", "memory", "target_us"),
    [
        (400_000, 10_000_000, 30_280, 524_288, 121_120),
        (10_000_000, 40_000_000, 125_000, 1_000_000, 5_000),
        (250_000, 100_000_000, 156_250, 2_500_000, 193_792),
        (10_000_000_000, 10_000_000_000, 1_514_000, 4_194_304, 5_000),
        (8, 8, 30_280, 524_288, 200_000),
    ],
)
def test_a_queue_fits_the_share_and_is_never_too_short_or_too_long(
    share: int, ceil: int, bfifo: int, memory: int, target_us: int
) -> None:
    """A queue of a hundred milliseconds at the ceiling would be seconds at a small share."""
    of = replace(htb(0x11), share=BitsPerSecond(share), ceil=BitsPerSecond(ceil))
    assert LeafQueue("bfifo", bfifo) == leaf_queue("bfifo", of)
    assert LeafQueue("fq_codel", memory, target_us) == leaf_queue("fq_codel", of)


def test_fair_queueing_gets_few_flows_little_memory_and_a_target_that_its_share_can_meet() -> None:
    queue = LeafQueue("fq_codel", 500_000, 20_000)
    made, resized = (TcChange(action, 0x11, None, queue) for action in ("set-leaf", "resize-leaf"))
    times = "target 20000us interval 115000us memory_limit 500000"
    start = "qdisc replace dev lan0 parent 1:11 fq_codel"
    assert f"{start} limit 2000 flows 64 {times}" == as_text(made, "lan0")
    assert f"{start} {times}" == as_text(resized, "lan0")
    common = {1: 20_000, 3: 115_000, 9: 500_000}
    for change, flags, options in ((made, 0x700, common | {2: 2_000, 5: 64}), (resized, 0x500, common)):
        packed = as_message(change, ifindex=7, sequence=3)
        ((kind, _, payload),) = messages(packed)
        attributes = payload[TCMSG.size :]
        assert (36, flags) == (kind, HEADER.unpack_from(packed)[2] & 0x700)
        assert b"fq_codel\0" == find_attribute(attributes, 1)
        inner = find_attribute(attributes, 2) or b""
        found = {key: find_attribute(inner, key) for key in range(1, 10)}
        assert options == {key: struct.unpack("=I", body)[0] for key, body in found.items() if body}

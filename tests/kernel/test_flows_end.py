"""The connection tracking entries of a device are deleted with its session, and no other entries are."""

import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.enforcement import conntrack
from node.enforcement.plan import Admission, TrafficPlan
from node.units import MacAddress
from tests.kernel.kernel_testbed import (
    FAR,
    FIREWALL,
    MEMBER_MAC,
    NOW,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.netns import Namespace

pytestmark = pytest.mark.kernel
ANA = Admission(MacAddress(MEMBER_MAC), 1, 0x11, None)
BEN = Admission(MacAddress(STRANGER_MAC), 2, 0x12, None)
FLOWS = 30
SILENT = "table inet silent { chain arriving { type filter hook input priority 0; tcp flags syn drop; }; }"


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("ends") as made:
        made.admit(MEMBER_MAC, STRANGER_MAC)
        yield made


def plan(*admitted: Admission, **more: object) -> TrafficPlan:
    return replace(TrafficPlan(FIREWALL, {a.mac: a for a in admitted}), **more)  # type: ignore[arg-type]


def say(place: KernelTestbed, wanted: TrafficPlan) -> None:
    with place.router.entered():
        place.kernel.apply(wanted, NOW)


def flows(place: Namespace, count: int = FLOWS) -> list[socket.socket]:
    made = []
    with place.entered():
        for way, family in ((0, socket.AF_INET), (1, socket.AF_INET6)):
            for port in range(5000, 5000 + count // 2):
                line = socket.socket(family, socket.SOCK_DGRAM)
                line.connect((FAR[way], port))
                line.send(b"x")
                made.append(line)
    time.sleep(0.2)
    for line in made:
        line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # no process listens there: ICMP error
    return made


def by_mark(place: KernelTestbed) -> dict[int, int]:
    with place.router.entered():
        return dict(Counter(mark for mark in map(conntrack._mark, conntrack._entries()) if mark))


def soon(place: KernelTestbed, wanted: dict[int, int]) -> bool:
    ends = time.monotonic() + 5
    while by_mark(place) != wanted and time.monotonic() < ends:
        time.sleep(0.05)
    return by_mark(place) == wanted


def close(lines: list[socket.socket]) -> None:
    for line in lines:
        line.close()


def test_entries_of_an_ended_session_are_deleted_and_no_others(place: KernelTestbed) -> None:
    lines = flows(place.member) + flows(place.stranger, 10)
    assert {1: FLOWS, 2: 10} == by_mark(place)
    say(place, plan(BEN, retiring={1: 0x11}))
    time.sleep(0.3)
    assert {1: FLOWS, 2: 10} == by_mark(place), (
        "its last bytes are not booked yet: it may come back to its flows"
    )
    say(place, plan(BEN))
    assert soon(place, {2: 10})
    close(lines)


def test_a_device_that_moved_to_another_account_keeps_its_silent_flows(place: KernelTestbed) -> None:
    lines = flows(place.member)
    moved = replace(ANA, mark=3)
    say(place, plan(moved, BEN, retiring={1: 0x11}, moved=frozenset({1})))
    say(place, plan(moved, BEN))
    time.sleep(0.5)
    assert {1: FLOWS} == by_mark(place)
    lines[0].send(b"x")
    time.sleep(0.2)
    assert {1: FLOWS - 1, 3: 1} == by_mark(place)
    close(lines)


def test_a_device_that_moved_and_then_left_loses_its_flows(place: KernelTestbed) -> None:
    lines = flows(place.member)
    moved = replace(ANA, mark=3)
    say(place, plan(moved, BEN, retiring={1: 0x11}, moved=frozenset({1})))
    say(place, plan(BEN, retiring={1: 0x11, 3: 0x11}))
    say(place, plan(BEN))
    assert soon(place, {})
    close(lines)


def test_a_device_that_is_admitted_again_continues(place: KernelTestbed) -> None:
    """Earlier flows too: the kernel picks a TCP flow up again with the next packet of the device."""
    lines = flows(place.member)
    say(place, plan(BEN, retiring={1: 0x11}))
    say(place, plan(BEN))
    assert soon(place, {})
    lines[0].send(b"WHILE-OUT")
    assert [] == place.heard(place.far, b"WHILE-OUT")
    lines[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    say(place, plan(ANA, BEN))
    for line in (lines[0], lines[-1]):
        line.send(b"IN-AGAIN")
    assert 2 == len(place.heard(place.far, b"IN-AGAIN"))
    assert {1: 2} == by_mark(place)
    close(lines)


def test_many_sessions_that_end_at_once_are_deleted_in_one_walk(place: KernelTestbed) -> None:
    lines = flows(place.member) + flows(place.stranger, 10)
    with place.router.entered():
        ender = conntrack.FlowEnder()
        ender.end({1, *range(100, 200)})
    assert soon(place, {2: 10})
    ender.close()
    close(lines)


def test_the_sample_names_the_device_with_most_flows(
    place: KernelTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = flows(place.member, 400) + flows(place.stranger, 40)
    with place.router.entered():
        whole = conntrack.table_use()
        monkeypatch.setattr(conntrack, "SAMPLE_MAX", 200)
        sampled = conntrack.table_use()
    assert (1, 400) == whole.heaviest
    assert 440 <= whole.entries <= 460
    mark, about = sampled.heaviest
    assert 1 == mark
    assert 300 <= about <= 500
    close(lines)


def test_flows_without_a_reply_yet_belong_to_their_device_and_end_with_its_session(
    place: KernelTestbed,
) -> None:
    place.far.run("nft", "-f", "-", stdin=SILENT)
    lines = []
    with place.member.entered():
        for way, family in ((0, socket.AF_INET), (1, socket.AF_INET6)):
            for port in range(6000, 6003):
                line = socket.socket(family, socket.SOCK_STREAM)
                line.setblocking(False)
                line.connect_ex((FAR[way], port))
                lines.append(line)
    time.sleep(0.2)
    try:
        assert {1: 6} == by_mark(place)
        say(place, plan(BEN, retiring={1: 0x11}))
        close(lines)
        say(place, plan(BEN))
        assert soon(place, {})
    finally:
        close(lines)

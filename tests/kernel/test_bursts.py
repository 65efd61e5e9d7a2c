"""Bursts on real packets: an account that was below its ceiling may have more for a time, never more than that, and then its
ceiling until it has been below it for long enough. Others keep theirs."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.enforcement.plan import NO_LIMIT, Admission, ShapedClass, TrafficPlan
from node.governance.burst import Burst, saved_bits
from node.units import NO_RATES, BitsPerSecond, MacAddress, Milliseconds, Rates
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

pytestmark = [pytest.mark.kernel, pytest.mark.alone]

LINE = Rates(BitsPerSecond(10_000_000), BitsPerSecond(10_000_000))
CEILING, PEAK, LENGTH_S = BitsPerSecond(1_000_000), BitsPerSecond(4_000_000), 3
TOP, BURST = Rates(CEILING, CEILING), Burst(Rates(PEAK, PEAK), Milliseconds(LENGTH_S * 1_000))
MEMBER, STRANGER, POOL = 0x11, 0x12, 0x20
LIMITED = ShapedClass(MEMBER, None, NO_RATES, TOP, 100, burst=BURST)
FREE = ShapedClass(STRANGER, None, NO_RATES, Rates(NO_LIMIT, NO_LIMIT), 100)
FLOOD = (
    "import os,socket,sys,time\n"
    "os.nice(-15)\n"  # other programs of the machine do not make it pause
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.setblocking(False)\n"
    "print(flush=True)\n"
    "t,n=time.monotonic(),0\n"
    "while (now:=time.monotonic()-t)<float(sys.argv[1]):\n"
    "    while n*1242*8/float(sys.argv[2])<=now:\n"
    "        n+=1\n"
    "        try: s.sendto(bytes(1200),(sys.argv[3],9))\n"
    "        except BlockingIOError: break\n"
    "    time.sleep(.002)\n"
)


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("burst") as made:
        with made.far.entered():
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with listener:
            # Nobody reads, and nobody refuses.
            listener.bind((FAR[0], 9))
            yield made


def shape(place: KernelTestbed, *classes: ShapedClass, line: Rates | None = LINE) -> None:
    devices = {MacAddress(mac): 0x10 + number for number, mac in enumerate((MEMBER_MAC, STRANGER_MAC), 1)}
    admitted = {
        mac: Admission(mac, number, minor, None)
        for number, (mac, minor) in enumerate(devices.items(), 1)
        if minor in {each.minor for each in classes}
    }
    with place.router.entered():
        plan = TrafficPlan(FIREWALL, admitted, uplink=line, classes={each.minor: each for each in classes})
        place.kernel.apply(plan, NOW)


def flood(place: Namespace, seconds: float, rate: int = 3 * PEAK) -> None:
    """Returns when it has begun."""
    begun = place.popen("python3", "-c", FLOOD, str(seconds), str(rate), FAR[0], stdout=subprocess.PIPE)
    assert begun.stdout is not None
    begun.stdout.readline()


def reading(place: KernelTestbed) -> tuple[dict[int, int], float]:
    """Bits that each class sent until now, and when that was."""
    began = time.monotonic()
    shown = json.loads(place.router.run("tc", "-s", "-j", "class", "show", "dev", "wan0"))
    counted = {
        int(each["handle"].partition(":")[2], 16): each["stats"]["bytes"] * 8
        for each in shown
        if "handle" in each
    }
    return counted, (began + time.monotonic()) / 2


def bits(place: KernelTestbed, seconds: float, minor: int = MEMBER) -> int:
    """What passes the line in this class in so many seconds, in bits per second."""
    before, began = reading(place)
    time.sleep(seconds)
    after, ended = reading(place)
    return int((after[minor] - before[minor]) / (ended - began))


def test_the_burst_then_the_ceiling_then_a_burst_as_long_as_was_saved(place: KernelTestbed) -> None:
    shape(place, LIMITED)
    flood(place.member, 6.5)
    assert bits(place, LENGTH_S - 0.5) == pytest.approx(PEAK, rel=0.08)
    time.sleep(1)
    assert bits(place, 2.5) == pytest.approx(CEILING, rel=0.08)
    time.sleep(1)
    # In a pause of three seconds the ceiling alone would have been 3 Mbit: a second of what the burst is above it.
    saved_s = 3 * CEILING / (PEAK - CEILING)
    time.sleep(2.5)
    flood(place.member, 4)
    found = bits(place, 3.5)
    assert found * 3.5 == pytest.approx(CEILING * 3.5 + saved_s * (PEAK - CEILING), rel=0.15)


@pytest.mark.thorough
def test_in_all_it_is_the_bucket_and_the_ceiling(place: KernelTestbed) -> None:
    shape(place, LIMITED)
    before, began = reading(place)
    flood(place.member, 12)
    time.sleep(8)
    after, ended = reading(place)
    most = saved_bits(CEILING, PEAK, BURST.length) + CEILING * (ended - began)
    assert 0.85 * most <= after[MEMBER] - before[MEMBER] <= 1.05 * most


def test_a_burst_leaves_others_their_share(place: KernelTestbed) -> None:
    """On a line that is full the burst is only what others leave."""
    line = Rates(BitsPerSecond(3_000_000), BitsPerSecond(3_000_000))
    shape(place, LIMITED, FREE, line=line)
    flood(place.stranger, 5, 6_000_000)
    flood(place.member, 5, 6_000_000)
    time.sleep(0.5)
    before, began = reading(place)
    time.sleep(2)
    after, ended = reading(place)
    member, stranger = ((after[each] - before[each]) / (ended - began) for each in (MEMBER, STRANGER))
    assert member + stranger == pytest.approx(line.up, rel=0.06)
    assert stranger >= 0.95 * member


@pytest.mark.thorough
def test_a_burst_of_a_pool_is_of_all_of_it(place: KernelTestbed) -> None:
    inside = [replace(each, parent_minor=POOL, ceiling=FREE.ceiling, burst=None) for each in (LIMITED, FREE)]
    shape(place, replace(LIMITED, minor=POOL), *inside)
    for each in (place.member, place.stranger):
        flood(each, 6.5)
    assert bits(place, LENGTH_S - 0.5, POOL) == pytest.approx(PEAK, rel=0.08)
    time.sleep(1)
    assert bits(place, 2, POOL) == pytest.approx(CEILING, rel=0.08)


@pytest.mark.thorough
def test_without_the_lines_speed_there_is_a_burst_too(place: KernelTestbed) -> None:
    shape(place, LIMITED, line=None)
    flood(place.member, 6.5)
    assert bits(place, LENGTH_S - 0.5) == pytest.approx(PEAK, rel=0.08)
    time.sleep(1)
    assert bits(place, 2) == pytest.approx(CEILING, rel=0.08)


def test_a_line_that_carries_less_has_the_burst_within_it_and_more_again_later(place: KernelTestbed) -> None:
    slow = BitsPerSecond(2_000_000)
    shape(place, LIMITED)
    flood(place.member, 6)
    with place.router.entered():
        place.kernel.set_uplink_rate(Rates(slow, slow))
    assert bits(place, 1.5) == pytest.approx(slow, rel=0.08)
    with place.router.entered():
        place.kernel.set_uplink_rate(None)
    assert bits(place, 1) == pytest.approx(PEAK, rel=0.1)


@pytest.mark.thorough
def test_the_same_plan_again_fills_nothing(place: KernelTestbed) -> None:
    """Neither after a restart of the node, which finds the classes of before."""
    shape(place, LIMITED)
    flood(place.member, 6.5)
    time.sleep(LENGTH_S + 1)
    shape(place, LIMITED, FREE)
    with place.router.entered():
        again = type(place.kernel)()
        again.apply(
            TrafficPlan(
                FIREWALL,
                {MacAddress(MEMBER_MAC): Admission(MacAddress(MEMBER_MAC), 1, MEMBER, None)},
                uplink=LINE,
                classes={MEMBER: LIMITED},
            ),
            NOW,
        )
    try:
        assert bits(place, 1.5) == pytest.approx(CEILING, rel=0.08)
    finally:
        again.close()

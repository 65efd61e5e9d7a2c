"""Lifelines in the real kernel: its HTB classes match the computed tree, and a greedy account cannot starve
another."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.enforcement.htb_classes import UPLINK_MINOR, htb_classes
from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import CONTROL_MINOR, DNS_MINOR, LAN_MINOR, OWN_MINOR, TEST_MINOR, TrafficPlan
from node.governance.rules import without_reserve
from node.units import NO_RATES, BitsPerSecond, Monotonic, Rates
from tests.contracts.test_rights import everybody_has_theirs, the_tree_holds, way
from tests.fakes.communities import ACCEPTED, Community, effective_policy_of, plan_of
from tests.kernel.kernel_testbed import (
    FAR,
    FIREWALL,
    MEMBER_MAC,
    NOW,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.router import real_kernel_in_namespace

pytestmark = pytest.mark.kernel
SAMPLE = settings(deadline=None, suppress_health_check=list(HealthCheck))
LIFELINE = 256_000
SECONDS, SETTLE_S, TICK_S = 4.0, 1.0, 0.005


def classes_of(interface: str) -> dict[int, dict[str, int | None]]:
    """HTB classes as tc(8) shows them: parent, and rates in bytes a second."""
    told = subprocess.run(["tc", "-j", "class", "show", "dev", interface], capture_output=True, check=True)
    return {
        int(each["handle"].partition(":")[2], 16): {
            "parent": None if "root" in each else int(each["parent"].partition(":")[2], 16),
            "rate": each["rate"],
            "ceil": each["ceil"],
        }
        for each in json.loads(told.stdout)
        if each["class"] == "htb"
    }


@pytest.fixture(scope="module")
def kernel() -> Iterator[LinuxKernel]:
    with real_kernel_in_namespace() as real:
        yield real


@SAMPLE
@given(community=ACCEPTED)
def test_the_kernel_has_the_computed_tree_with_every_lifeline(
    kernel: LinuxKernel, community: Community
) -> None:
    """Also after a change of plan: pools appear and disappear, accounts move between them."""
    standing = effective_policy_of(community)
    plan, shaped = plan_of(standing), standing.active_ruleset.ruleset.shaped
    kernel.apply(plan, Monotonic(1_000_000))
    for interface, upwards in (("lan0", False), ("wan0", True)):
        found, wanted = classes_of(interface), htb_classes(plan.classes, plan.uplink, upwards=upwards)
        assert found == {
            minor: {"parent": htb.parent_minor, "rate": htb.rate // 8, "ceil": htb.ceil // 8}
            for minor, htb in wanted.items()
        }
        # The same checks on the kernel's own values, in whole bytes a second.
        stands = {
            minor: replace(
                wanted[minor], parent_minor=each["parent"], rate=each["rate"] * 8 + 7, ceil=each["ceil"] * 8
            )
            for minor, each in found.items()
        }
        everybody_has_theirs(standing, stands, upwards=upwards)
        the_tree_holds(wanted, None if shaped is None else way(shaped, upwards))


@SAMPLE
@given(community=ACCEPTED, percent=st.tuples(st.integers(1, 100), st.integers(1, 100)))
def test_the_kernel_has_the_computed_tree_of_what_the_uplink_carries(
    kernel: LinuxKernel, community: Community, percent: tuple[int, int]
) -> None:
    """Guarantees fit into the measured rate, and the lifelines are what shrinks last."""
    standing = effective_policy_of(community)
    plan = plan_of(standing)
    if plan.uplink is None:
        return
    down, up = percent
    measured = Rates(BitsPerSecond(plan.uplink.down * down // 100), BitsPerSecond(plan.uplink.up * up // 100))
    kernel.apply(plan, Monotonic(1_000_000))
    kernel.set_uplink_rate(measured)
    try:
        for interface, upwards in (("lan0", False), ("wan0", True)):
            found = classes_of(interface)
            wanted = htb_classes(plan.classes, plan.uplink, upwards=upwards, measured=measured)
            assert found == {
                minor: {"parent": htb.parent_minor, "rate": htb.rate // 8, "ceil": htb.ceil // 8}
                for minor, htb in wanted.items()
            }
            among = [each for each in plan.classes.values() if each.parent_minor is None]
            promised = sum(way(each.lifeline, upwards) for each in among)
            guaranteed = sum(8 * (found[each.minor]["rate"] or 0) for each in among)
            assert guaranteed <= way(measured, upwards) + 8 * len(among)
            if promised <= way(without_reserve(measured), upwards):
                assert all(
                    8 * (found[each.minor]["rate"] or 0) + 7 >= way(each.lifeline, upwards) for each in among
                )
    finally:
        kernel.set_uplink_rate(None)


# --- packets ---------------------------------------------------------------------------------

CHOIR = """
[ruleset]
community = "c"
version = 1
decision = "D-1"
[uplink.main]
down = "2500 kbit/s"
up = "2500 kbit/s"
usable_percent = 80
[charter]
lifeline = "256 kbit/s down, 256 kbit/s up"
guest_lifeline = "64 kbit/s down, 64 kbit/s up"
[[rule]]
id = "choir"
share = 100
together = true
who = "tier:choir"
by = "D-1"
[[rule]]
id = "choir-room"
floor = "512 kbit/s down, 512 kbit/s up"
together = true
who = "tier:choir"
by = "D-1"
[[rule]]
id = "much"
quota = "1 GB per day"
counts = "uplink"
then = "share 1 until reset"
who = "tier:choir"
by = "D-1"
"""
MODEST, GREEDY = (
    f'[[account]]\nid = "{name}"\ntier = "choir"\ndevices = ["{mac}"]\n'
    for name, mac in (("modest", MEMBER_MAC), ("greedy", STRANGER_MAC))
)


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed() as made:
        yield made


def choir_plan() -> TrafficPlan:
    """Two households in one pool; the modest one has used up a quota, so its weight is a hundredth of the other's."""
    community = Community(
        CHOIR, MODEST + GREEDY, ("modest", "greedy"), 0, (), frozenset({"modest"}), 0, "synced"
    )
    return replace(plan_of(effective_policy_of(community)), firewall=FIREWALL)


def apply(place: KernelTestbed, plan: TrafficPlan) -> None:
    with place.router.entered():
        place.kernel.apply(plan, NOW)


def modest_rate(place: KernelTestbed, *, upwards: bool) -> float:
    """Payload in bit/s that the modest household receives of the 400 kbit/s it sends, while the greedy one sends
    15 Mbit/s."""
    # Ports of this call only: packets still queued in the classes belong to sockets of an earlier call.
    with place.far.entered():
        far = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for each in far:
            each.bind((FAR[0], 0))
    near = []
    for there, at in zip(far, (place.member, place.stranger), strict=True):
        with at.entered():
            near.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            near[-1].connect(there.getsockname())
    try:
        for there, here in zip(far, near, strict=True):
            here.send(b"here I am")
            there.settimeout(2)
            there.connect(there.recvfrom(100)[1])
        return _pumped(near, far) if upwards else _pumped(far, near)
    finally:
        for each in (*far, *near):
            each.close()


def _pumped(senders: list[socket.socket], takers: list[socket.socket]) -> float:
    for each in takers:
        each.setblocking(False)
    began, tick, counted = time.monotonic(), 0, 0
    while (elapsed := time.monotonic() - began) < SECONDS:
        for _ in range(8):
            senders[1].send(bytes(1200))
        while tick * 0.02 < elapsed:
            senders[0].send(bytes(1000))
            tick += 1
        counted += _taken(takers[0]) if elapsed > SETTLE_S else 0 * _taken(takers[0])
        _taken(takers[1])
        time.sleep(TICK_S)
    return counted * 8 / (SECONDS - SETTLE_S)


def _taken(taker: socket.socket) -> int:
    counted = 0
    try:
        while True:
            counted += len(taker.recv(2000))
    except BlockingIOError:
        return counted


@pytest.mark.parametrize("upwards", [False, True], ids=["down", "up"])
def test_a_household_in_a_pool_has_its_lifeline_beside_a_greedy_one(
    place: KernelTestbed, upwards: bool
) -> None:
    apply(place, choir_plan())
    # HTB counts Ethernet frames: 1000 of each 1042 bytes are payload.
    assert modest_rate(place, upwards=upwards) >= LIFELINE * 0.95


@pytest.mark.alone
@pytest.mark.parametrize("upwards", [False, True], ids=["down", "up"])
def test_without_a_guaranteed_rate_it_gets_less(place: KernelTestbed, upwards: bool) -> None:
    """Control for the test above: without a guaranteed rate the lifeline is not reached."""
    plan = choir_plan()
    without = {m: replace(c, floor=NO_RATES, lifeline=NO_RATES) for m, c in plan.classes.items()}
    apply(place, replace(plan, classes=without))
    assert modest_rate(place, upwards=upwards) < LIFELINE * 0.85


def test_every_class_has_the_right_parent(place: KernelTestbed) -> None:
    """The line is the root class, the pool its child, the households children of the pool; on both interfaces."""
    plan = choir_plan()
    apply(place, plan)
    pool = next(minor for minor, each in plan.classes.items() if each.parent_minor is None)
    people = {minor for minor, each in plan.classes.items() if each.parent_minor == pool}
    assert len(people) == 2
    with place.router.entered():
        for interface in ("lan0", "wan0"):
            parents = {minor: each["parent"] for minor, each in classes_of(interface).items()}
            upwards = interface == "wan0"
            own = {OWN_MINOR, CONTROL_MINOR, DNS_MINOR} if upwards else {OWN_MINOR}
            top = {UPLINK_MINOR: None, **dict.fromkeys({pool, *own}, UPLINK_MINOR)}
            top |= {} if upwards else {LAN_MINOR: None, TEST_MINOR: LAN_MINOR}
            assert parents == {**top, **dict.fromkeys(people, pool)}

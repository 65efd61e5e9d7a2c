"""Kinds of queues: the probe finds what tc(8) finds, leaves nothing behind, and each account's queue is of the kind that
it chose."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import NO_LIMIT, FirewallConfig, ShapedClass, TrafficPlan
from node.enforcement.rtnetlink import TrafficControl
from node.enforcement.tc import FQ_CODEL_FLOWS
from node.errors import KernelRefused
from node.units import NO_RATES, BitsPerSecond, Monotonic, Rates
from tests.lab.router import linux_kernel, real_kernel_in_namespace

pytestmark = pytest.mark.kernel
NOW = Monotonic(1_000_000)
KINDS = ("htb", "fq_codel", "cake", "bfifo", "pfifo", "codel", "sfq", "no_such_kind")
"""Those of tc(8) that need no options."""
OPEN = Rates(NO_LIMIT, NO_LIMIT)
LINE = Rates(BitsPerSecond(40_000_000), BitsPerSecond(8_000_000))
SLOW = Rates(BitsPerSecond(2_000_000), BitsPerSecond(2_000_000))
PLAN = TrafficPlan(
    FirewallConfig("lan0", "wan0", 2080),
    uplink=LINE,
    classes={minor: ShapedClass(minor, None, NO_RATES, OPEN, 100) for minor in (0x11, 0x12)},
)


@pytest.fixture
def kernel() -> Iterator[LinuxKernel]:
    with real_kernel_in_namespace() as real:
        yield real


def by_tc(kind: str) -> bool:
    """Whether tc(8) can add this kind in a namespace of its own."""
    argv = ["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", kind]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def queues(interface: str) -> list[dict[str, object]]:
    """All queues with their settings, without HTB's count of packets that belong to no class."""
    shown = subprocess.run(
        ["tc", "-j", "qdisc", "show", "dev", interface], capture_output=True, text=True, check=True
    )
    found: list[dict[str, object]] = json.loads(shown.stdout)
    for each in found:
        options = each["options"]
        if isinstance(options, dict):
            options.pop("direct_packets_stat", None)
    return found


def leaves(interface: str) -> dict[str, dict[str, object]]:
    return {str(each["parent"]): each for each in queues(interface) if "parent" in each}


def test_the_probe_finds_each_kind_that_the_kernel_has(kernel: LinuxKernel) -> None:
    found = kernel.probe()
    assert {kind: by_tc(kind) for kind in ("htb", "fq_codel")} == {
        "htb": found.htb,
        "fq_codel": found.fq_codel,
    }
    assert [f"this kernel has no {kind}" for kind in ("fq_codel",) if not by_tc(kind)] == [
        reason.partition(" (")[0] for reason in found.reasons
    ]


def test_kinds_are_tried_one_after_the_other_in_any_order(kernel: LinuxKernel) -> None:
    """Each starts from an interface without a queue, whatever was tried before."""
    control = TrafficControl()
    try:
        for kind in (*KINDS, *reversed(KINDS)):
            try:
                control.try_root("lan0", kind)
                found = True
            except KernelRefused:
                found = False
            assert (kind, by_tc(kind)) == (kind, found)
            assert ["noqueue"] == [each["kind"] for each in queues("lan0")]
    finally:
        control.close()


def test_trying_a_kind_never_replaces_a_queue_that_somebody_added(kernel: LinuxKernel) -> None:
    control = TrafficControl()
    try:
        for theirs in (
            "tc qdisc replace dev lan0 root handle 7: bfifo limit 9000",
            "tc qdisc replace dev lan0 root handle 1: htb",
        ):
            subprocess.run(theirs.split(), check=True)
            before = queues("lan0")
            with pytest.raises(KernelRefused, match="could not be tried"):
                control.try_root("lan0", "htb")
            assert before == queues("lan0")
    finally:
        control.close()


def test_the_probe_changes_no_queue_of_the_router(kernel: LinuxKernel) -> None:
    kernel.apply(PLAN, NOW)
    before = queues("lan0"), queues("wan0"), queues("lo")
    kernel.probe()
    assert before == (queues("lan0"), queues("wan0"), queues("lo"))


def test_each_account_gets_the_queue_that_the_probe_chose(kernel: LinuxKernel) -> None:
    kernel.apply(PLAN, NOW)
    wanted = "fq_codel" if by_tc("fq_codel") else "bfifo"
    for interface in ("lan0", "wan0"):
        found = leaves(interface)
        own = {"1:fffc", "1:fff9"} if interface == "lan0" else {"1:fffc", "1:fffd", "1:fffe"}
        assert dict.fromkeys({"1:11", "1:12"} | own, wanted) == {
            parent: each["kind"] for parent, each in found.items()
        }
        for each in found.values():
            if wanted == "fq_codel":
                options = each["options"]
                assert isinstance(options, dict)
                assert FQ_CODEL_FLOWS == options["flows"]
                assert options["memory_limit"] < 32 << 20


def test_a_queue_is_resized_in_place_and_stays_when_the_daemon_starts_again(kernel: LinuxKernel) -> None:
    kernel.apply(PLAN, NOW)
    before = leaves("lan0")
    slower = {minor: replace(each, ceiling=SLOW) for minor, each in PLAN.classes.items()}
    kernel.apply(replace(PLAN, classes=slower), NOW)
    resized = leaves("lan0")
    assert [each["handle"] for each in before.values()] == [each["handle"] for each in resized.values()]
    assert before != resized
    newcomer = linux_kernel()
    try:
        newcomer.observe(NOW)
        newcomer.apply(PLAN, NOW)
    finally:
        newcomer.close()
    assert before == leaves("lan0")


def test_a_queue_of_another_kind_is_replaced_when_the_daemon_starts_again(kernel: LinuxKernel) -> None:
    """Earlier versions used pfifo."""
    kernel.apply(PLAN, NOW)
    wanted = {parent: each["kind"] for parent, each in leaves("lan0").items()}
    for parent in wanted:
        subprocess.run(f"tc qdisc replace dev lan0 parent {parent} pfifo limit 32".split(), check=True)
    newcomer = linux_kernel()
    try:
        newcomer.observe(NOW)
        newcomer.apply(PLAN, NOW)
    finally:
        newcomer.close()
    assert wanted == {parent: each["kind"] for parent, each in leaves("lan0").items()}

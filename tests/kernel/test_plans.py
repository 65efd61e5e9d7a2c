"""Plans on the real kernel: any sequence of plans ends in the state of the last one, and no other table changes."""

import random
import subprocess
from collections.abc import Iterator

import pytest

from node.accounting.meter import Reading
from node.enforcement import nft
from node.enforcement.kernel import FORWARDING4, FORWARDING6, LinuxKernel
from node.enforcement.plan import (
    LAN_MINOR,
    NO_LIMIT,
    OWN_MINOR,
    TEST_MINOR,
    Admission,
    FirewallConfig,
    ShapedClass,
    TrafficPlan,
)
from node.errors import KernelRefused
from node.units import BitsPerSecond, MacAddress, Monotonic, Rates
from tests.lab.router import linux_kernel, real_kernel_in_namespace

pytestmark = pytest.mark.kernel
NOW = Monotonic(1_000_000)
OPEN = Rates(NO_LIMIT, NO_LIMIT)
NOTHING = Rates(BitsPerSecond(0), BitsPerSecond(0))
UPLINK = Rates(BitsPerSecond(40_000_000), BitsPerSecond(8_000_000))
GATES = (
    FirewallConfig("lan0", "wan0", 2080),
    FirewallConfig("lan0", "wan0", 2080, portal_tls_port=2443),
    FirewallConfig("lan0", "wan0", 8080, mesh_interfaces=("mesh0",), masquerade=False),
)


@pytest.fixture
def kernel() -> Iterator[LinuxKernel]:
    with real_kernel_in_namespace() as real:
        yield real


def some_plan(chance: random.Random) -> TrafficPlan:
    """Any plan that the control loop can produce: accounts, leases, pools, retiring marks, with and without uplink
    rate."""
    people = chance.sample(range(1, 30), chance.randint(0, 12))
    admitted = {}
    for mark in people:
        mac = MacAddress(f"02:00:00:00:00:{mark:02x}")
        ends = chance.choice([None, Monotonic(NOW + 600_000), Monotonic(NOW + 900_000)])
        admitted[mac] = Admission(mac, mark, mark, ends)
    retiring = {mark: mark for mark in range(30, 33) if chance.random() < 0.5}
    uplink = chance.choice([None, UPLINK])
    classes: dict[int, ShapedClass] = {}
    if uplink is not None:
        pool = 0x100 if chance.random() < 0.5 and people else None
        if pool is not None:
            classes[pool] = ShapedClass(pool, None, NOTHING, OPEN, 200)
        for mark in people:
            classes[mark] = ShapedClass(
                mark, chance.choice([pool, None]), NOTHING, OPEN, chance.choice([50, 100])
            )
        if pool is not None and not any(c.parent_minor == pool for c in classes.values()):
            del classes[pool]
    return TrafficPlan(chance.choice(GATES), admitted, retiring, uplink, classes)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_plans_ends_in_the_state_of_the_last(kernel: LinuxKernel, seed: int) -> None:
    chance = random.Random(seed)
    way = [some_plan(chance) for _ in range(12)]
    for plan in way:
        kernel.apply(plan, NOW)
        state = kernel.observe(NOW)
        assert {mac: a.mark for mac, a in plan.admitted.items()} == {
            m: a.mark for m, a in state.admitted.items()
        }
        assert nft.marks_of(plan) == dict(state.marks)
        told = subprocess.run(
            ["tc", "class", "show", "dev", "lan0"], capture_output=True, text=True, check=True
        )
        wanted = set(plan.classes) | ({0xFFFF, OWN_MINOR} if plan.uplink else set())
        wanted |= {LAN_MINOR, TEST_MINOR} if wanted else set()
        assert wanted == {int(line.split()[2].partition(":")[2], 16) for line in told.stdout.splitlines()}


def test_a_daemon_without_state_adopts_the_tables_that_exist(kernel: LinuxKernel) -> None:
    """After a crash a new process applies the same plan, and no counter is reset."""
    plan = some_plan(random.Random(3))
    kernel.apply(plan, NOW)
    before: Reading = kernel.read()
    newcomer = linux_kernel()
    try:
        newcomer.observe(NOW)
        newcomer.apply(plan, NOW)
        assert before == newcomer.read()
    finally:
        newcomer.close()


def test_other_tables_are_never_changed(kernel: LinuxKernel) -> None:
    theirs = "table inet somebody {\n\tchain x {\n\t\ttype filter hook forward priority 5; policy accept;\n\t}\n}\n"
    subprocess.run(["nft", "-f", "-"], input=theirs, text=True, check=True)

    def standing() -> str:
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

    before = standing()
    kernel.apply(some_plan(random.Random(1)), NOW)
    assert "inet procomu" in standing()
    kernel.remove()
    assert before == standing()


def test_cleanup_from_another_process_restores_forwarding_and_leaves_no_qdisc(kernel: LinuxKernel) -> None:
    FORWARDING4.write_text("0")
    FORWARDING6.write_text("1")
    kernel.apply(some_plan(random.Random(5)), NOW)
    assert ("1", "1") == (FORWARDING4.read_text().strip(), FORWARDING6.read_text().strip())
    stranger = linux_kernel()
    try:
        stranger.remove()
    finally:
        stranger.close()
    assert ("0", "1") == (FORWARDING4.read_text().strip(), FORWARDING6.read_text().strip())
    queues = subprocess.run(["tc", "qdisc", "show"], capture_output=True, text=True, check=True).stdout
    assert "htb" not in queues


def test_a_refused_plan_leaves_the_one_before_in_force(kernel: LinuxKernel) -> None:
    ana = Admission(MacAddress("02:00:00:00:00:0a"), 1, 1, None)
    kernel.apply(TrafficPlan(GATES[0], {ana.mac: ana}), NOW)
    broken = Admission(MacAddress("not an address"), 2, 2, None)
    with pytest.raises(KernelRefused):
        kernel.apply(TrafficPlan(GATES[0], {broken.mac: broken}), NOW)
    assert {ana.mac} == set(kernel.observe(NOW).admitted)
    with pytest.raises(KernelRefused, match="no interface"):
        kernel.apply(
            TrafficPlan(FirewallConfig("lan0", "nowhere0", 2080), {ana.mac: ana}, uplink=UPLINK), NOW
        )

"""Another program flushes the node's table: the next read notices it, and the table is installed again."""

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import Admission, FirewallConfig, ShapedClass, TrafficPlan
from node.errors import KernelRefused
from node.units import BitsPerSecond, MacAddress, Monotonic, Rates
from tests.fakes.reconciler_fixture import ReconcilerFixture
from tests.fakes.repository import FakeRepository
from tests.lab.router import linux_kernel, real_kernel_in_namespace

pytestmark = pytest.mark.kernel

ANA = MacAddress("02:00:00:00:00:0a")
LINE = Rates(BitsPerSecond(10_000_000), BitsPerSecond(10_000_000))
PLAN = TrafficPlan(
    FirewallConfig("lan0", "wan0", 2080),
    {ANA: Admission(ANA, 1, 1, None)},
    {},
    LINE,
    {1: ShapedClass(1, None, LINE, LINE, 100)},
)


@pytest.fixture
def kernel() -> Iterator[LinuxKernel]:
    with real_kernel_in_namespace() as made:
        made.apply(PLAN, Monotonic(1))
        yield made


def standing() -> str:
    """Everything except counter values, handles and the name of the counter generation."""
    table = subprocess.run(
        ["nft", "-s", "list", "table", "inet", "procomu"], capture_output=True, text=True, check=False
    )
    queues = [
        subprocess.run(
            ["tc", "class", "show", "dev", name], capture_output=True, text=True, check=True
        ).stdout
        for name in ("lan0", "wan0")
    ]
    classes = re.findall(r"class htb \S+|rate \S+ ceil \S+", "".join(queues))
    lines = [line for line in table.stdout.splitlines() if "0x00000002" not in line]
    return "\n".join([*sorted(lines), *classes])


@pytest.mark.parametrize(
    "interference",
    [
        "nft delete table inet procomu",
        "nft flush ruleset",
        "nft flush table inet procomu",
        "nft flush chain inet procomu forward",
        "nft flush map inet procomu members",
        "nft flush map inet procomu up",
        "nft flush map inet procomu down",
        "nft flush map inet procomu classes",
        "tc qdisc delete dev lan0 root",
        "tc qdisc replace dev wan0 root pfifo",
    ],
)
def test_what_another_program_removed_is_restored(kernel: LinuxKernel, interference: str) -> None:
    before = standing()
    kernel.read()
    subprocess.run(interference.split(), check=True)
    assert before != standing()
    with pytest.raises(KernelRefused):
        kernel.read()
    kernel.observe(Monotonic(2))
    kernel.apply(PLAN, Monotonic(2))
    assert before == standing()
    kernel.read()
    kernel.read()


def test_constant_changes_in_other_tables_do_not_stop_accounting(
    kernel: LinuxKernel,
) -> None:
    read = 0
    for number in range(6):
        subprocess.run(["nft", "add", "table", "ip", f"other{number}"], check=True)
        try:
            kernel.read()
            read += 1
        except KernelRefused:
            kernel.observe(Monotonic(2))
            kernel.apply(PLAN, Monotonic(2))
    assert 3 == read


def test_the_nodes_own_changes_are_not_taken_for_those_of_others(kernel: LinuxKernel) -> None:
    for minute in range(5):
        kernel.apply(TrafficPlan(PLAN.firewall, {} if minute % 2 else PLAN.admitted), Monotonic(minute))
        kernel.read()


async def test_after_a_flush_by_another_program_the_table_is_back_within_moments(
    kernel: LinuxKernel,
) -> None:
    """The control loop is woken by nft monitor events; it does not wait for its next cycle."""
    village = ReconcilerFixture(FakeRepository)
    village.kernel = kernel  # type: ignore[assignment]
    loop = village.loop(tick_s=1.0)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(loop.run())
        await asyncio.wait_for(loop.ready.wait(), 60)
        await loop.admit(ANA, "1")
        await asyncio.sleep(0.2)
        done = await asyncio.create_subprocess_exec("nft", "flush", "ruleset")
        await done.wait()
        flushed = time.monotonic()
        while "chain forward" not in await asyncio.to_thread(standing):
            assert time.monotonic() - flushed < 0.5
        # Not with the loop's own kernel: its thread may still use it, and libnftables would end the process.
        other = linux_kernel()
        try:
            assert ANA in other.observe(village.clock.now).admitted
        finally:
            other.close()
        running.cancel()

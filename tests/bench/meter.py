"""Cost of one cycle of the control loop with all devices: read all counters, book, evaluate the rules.

The loop, the database, the kernel and the memory tuning are the node's own; every device sends a packet each second.
"""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from node.accounting.meter import Reading
from node.clock import SystemClock
from node.control.active_ruleset import ActiveRuleset, load_active_ruleset
from node.control.reconciler import Reconciler
from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import FirewallConfig
from node.governance.members import parse_members
from node.memory_tuning import trim_regularly
from node.storage.database import Store
from node.storage.repository import StoredRepository
from node.units import AccountId, MacAddress, Milliseconds, NodeId
from tests.bench.fairness import USABLE_PERCENT, rules
from tests.bench.figures import Figures, say
from tests.bench.many_clients import VirtualDevice, many_clients
from tests.bench.topology import FAR, UPLINK, Topology
from tests.fakes.members import make_registry
from tests.fakes.prober import FakeProber
from tests.lab.internet import ROOT
from tests.lab.netns import Lab

KEYS = ("cpu_ms_10k", "loop_block_ms_max", "slope")
FEW, MANY = 1_000, 10_000
TURNS = 8
LAN = "br-lan"
UPLINK_BITS = 10_000_000_000
"""Wide enough for five thousand lifelines."""
QUOTA = """
[[rule]]
id = "month"
quota = "200 GB per month"
counts = "uplink"
then = "share 50 until reset"
who = "tier:member"
by = "D-2026-001"
why = "the line is paid by what goes over it"
"""
LOOK_S = 0.002


class WatchedKernel(LinuxKernel):
    """Counts the readings; otherwise the real kernel adapter."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0
        self.moved = 0

    def read(self) -> Reading:
        found = super().read()
        self.readings += 1
        self.moved = sum(usage.up > 0 for usage in found.counted.values())
        return found


class Blocks:
    """How long the thread of the loop was blocked by the process itself: time in which other programs had all cores is
    not counted."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._waits = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    async def watch(self) -> None:
        began, waited = time.monotonic(), self._waited_s()
        while True:
            await asyncio.sleep(LOOK_S)
            now, waited_now = time.monotonic(), self._waited_s()
            self.longest_ms = max(self.longest_ms, 1000 * (now - began - LOOK_S - (waited_now - waited)))
            # Measuring takes the interpreter's lock too; that is not part of the next interval.
            began, waited = time.monotonic(), waited_now

    def _waited_s(self) -> float:
        """Seconds in which this thread was runnable but had no core."""
        return int(self._waits.read_text().split()[1]) / 1e9


def households(devices: list[VirtualDevice]) -> str:
    """Two devices each."""
    pairs = zip(devices[::2], devices[1::2], strict=True)
    return "\n".join(
        f'[[account]]\nid = "house-{a.number}"\ndevices = ["{a.mac}", "{b.mac}"]\n' for a, b in pairs
    )


@asynccontextmanager
async def running(lab: Lab, kernel: LinuxKernel, devices: list[VirtualDevice]) -> AsyncIterator[Reconciler]:
    """The loop with all devices admitted."""
    member_directory, _ = parse_members(households(devices))
    assert member_directory is not None
    active_ruleset = load_active_ruleset(rules(UPLINK_BITS, USABLE_PERCENT) + QUOTA, member_directory)
    if not isinstance(active_ruleset, ActiveRuleset):
        raise TypeError("; ".join(str(finding) for finding in active_ruleset))
    store = Store(lab.folder / f"{len(devices)}.db")

    def guest_account(mac: MacAddress) -> AccountId:
        return AccountId(f"guest-{mac}")

    loop = Reconciler(
        prober=FakeProber(),
        kernel=kernel,
        repository=StoredRepository(store),
        clock=SystemClock("trusted"),
        firewall=FirewallConfig(LAN, UPLINK, 2080),
        node=NodeId("0" * 64),
        active_ruleset=active_ruleset,
        member_directory=member_directory,
        registry=make_registry(lambda: loop.member_directory, guest=guest_account),
        guest_account=guest_account,
        session_ms=Milliseconds(86_400_000),
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            turning = tasks.create_task(loop.run())
            await loop.ready.wait()
            began = time.monotonic()
            async with asyncio.TaskGroup() as joining:
                for device in devices:
                    joining.create_task(loop.admit(MacAddress(device.mac), "1"))
            say(f"{len(devices)} devices admitted in {time.monotonic() - began:.2f} s")
            settling = tasks.create_task(trim_regularly())
            await asyncio.sleep(1.5)
            yield loop
            settling.cancel()
            turning.cancel()
    finally:
        store.close()


async def measured(lab: Lab, kernel: WatchedKernel, devices: list[VirtualDevice]) -> tuple[float, float]:
    """CPU time of one cycle, all threads together, and the longest block of the loop, in ms."""
    async with running(lab, kernel, devices):
        await _turns(kernel, 3)
        began, spent = kernel.readings, time.process_time()
        await _turns(kernel, TURNS)
        cpu_ms = 1000 * (time.process_time() - spent) / (kernel.readings - began)
        blocks = Blocks()
        watching = asyncio.create_task(blocks.watch())  # noqa: TID251
        await _turns(kernel, TURNS)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    say(
        f"{len(devices)} devices, {kernel.moved} of them busy: {cpu_ms:.1f} ms CPU a turn, block {blocks.longest_ms:.1f} ms"
    )
    return cpu_ms, blocks.longest_ms


async def _turns(kernel: WatchedKernel, count: int) -> None:
    """Waits until this many more readings have been booked."""
    wanted = kernel.readings + count
    while kernel.readings < wanted:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.4)


def turn_cost(size: int) -> tuple[float, float]:
    with Lab("bench") as lab:
        road = Topology(lab, lan=LAN)
        place, devices = many_clients(lab, road.router, size)
        with road.router.entered():
            kernel = WatchedKernel()
            place.start(sys.executable, "-m", "tests.bench.keepalive_traffic", FAR, str(size), cwd=ROOT)
            try:
                return asyncio.run(measured(lab, kernel, devices))
            finally:
                kernel.close()


def measure() -> Figures:
    few, _ = turn_cost(FEW)
    many, block = turn_cost(MANY)
    return {
        "cpu_ms_10k": round(many, 1),
        "loop_block_ms_max": round(block, 1),
        "slope": round(many / few, 2),
    }

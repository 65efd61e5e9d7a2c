"""How long it takes until a rule with ``while = "busy"`` is in the kernel, once the line is busy: the control loop at its
real pace, with many households on it and a kernel that only takes the plan."""

import asyncio
import time

from node.control.active_ruleset import load_active_ruleset
from node.control.reconciler import Reconciler
from node.enforcement.plan import FirewallConfig
from node.governance.members import parse_members
from node.governance.rules import ActiveRuleset
from node.units import MacAddress, Milliseconds, NodeId
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import guest_account, make_registry
from tests.fakes.prober import FakeProber
from tests.fakes.repository import FakeClock, FakeRepository

CEILING = 3_000_000
RULES = f"""
[ruleset]
community = "vall"
version = 1
decision = "D-1"
[uplink.main]
down = "100 Mbit/s"
up = "100 Mbit/s"
[charter]
lifeline = "64 kbit/s down, 32 kbit/s up"
busy_after = "1 minute"
[[rule]]
id = "top"
ceiling = "{CEILING // 1_000_000} Mbit/s down, 3 Mbit/s up"
while = "busy"
who = "everyone"
by = "D-1"
"""
EVERY_MS = Milliseconds(10_000)
"""By the clock of the node, between two readings; they follow each other each second."""


def busy_to_kernel_s(households: int) -> float:
    """The longest of three times, with so many households that are online and download."""
    return max(asyncio.run(_once(households)) for _ in range(3))


async def _once(households: int) -> float:
    macs = [MacAddress(f"02:00:00:00:{n // 256:02x}:{n % 256:02x}") for n in range(households)]
    members = "".join(f'[[account]]\nid = "h{n}"\ndevices = ["{mac}"]\n' for n, mac in enumerate(macs))
    directory, findings = parse_members(members)
    assert directory is not None, findings
    active = load_active_ruleset(RULES, directory)
    assert isinstance(active, ActiveRuleset), active
    kernel, clock = FakeKernel(), FakeClock()
    loop = Reconciler(
        kernel=kernel,
        repository=FakeRepository(),
        clock=clock,
        prober=FakeProber(),
        firewall=FirewallConfig("lan0", "wan0", 2080),
        node=NodeId("n" * 52),
        active_ruleset=active,
        member_directory=directory,
        registry=make_registry(lambda: directory),
        guest_account=guest_account,
        session_ms=None,
    )
    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(loop.run())
        await loop.ready.wait()
        async with asyncio.TaskGroup() as arrivals:
            for mac in macs:
                arrivals.create_task(loop.admit(mac, "1"))
        while not loop.load.busy:
            read = loop.persistence.baseline
            for mac in macs:
                kernel.send(mac, down=90_000_000 // 8 * EVERY_MS // 1000 // households)
            clock.pass_time(EVERY_MS)
            while loop.persistence.baseline is read and not loop.load.busy:
                await asyncio.sleep(0.005)
        began = time.monotonic()
        while not _is_limited(kernel):
            await asyncio.sleep(0.005)
        took = time.monotonic() - began
        running.cancel()
    return took


def _is_limited(kernel: FakeKernel) -> bool:
    assert kernel.plan is not None
    return all(each.ceiling.down == CEILING for each in kernel.plan.classes.values())

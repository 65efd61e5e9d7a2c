"""The control loop on a fake kernel, clock and database, which can be killed and started again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from node.control.active_ruleset import load_active_ruleset
from node.control.ports import Repository
from node.control.reconciler import Reconciler
from node.enforcement.plan import FirewallConfig
from node.governance.members import parse_members
from node.governance.rules import ActiveRuleset
from node.units import AccountId, MacAddress, NodeId
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import guest_account, make_registry
from tests.fakes.prober import FakeProber
from tests.fakes.repository import FakeClock

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
MEMBER_DIRECTORY = parse_members(
    '[[account]]\nid = "ana"\ndevices = ["02:00:00:00:00:0a", "02:00:00:00:00:1a"]\n'
)[0]
HOUR_MS = 3_600_000
RULES = """
[ruleset]
community = "vall"
version = 1
decision = "D-1"
unit = "household"
[uplink.main]
down = "40 Mbit/s"
up = "8 Mbit/s"
usable_percent = 90
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
max_weight_ratio = 4
[[rule]]
id = "equal-share"
share = 100
who = "tier:member"
by = "D-1"
[[rule]]
id = "month"
quota = "1 MB per month"
counts = "uplink"
then = "share 50 until reset"
who = "tier:member"
by = "D-1"
"""


class ReconcilerFixture:
    """One router's loop that can be killed and restarted, with its kernel, clock and database."""

    def __init__(self, memories: Callable[[], Repository]) -> None:
        self.kernel, self.clock, self.seed = FakeKernel(), FakeClock(), 0
        self._memories, self.reports = memories, 0
        assert MEMBER_DIRECTORY is not None
        book = load_active_ruleset(RULES, MEMBER_DIRECTORY)
        assert isinstance(book, ActiveRuleset)
        self.book = book

    def loop(self, tick_s: float = 0.005) -> Reconciler:
        assert MEMBER_DIRECTORY is not None
        self.seed += 1
        reconciler = Reconciler(
            prober=FakeProber(),
            kernel=self.kernel,
            repository=self._memories(),
            clock=self.clock,
            firewall=FirewallConfig("lan0", "wan0", 2080),
            node=NodeId("n" * 52),
            active_ruleset=self.book,
            member_directory=MEMBER_DIRECTORY,
            registry=make_registry(lambda: reconciler.member_directory, seed=self.seed),
            guest_account=guest_account,
            session_ms=HOUR_MS,
            report_alive=self._report_alive,
            tick_s=tick_s,
        )
        return reconciler

    def _report_alive(self) -> None:
        self.reports += 1

    @asynccontextmanager
    async def life(self, *, killed: bool = False) -> AsyncIterator[Reconciler]:
        """One run of the daemon; with `killed` it ends without a last write."""
        reconciler = self.loop()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(reconciler.run())
            await asyncio.wait_for(reconciler.ready.wait(), 60)
            if killed:
                reconciler.persistence.flush = _say_nothing  # type: ignore[method-assign]
            yield reconciler
            running.cancel()


async def _say_nothing(_now: object, *, is_all: bool = True) -> None:
    """A killed daemon stores nothing more."""


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.002)


def used(reconciler: Reconciler, account: str = "ana") -> int:
    return reconciler.ledger.total(AccountId(account), "2026-11").uplink.total

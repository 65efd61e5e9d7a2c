"""What the queues get while the rules say that the uplink is measured, and what is said where they do not."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from node.accounting.ledger import Ledger
from node.app.status import line_warnings
from node.control.active_ruleset import ActiveRuleset, load_active_ruleset
from node.control.effective_policy import EffectivePolicy
from node.control.uplink_rate_control import UplinkRateControl
from node.enforcement.htb_classes import UPLINK_MINOR
from node.governance.members import MemberDirectory, parse_members
from node.units import NO_RATES, BitsPerSecond, Microseconds, Monotonic, Rates
from node.uplink.line import BUSY_PACE_US, Sample
from node.uplink.queueing_delay import RoundTrip
from tests.fakes.communities import plan_of
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import guest_account, make_registry
from tests.fakes.prober import FakeProber
from tests.fakes.reconciler_fixture import RULES
from tests.fakes.repository import FakeClock

MEASURED = RULES.replace("[charter]", 'rate = "measured"\nleast = "1 Mbit/s down, 500 kbit/s up"\n[charter]')
BUSY = Rates(BitsPerSecond(36_000_000), BitsPerSecond(7_000_000))


def members() -> MemberDirectory:
    directory, _ = parse_members("")
    assert directory is not None
    return directory


def ruleset(text: str) -> ActiveRuleset:
    active = load_active_ruleset(text, members())
    assert isinstance(active, ActiveRuleset), active
    return active


@dataclass
class MeasuredLine:
    """The control of a line whose round trips and traffic the test sets; each look takes a tenth of a second."""

    rules: str = MEASURED
    carried: Rates = NO_RATES
    down_us: int = 0
    is_answering: bool = True
    kernel: FakeKernel = field(default_factory=FakeKernel)
    clock: FakeClock = field(default_factory=FakeClock)
    roots: list[tuple[Monotonic, int]] = field(default_factory=list)
    """The rate of the uplink's class at each look."""
    resynced: int = 0

    def seen(self, _target: int) -> Sample:
        self.roots.append((self.clock.now, self.root()))
        self.clock.now = Monotonic(self.clock.now + 100)
        now = self.clock.now * 1000
        if not self.is_answering:
            return Sample(self.carried)
        sent = now - 4_000 - self.down_us
        return Sample(
            self.carried, [RoundTrip(Microseconds(sent), Microseconds(now), sent + 2_000, sent + 2_000)]
        )

    def resync(self) -> None:
        self.resynced += 1

    @asynccontextmanager
    async def life(self) -> AsyncIterator[UplinkRateControl]:
        directory = members()
        self.policy = EffectivePolicy(
            active_ruleset=ruleset(self.rules),
            member_directory=directory,
            registry=make_registry(lambda: directory),
            ledger=Ledger(),
            clock=self.clock,
            guest_account=guest_account,
            session_ms=None,
        )
        self.prober = FakeProber(self.seen)
        control = UplinkRateControl(
            self.kernel,
            self.clock,
            self.prober,
            policy=self.policy,
            resync=self.resync,
            step_s=0.0,
        )
        self.kernel.apply(plan_of(self.policy), self.clock.now)
        with ThreadPoolExecutor(1) as applier:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(control.run(applier))
                yield control
                running.cancel()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not happened():
                await asyncio.sleep(0.001)

    async def seconds(self, seconds: float) -> None:
        ends = self.clock.now + 1000 * seconds
        await self.until(lambda: self.clock.now >= ends)

    def root(self) -> int:
        return self.kernel.classes()[UPLINK_MINOR].rate


async def test_the_stated_rate_is_shared_until_something_is_delayed() -> None:
    line = MeasuredLine(carried=Rates(BitsPerSecond(20_000_000), BitsPerSecond(4_000_000)))
    async with line.life() as control:
        await line.until(lambda: line.kernel.measured is not None)
        assert 36_000_000 == line.root()
        assert "guess" == control.knowledge
        assert line.policy.present == line.kernel.measured


async def test_the_queues_follow_a_line_that_carries_less() -> None:
    line = MeasuredLine(carried=BUSY)
    async with line.life() as control:
        await line.seconds(2)
        line.carried, line.down_us = Rates(BitsPerSecond(9_000_000), BitsPerSecond(7_000_000)), 60_000
        await line.until(lambda: line.root() < 9_000_000)
        assert "known" == control.knowledge
        line.down_us = 0
        await line.seconds(6)
        assert BUSY_PACE_US == line.prober.pace_us
        assert line.policy.present is not None
        assert line.policy.present.down < 12_000_000


async def test_without_answers_the_stated_rate_is_shared_again_within_ten_seconds() -> None:
    line = MeasuredLine(carried=BUSY)
    async with line.life() as control:
        await line.seconds(2)
        line.carried, line.down_us = Rates(BitsPerSecond(9_000_000), BitsPerSecond(7_000_000)), 60_000
        await line.until(lambda: line.root() < 9_000_000)
        line.is_answering, began = False, line.clock.now
        await line.until(lambda: control.knowledge == "blind")
        await line.seconds(1)
        assert 36_000_000 == line.root()
        back = next(at for at, rate in line.roots if at > began and rate == 36_000_000)
        assert back - began <= 10_000


async def test_rules_that_state_the_rate_end_the_measuring() -> None:
    line = MeasuredLine(carried=BUSY)
    async with line.life() as control:
        await line.until(lambda: line.kernel.measured is not None)
        line.policy.adopt(ruleset(RULES), members())
        await line.until(lambda: line.kernel.measured is None)
        assert control.knowledge is None
        assert line.policy.measured is None


async def test_without_a_stated_rate_nothing_is_probed() -> None:
    line = MeasuredLine(
        rules=RULES.replace("[uplink.main]", "")
        .replace('down = "40 Mbit/s"', "")
        .replace('up = "8 Mbit/s"', "")
        .replace("usable_percent = 90", "")
    )
    async with line.life():
        await asyncio.sleep(0.02)
        assert 0 == line.prober.observed
    assert 1 <= line.prober.closed


async def test_a_stated_rate_that_the_line_does_not_carry_is_reported_and_kept() -> None:
    line = MeasuredLine(rules=RULES, carried=BUSY)
    async with line.life() as control:
        await line.seconds(2)
        assert control.waits_ms is None
        line.down_us = 269_000
        await line.seconds(11)
        assert 265 <= (control.waits_ms or 0) <= 273
        assert line.kernel.measured is None
        line.down_us = 0
        await line.seconds(1)
        assert control.waits_ms is None


async def test_the_report_stays_as_long_as_the_queue_does() -> None:
    line = MeasuredLine(rules=RULES, carried=BUSY)
    async with line.life() as control:
        await line.seconds(2)
        line.down_us = 269_000
        await line.seconds(11)
        for _ in range(30):
            await line.seconds(10)
            assert 265 <= (control.waits_ms or 0) <= 273
        line.down_us = 0
        await line.seconds(1)
        assert control.waits_ms is None


async def test_a_rate_that_the_kernel_refuses_makes_it_look_again() -> None:
    line = MeasuredLine(carried=BUSY)
    line.kernel.refusing = ""
    async with line.life():
        await line.until(lambda: line.kernel.measured is not None)
        line.kernel.refusing = "no buffer space"
        line.carried, line.down_us = Rates(BitsPerSecond(9_000_000), BitsPerSecond(7_000_000)), 60_000
        await line.until(lambda: line.resynced > 0)
        line.kernel.refusing = ""


async def test_admins_read_that_a_line_carries_less_than_the_rules_say() -> None:
    line = MeasuredLine(rules=RULES, carried=BUSY)
    async with line.life() as control:
        await line.seconds(2)
        assert [] == line_warnings(control)
        line.down_us = 269_000
        await line.seconds(11)
        ((_, said),) = line_warnings(control)
        assert f"packets wait {control.waits_ms} ms" in said
        assert "[uplink.main]" in said


async def test_admins_read_that_a_line_cannot_be_measured() -> None:
    line = MeasuredLine(carried=BUSY, is_answering=False)
    async with line.life() as control:
        await line.until(lambda: control.knowledge == "blind")
        ((_, said),) = line_warnings(control)
        assert "uplink.probe" in said


async def test_a_rate_that_the_kernel_was_told_in_an_earlier_run_is_taken_back() -> None:
    """The control loop is started again after a failure, and the rules may have changed meanwhile."""
    line = MeasuredLine(rules=RULES)
    line.kernel.measured = BUSY
    async with line.life():
        await line.until(lambda: line.kernel.measured is None)


async def test_the_kernel_is_not_called_for_each_small_change() -> None:
    """While a line is used up its rate rises by a few thousandths at each step."""
    line = MeasuredLine(carried=BUSY)
    async with line.life():
        await line.seconds(5)
        rates = [rate for _, rate in line.roots]
        changes = [(before, after) for before, after in itertools.pairwise(rates) if before != after]
        assert changes
        assert all(abs(after - before) * 100 >= min(before, after) for before, after in changes)

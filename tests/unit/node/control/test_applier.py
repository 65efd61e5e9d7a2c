"""A plan is applied once for each change, and a change that comes meanwhile needs another run."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from node.control.applier import PlanApplier
from node.control.plan_draft import PlanDraft, PlannedTraffic
from node.control.ports import Troubles
from node.enforcement.plan import FirewallConfig
from tests.fakes.kernel import FakeKernel
from tests.fakes.repository import FakeClock

DRAFT = PlanDraft(
    FirewallConfig("lan0", "wan0", 2080), {}, {}, frozenset(), None, False, frozenset(), frozenset(), {}, {}
)


async def _stored() -> bool:
    return True


def _taken(_planned: PlannedTraffic) -> None:
    """Nobody is told what was planned."""


def plan_applier(kernel: FakeKernel) -> PlanApplier:
    return PlanApplier(
        kernel, FakeClock(), draft=lambda: DRAFT, took=_taken, remember=_stored, troubles=Troubles()
    )


async def test_an_applied_plan_is_not_applied_again() -> None:
    kernel = FakeKernel()
    made = plan_applier(kernel)
    with ThreadPoolExecutor(1) as applier:
        running = asyncio.ensure_future(made.run(applier))  # noqa: TID251
        for changes in (1, 2):
            await made.wait(made.change())
            await asyncio.sleep(0.1)
            assert changes == kernel.applied
        running.cancel()


async def test_a_change_while_a_plan_is_applied_is_a_newer_version_and_not_done() -> None:
    made = plan_applier(FakeKernel())
    before = made.version
    made.change()
    assert made.version != before
    assert not made.is_done
    with ThreadPoolExecutor(1) as applier:
        await made.first(applier)
    assert made.is_done

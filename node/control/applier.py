"""Applies a TrafficPlan: commit to the database, apply to the kernel, then wake the waiting tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from node.control.plan_draft import PlanDraft, PlannedTraffic
from node.control.ports import Clock, Troubles
from node.enforcement.plan import Kernel
from node.errors import KernelRefused

log = logging.getLogger(__name__)

STAND_S = 8.0
"""Longest wait for a change to be applied, in seconds; after that the caller gets an
error and the node keeps trying."""


class PlanApplier:
    """Owned by the control loop. Changes are numbered; an applied plan includes every change up to its version."""

    def __init__(
        self,
        kernel: Kernel,
        clock: Clock,
        *,
        draft: Callable[[], PlanDraft],
        took: Callable[[PlannedTraffic], None],
        ahead: Callable[[], Iterable[None]] = tuple,
        remember: Callable[[], Awaitable[object]],
        troubles: Troubles,
    ) -> None:
        """`ahead`: steps of what `draft` would have to do at once; others run between them."""
        self._kernel, self._clock = kernel, clock
        self._draft, self._took, self._ahead = draft, took, ahead
        self._remember, self._troubles = remember, troubles
        self._wanted = self._applied = 0
        self._look_again = False
        self._dirty, self._stands = asyncio.Event(), asyncio.Condition()

    @property
    def version(self) -> int:
        """The number of the last requested change."""
        return self._wanted

    @property
    def is_done(self) -> bool:
        return self._applied == self._wanted

    def change(self) -> int:
        """Requests a new plan. Returns the version to wait for."""
        self._wanted += 1
        self._dirty.set()
        return self._wanted

    def resync(self) -> None:
        """Requests a new plan and a full resync: the state of the kernel is read again before the plan is applied."""
        self._look_again = True
        self.change()

    async def first(self, applier: ThreadPoolExecutor) -> None:
        """Applies the first plan after a start. Raises KernelRefused."""
        version, loop = self.change(), asyncio.get_running_loop()
        planned = await loop.run_in_executor(applier, self._draft().planned)
        self._took(planned)
        await loop.run_in_executor(applier, self._kernel.apply, planned.plan, self._clock.monotonic())
        await self._notify(version)

    async def run(self, applier: ThreadPoolExecutor) -> None:
        """Runs until cancelled. Changes requested while a plan is being applied go together into the next one."""
        loop = asyncio.get_running_loop()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            for _ in self._ahead():
                await asyncio.sleep(0)
            version, draft = self._wanted, self._draft()
            await self._remember()
            planned = await loop.run_in_executor(applier, draft.planned)
            self._took(planned)
            trouble: KernelRefused | None = None
            try:
                if self._look_again:
                    self._look_again = False
                    await loop.run_in_executor(applier, self._kernel.observe, self._clock.monotonic())
                await loop.run_in_executor(applier, self._kernel.apply, planned.plan, self._clock.monotonic())
            except KernelRefused as refused:
                trouble = refused
            self.note(trouble)
            await self._notify(None if trouble is not None else version)

    async def wait(self, version: int) -> None:
        """Returns when a plan of at least this version is applied. Raises KernelRefused when the kernel rejects
        it or after STAND_S seconds."""
        try:
            async with asyncio.timeout(STAND_S), self._stands:
                while self._applied < version:
                    await self._stands.wait()
                    if self._applied < version and self._troubles.kernel:
                        raise KernelRefused(
                            self._troubles.kernel, "the node tries again by itself every second"
                        )
        except TimeoutError as error:
            raise KernelRefused("the node is busy or starting again", "try again in a moment") from error

    def note(self, trouble: KernelRefused | None) -> None:
        """Records the result of a call to the kernel; None for success. Logs only when it changes."""
        text = str(trouble) if trouble is not None else ""
        if text != self._troubles.kernel:
            log.error("%s", text) if text else log.info("the kernel agrees with the plan again")
        self._troubles.kernel = text

    async def _notify(self, version: int | None) -> None:
        """Wakes the waiting tasks; `version` is None when the plan was rejected."""
        async with self._stands:
            self._applied = self._applied if version is None else version
            self._stands.notify_all()

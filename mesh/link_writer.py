"""Sends on one connection what waits for the neighbour, by priority and within the connection's budget."""

import asyncio
from collections.abc import Callable

from mesh.community_service import CommunityService
from mesh.jitter import about
from mesh.link_budget import LinkBudget
from mesh.link_queue import LinkQueue
from mesh.link_rate import LinkRate
from mesh.messages import Keepalive, encode
from mesh.page_kind import Priority
from mesh.peering import KEEPALIVE_EVERY
from mesh.record_exchange import PRIORITIES
from mesh.replicator import Replicator
from mesh.summary_exchange import SummaryExchange
from mesh.time_exchange import TimeExchange
from mesh.tls_transport import Link
from node.units import BitsPerSecond, Monotonic

ROUND_EVERY_S = 30.0
LOOK_EVERY_S, FIRST_LOOK_S = 1.0, 0.1
"""Between two looks at the rate of the connection, and before it is known."""


class LinkWriter:
    """Sends until the connection ends. `link.wake` says that there may be something to send."""

    def __init__(
        self,
        link: Link,
        replica: Replicator,
        records: CommunityService | None,
        clock: TimeExchange,
        summaries: SummaryExchange,
        *,
        budget: LinkBudget,
        now: Callable[[], Monotonic],
    ) -> None:
        self._link, self._replica, self._records, self._clock = link, replica, records, clock
        self._summaries, self._now = summaries, now
        self._queue, self._rate = LinkQueue(budget), LinkRate()
        self._loop = asyncio.get_running_loop()
        self._look_at = self._loop.time()
        self._round_at = self._next_round()
        self._keepalive_at = self._loop.time() + KEEPALIVE_EVERY / 1000

    async def run(self) -> None:
        while True:
            self._begin_round_if_due()
            self._link.wake.clear()
            await self._fill()
            frame = self._queue.next_frame(self._now())
            if frame is None:
                await self._wait()
            elif not await self._link.send(frame):
                return
            else:
                self._keepalive_at = self._loop.time() + KEEPALIVE_EVERY / 1000
                await asyncio.sleep(0)
            self._look_at_rate()

    def _begin_round_if_due(self) -> None:
        if self._loop.time() < self._round_at:
            return
        self._replica.exchange.begin_round(self._link.name)
        if self._records is not None:
            self._records.exchange.round_passed(self._link.node)
        self._link.answer(self._clock.question())
        self._round_at = self._next_round()

    def _next_round(self) -> float:
        return self._loop.time() + about(ROUND_EVERY_S)

    async def _fill(self) -> None:
        if self._queue.lacks(Priority.SIGN):
            self._put(Priority.SIGN, self._link.next_answer())
        for priority in PRIORITIES:
            if self._records is not None and self._queue.lacks(priority):
                self._put(priority, self._records.next_frame(self._link.node, priority))
        for priority in self._replica.exchange.due(self._link.name):
            if self._queue.lacks(priority):
                self._put(priority, await self._replica.next_frame(self._link.name, priority))
        if self._queue.lacks(Priority.SUMMARY):
            self._put(Priority.SUMMARY, self._summaries.next_frame(self._link.node, self._now()))

    def _put(self, priority: Priority, frame: bytes | None) -> None:
        if frame is not None:
            self._queue.put(priority, frame, self._now())

    async def _wait(self) -> None:
        """Until there may be something to send."""
        times = [self._round_at] if self._link.is_quiet else [self._round_at, self._keepalive_at]
        waits = self._queue.wait(self._now())
        if waits is not None:
            times += [self._loop.time() + waits / 1000, max(self._look_at, self._loop.time() + FIRST_LOOK_S)]
        try:
            async with asyncio.timeout_at(min(times)):
                await self._link.wake.wait()
        except TimeoutError:
            self._say_that_it_is_there()

    def _say_that_it_is_there(self) -> None:
        """On a connection with keepalives, if nothing was sent for long."""
        if self._link.is_quiet or self._loop.time() < self._keepalive_at:
            return
        self._keepalive_at = self._loop.time() + KEEPALIVE_EVERY / 1000
        if self._queue.lacks(Priority.SIGN):
            self._queue.put(Priority.SIGN, encode(Keepalive()), self._now())

    def _look_at_rate(self) -> None:
        if self._loop.time() < self._look_at:
            return
        counters = self._link.counters()
        rate = self._rate.look(counters) if counters is not None else BitsPerSecond(0)
        if rate:
            self._queue.budget.measured(rate, self._now())
        self._look_at = self._loop.time() + (LOOK_EVERY_S if rate else FIRST_LOOK_S)

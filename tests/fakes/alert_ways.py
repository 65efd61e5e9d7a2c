"""Ways out for alerts that tests control, and the service that uses them."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

from node.alerts.message import AlertMessage, MessageOrigin, document_of
from node.alerts.outbox import WayName
from node.alerts.readings import AlertReadings
from node.alerts.way import AlertWay
from node.app.alert_service import STATE, AlertService
from node.app.outage_note import OutageNotes
from node.app.views import Outage
from node.errors import NodeError
from node.translator import ENGLISH
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository

LOOK_MS = 15_000
"""That pass with each look."""
ORIGIN = MessageOrigin("Vall", "library", ENGLISH, UTC)


class FakeWay:
    """Implements `AlertWay`: takes messages, fails or hangs."""

    def __init__(self) -> None:
        self.arrived: list[AlertMessage] = []
        self.fails, self.hangs = False, False
        self.attempts = 0

    async def send(self, message: AlertMessage) -> None:
        self.attempts += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise NodeError("the server answered 500", "look at it")
        self.arrived.append(message)

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(each.kind, each.name) for each in self.arrived]


class AlertNode:
    """What outlives a run of the service: storage, clock, ways and what the next look finds."""

    def __init__(self, *ways: WayName, digest_minute: int | None = 8 * 60) -> None:
        self.repository, self.clock = FakeRepository(), FakeClock()
        self.archive = FakeArchive(self.repository)
        self.ways: dict[WayName, FakeWay] = {way: FakeWay() for way in ways}
        self.readings, self.digest_minute = AlertReadings(), digest_minute
        self.outage: Outage | None = None
        self.told: list[object] = []

    def service(
        self, ways: Mapping[WayName, AlertWay] | None = None, look_every_s: float = 0.001
    ) -> AlertService:
        async def read() -> AlertReadings:
            self.clock.pass_time(LOOK_MS)
            return self.readings

        return AlertService(
            self.archive,
            self.clock,
            read=read,
            ways=self.ways if ways is None else ways,
            outages=OutageNotes(self.archive, self.clock, lambda: self.outage, self.told.append),
            origin=lambda: ORIGIN,
            digest_minute=self.digest_minute,
            random=secrets.token_bytes,
            look_every_s=look_every_s,
        )

    def stored(self) -> dict[str, Any]:
        return json.loads(self.repository.facts.get(STATE) or "{}")


async def watch(service: AlertService, seconds: int) -> None:
    """Looks for so long."""
    for _ in range(seconds * 1_000 // LOOK_MS):
        await service.look()


@asynccontextmanager
async def running(service: AlertService) -> AsyncIterator[None]:
    """The service runs; time passes with each look."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(service.run())
        try:
            yield
        finally:
            task.cancel()


async def until(holds: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Waits until it holds. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(0.005)


def document(message: AlertMessage) -> Mapping[str, object]:
    return document_of(message, ORIGIN)

"""When the set-up asks an interface for other servers: until it knows that there is none, again after a cable was pulled
out, and never while the network is changed."""

import asyncio
import queue
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from node.enforcement.foreign_servers import ForeignServer
from node.setup import mode
from node.setup.mode import SILENT_TIMES, SetupLan
from node.setup.network_layout import InterfaceFacts, NetworkFacts

BRIDGE = InterfaceFacts("lan-of-tests", "bridge", "bridge", True, ("192.0.2.7/24",))
"""It has an address, so that nothing is given to it."""


@dataclass
class Machine:
    """One interface, on which nobody answers; each time that it is asked takes until `answer`."""

    folder: Path
    facts: NetworkFacts = field(default_factory=lambda: NetworkFacts((BRIDGE,), manager="none"))
    looks: int = 0
    asked: int = 0
    answers: queue.Queue[tuple[ForeignServer, ...]] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self.lan = SetupLan(self.folder, self._look, self._listen_on, self._others)

    def _look(self) -> NetworkFacts:
        self.looks += 1
        return self.facts

    async def _listen_on(self, _interfaces: object) -> None:
        await asyncio.sleep(0)

    def _others(self, _interface: str) -> tuple[ForeignServer, ...]:
        self.asked += 1
        return self.answers.get(timeout=10)

    async def asked_times(self, times: int) -> None:
        async with asyncio.timeout(10):
            while self.asked < times:
                await asyncio.sleep(0.01)

    async def silent(self) -> None:
        """Nobody answers until the page is served."""
        for _ in range(SILENT_TIMES):
            self.answers.put(())
        async with asyncio.timeout(10):
            while not self.lan.sides:
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """A task that never waits would hang the test, too."""

    def hung(_signal: int, _frame: object) -> None:
        raise TimeoutError("the event loop hangs")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Machine]:
    machine = Machine(folder)
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(machine.lan.run())
            try:
                yield machine
            finally:
                task.cancel()
    finally:
        machine.lan.stop()


async def test_a_change_of_the_network_can_begin_while_an_interface_is_asked(tmp_path: Path) -> None:
    async with running(tmp_path) as machine:
        machine.answers.put(())
        await machine.asked_times(2)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(machine.lan.release())
            await asyncio.sleep(0)
            machine.answers.put(())
        before = machine.looks
        await asyncio.sleep(0.2)
        assert before == machine.looks, "it looks at nothing while the network is changed"
        machine.lan.serve(BRIDGE.name)
        await asyncio.sleep(0.3)
        assert before < machine.looks <= before + 2, "it rests between two looks"
        assert (BRIDGE.name,) == tuple(each.interface for each in machine.lan.sides)
        assert 2 == machine.asked


async def test_a_port_is_asked_at_once_when_its_cable_is_plugged_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mode, "LOOK_EVERY_S", 0.05)
    async with running(tmp_path) as machine:
        await machine.silent()
        assert SILENT_TIMES == machine.asked
        machine.facts = replace(machine.facts, interfaces=(replace(BRIDGE, has_carrier=False),))
        async with asyncio.timeout(5):
            while machine.lan.sides:
                await asyncio.sleep(0.01)
        machine.facts = replace(machine.facts, interfaces=(BRIDGE,))
        await machine.silent()
        assert 2 * SILENT_TIMES == machine.asked

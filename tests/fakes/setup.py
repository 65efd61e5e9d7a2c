"""A machine that is set up: its network in memory, and the set-up server on this machine's loopback interface."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from node.errors import NodeError
from node.setup.answers import Answers
from node.setup.line_meter import LineMeter
from node.setup.line_speed import LineSpeed
from node.setup.network_layout import InterfaceFacts, NetworkFacts
from node.setup.network_plan import NetworkPlan, network_plan
from node.setup.server import SetupServer, setup_renderer
from node.setup.service import MachineDefaults, SetupService
from node.setup.setup_code import CodeCheck
from node.task_supervision import Parts, supervise
from node.units import BitsPerSecond, Bytes, Milliseconds, Monotonic

CODE = "7K3M9Q2W"
PASSPHRASE = "a long walk home"
ANSWERS = Answers(
    language="ca",
    node_name="library",
    community="Vall Alta",
    uplink="eth0",
    lan=("eth1",),
    radio="",
    wifi_name="",
    wifi_country="",
    ways=("terms", "voucher"),
    down="40 Mbit/s",
    up="8 Mbit/s",
    follows_line=True,
    admin_name="Maria",
    passphrase=PASSPHRASE,
)
FINGERPRINT = ":".join(f"{number:02X}" for number in range(32))
FACTS = NetworkFacts(
    (
        InterfaceFacts("eth0", "ethernet", "first port", True, ("192.0.2.7/24",), True, "02:00:00:00:00:10"),
        InterfaceFacts("eth1", "ethernet", "second port", True, (), False, "02:00:00:00:00:11"),
        InterfaceFacts("usb0", "ethernet", "USB adapter", False, (), False, "02:00:00:00:00:12"),
    ),
    manager="networkd",
    has_networkd=True,
)
SPEED = LineSpeed(
    down=BitsPerSecond(38_200_000),
    host="mirror.example",
    loaded=Bytes(44_000_000),
    took_ms=Milliseconds(11_200),
    worst=BitsPerSecond(37_000_000),
    best=BitsPerSecond(38_900_000),
)
WITH_RADIO = replace(
    FACTS,
    interfaces=(*FACTS.interfaces, InterfaceFacts("wlan0", "wifi", "Wi-Fi", mac="02:00:00:00:00:13")),
    has_hostapd=True,
)
WITH_BRIDGE = NetworkFacts(
    (FACTS.interfaces[0], InterfaceFacts("lo", "bridge", "bridge", True)), manager="none"
)
"""A bridge that has the name of the loopback interface: nothing to change, and the tests are on it already."""

setup_templates = cache(setup_renderer)


@dataclass
class FakeNetwork:
    """Counts what was done; `trouble` is raised by the next change. Changes take no time unless `gate` is closed."""

    facts: NetworkFacts = FACTS
    trouble: NodeError | OSError | None = None
    done: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def look(self) -> NetworkFacts:
        return self.facts

    def apply(self, plan: NetworkPlan) -> None:
        self.gate.wait(10)
        self.done.append("apply")
        if self.trouble:
            raise self.trouble

    def confirm(self) -> None:
        self.done.append("confirm")

    def take_back(self) -> bool:
        self.done.append("take back")
        return True


@dataclass
class FakeLanSide:
    done: list[str] = field(default_factory=list)
    foreign: frozenset[str] = frozenset()

    async def release(self) -> None:
        self.done.append("release")

    def serve(self, lan: str) -> None:
        self.done.append(f"serve {lan}".strip())


@dataclass
class SetupFixture:
    """The set-up of one machine."""

    network: FakeNetwork = field(default_factory=FakeNetwork)
    lan: FakeLanSide = field(default_factory=FakeLanSide)
    written: list[tuple[Answers, str]] = field(default_factory=list)
    writing_fails: NodeError | None = None
    forward_ms: int = 0
    """The clock is ahead by so much."""
    is_new_network: bool = False
    """Whether the planned network is the one that tests come by."""
    is_stopped: bool = False
    """The clock shows `forward_ms` only."""
    speed: LineSpeed | NodeError = SPEED
    is_measured: asyncio.Event = field(default_factory=asyncio.Event)
    """A measurement of the line ends when it is set."""
    measurements: int = 0
    """How many were begun."""

    def __post_init__(self) -> None:
        self.service = SetupService(
            CodeCheck(CODE, self.now()),
            self.network,
            self.lan,
            LineMeter(self._measure),
            write_files=self._write,
            clock=self.now,
            planned=self._plan,
            machine=MachineDefaults("library", "ES"),
            answered_s=0.01,
        )
        self.server = SetupServer(
            self.service, lan_address="127.0.0.1", admin_port=2444, port=0, renderer=setup_templates()
        )

    async def _measure(self, _facts: NetworkFacts) -> LineSpeed:
        self.measurements += 1
        await self.is_measured.wait()
        if isinstance(self.speed, NodeError):
            raise self.speed
        return self.speed

    def _plan(self, answers: Answers, facts: NetworkFacts, asked_from: str) -> NetworkPlan:
        plan = network_plan(answers, facts, asked_from)
        return replace(plan, lan="lo") if self.is_new_network else plan

    def now(self) -> Monotonic:
        since = 0 if self.is_stopped else time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return Monotonic(since + self.forward_ms)

    def _write(self, answers: Answers, lan: str) -> str:
        if self.writing_fails:
            raise self.writing_fails
        self.written.append((answers, lan))
        return FINGERPRINT

    @property
    def port(self) -> int:
        _, listener = self.server.listeners["lo"]
        return int(listener.sockets[0].getsockname()[1])


async def _no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def open_setup(fixture: SetupFixture) -> AsyncIterator[SetupFixture]:
    """The page on the loopback interface, and the task that makes changes."""
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(fixture.server.run()),
            tasks.create_task(fixture.service.line.run()),
            tasks.create_task(supervise("change", fixture.service.run, Parts(), sleep=_no_pause)),
        ]
        await fixture.server.ready.wait()
        await fixture.server.listen_on({"lo": 1})
        try:
            yield fixture
        finally:
            for each in running:
                each.cancel()

"""A whole house behind the front door: the real loop, register and portal house, with a fake kernel and clock."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from captive_portal.ports import KeptView
from node.answers.portal import PortalHouse
from node.config import NodeConfig, parse_config
from node.enforcement.plan import Gate
from node.governance.roll import Roll, parse_roll
from node.identity import own_node_id
from node.membership.cards import make_card
from node.membership.codes import shown
from node.membership.entrances import Denied
from node.membership.issued import Issued
from node.membership.vouchers import Batch
from node.reconcile.loop import Reconcile
from node.reconcile.ports import Memory
from node.reconcile.rulebook import Rulebook, open_rulebook
from node.storage.elsewhere import KEPT_ANYWHERE
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, NodeId
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import COMMUNITY, guest_account, make_register
from tests.fakes.memory import FakeClock
from tests.lab.agreement import Settings, node_toml

ANA, BEN, CAI, DOT = (MacAddress(f"02:00:00:00:00:0{letter}") for letter in "abcd")
LISTED = MacAddress("02:00:00:00:00:1a")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
KEY = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
MEMBERS = f"""
[[account]]
id = "ana"
name = "Ana Puig"
devices = ["{LISTED}"]
[[account]]
id = "carme"
"""
RULES = """
[ruleset]
community = "vall"
version = 1
decision = "D-1"
[uplink.main]
down = "40 Mbit/s"
up = "8 Mbit/s"
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
max_weight_ratio = 4
[[rule]]
id = "day-pass"
ceiling = "7 Mbit/s down, 2 Mbit/s up"
who = "group:day-pass"
by = "D-1"
"""


@dataclass
class House:
    """One life of the daemon, as far as people can tell."""

    loop: Reconcile
    portal: PortalHouse

    def issue(self, count: int = 1, *, lasts_ms: int = DAY_MS, devices_max: int = 0) -> Issued:
        wish = Batch(0, "day-pass", Milliseconds(lasts_ms), devices_max, "", "issuer, Pere")
        issued = self.loop.register.vouchers.issue(wish, count, self.loop.today())
        assert isinstance(issued, Issued)
        return issued

    async def codes(self, count: int = 1, *, lasts_ms: int = DAY_MS, devices_max: int = 0) -> list[str]:
        issued = self.issue(count, lasts_ms=lasts_ms, devices_max=devices_max)
        await self.loop.remember(issued.changes)
        return [shown(code) for code in issued.codes]

    def card(self, account: str = "ana", last_day: str = "2027-11-24") -> str:
        card = self.loop.register.next_card(AccountId(account), self.loop.today(), last_day)
        assert not isinstance(card, Denied)
        return make_card(KEY, COMMUNITY, card)


class Neighbourhood:
    """The world around the daemon, which outlives it."""

    def __init__(
        self, memories: Callable[[], Memory], folder: Path, joining: str = "", rules: str = ""
    ) -> None:
        self.kernel, self.clock, self._memories = FakeKernel(), FakeClock(), memories
        self.down_since: Monotonic | None = None
        self._lives = itertools.count(1)
        settings = Settings(
            "square", folder, "10.77.0.1", "fd77::1", (own_node_id(KEY),), folder / "community.key", ()
        )
        config, findings = parse_config(node_toml(settings))
        assert config is not None, findings
        self.config: NodeConfig = config
        roll, _ = parse_roll(MEMBERS)
        assert roll is not None
        self.roll: Roll = roll
        book = open_rulebook(RULES + rules + joining, roll)
        assert isinstance(book, Rulebook), book
        self.book = book

    @asynccontextmanager
    async def life(self, *, killed: bool = False) -> AsyncIterator[House]:
        """`killed` ends it without a last word."""
        loop = self._loop()
        kept = tuple(KeptView(each.table, each.purpose, each.retention) for each in KEPT_ANYWHERE)
        portal = PortalHouse(
            loop,
            self.config,
            self.clock,
            new_salt=lambda: b"s" * 16,
            kept=kept,
            down_since=lambda: self.down_since,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(loop.run())
            await asyncio.wait_for(loop.ready.wait(), 5)
            if killed:
                loop.keeper.flush = _say_nothing  # type: ignore[method-assign]
            yield House(loop, portal)
            running.cancel()

    def pass_time(self, milliseconds: int) -> None:
        self.clock.pass_time(milliseconds)
        self.kernel.pass_time(milliseconds)

    def power_cut(self, off_ms: int = 60_000) -> None:
        """What was in the kernel is gone, and the machine comes up again after a while."""
        self.kernel.vanish()
        self.clock.reboot(off_ms)
        self.kernel.now = self.clock.now

    def _loop(self) -> Reconcile:
        loop = Reconcile(
            kernel=self.kernel,
            memory=self._memories(),
            clock=self.clock,
            gate=Gate("lan0", "wan0", 2080),
            node=NodeId(own_node_id(KEY)),
            rulebook=self.book,
            roll=self.roll,
            register=make_register(
                lambda: loop.roll, nodes=frozenset({own_node_id(KEY)}), seed=next(self._lives)
            ),
            guest_account=guest_account,
            session_ms=Milliseconds(4 * HOUR_MS),
            tick_s=0.005,
        )
        return loop


async def _say_nothing(_now: object) -> None:
    """A killed daemon stores nothing more."""

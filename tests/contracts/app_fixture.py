"""The whole application behind the portal: the real loop, account registry and services, with a fake kernel and
clock.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.accounts.auth_result import Rejected
from node.accounts.cards import make_card
from node.accounts.codes import shown
from node.accounts.vouchers import Batch, IssueResult
from node.app.account import AccountService
from node.app.views import KeptView
from node.config import NodeConfig, parse_config
from node.control.active_ruleset import ActiveRuleset, load_active_ruleset
from node.control.ports import Repository
from node.control.reconciler import Reconciler
from node.enforcement.plan import FirewallConfig
from node.governance.members import MemberDirectory, parse_members
from node.identity import own_node_id
from node.storage.data_inventory import WHOLE_INVENTORY
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, NodeId
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import COMMUNITY, guest_account, make_registry
from tests.fakes.repository import FakeClock
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
class AppFixture:
    """One run of the daemon, as people see it through the portal."""

    loop: Reconciler
    portal: AccountService

    def issue(self, count: int = 1, *, lasts_ms: int = DAY_MS, devices_max: int = 0) -> IssueResult:
        wish = Batch(0, "day-pass", Milliseconds(lasts_ms), devices_max, "", "issuer, Pere")
        issued = self.loop.registry.vouchers.issue(wish, count, self.loop.today())
        assert isinstance(issued, IssueResult)
        return issued

    async def codes(self, count: int = 1, *, lasts_ms: int = DAY_MS, devices_max: int = 0) -> list[str]:
        issued = self.issue(count, lasts_ms=lasts_ms, devices_max=devices_max)
        await self.loop.remember(issued.changes)
        return [shown(code) for code in issued.codes]

    def card(self, account: str = "ana", last_day: str = "2027-11-24") -> str:
        card = self.loop.registry.next_card(AccountId(account), self.loop.today(), last_day)
        assert not isinstance(card, Rejected)
        return make_card(KEY, COMMUNITY, card)


class Neighbourhood:
    """Everything that outlives a run of the daemon: database, kernel, clock, devices."""

    def __init__(
        self, memories: Callable[[], Repository], folder: Path, joining: str = "", rules: str = ""
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
        member_directory, _ = parse_members(MEMBERS)
        assert member_directory is not None
        self.member_directory: MemberDirectory = member_directory
        book = load_active_ruleset(RULES + rules + joining, member_directory)
        assert isinstance(book, ActiveRuleset), book
        self.book = book

    @asynccontextmanager
    async def life(self, *, killed: bool = False) -> AsyncIterator[AppFixture]:
        """One run of the daemon; with `killed` it ends without a last write."""
        loop = self._loop()
        kept = tuple(KeptView(each.table, each.purpose, each.retention) for each in WHOLE_INVENTORY)
        portal = AccountService(
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
                loop.persistence.flush = _say_nothing  # type: ignore[method-assign]
            yield AppFixture(loop, portal)
            running.cancel()

    def pass_time(self, milliseconds: int) -> None:
        self.clock.pass_time(milliseconds)
        self.kernel.pass_time(milliseconds)

    def power_cut(self, off_ms: int = 60_000) -> None:
        """The kernel's state is lost, and the machine starts again after a while."""
        self.kernel.vanish()
        self.clock.reboot(off_ms)
        self.kernel.now = self.clock.now

    def _loop(self) -> Reconciler:
        loop = Reconciler(
            kernel=self.kernel,
            repository=self._memories(),
            clock=self.clock,
            firewall=FirewallConfig("lan0", "wan0", 2080),
            node=NodeId(own_node_id(KEY)),
            active_ruleset=self.book,
            member_directory=self.member_directory,
            registry=make_registry(
                lambda: loop.member_directory, nodes=frozenset({own_node_id(KEY)}), seed=next(self._lives)
            ),
            guest_account=guest_account,
            session_ms=Milliseconds(4 * HOUR_MS),
            tick_s=0.005,
        )
        return loop


async def _say_nothing(_now: object) -> None:
    """A killed daemon stores nothing more."""

"""The whole application behind the pages: the real loop, account registry and services, with a fake kernel and clock.

`AppFixture` is what outlives a run of the daemon, `UseCases` is one run. A test brings a device into a state by what
people do (join, let time pass, use traffic), never by setting fields.
"""

import asyncio
import itertools
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mesh.announcement import Address
from mesh.community_service import CommunityService
from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.accounting.intervals import AccountUsage, IntervalUsage
from node.accounting.link_days import LinkUse
from node.accounts import member_passphrases
from node.accounts.appearance import Appearance
from node.accounts.auth_result import Rejected
from node.accounts.cards import Card, make_card, next_serial
from node.accounts.codes import shown
from node.accounts.notices import Notice
from node.accounts.terms import Terms, TermsText
from node.accounts.voucher_store import IssueResult
from node.accounts.vouchers import Batch
from node.alerts.message import MessageOrigin
from node.alerts.readings import AlertReadings
from node.app.account import AccountService
from node.app.admin import AdminService
from node.app.admin_access import AdminAccessService
from node.app.admin_gateways import AdminGatewaysService
from node.app.alert_service import AlertService
from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import GatewayService
from node.app.measured_check import MeasuredCheck
from node.app.metrics import MetricSources, MetricsService
from node.app.next_rules import NextRulesService
from node.app.node_graph import NodeGraphService
from node.app.node_summaries import NodeSummaries
from node.app.outage_note import OutageNote, OutageNotes
from node.app.rule_adoption import RuleAdoption
from node.app.rule_files import RuleFiles, Stamp, fingerprint
from node.app.shared_files import SharedFiles
from node.app.status import StatusSnapshot
from node.app.views import (
    Admitted,
    CardShown,
    CodeTyped,
    Entry,
    GuestView,
    PassphraseTyped,
    Refused,
    TermsAccepted,
)
from node.config import NodeConfig, parse_config
from node.control.active_ruleset import load_active_ruleset
from node.control.ports import Repository
from node.control.reconciler import Reconciler
from node.enforcement.plan import FirewallConfig
from node.governance.members import MemberDirectory, parse_members
from node.governance.rules import ActiveRuleset
from node.identity import own_node_id
from node.lan.mdns_services import ServiceView
from node.sessions import state as session_state
from node.storage.data_inventory import WHOLE_INVENTORY
from node.system_readings import SystemReadings
from node.task_supervision import Parts
from node.translator import ENGLISH
from node.units import (
    AccountId,
    BitsPerSecond,
    MacAddress,
    Microseconds,
    Milliseconds,
    Monotonic,
    NodeId,
    Rates,
)
from node.uplink.line import Sample
from node.uplink.queueing_delay import RoundTrip
from node.web.router_scripts import router_script_hashes
from tests.fakes.asked_nodes import AskedVillage
from tests.fakes.backups import FakeBackups
from tests.fakes.history_windows import VillageHistory
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import COMMUNITY, guest_account, make_registry
from tests.fakes.prober import FakeProber
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore
from tests.lab.agreement import Settings, node_toml

if TYPE_CHECKING:
    import pytest

ANA, BEN, CAI, DOT = (MacAddress(f"02:00:00:00:00:0{letter}") for letter in "abcd")
LISTED = MacAddress("02:00:00:00:00:1a")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SESSION_MS = Milliseconds(4 * HOUR_MS)
KEY = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
TODAY = "2026-11-24"
"""Day of the clock until a test moves it."""
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
GUEST_RULES = """
[[rule]]
id = "evening"
ceiling = "10 Mbit/s down, 2 Mbit/s up"
who = "tier:guest"
by = "D-2026-003"
[[rule]]
id = "guests-month"
quota = "60 GB per month"
counts = "uplink"
then = "ceiling 2 Mbit/s down, 1 Mbit/s up until reset"
who = "tier:guest"
by = "D-2026-003"
"""
"""A ceiling and a quota for guests."""
PASSPHRASE = "four plain old words"
"""Ana's, once `UseCases.give_passphrase` was called."""
CARD = make_card(KEY, COMMUNITY, Card(AccountId("ana"), next_serial(TODAY, 0), "2027-11-24"))
"""Ana's."""
FIRST_CODE = shown(make_registry(seed=1).vouchers.generate(1)[0].code)
"""Of the voucher that a new `AppFixture` issues first."""
UNKNOWN_CODE = shown(make_registry(seed=99).vouchers.generate(1)[0].code)
"""Of a voucher of another community."""
KEPT = WHOLE_INVENTORY
CHEAP = 16, 8, 1
"""Cost parameters of scrypt."""
DEADLINE_S = 10.0
NOWHERE = Path("/nonexistent")


class FilesOfTests(RuleFiles):
    """Looked at once they are written."""

    is_written = False

    def _stamps(self) -> tuple[Stamp, Stamp]:
        return super()._stamps() if self.is_written else (None, None)

    def written(self, rules: str, members: str) -> None:
        self.rules.write_text(rules)
        self.members.write_text(members)
        self.is_written = True
        self._seen = self._stamps()


@dataclass
class UseCases:
    """One run of the daemon, as people meet it through the pages."""

    node: "AppFixture"
    loop: Reconciler
    portal: AccountService
    _files: FilesOfTests
    _adoption: RuleAdoption

    @cached_property
    def files(self) -> RuleFiles:
        """The rules and the members as files in the node's folder, written when they are first used."""
        files = self._files
        files.written(self.node.rules_text, self.node.members_text)
        # As `open` does. The rules were checked with these members by `ruleset_of`, once for all tests.
        files.members_fingerprint = fingerprint(self.node.members_text)
        files.members_in_force = self.node.members_text
        return files

    @cached_property
    def adoption(self) -> RuleAdoption:
        """Its trials last ten minutes, and end only when a test calls `tick`. Without a folder nothing can be confirmed."""
        if self.node.folder != NOWHERE:
            assert self.files is self._files, "they are written"
        return self._adoption

    @cached_property
    def shared_files(self) -> SharedFiles:
        """It looks when a test calls `look`."""
        return SharedFiles(
            self.node.community,
            self.loop,
            self.files,
            self.adoption,
            archive=self.node.archive,
            clock=self.node.clock,
        )

    @cached_property
    def measured_check(self) -> MeasuredCheck:
        """It looks when a test calls `look`."""
        return MeasuredCheck(self.loop)

    @cached_property
    def admin(self) -> AdminService:
        """Needs a folder that exists."""
        status_snapshot = StatusSnapshot(
            config=self.node.config,
            reconciler=self.loop,
            files=self.files,
            adoption=self.adoption,
            parts=Parts(),
            peers=lambda: self.node.peers,
            roster=lambda: frozenset(self.node.config.community.nodes),
            waiting=self.portal.waiting,
            warned=lambda: (("clock", text) for text in self.node.warnings),
            losses=lambda: self.node.archive.losses,
            table_use=self.node.kernel.table_use,
            measured=lambda: self.measured_check.findings,
            key_copies=lambda: self.node.key_copies,
        )
        return AdminService(
            self.loop,
            status_snapshot,
            self.files,
            self.node.archive,
            self.node.clock,
            self.node.config,
            access=AdminAccessService(
                self.node.archive,
                self.node.clock,
                passphrases=self.portal.passphrases,
                key=b"k" * 32,
                random=secrets.token_bytes,
            ),
            adoption=self.adoption,
            shared_files=self.shared_files,
            backups=self.node.backups,
            fingerprint=lambda: self.node.admin_fingerprint,
            sign_card=partial(make_card, KEY, COMMUNITY),
            portal_url=lambda: self.node.portal_url,
            languages=lambda: self.node.languages,
            read_intervals=self.node.read_intervals,
            graph=NodeGraphService(
                self.node.config,
                own_node_id(KEY),
                members=self.node.community.roster,
                peers=lambda: self.node.peers,
                pages=lambda: self.node.node_pages,
                civil=self.node.clock.civil,
                gateways=self.gateways.on_map,
                uses=lambda: self.node.uses,
            ).now,
            summaries=NodeSummaries(self.node.asked),
            history=VillageHistory(),
            gateways=self.gateways,
            alerts=self.alerts,
            community=self.node.community,
            addresses=lambda: self.node.mesh_addresses,
            setup_url="http://10.20.0.1/",
        )

    @cached_property
    def alerts(self) -> AlertService:
        """It looks when a test calls `look`; it has no way out."""

        async def nothing_read() -> AlertReadings:
            return self.node.alert_readings

        def tell(note: OutageNote | None) -> None:
            self.portal.outage_note = ("", None) if note is None else (note.known_to, note.until)

        archive, clock = self.node.archive, self.node.clock
        outages = OutageNotes(archive, clock, lambda: self.portal.community().outage, tell)
        origin = MessageOrigin("Vall", "library", ENGLISH, UTC)
        return AlertService(
            archive,
            clock,
            read=nothing_read,
            ways={},
            outages=outages,
            origin=lambda: origin,
            digest_minute=None,
            random=secrets.token_bytes,
        )

    @cached_property
    def gateways(self) -> AdminGatewaysService:
        """Without a listener, until a test sets `gateways.listen`."""
        registry = GatewayRegistry(
            self.node.archive,
            self.node.clock,
            key=b"k" * 32,
            random=secrets.token_bytes,
            one_change=asyncio.Lock(),
        )
        registry.recalled = True
        service = GatewayService(
            self.loop,
            self.portal.admission,
            registry,
            self.node.archive,
            self.node.clock,
            key=b"k" * 32,
            random=secrets.token_bytes,
        )
        return AdminGatewaysService(
            service, self.node.config.gateways, own=self.loop.node, scripts=router_script_hashes
        )

    @cached_property
    def metrics(self) -> MetricsService:
        """Of a machine that says nothing of itself."""
        sources = MetricSources(
            version="0.1.0 (test)",
            app=self.portal,
            graph=self.admin.graph,
            read_system=SystemReadings,
        )
        return MetricsService(self.admin.status_snapshot, self.node.clock, sources)

    # --- what can be observed ---

    def guest(self, mac: MacAddress) -> GuestView:
        return self.portal.guest(mac)

    def passing(self) -> set[MacAddress]:
        """Devices whose packets the kernel forwards now."""
        return set(self.node.kernel.observe(self.node.clock.now).admitted)

    def accepted(self) -> dict[MacAddress, str]:
        """The terms that each device with a session accepted."""
        table = self.loop.session_table
        return {mac: entry.terms for mac, entry in table.session_entries.items() if table.is_admitted(mac)}

    def snapshot(self) -> object:
        """Everything that a person's form can change; equal as long as nothing was changed."""
        registry, table, now = self.loop.registry, self.loop.session_table, self.node.clock.now
        accounts = [
            *self.loop.member_directory.by_account,
            *{e.account for e in table.session_entries.values()},
        ]
        return (
            {
                mac: (table.state(mac), entry.account, entry.terms)
                for mac, entry in table.session_entries.items()
            },
            repr(registry.rows()),
            [registry.sponsorship.of_host(account, now) for account in accounts],
            [registry.sponsorship.muted_until(account, now) for account in accounts],
            [registry.device_codes.of(account, now) for account in accounts],
            [registry.sponsorship.of_device(mac, now) for mac in (ANA, BEN, CAI, DOT)],
            registry.rule_objections.all(),
        )

    # --- joining ---

    async def join(self, mac: MacAddress, entry: Entry | None = None) -> AccountId:
        """The device joins, by the terms unless another method is given."""
        version = self.portal.community().terms_version
        came = await self.portal.admit(mac, entry or TermsAccepted(), version)
        assert isinstance(came, Admitted), came
        account = self.portal.guest(mac).account
        assert account is not None
        return account

    async def refusal(self, mac: MacAddress, entry: Entry) -> str:
        """Why the device cannot join."""
        refused = await self.portal.admit(mac, entry, self.portal.community().terms_version)
        assert isinstance(refused, Refused), refused
        return refused.reason

    async def join_by_voucher(self, mac: MacAddress, *, lasts_ms: int = DAY_MS) -> AccountId:
        (code,) = await self.codes(lasts_ms=lasts_ms)
        return await self.join(mac, CodeTyped(code))

    async def join_by_card(self, mac: MacAddress, account: str = "ana") -> AccountId:
        return await self.join(mac, CardShown(self.card(account)))

    async def join_by_passphrase(self, mac: MacAddress, account: str = "ana") -> AccountId:
        await self.give_passphrase(account)
        return await self.join(mac, PassphraseTyped(account, PASSPHRASE))

    async def join_by_introduction(self, mac: MacAddress, sponsor: MacAddress) -> AccountId:
        """`sponsor` is a member's device with a session."""
        host = self.portal.guest(sponsor).account
        assert host is not None
        await self.ask(mac, host)
        number = self.portal.guest(sponsor).requests[-1].number
        assert await self.portal.answer(sponsor, number, yes=True) is None
        account = self.portal.guest(mac).account
        assert account is not None
        return account

    async def ask(self, mac: MacAddress, host: str = "ana", name: str = "Carla") -> None:
        """The device waits for the member `host`."""
        assert await self.portal.ask(mac, host, name, self.portal.community().terms_version) is None

    async def give_passphrase(self, account: str = "ana") -> None:
        """`PASSPHRASE`, with a hash that costs little."""
        rows = self.loop.registry.set_passphrase(AccountId(account), cheap_hash(PASSPHRASE))
        assert not isinstance(rows, Rejected)
        await self.loop.remember(rows)

    def issue(self, count: int = 1, *, lasts_ms: int = DAY_MS, devices_max: int = 0) -> IssueResult:
        wish = Batch(0, "day-pass", Milliseconds(lasts_ms), devices_max, "", "issuer, Pere")
        issued = self.loop.registry.vouchers.issue(wish, count, self.loop.today())
        assert isinstance(issued, IssueResult)
        return issued

    async def codes(self, count: int = 1, *, lasts_ms: int = DAY_MS, devices_max: int = 0) -> list[str]:
        issued = self.issue(count, lasts_ms=lasts_ms, devices_max=devices_max)
        await self.loop.remember(issued.changes)
        return [shown(code) for code in issued.codes]

    async def revoked_code(self) -> str:
        issued = self.issue()
        await self.loop.remember(issued.changes)
        (code,) = issued.codes
        voucher = self.loop.registry.vouchers.find(code)
        assert voucher is not None
        revoked = self.loop.registry.vouchers.revoke([voucher.fingerprint], self.node.clock.now)
        await self.loop.remember(revoked.changes)
        return shown(code)

    async def ended_code(self, mac: MacAddress = DOT) -> str:
        """Used by this device; ten minutes pass."""
        (code,) = await self.codes(lasts_ms=10 * 60_000)
        await self.join(mac, CodeTyped(code))
        await self.pass_time(10 * 60_000)
        return code

    def card(self, account: str = "ana", last_day: str = "2027-11-24") -> str:
        card = self.loop.registry.next_card(AccountId(account), self.loop.today(), last_day)
        assert not isinstance(card, Rejected)
        return make_card(KEY, COMMUNITY, card)

    # --- what happens later ---

    async def pass_time(self, milliseconds: int) -> None:
        """Returns when the loop has done what is due."""
        self.node.pass_time(milliseconds)
        await self.settle()

    async def settle(self) -> None:
        """Returns when a whole turn of the loop has begun and ended, and its plan is applied."""
        wanted, applier = self.node.kernel.read_count + 3, self.loop._plan_applier
        async with asyncio.timeout(DEADLINE_S):
            while self.node.kernel.read_count < wanted or not applier.is_done:
                self.loop._hurry.set()  # the next turn need not wait for the interval
                await asyncio.sleep(0.001)

    async def expire(self, mac: MacAddress) -> None:
        """Time passes until the device's session ends."""
        left = self.portal.guest(mac).seconds_left
        assert left is not None
        await self.pass_time((left + 1) * 1_000)
        assert isinstance(self.loop.session_table.state(mac), session_state.Expired)

    async def block(self, mac: MacAddress, because: str) -> None:
        """As an admin does it to a device that has or had a session."""
        await self.loop.block(mac, because)

    async def use(self, mac: MacAddress, *, down: int = 0, up: int = 0) -> None:
        """Traffic to and from the Internet, which is counted when this returns."""
        assert self.node.kernel.send(mac, down=down, up=up)
        await self.settle()

    async def transfer(self, loads: Mapping[MacAddress, tuple[int, int]]) -> None:
        """For one second each device downloads and uploads this many bytes; returns when the rates are known."""
        await self._rated()
        for mac, (down, up) in loads.items():
            assert self.node.kernel.send(mac, down=down, up=up)
        await self._rated()

    async def slow_down(self, rates: Rates) -> None:
        """The line carries only that: packets wait in it until less is shared. The rules say that its rate is measured."""
        control, policy = self.loop.uplink_rate_control, self.loop.effective_policy
        assert policy.present is not None
        control._step_s = 0.001
        await self._look_at_line(policy.present, 0)
        for _ in range(20):
            await self._look_at_line(rates, 100_000)
        half = Rates(BitsPerSecond(rates.down // 2), BitsPerSecond(rates.up // 2))
        for _ in range(10):
            await self._look_at_line(half, 0)
        control._step_s = 0.05
        await self.settle()

    async def _look_at_line(self, carried: Rates, waits_us: int) -> None:
        """A tenth of a second passes, in which a probe waits so long in each direction."""
        prober, clock = self.node.prober, self.node.clock

        def seen(_target: int) -> Sample:
            now, trip = clock.monotonic() * 1_000, 4_000 + 2 * waits_us
            far = now - trip + 2_000 + waits_us
            return Sample(carried, [RoundTrip(Microseconds(now - trip), Microseconds(now), far, far)])

        self.node.pass_time(100)
        before, prober.seen = prober.observed, seen
        async with asyncio.timeout(DEADLINE_S):
            while prober.observed <= before:
                await asyncio.sleep(0.001)

    async def _rated(self) -> None:
        """A second passes, at whose end the counters are read and the plan that follows is applied."""
        self.node.pass_time(1_000)
        applier = self.loop._plan_applier
        async with asyncio.timeout(DEADLINE_S):
            while self.loop._rated_ms != self.node.clock.monotonic() or not applier.is_done:
                self.loop._hurry.set()  # the next turn need not wait for the interval
                await asyncio.sleep(0.001)

    async def write_rules(self, text: str) -> None:
        """The rule file is edited by hand; it is in force if it is valid, or fits the members no less than before."""
        self.files.rules.write_text(text)
        await self.files.look(self.loop, self.adoption.record, "an edit of the file")

    async def adopt(self, rules: str = "", *, members: str = MEMBERS) -> None:
        """Puts the base rules with these in force, and these members."""
        await self.loop.adopt(ruleset_of(RULES + rules, members), directory_of(members))

    async def save_terms(self, *texts: TermsText) -> str:
        """New terms, as an admin saves them; returns their version."""
        first = self.node.config.node.terms_version
        adopted = self.loop.registry.terms.adopt(texts, self.loop.today(), "admin", not_below=first)
        assert isinstance(adopted, Terms), adopted
        await self.loop.remember((adopted,))
        return adopted.version

    async def put_up(self, *notices: Notice) -> None:
        """Notices, as an admin saves them."""
        for notice in notices:
            put_up = self.loop.registry.notices.put_up(notice)
            assert isinstance(put_up, Notice), put_up
            await self.loop.remember((put_up,))

    def hear_notices(self, node: NodeId, *notices: Notice) -> None:
        """Notices for all nodes, as the pages of this node say them."""
        for part, notice in enumerate(notices):
            self.loop.registry.heard_notices.hear(node, part, notice)

    def look_like(self, appearance: Appearance) -> None:
        """The community's appearance, as an admin saves it, without storing it."""
        self.loop.registry.appearance = appearance

    async def answer_objection(self, number: int, text: str) -> None:
        answered = self.loop.registry.objections.answer(number, text, self.loop.today())
        assert answered is not None
        await self.loop.remember((answered,))


class AppFixture:
    """Everything that outlives a run of the daemon: database, kernel, clock, files, settings."""

    def __init__(
        self,
        memories: Callable[[], Repository] | None = None,
        folder: Path = NOWHERE,
        joining: str = "",
        rules: str = "",
        *,
        rules_text: str = RULES,
        members: str = MEMBERS,
        session_ms: Milliseconds | None = SESSION_MS,
        tick_s: float = 0.002,
        guest_account: Callable[[MacAddress], AccountId] = guest_account,
    ) -> None:
        """`memories` opens the repository again, as each run of the daemon does; by default it is in memory. Only the
        admin service uses the folder. `rules` and `joining` are added to `rules_text`."""
        self.kernel, self.clock, self.repository = FakeKernel(), FakeClock(), FakeRepository()
        self.archive = FakeArchive(self.repository)
        self.peers: tuple[PeerView, ...] = ()
        """Neighbours that the mesh reports."""
        self.asked = AskedVillage()
        self.node_pages: dict[NodeId, NodeFacts] = {}
        """What the community's nodes say of themselves."""
        self.uses: tuple[LinkUse, ...] = ()
        """Of this node's links that are counted."""
        self.warnings: tuple[str, ...] = ()
        self.alert_readings = AlertReadings()
        """What the next look of the alerts finds."""
        self.languages = {"en": "English", "ca": "Català"}
        """Of the parts that are not here, such as the clock's."""
        self._memories = memories or (lambda: self.repository)
        self.folder, self.rules_text, self.members_text = folder, rules_text + rules + joining, members
        self.down_since: Monotonic | None = None
        self.removed_nodes: tuple[str, ...] = ()
        """Since when the uplink is down."""
        self.portal_url = ""
        self.portal_runs = True
        self.admins = 2
        """With accounts, as the adoption of rules counts them."""
        self.admin_fingerprint = ""
        self.backups = FakeBackups()
        self.mesh_addresses = (Address("fd00::7", 7400),)
        """Of this node."""
        self.key_copies: tuple[str, ...] = ()
        """Warnings of the mesh that several machines use one node key."""
        self.services: tuple[ServiceView, ...] = ()
        self._session_ms, self._tick_s, self._guest_account = session_ms, tick_s, guest_account
        self._lives = itertools.count(1)
        self.prober = FakeProber()
        self.config: NodeConfig = parsed_settings()
        self.member_directory: MemberDirectory = directory_of(members)
        self.book = ruleset_of(self.rules_text, members)

    @cached_property
    def community(self) -> CommunityService:
        """With the list of nodes in the settings, and no record until one is followed."""
        return CommunityService(
            own=own_node_id(KEY),
            listed=self.config.community.nodes,
            store=FakeStatementStore(),
            secret=bytes(32),
            secret_store=FakeSecretStore(),
        )

    def configure(self, section: str, **settings: object) -> None:
        """Changes settings of one section of node.toml, for the next run."""
        changed = replace(getattr(self.config, section), **settings)
        self.config = replace(self.config, **{section: changed})

    @asynccontextmanager
    async def life(self, *, killed: bool = False) -> AsyncIterator[UseCases]:
        """One run of the daemon; with `killed` it ends without a last write."""
        use_cases = self.use_cases()
        loop = use_cases.loop
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(loop.run())
            await asyncio.wait_for(loop.ready.wait(), 60)
            if killed:
                loop.persistence.flush = _say_nothing  # type: ignore[method-assign]
            yield use_cases
            running.cancel()

    def use_cases(self) -> UseCases:
        """The services of one run whose loop is not started: nobody has joined, and nobody can."""
        loop = self._loop()
        files = FilesOfTests(self.folder / "rules.toml", self.folder / "members.toml")
        adoption = RuleAdoption(
            loop,
            files,
            self.archive,
            self.clock,
            confirm_timeout=Milliseconds(10 * 60_000),
            portal_runs=lambda: self.portal_runs,
            admins=lambda: self.admins,
        )
        portal = AccountService(
            loop,
            self.config,
            self.clock,
            new_salt=lambda: b"s" * 16,
            kept=KEPT,
            services=lambda: self.services,
            portal_url=lambda: self.portal_url,
            down_since=lambda: self.down_since,
            removed_nodes=lambda: self.removed_nodes,
            intervals_of=self.intervals_of,
            archive=self.archive,
            next_rules=NextRulesService(
                loop,
                adoption,
                self.clock,
                confirmed=lambda: files.confirmed(loop),
                read_intervals=self.read_intervals,
                node=self.config.node.name,
            ),
        )
        return UseCases(self, loop, portal, files, adoption)

    def read_intervals(self, since: int, until: int) -> Iterator[tuple[datetime, AccountUsage]]:
        for begun, usage in sorted(self.repository.intervals.items()):
            if since <= begun < until:
                yield datetime.fromtimestamp(begun, UTC), usage

    async def intervals_of(
        self, account: AccountId, since: int, until: int
    ) -> list[tuple[int, IntervalUsage]]:
        found = sorted(self.repository.intervals.items())
        return [
            (begun, usage[account]) for begun, usage in found if account in usage and since <= begun < until
        ]

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
            prober=self.prober,
            kernel=self.kernel,
            repository=self._memories(),
            clock=self.clock,
            firewall=FirewallConfig("lan0", "wan0", 2080),
            node=NodeId(own_node_id(KEY)),
            active_ruleset=self.book,
            member_directory=self.member_directory,
            registry=make_registry(
                lambda: loop.effective_policy.member_directory,
                nodes=frozenset({own_node_id(KEY)}),
                guest=self._guest_account,
                seed=next(self._lives),
            ),
            guest_account=self._guest_account,
            session_ms=self._session_ms,
            tick_s=self._tick_s,
        )
        return loop


@cache
def parsed_settings() -> NodeConfig:
    """Its folders do not exist: nothing here reads a path from the settings."""
    nodes, key = (own_node_id(KEY),), NOWHERE / "community.key"
    config, findings = parse_config(
        node_toml(Settings("square", NOWHERE, "10.77.0.1", "fd77::1", nodes, key, ()))
    )
    assert config is not None, findings
    return config


@cache
def directory_of(members: str) -> MemberDirectory:
    member_directory, findings = parse_members(members)
    assert member_directory is not None, findings
    return member_directory


@cache
def ruleset_of(rules: str, members: str = MEMBERS) -> ActiveRuleset:
    book = load_active_ruleset(rules, directory_of(members))
    assert isinstance(book, ActiveRuleset), book
    return book


def make_passphrases_cheap(monkeypatch: "pytest.MonkeyPatch") -> None:
    """Every hash costs as little as those of `cheap_hash`."""
    real = member_passphrases._scrypt
    monkeypatch.setattr(member_passphrases, "_scrypt", lambda text, salt, *_cost: real(text, salt, *CHEAP))


def cheap_hash(passphrase: str) -> str:
    """As `node.accounts.member_passphrases.hash_passphrase` makes it, at a thousandth of its cost."""
    salt, (n, r, p) = b"s" * 16, CHEAP
    raw = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode())
    return f"scrypt:{n}:{r}:{p}:{b64encode(salt).decode()}:{b64encode(raw).decode()}"


async def _say_nothing(_now: object, *, is_all: bool = True) -> None:
    """A killed daemon stores nothing more."""

"""Random communities for property tests from a rule file to the kernel: rules, members, who is online, usage,
and whether the clock is known.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from node.accounting.ledger import Ledger, UsageBucket, UsageKey
from node.accounts.voucher_store import IssueResult
from node.accounts.vouchers import Batch
from node.control.active_ruleset import load_active_ruleset
from node.control.effective_policy import EffectivePolicy
from node.enforcement.plan import FirewallConfig, TrafficPlan
from node.governance.allowance import Moment
from node.governance.members import MemberDirectory, parse_members
from node.governance.rule_tests import moment_at
from node.governance.rules import ActiveRuleset, Ruleset
from node.sessions import state as session_state
from node.units import AccountId, BitsPerSecond, Bytes, MacAddress, Milliseconds, NodeId, Rates, Usage
from tests.fakes.members import guest_account, make_registry
from tests.fakes.repository import FakeClock

FIREWALL = FirewallConfig("lan0", "wan0", 2080)
TIERS = ("member", "host", "kid")
GROUPS = ("school", "mast")
HOURS = (
    "daily 18:00-23:00",
    "mon-fri 08:00-16:00",
    "sat,sun 00:00-24:00",
    "daily 22:00-06:00",
    "mon-fri 08:00-16:00 except holidays",
)
CALENDAR = '[calendar]\nholidays = ["2026-06-03", "2026-06-05..2026-06-08"]\n'
DATES = (
    'from = "2026-06-04"',
    'expires = "2026-06-05"',
    'from = "2026-06-03"\nexpires = "2026-06-08"',
    'expires = "D-1 + 12 months"',
)
LIFELINES = ((64, 32), (100, 50), (256, 96), (512, 128))
GUEST_LIFELINES = ((64, 32), (256, 96), (1_000, 256))
LINES = ((4_000, 1_000), (10_000, 4_000), (40_000, 8_000), (300_000, 300_000))
RATES = (10, 64, 128, 300, 1_000, 4_000, 20_000)
USED = Bytes(5 * 10**9)
"""Usage of an account that used much, in every period; quotas are above it or below it."""


@dataclass(frozen=True, slots=True)
class Community:
    """The texts of its files, and its state at one moment."""

    rules: str
    members: str
    accounts: tuple[str, ...]
    """Members who are online."""
    guests: int
    vouchers: tuple[str, ...]
    """Groups of guests who joined with a voucher."""
    heavy: frozenset[str]
    """Accounts that have used `USED`."""
    minute: int
    clock: str
    busy: bool = False
    """Whether the line is busy."""
    node: str = ""
    """The node's name; some rules are for the node mill alone."""


def rates_text(down: int, up: int) -> str:
    return f"{down} kbit/s down, {up} kbit/s up"


@st.composite
def _rates(draw: st.DrawFn) -> str:
    return rates_text(draw(st.sampled_from(RATES)), draw(st.sampled_from(RATES)))


class _File:
    """A rule file under construction."""

    def __init__(
        self, draw: st.DrawFn, counts: dict[str, int], lifeline: tuple[int, int], *, is_stated: bool
    ) -> None:
        self._is_stated = is_stated
        self._draw, self._counts, self._lifeline = draw, counts, lifeline
        self.text, self._number = "", 0

    def _sometimes(self, *, of: int = 2) -> bool:
        return self._draw(st.integers(1, of)) == 1

    def ceiling(self) -> str:
        """Perhaps with a burst."""
        down, up = (self._draw(st.sampled_from(RATES)) for _ in range(2))
        text = f'ceiling = "{rates_text(down, up)}"'
        if not self._sometimes(of=3):
            return text
        factor = self._draw(st.sampled_from([1, 2, 4]))
        burst = f"{rates_text(2 * down, up * factor)} for {self._draw(st.sampled_from([5, 60]))} s"
        return f'{text}\nburst = "{burst}"'

    def add(self, body: str, who: str = "", *, timed: bool = False, loaded: bool = False) -> str:
        """`timed`: with hours; `loaded`: perhaps only while the line is busy."""
        self._number += 1
        name = f"r{self._number}"
        people = f'who = "{who}"\n' if who else ""
        when = f'when = "{self._draw(st.sampled_from(HOURS))}"\n' if timed else ""
        if timed and self._sometimes(of=3):
            when = f"{self._draw(st.sampled_from(['', when]))}{self._draw(st.sampled_from(DATES))}\n"
        when += 'while = "busy"\n' if loaded and self._sometimes(of=3) else ""
        when += 'at = "node:mill"\n' if "together" not in body and self._sometimes(of=8) else ""
        self.text += f'[[rule]]\nid = "{name}"\nby = "D-1"\n{people}{when}{body}\n'
        return name

    def people(self, who: str) -> None:
        """Rules for one tier alone."""
        weight = self._draw(st.sampled_from([20, 50, 100, 300]))
        is_pool = self._sometimes()
        if is_pool:
            share = self.add(f"share = {weight}\ntogether = true", who)
            self._pool(who)
        else:
            share = self.add(f"share = {weight}", who)
            if self._sometimes(of=3):
                self.add(f'floor = "{self._draw(_rates())}"', who, timed=self._sometimes())
        if self._sometimes(of=4):
            other = self._draw(st.sampled_from([10, 150, 400]))
            self.add(f'share = {other}\nexception_to = "{share}"', timed=True, loaded=True)
        if self._sometimes(of=3):
            top = self.add(self.ceiling(), who, timed=self._sometimes(), loaded=True)
            if self._sometimes():
                self.add(f'ceiling = "none"\nexception_to = "{top}"', timed=True, loaded=True)

    def _pool(self, who: str) -> None:
        """A floor and a ceiling for a whole pool, near the sum of its lifelines."""
        many = max(1, self._counts.get(who, 1))
        if self._sometimes(of=5):
            return
        extra = self._draw(st.sampled_from([0, 0, 0, 500, 3_000]))
        down, up = (one * many + extra for one in self._lifeline)
        floor = f'floor = "{rates_text(down, up)}"'
        if self._is_stated and self._sometimes(of=4):
            floor = f'reserve = "{self._draw(st.integers(1, 60))} percent"'
        self.add(f"{floor}\ntogether = true", who)
        if self._sometimes(of=3):
            times = self._draw(st.sampled_from([1, 2, 10]))
            burst = rates_text(down * times * 2, up * times)
            burst = f'burst = "{burst} for 30 s"\n' if self._sometimes(of=3) else ""
            top = f'ceiling = "{rates_text(down * times, up * times)}"\n{burst}together = true'
            self.add(top, who, loaded=True)

    def quotas(self, who: str) -> None:
        volume = self._draw(
            st.sampled_from(["1 GB per day", "2 GB per month", "90 GB per week", "3 GB per 7 days"])
        )
        then = f"share {self._draw(st.sampled_from([1, 10, 50]))}"
        if self._sometimes():
            then = f"ceiling {self._draw(_rates())}"
        then = "tell" if self._sometimes(of=6) else f"{then} until reset"
        counts = self._draw(st.sampled_from(["uplink", "uplink while busy"]))
        body = f'quota = "{volume}"\ncounts = "{counts}"\nthen = "{then}"'
        self.add(body, who, timed=self._sometimes(of=4))

    def guests(self) -> None:
        share = self._draw(st.sampled_from(["share = 200\ntogether = true", "share = 50", ""]))
        if share:
            self.add(share, "tier:guest")
        if self._sometimes(of=3):
            self.add(self.ceiling(), "tier:guest", timed=self._sometimes(), loaded=True)
        if self._sometimes(of=4):
            self.add(f'floor = "{self._draw(_rates())}"', "tier:guest")

    def groups(self) -> None:
        for group in GROUPS:
            if self._sometimes(of=3):
                self.add(f'floor = "{self._draw(_rates())}"', f"group:{group}", timed=True)
            if self._sometimes(of=4):
                self.add(self.ceiling(), f"group:{group}", timed=True, loaded=True)
            if self._sometimes(of=4):
                self.quotas(f"group:{group}")
            if self._sometimes(of=3):
                more = self._draw(st.sampled_from([10, 50, 5_000]))
                self.add(f'credit = "share +{more}"', f"group:{group}", timed=self._sometimes())

    def dues(self) -> None:
        """Rules for people whose dues are late."""
        if self._sometimes():
            self.add(self.ceiling(), "dues:late", timed=self._sometimes(of=3))
        if self._sometimes(of=4):
            self.add(f'floor = "{self._draw(_rates())}"', "dues:late")
        if self._sometimes(of=4):
            self.quotas("dues:late")


@st.composite
def communities(draw: st.DrawFn) -> Community:
    """Most of them pass the checks, many of those only just."""
    tiers = [draw(st.sampled_from(TIERS)) for _ in range(draw(st.integers(0, 10)))]
    member_directory, members = [], ""
    for number, tier in enumerate(tiers):
        account = f"a{number}"
        groups = draw(st.lists(st.sampled_from(GROUPS), max_size=1))
        quoted = ", ".join(f'"{group}"' for group in groups)
        members += f'[[account]]\nid = "{account}"\ntier = "{tier}"\ngroups = [{quoted}]\n'
        members += f'devices = ["02:00:00:00:01:{number:02x}"]\n'
        members += draw(st.sampled_from(["", 'paid_until = "2026-05-01"\n', 'paid_until = "2026-12-31"\n']))
        member_directory.append(account)
    lifeline, guest = draw(st.sampled_from(LIFELINES)), draw(st.sampled_from(GUEST_LIFELINES))
    line = draw(st.sampled_from(LINES))
    text = '[ruleset]\ncommunity = "c"\nversion = 1\ndecision = "D-1"\n'
    if draw(st.integers(1, 8)) > 1:
        text += f'[uplink.main]\ndown = "{line[0]} kbit/s"\nup = "{line[1]} kbit/s"\nusable_percent = 80\n'
    text += f'[charter]\nlifeline = "{rates_text(*lifeline)}"\nguest_lifeline = "{rates_text(*guest)}"\n'
    text += f"max_weight_ratio = {draw(st.sampled_from([1, 4, 50]))}\n"
    text += draw(st.sampled_from(["", "", "overbook_percent = 150\n"]))
    file = _File(
        draw, {f"tier:{tier}": tiers.count(tier) for tier in TIERS}, lifeline, is_stated="[uplink" in text
    )
    for tier in TIERS:
        if draw(st.integers(1, 3)) > 1:
            file.people(f"tier:{tier}")
        if draw(st.integers(1, 3)) == 1:
            file.quotas(draw(st.sampled_from([f"tier:{tier}", "everyone"])))
    file.guests()
    file.groups()
    file.dues()
    return Community(
        rules=text + file.text + CALENDAR,
        members=members,
        accounts=tuple(account for account in member_directory if draw(st.integers(1, 5)) > 1),
        guests=draw(st.integers(0, 3)),
        vouchers=tuple(draw(st.lists(st.sampled_from(GROUPS), max_size=2))),
        heavy=frozenset(account for account in member_directory if draw(st.booleans())),
        minute=draw(st.integers(0, 10 * 24 * 60 - 1)),
        clock=draw(st.sampled_from(["synced", "holdover", "unknown"])),
        busy=draw(st.booleans()),
        node=draw(st.sampled_from(["", "mill"])),
    )


def is_accepted(community: Community) -> bool:
    return isinstance(
        load_active_ruleset(community.rules, member_directory_of(community.members)), ActiveRuleset
    )


ACCEPTED = communities().filter(is_accepted)
"""Communities whose rules the real checks accept."""


def member_directory_of(members: str) -> MemberDirectory:
    member_directory, findings = parse_members(members)
    assert member_directory is not None, findings
    return member_directory


class PolicyAt(EffectivePolicy):
    """The effective policy at a moment that the test chose."""

    at: Moment

    def moment(self) -> Moment:
        return self.at


def effective_policy_of(community: Community, members: str | None = None) -> PolicyAt:
    """The effective policy of everybody who is online, with the real checks, registry, session table and
    ledger. `members`: the members file has changed to this since the rules were adopted.
    """
    adopted = load_active_ruleset(community.rules, member_directory_of(community.members))
    assert isinstance(adopted, ActiveRuleset), adopted
    member_directory, clock, ledger = (
        member_directory_of(community.members if members is None else members),
        FakeClock(),
        Ledger(),
    )
    day = "" if community.clock == "unknown" else clock.today()
    for account in community.heavy:
        used = Usage(USED, Bytes(0))
        ledger.merge(
            UsageKey(NodeId("n"), "1", AccountId(account), day), UsageBucket(used, used)
        ) if day else None
    registry = make_registry(lambda: member_directory)
    standing = PolicyAt(
        active_ruleset=adopted,
        member_directory=member_directory,
        registry=registry,
        ledger=ledger,
        clock=clock,
        guest_account=guest_account,
        session_ms=None,
    )
    standing.at = Moment(  # type: ignore[arg-type]
        moment_at(community.minute).at, community.clock, community.busy, community.node
    )
    macs = [
        mac for mac, account in member_directory.devices.items() if account in community.accounts or members
    ]
    macs += [MacAddress(f"02:00:00:00:02:{n:02x}") for n in range(community.guests)]
    for number, group in enumerate(community.vouchers):
        macs.append(mac := MacAddress(f"02:00:00:00:03:{number:02x}"))
        wish = Batch(0, group, Milliseconds(3_600_000), 0, "", "issuer")
        issued = registry.vouchers.issue(wish, 1, "2026-11-24")
        assert isinstance(issued, IssueResult)
        registry.enter_by_code(mac, issued.codes[0].text, ("voucher",), instant(clock))
    for mac in macs:
        standing.session_table.handle(mac, session_state.SessionGranted("1", None), clock.now)
        standing.welcome(mac)
    standing.evaluate_all()
    return standing


def plan_of(standing: EffectivePolicy) -> TrafficPlan:
    """As the control loop makes it, for the sessions authorized now."""
    planned = standing.draft(FIREWALL).planned()
    standing.take_plan(planned)
    return planned.plan


def lifeline_of(ruleset: Ruleset) -> Rates:
    """The lifeline in the rule file, and the built-in one below it; computed here independently of the tested
    code.
    """
    least = Rates(BitsPerSecond(64_000), BitsPerSecond(32_000))
    said = ruleset.charter.lifeline
    return Rates(max(said.down, least.down), max(said.up, least.up))


def guest_lifeline_of(ruleset: Ruleset) -> Rates:
    return ruleset.charter.guest_lifeline


def instant(clock: FakeClock):  # type: ignore[no-untyped-def]
    from node.units import Now

    return Now(clock.now, "boot", None, "2026-11-24")

"""The effective policy: rules, voucher and node.toml determine the end of a session and the number of devices."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.ledger import Ledger
from node.accounts.voucher_store import IssueResult
from node.accounts.vouchers import Batch
from node.control.active_ruleset import load_active_ruleset
from node.control.effective_policy import EffectivePolicy
from node.enforcement.htb_classes import ALL_GUARANTEED
from node.governance.members import NO_MEMBERS, parse_members
from node.governance.rules import ActiveRuleset
from node.sessions import state as session_state
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, Now
from tests.fakes.communities import plan_of
from tests.fakes.members import guest_account, make_registry
from tests.fakes.repository import FakeClock
from tests.fakes.use_cases import ANA, BEN, HOUR_MS, RULES

SESSION = '[[rule]]\nid = "visits"\nsession = "{} minutes"\nwho = "{}"\nby = "D-1"\n'
DEVICES = '[[rule]]\nid = "few"\ndevices = {}\nwho = "group:day-pass"\nby = "D-1"\n'


class PolicyFixture:
    """An effective policy with everything that it reads."""

    def __init__(self, rules: str = "", session_ms: int | None = 4 * HOUR_MS, node_name: str = "") -> None:
        book = load_active_ruleset(RULES + rules, NO_MEMBERS)
        assert isinstance(book, ActiveRuleset), book
        self.clock, self.registry = FakeClock(), make_registry()
        self.standing = EffectivePolicy(
            active_ruleset=book,
            member_directory=NO_MEMBERS,
            registry=self.registry,
            ledger=Ledger(),
            clock=self.clock,
            guest_account=guest_account,
            session_ms=None if session_ms is None else Milliseconds(session_ms),
            node_name=node_name,
        )

    def now(self) -> Now:
        return Now(self.clock.now, "boot", None, "2026-11-24")

    def use_voucher(self, mac: MacAddress, lasts_ms: int, devices_max: int = 0) -> AccountId:
        wish = Batch(0, "day-pass", Milliseconds(lasts_ms), devices_max, "", "issuer")
        issued = self.registry.vouchers.issue(wish, 1, "2026-11-24")
        assert isinstance(issued, IssueResult)
        self.registry.enter_by_code(mac, issued.codes[0].text, ("voucher",), self.now())
        return self.standing.account_of(mac)

    def session_end(self, mac: MacAddress) -> Monotonic | None:
        account = self.standing.account_of(mac)
        return self.standing.session_end(account, self.standing.policy_for(account), self.clock.now)

    def lasts(self, mac: MacAddress) -> int | None:
        """Length in milliseconds of a session that begins now."""
        ends = self.session_end(mac)
        return None if ends is None else ends - self.clock.now

    def let_in(self, mac: MacAddress) -> None:
        now, ends = self.clock.now, self.session_end(mac)
        lasts_ms = None if ends is None else Milliseconds(ends - now)
        self.standing.session_table.handle(mac, session_state.SessionGranted("1", lasts_ms), now)
        self.standing.welcome(mac)


def test_a_session_lasts_as_a_rule_says_or_else_as_node_toml_says() -> None:
    assert 4 * HOUR_MS == PolicyFixture().lasts(ANA)
    assert 90 * 60_000 == PolicyFixture(SESSION.format(90, "tier:guest")).lasts(ANA)
    assert None is PolicyFixture(session_ms=None).lasts(ANA)


def test_a_voucher_lasts_as_it_says_whatever_node_toml_says() -> None:
    for session_ms in (None, HOUR_MS):
        place = PolicyFixture(session_ms=session_ms)
        place.use_voucher(ANA, 10 * HOUR_MS)
        place.clock.pass_time(HOUR_MS)
        assert 9 * HOUR_MS == place.lasts(ANA)


@given(st.integers(30, 600), st.integers(1, 20))
def test_no_session_is_longer_than_the_rule_or_the_voucher(minutes: int, hours: int) -> None:
    place = PolicyFixture(SESSION.format(minutes, "group:day-pass"))
    place.use_voucher(ANA, hours * HOUR_MS)
    assert min(minutes * 60_000, hours * HOUR_MS) == place.lasts(ANA)


def test_the_lower_device_limit_applies() -> None:
    for rule, voucher, most in ((0, 0, None), (3, 0, 3), (0, 2, 2), (3, 2, 2), (2, 3, 2)):
        place = PolicyFixture(DEVICES.format(rule) if rule else "")
        account = place.use_voucher(ANA, HOUR_MS, voucher)
        assert most == place.standing.devices_max(account, place.standing.policy_for(account))


def test_a_vouchers_account_is_in_the_group_of_its_batch() -> None:
    place = PolicyFixture()
    account = place.use_voucher(ANA, HOUR_MS)
    assert frozenset({"day-pass"}) == place.standing.unit(account).groups
    assert frozenset() == place.standing.unit(AccountId("guest-0a")).groups


def test_when_a_voucher_is_revoked_the_sessions_of_its_devices_end() -> None:
    place = PolicyFixture()
    place.use_voucher(ANA, HOUR_MS)
    for mac in (ANA, BEN):
        place.let_in(mac)
    names = [voucher.fingerprint for voucher in place.registry.vouchers.of_batch(1)]
    place.registry.vouchers.revoke(names, place.clock.now)
    assert (ANA,) == place.standing.end_vouchers((ANA, BEN), place.clock.now)
    assert (ANA,) == place.standing.ended(place.clock.now)
    assert () == place.standing.end_vouchers((ANA, BEN), place.clock.now), "said once"


def test_a_new_device_has_a_class_before_the_next_tick() -> None:
    place = PolicyFixture()
    place.use_voucher(ANA, HOUR_MS)
    place.let_in(ANA)
    plan = plan_of(place.standing)
    assert plan.admitted[ANA].class_minor in plan.classes
    assert ALL_GUARANTEED == place.standing.kept()


def test_a_session_ends_at_its_end_and_not_before() -> None:
    place = PolicyFixture()
    place.let_in(ANA)
    end = Monotonic(place.clock.now + 4 * HOUR_MS)
    assert () == place.standing.ended(Monotonic(end - 1))
    assert (ANA,) == place.standing.ended(end)


def test_late_dues_change_what_applies_and_not_which_groups_an_account_is_in() -> None:
    """The clock says 24 November 2026."""
    late = '[[rule]]\nid = "late"\ndevices = 1\nwho = "dues:late"\nby = "D-1"\n'
    place, ana = PolicyFixture(late), AccountId("ana")
    directory, _ = parse_members('[[account]]\nid = "ana"\npaid_until = "2026-11-09"\n')
    assert directory is not None
    place.standing.adopt(place.standing.active_ruleset, directory)
    assert frozenset() == place.standing.unit(ana).groups
    assert place.standing.is_late(ana)
    assert 1 == place.standing.devices_max(ana, place.standing.policy_for(ana))
    now = place.standing.moment()
    before = place.standing.allowance_at(ana, replace(now, at=now.at - timedelta(days=1)))
    assert None is before.devices
    place.clock.trust = "unknown"
    assert not place.standing.is_late(ana)
    assert None is place.standing.devices_max(ana, place.standing.policy_for(ana))


def test_a_ceiling_of_each_and_one_of_all_while_the_line_is_busy_both_count() -> None:
    """Otherwise the line would not be busy as soon as guests are at the one of all, and busy again when it ends."""
    ceilings = "".join(
        f'[[rule]]\nid = "{name}"\nceiling = "{rate} Mbit/s down, {rate} Mbit/s up"\nwho = "tier:guest"\n'
        f'while = "busy"\nby = "D-1"\n{more}'
        for name, rate, more in (("busy-each", 2, ""), ("busy-all", 3, "together = true\n"))
    )
    place = PolicyFixture(ceilings)
    place.let_in(ANA)
    assert [] == list(place.standing.busy_ceilings())
    assert place.standing.take_load(busy=True)
    place.standing.evaluate_all()
    found = sorted(each.ceiling.down for each in place.standing.busy_ceilings())
    assert [2_000_000, 3_000_000] == found


def test_rules_for_one_node_apply_at_the_node_with_that_name():
    rules = '[[rule]]\nid = "two"\nby = "D-1"\nwho = "everyone"\ndevices = 2\nat = "node:library"\n'
    found = {}
    for name in ("library", "Library", "mill", ""):
        place = PolicyFixture(rules, node_name=name)
        devices = place.standing.policy_for(guest_account(MacAddress("02:00:00:00:00:01"))).devices
        found[name] = devices and devices.value
    assert {"library": 2, "Library": None, "mill": None, "": None} == found


MILL = """
[uplink.mill]
down = "20 Mbit/s"
up = "5 Mbit/s"
[[rule]]
id = "mill-top"
ceiling = "2 Mbit/s down, 1 Mbit/s up"
who = "everyone"
uplink = "mill"
by = "D-1"
"""


def test_nodes_of_one_file_share_the_line_of_which_they_are_the_gateway():
    plans, ceilings = {}, {}
    for name in ("main", "mill"):
        fixture = PolicyFixture(MILL)
        book = replace(fixture.standing.active_ruleset, uplink_name=name)
        fixture.standing.adopt(book, NO_MEMBERS)
        policy = fixture.standing.policy_for(fixture.standing.account_of(ANA))
        ceilings[name] = policy.ceiling.rule if policy.ceiling else None
        plans[name] = plan_of(fixture.standing).uplink
    assert "mill-top" == ceilings["mill"] != ceilings["main"]
    assert (17_000_000, 4_750_000) == (plans["mill"].down, plans["mill"].up)
    assert plans["main"] == plan_of(PolicyFixture().standing).uplink

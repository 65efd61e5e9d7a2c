"""Effective policy (RFC 2753): the rules in force, applied to the account of each device."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from node.accounting.ledger import Ledger
from node.accounting.periods import period_name
from node.accounts.changes import Batch, Binding, Change, SavedVoucher, Unbound
from node.accounts.registry import AccountRegistry
from node.control.accounting_cycle import CycleResult
from node.control.binding_times import BindingTimes
from node.control.plan_draft import PlanDraft, PlannedTraffic
from node.control.ports import Clock
from node.control.rates import BusyCeiling
from node.enforcement.htb_classes import GuaranteedParts, Promises
from node.enforcement.plan import FirewallConfig, ShapedClass
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.ladders import steps_said
from node.governance.members import MemberDirectory
from node.governance.rule_evaluation import Evaluator
from node.governance.rules import GUEST_TIER, LATE_DUES, ActiveRuleset, without_reserve
from node.sessions.present_shares import PresentShares
from node.sessions.state import Authorized, Blocked, Shortened
from node.sessions.table import GUESTS_MAX, SessionTable
from node.sessions.traffic_classes import as_kept, pool_account, pools, shaped_classes
from node.units import NO_USAGE, AccountId, MacAddress, Milliseconds, Monotonic, Now, Rates, Usage, lowest


class EffectivePolicy:
    """Owned by the control loop, which alone changes it."""

    def __init__(
        self,
        *,
        active_ruleset: ActiveRuleset,
        member_directory: MemberDirectory,
        registry: AccountRegistry,
        ledger: Ledger,
        clock: Clock,
        guest_account: Callable[[MacAddress], AccountId],
        session_ms: Milliseconds | None,
        node_name: str = "",
        guests_max: int = GUESTS_MAX,
    ) -> None:
        """`session_ms`: session timeout where no rule sets one; None for no timeout. `node_name`: of this node, as rules may
        name it."""
        self._registry, self._ledger, self._clock = registry, ledger, clock
        self.guest_account, self._session_ms = guest_account, session_ms
        self._node_name = node_name
        self.active_ruleset, self.member_directory = active_ruleset, member_directory
        self.evaluator = Evaluator(active_ruleset.own)
        self._steps = steps_said(active_ruleset.ruleset)
        self.session_table = SessionTable(self.account_of, guests_max)
        self.allowances: dict[AccountId, Allowance] = {}
        """Of all accounts with an authorized session, without remaining quotas."""
        self.bound_since = BindingTimes()
        self._has_newcomer = False
        """Since `bound_since` was told of all accounts."""
        self._promises = Promises()
        """Of the last plan."""
        self.measured: Rates | None = None
        """What the uplink carries now; None where the stated rate is shared."""
        self.in_use: Mapping[AccountId, Rates] = {}
        """Mean rate of each account that transferred anything in the last reading."""
        self.counted = NO_USAGE
        """What was counted for people since the node started."""
        self._is_busy = False
        self._classes: Mapping[int, ShapedClass] = {}
        """Of the last plan."""
        self._shares: PresentShares | None = None
        """Of the last plan and reading, once somebody wants to know."""

    def account_of(self, mac: MacAddress) -> AccountId:
        """The account in the member directory, else the one the device is bound to, else the
        device's own guest account."""
        return (
            self.member_directory.devices.get(mac)
            or self._registry.account_of(mac)
            or self.guest_account(mac)
        )

    def unit(self, account: AccountId, moment: Moment | None = None) -> Unit:
        """The account as the rules see it; at a `moment`, with whether its dues are late then, if a rule depends on it, and
        with the step of a ladder that holds for it.
        Also called by the reader thread."""
        ruleset, directory = self.active_ruleset.own, self.member_directory
        if moment is not None and ruleset.knows_dues and account in directory.paid_until:
            day = None if moment.clock == "unknown" else moment.at.date()
            unit = directory.unit_on(account, day, ruleset.grace_days)
        else:
            known = directory.by_account.get(account)
            unit = known or Unit(account, GUEST_TIER, self._registry.vouchers.groups_of(account))
        group = None if moment is None or not self._steps else self._step_group(account, moment)
        return unit if group is None else replace(unit, groups=unit.groups | {group})

    def _step_group(self, account: AccountId, moment: Moment) -> str | None:
        """The group of the step of a ladder that holds for the account."""
        cases = self._registry.ladder_cases
        if cases.open_of(account) is None:
            return None
        wall = None if moment.clock == "unknown" else int(moment.at.timestamp())
        now = Now(self._clock.monotonic(), self._clock.boot, wall, "")
        return cases.group_of(account, now, self.active_ruleset.ruleset.charter.answer_days, self._steps)

    def is_late(self, account: AccountId) -> bool:
        """Whether rules that are for people whose dues are late apply to the account now."""
        return LATE_DUES in self.unit(account, self.moment()).groups

    def moment(self) -> Moment:
        return Moment(self._clock.civil(), self._clock.state(), self._is_busy, self._node_name)

    def allowance_at(self, account: AccountId, moment: Moment) -> Allowance:
        """What the account may use at a given moment, with its usage until now; it needs no session. Floors are reduced
        to what the uplink can guarantee to the accounts authorized now."""
        today = self._clock.today()
        used = self.evaluator.quotas_used(self._ledger, account, today)
        free_on = self.evaluator.free_on(self._ledger, account, today)
        unit = self.unit(account, moment)
        return as_kept(self.evaluator.evaluate(unit, moment, used, free_on), self.kept())

    def policy_for(self, account: AccountId) -> Allowance:
        """As the rules say for now, with neither remaining quotas nor reduced floors: one object for all accounts with
        equal rights."""
        used = self.evaluator.quotas_used(self._ledger, account, self._clock.today())
        moment = self.moment()
        return self.evaluator.policy_for(self.unit(account, moment), moment, used)

    def used_this_month(self, account: AccountId) -> Usage:
        """Usage of the account on all nodes; nothing while the date is not known."""
        month = period_name("month", self._clock.today())
        return NO_USAGE if month is None else self._ledger.total(account, month).uplink

    def used_on(self, account: AccountId, day: str) -> Usage | None:
        """Usage of the account on all nodes on a day; None for one that is closed, whose usage is in the database only."""
        return self._ledger.total(account, day).uplink if self._ledger.is_open(day) else None

    def session_end(self, account: AccountId, allowance: Allowance, now: Monotonic) -> Monotonic | None:
        """When a session of this account that starts now ends; None for no end. A session on a voucher lasts as long as
        the voucher, unless a rule sets a shorter session."""
        rule, voucher = allowance.session, self.voucher_end(account)
        by_rule = None if rule is None else Monotonic(now + rule.value)
        if voucher is not None:
            return voucher if by_rule is None else min(voucher, by_rule)
        if by_rule is not None or self._session_ms is None:
            return by_rule
        return Monotonic(now + self._session_ms)

    def voucher_end(self, account: AccountId) -> Monotonic | None:
        """When the account's voucher expires; None for an account without one. A revoked
        voucher has already expired."""
        voucher = self._registry.vouchers.of_account(account)
        if voucher is None or voucher.lease is None:
            return None
        return Monotonic(0) if voucher.is_revoked else voucher.lease.ends

    def devices_max(self, account: AccountId, allowance: Allowance) -> int | None:
        """Limit of simultaneous devices of the account: the lower of its voucher's and the
        rules' limit; None for no limit."""
        limits = [] if allowance.devices is None else [allowance.devices.value]
        voucher = self._registry.vouchers.of_account(account)
        if voucher is not None and (most := self._registry.vouchers.batches[voucher.batch].devices_max):
            limits.append(most)
        return min(limits, default=None)

    # --- all authorized accounts ---------------------------------------------------------

    def adopt(self, active_ruleset: ActiveRuleset, member_directory: MemberDirectory) -> bool:
        """Adopts new rules or a new member directory; the caller then calls `evaluate_all`. Returns True when devices
        may belong to other accounts from now on."""
        changed_directory = member_directory != self.member_directory
        self.active_ruleset, self.member_directory = active_ruleset, member_directory
        self.evaluator = Evaluator(active_ruleset.own)
        self._steps = steps_said(active_ruleset.ruleset)
        return changed_directory

    def reconsider(
        self, macs: Collection[MacAddress], now: Monotonic
    ) -> tuple[tuple[MacAddress, ...], tuple[MacAddress, ...]]:
        """For after a change of accounts. Returns the devices whose session ends sooner now, perhaps at once, and those
        moved to another account. An account at its device limit takes no further device: that one keeps its account, or
        its session ends if that account no longer exists."""
        session_table, sooner, moved = (
            self.session_table,
            list(self.end_vouchers(macs, now)),
            list[MacAddress](),
        )
        over = frozenset(self.ended(now)) if sooner else frozenset()
        for mac in macs:
            session_entry = session_table.session_entries.get(mac)
            if session_entry is None or mac in over or not session_table.is_admitted(mac):
                continue
            if self.account_of(mac) == session_entry.account:
                continue
            if self._has_room(self.account_of(mac)):
                moved += session_table.rebind((mac,))
            elif not self._may_stay(mac, session_entry.account, now) and session_table.handle(
                mac, Shortened(now), now
            ):
                sooner.append(mac)
        return (*sooner, *self.end_vouchers(moved, now)), tuple(moved)

    def evaluate_all(self) -> None:
        self.allowances = {
            account: self.policy_for(account) for account in self.session_table.accounts_here()
        }
        self.bound_since.observe(self.allowances, self._clock.monotonic())
        self._make_pools()

    def welcome(self, mac: MacAddress) -> None:
        """Gives the device's account an allowance and a traffic class before the next cycle."""
        account = self.session_table.session_entries[mac].account
        if self.session_table.is_admitted(mac) and account not in self.allowances:
            allowance = self.allowances[account] = self.policy_for(account)
            self._has_newcomer = True
            if allowance.pool is not None:
                self.session_table.minor(pool_account(allowance.pool))

    def take(self, measured: CycleResult) -> bool:
        """Takes over what a cycle counted, and its allowances; True when some account's limits changed. Allowances of rules
        that are no longer in force are ignored."""
        self.counted += measured.booked.total
        if measured.evaluator is not self.evaluator:
            return False
        changed = measured.allowances != self.allowances
        # Accounts authorized during the cycle keep the allowance that they got then.
        missing = self.allowances.keys() - measured.allowances.keys()
        newcomers = missing & self.session_table.accounts_here() if missing else missing
        kept = {account: self.allowances[account] for account in newcomers}
        self.allowances = {**measured.allowances, **kept}
        if changed or self._has_newcomer:
            self._has_newcomer = False
            self.bound_since.observe(self.allowances, self._clock.monotonic())
        self._make_pools()
        return changed

    def take_rates(self, in_use: Mapping[AccountId, Rates]) -> None:
        """Takes over the rates of a reading."""
        self.in_use, self._shares = in_use, None

    def take_load(self, *, busy: bool) -> bool:
        """Whether the uplink is busy from now on; True when rules of the ruleset start or stop applying because of it."""
        has_changed, self._is_busy = busy != self._is_busy, busy
        return has_changed and self.evaluator.depends_on_load

    def busy_ceilings(self) -> Iterator[BusyCeiling]:
        """The ceilings of authorized accounts that hold now because the uplink is busy."""
        if not (self._is_busy and self.evaluator.depends_on_load):
            return
        busy = frozenset(rule.id for rule in self.active_ruleset.own.rules if rule.while_busy)
        pools: dict[str, tuple[Rates, set[AccountId]]] = {}
        for account, allowance in self.allowances.items():
            if (own := allowance.ceiling) is not None and own.is_by(busy):
                yield BusyCeiling(own.value, frozenset({account}))
            if (of_pool := allowance.pool_ceiling) is not None and of_pool.is_by(busy):
                pools.setdefault(allowance.pool or "", (of_pool.value, set()))[1].add(account)
        yield from (BusyCeiling(rates, frozenset(accounts)) for rates, accounts in pools.values())

    def ended(self, now: Monotonic) -> tuple[MacAddress, ...]:
        """Devices whose session has timed out and is still authorized."""
        return tuple(
            mac
            for mac, guest in self.session_table.guests.items()
            if isinstance(guest, Authorized) and guest.is_over(now)
        )

    def blocks_over(self, now: Monotonic) -> tuple[MacAddress, ...]:
        """Blocked devices whose time is over."""
        return tuple(
            mac
            for mac, guest in self.session_table.guests.items()
            if isinstance(guest, Blocked) and guest.is_over(now)
        )

    def end_vouchers(self, macs: Iterable[MacAddress], now: Monotonic) -> tuple[MacAddress, ...]:
        """Shortens these sessions to the end of their vouchers. Returns those that end sooner now."""
        sooner = []
        for mac in macs:
            ends = (
                self.voucher_end(self.session_table.session_entries[mac].account)
                if mac in self.session_table.session_entries
                else None
            )
            if ends is not None and self.session_table.handle(mac, Shortened(ends), now):
                sooner.append(mac)
        return tuple(sooner)

    def touched(self, changes: Iterable[Change]) -> tuple[MacAddress, ...]:
        """Devices that these changes may disconnect or move to another account."""
        macs: dict[MacAddress, None] = {}
        for change in changes:
            if isinstance(change, Binding | Unbound):
                macs[change.mac] = None
            elif isinstance(change, SavedVoucher):
                macs |= dict.fromkeys(self.session_table.devices_of(change.voucher.account))
            elif isinstance(change, Batch):
                for account in self._registry.vouchers.accounts_in_use(change.number):
                    macs |= dict.fromkeys(self.session_table.devices_of(account))
        return tuple(macs)

    def draft(self, firewall: FirewallConfig) -> PlanDraft:
        """What the desired state of firewall and shaping is made of, for the sessions authorized now; `take_plan` gets what
        is made."""
        session_table, ruleset = self.session_table, self.active_ruleset.own
        is_shared = ruleset.shaped is not None
        here = frozenset(session_table.accounts_here() & self.allowances.keys())
        idle = here & session_table.idle if is_shared else frozenset[AccountId]()
        return PlanDraft(
            firewall,
            admitted=session_table.admitted(idle),
            retiring=dict(session_table.retiring),
            moved=session_table.moved(),
            uplink=ruleset.shaped if ruleset.measured is None else ruleset.measured.most,
            is_shared=is_shared,
            here=here,
            idle=idle,
            allowances=dict(self.allowances),
            minors=dict(session_table.minors),
        )

    def plan_ahead(self) -> Iterator[None]:
        """Does most of what `draft` would have to do after a change of thousands of sessions, in steps of a millisecond."""
        is_shared = self.active_ruleset.own.shaped is not None
        return self.session_table.plan_ahead(self.session_table.idle if is_shared else frozenset())

    def take_plan(self, planned: PlannedTraffic) -> None:
        """This plan is the last one."""
        self._promises, self._classes, self._shares = planned.promises, planned.plan.classes, None

    @property
    def present(self) -> Rates | None:
        """The rate that is shared now; None when the uplink's rate is not stated."""
        shaped = self.active_ruleset.own.shaped
        return shaped if self.measured is None else self.measured

    def present_share(self, account: AccountId) -> Rates | None:
        """What the account could have now if it began to transfer, given who does; None without a session, and when the
        uplink is not shared. As of the last reading and plan, and at most what the uplink carries now."""
        present, allowance, minors = self.present, self.allowances.get(account), self.session_table.minors
        if present is None or allowance is None:
            return None
        if self._shares is None:
            in_use = {minors[each]: rates for each, rates in self.in_use.items() if each in minors}
            self._shares = PresentShares(self._classes, in_use, present)
        minor, planned = minors[account], self._classes
        # An idle account has no class in the plan, and perhaps no pool.
        own = planned if minor in planned else shaped_classes([(account, allowance)], minors, shared=True)
        parent = own[minor].parent_minor
        share = self._shares.of(own[minor], None if parent is None else planned.get(parent) or own[parent])
        return lowest(share, present)

    def kept(self) -> GuaranteedParts:
        """Which parts of lifelines and floors the uplink can guarantee now to those of the last plan."""
        stated = self.active_ruleset.own.guaranteeable
        return self._promises.kept(stated if self.measured is None else without_reserve(self.measured))

    def _has_room(self, account: AccountId) -> bool:
        most = self.devices_max(account, self.policy_for(account))
        return most is None or len(self.session_table.admitted_of(account)) < most

    def _may_stay(self, mac: MacAddress, account: AccountId, now: Monotonic) -> bool:
        end = self.voucher_end(account)
        is_there = account in self.member_directory.by_account if end is None else now < end
        return is_there or account == self.guest_account(mac)

    def _make_pools(self) -> None:
        for pool in pools(self.allowances.values()):
            self.session_table.minor(pool)

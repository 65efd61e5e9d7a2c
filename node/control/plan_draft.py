"""What a plan is made of, taken at one moment, so that another thread can make it: with ten thousand accounts that takes
30 ms."""

from collections.abc import Mapping
from dataclasses import dataclass

from node.enforcement.htb_classes import Promises, promises
from node.enforcement.plan import Admission, FirewallConfig, TrafficPlan
from node.governance.allowance import Allowance
from node.sessions.traffic_classes import class_of_idle_accounts, shaped_classes
from node.units import AccountId, MacAddress, Rates


@dataclass(frozen=True, slots=True)
class PlannedTraffic:
    """A plan, and what it promises."""

    plan: TrafficPlan
    promises: Promises


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """Copies, or what never changes."""

    firewall: FirewallConfig
    admitted: Mapping[MacAddress, Admission]
    retiring: Mapping[int, int]
    moved: frozenset[int]
    uplink: Rates | None
    is_shared: bool
    here: frozenset[AccountId]
    """Accounts with an authorized session and an allowance."""
    idle: frozenset[AccountId]
    allowances: Mapping[AccountId, Allowance]
    minors: Mapping[AccountId, int]

    def planned(self) -> PlannedTraffic:
        """In any thread."""
        awake = {account: self.allowances[account] for account in self.here - self.idle}
        classes = shaped_classes(awake.items(), self.minors, shared=self.is_shared)
        if self.idle:
            idle = (self.allowances[each] for each in self.idle)
            classes |= class_of_idle_accounts(idle, awake.values())
        plan = TrafficPlan(self.firewall, self.admitted, self.retiring, self.uplink, classes, self.moved)
        return PlannedTraffic(plan, promises(classes.values()))

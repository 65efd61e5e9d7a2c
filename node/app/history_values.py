"""What the node knows of itself, as raw values of the history. Nothing is asked of the kernel, and nothing waits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.control.effective_policy import EffectivePolicy
from node.control.rates import is_at_ceiling
from node.control.reconciler import Reconciler
from node.governance.allowance import Allowance, Bound
from node.governance.rules import Ceiling, Quota, Rule, Share, ShareLimit, UsageAlert
from node.history.series import BOUND_KINDS, OTHER_RULES, RULES_MAX, rule_series_name
from node.units import GUEST_PREFIX, NO_RATES, AccountId, BitsPerSecond, Monotonic, NodeId, Rates

FULL_PERMILLE = 900
"""Of what the line carries, in either direction."""


class MeshView(Protocol):
    """What other nodes say; a method never waits."""

    def peers(self) -> tuple[PeerView, ...]: ...

    def node_pages(self) -> Mapping[NodeId, NodeFacts]: ...


class CountedEvents:
    """Events since the last look, by series."""

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """`counts`: so far; they only grow."""
        self._counts, self._before = counts, dict(counts())

    def take(self) -> Mapping[str, int]:
        """Also those that did not happen: that is known."""
        now, before = dict(self._counts()), self._before
        self._before = now
        return {name: count - before.get(name, 0) for name, count in now.items()}


class HistoryValues:
    """Values of each second and of each step of ten seconds."""

    def __init__(
        self,
        reconciler: Reconciler,
        events: CountedEvents,
        *,
        now: Callable[[], Monotonic],
        mesh: MeshView | None,
        rules: Callable[[], Sequence[Rule]],
    ) -> None:
        """`rules`: those in force that `limits_use`, in the order of the file."""
        self._reconciler, self._events, self._now = reconciler, events, now
        self._mesh, self._rules = mesh, rules

    def each_second(self) -> Iterator[tuple[str, int]]:
        """What the last cycle found. Where the rules state no line, what depends on it is not known."""
        reconciler, policy = self._reconciler, self._reconciler.effective_policy
        used, present = reconciler.uplink_rate, policy.present
        yield from (("line_down", used.down), ("line_up", used.up))
        if present is not None:
            yield from (("line_rate_down", present.down), ("line_rate_up", present.up))
            yield "line_full", int(_reaches(used, present, FULL_PERMILLE))
            yield "lifelines_held", 1000 if policy.kept().lifelines_permille >= 1000 else 0

    def each_step(self, seconds: int) -> Iterator[tuple[str, int]]:
        """`seconds` since the last call, for what is counted in seconds."""
        reconciler = self._reconciler
        table, policy = reconciler.session_table, reconciler.effective_policy
        accounts = table.accounts_here()
        yield "devices", sum(map(table.is_admitted, table.guests))
        yield "accounts", len(accounts)
        yield "guests", sum(account.startswith(GUEST_PREFIX) for account in accounts)
        rules = self._rules()
        quotas = frozenset(each.id for each in rules if isinstance(each.effect, Quota))
        found = limits_reached(policy, reconciler.uplink_rate, quotas)
        yield from ((f"bound_{kind}", seconds if kind in found.kinds else 0) for kind in BOUND_KINDS)
        yield from _of_rules([each.id for each in rules], found.rules, seconds)
        yield from self._line()
        yield from self._events.take().items()
        if booked_at := reconciler.persistence.booked_at:
            yield "books_age", (self._now() - booked_at) // 1000
        if self._mesh is not None:
            yield "neighbours", sum(peer.state == "trusted" for peer in self._mesh.peers())
            own = self._mesh.node_pages().get(reconciler.node)
            yield from () if own is None else _links(own)

    def _line(self) -> Iterator[tuple[str, int]]:
        """Nothing while no probe was answered or lost."""
        round_trips_us, lost = self._reconciler.uplink_rate_control.probes.take()
        yield from (("line_delay", round(each / 1000)) for each in round_trips_us)
        if sent := len(round_trips_us) + lost:
            yield "line_loss", lost * 1000 // sent


def _links(own: NodeFacts) -> Iterator[tuple[str, int]]:
    """As this node's own page says."""
    for link in own.links:
        if link.round_trip_ms is not None:
            yield "neighbours_delay", link.round_trip_ms
        if link.loss_percent is not None:
            yield "neighbours_loss", link.loss_percent * 10


@dataclass(frozen=True, slots=True)
class ReachedLimits:
    """What holds somebody back now."""

    kinds: frozenset[str]
    """Of BOUND_KINDS."""
    rules: frozenset[str]
    """Ids of the rules that set these limits."""


def limits_use(rule: Rule) -> bool:
    """Whether a rule can be why somebody is not faster."""
    effect = rule.effect
    if isinstance(effect, Quota):
        return not isinstance(effect.then, UsageAlert)
    return isinstance(effect, Share | ShareLimit | Ceiling)


def _of_rules(rules: Sequence[str], reached: frozenset[str], seconds: int) -> Iterator[tuple[str, int]]:
    """Seconds in which each of the rules in force was a reason."""
    for rule in rules[:RULES_MAX]:
        yield rule_series_name(rule), seconds if rule in reached else 0
    if others := rules[RULES_MAX:]:
        yield OTHER_RULES.name, seconds if not reached.isdisjoint(others) else 0


def limits_reached(policy: EffectivePolicy, used: Rates, quotas: frozenset[str]) -> ReachedLimits:
    """Of accounts that transfer, those at their ceiling, which a used-up quota may have set; those whose pool is at its
    ceiling; and, while the line is full, all others. `quotas`: ids of the rules that are quotas."""
    in_use = {account: rates for account, rates in policy.in_use.items() if rates != NO_RATES}
    pools = _pools_in_use(policy.allowances, in_use)
    present = policy.present
    is_full = present is not None and _reaches(used, present, FULL_PERMILLE)
    kinds, rules = set[str](), set[str]()
    for account, rates in in_use.items():
        allowance = policy.allowances.get(account)
        reached = _reached(allowance, rates, pools, is_full=is_full) if allowance is not None else None
        if reached is not None:
            kind, reasons = reached
            kinds.add("quota" if kind == "ceiling" and not quotas.isdisjoint(reasons) else kind)
            rules.update(reasons)
    return ReachedLimits(frozenset(kinds), frozenset(rules))


def _reached(
    allowance: Allowance, rates: Rates, pools: Mapping[str, Rates], *, is_full: bool
) -> tuple[str, tuple[str, ...]] | None:
    """The kind of the limit that the account is at, and the rules that set it."""
    if allowance.ceiling is not None and _is_at(allowance.ceiling, rates):
        return "ceiling", _reasons(allowance.ceiling)
    pool, most = allowance.pool, allowance.pool_ceiling
    if pool is not None and most is not None and _is_at(most, pools[pool]):
        return "pool", _reasons(most)
    return ("share", _reasons(allowance.share)) if is_full else None


def _reasons[V](bound: Bound[V]) -> tuple[str, ...]:
    return bound.reasons or (bound.rule,)


def _pools_in_use(
    allowances: Mapping[AccountId, Allowance], in_use: Mapping[AccountId, Rates]
) -> Mapping[str, Rates]:
    pools: dict[str, Rates] = {}
    for account, rates in in_use.items():
        pool = allowances[account].pool if account in allowances else None
        if pool is not None:
            sum_ = pools.get(pool, NO_RATES)
            pools[pool] = Rates(BitsPerSecond(sum_.down + rates.down), BitsPerSecond(sum_.up + rates.up))
    return pools


def _is_at(ceiling: Bound[Rates], rates: Rates) -> bool:
    return is_at_ceiling(rates, ceiling.value)


def _reaches(rates: Rates, most: Rates, permille: int) -> bool:
    """In either direction."""
    return any(
        used and used * 1000 >= limit * permille
        for used, limit in ((rates.down, most.down), (rates.up, most.up))
    )

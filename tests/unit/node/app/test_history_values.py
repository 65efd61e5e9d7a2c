"""What the node knows of itself, as raw values of the history."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from mesh.node_kind import NodeFacts, NodeLink
from mesh.ports import PeerView
from node.app.history_values import CountedEvents, HistoryValues, limits_reached, limits_use
from node.enforcement.htb_classes import ALL_GUARANTEED, GuaranteedParts
from node.governance.allowance import Allowance, Bound
from node.governance.rules import (
    Ceiling,
    DevicesLimit,
    Effect,
    Floor,
    Quota,
    Rule,
    Share,
    UsageAlert,
    Who,
)
from node.history.series import BY_NAME, RULES_MAX, rule_series, rule_series_name
from node.units import NO_RATES, AccountId, BitsPerSecond, Bytes, MacAddress, Monotonic, NodeId, Rates
from node.uplink.probe_counts import ProbeCounts

OWN, ANA, BEN, GUEST = NodeId("own"), AccountId("ana"), AccountId("ben"), AccountId("guest-1")
NEVER = Monotonic(0)
LINE = Rates(BitsPerSecond(20_000_000), BitsPerSecond(4_000_000))


def rates(down: int, up: int = 0) -> Rates:
    return Rates(BitsPerSecond(down), BitsPerSecond(up))


def bound[V](value: V, rule: str = "rule", reasons: tuple[str, ...] = ()) -> Bound[V]:
    return Bound(value, rule, "decision", "sentence", reasons=reasons)


def allowance(**limits: Any) -> Allowance:
    return Allowance(share=bound(100), floor=bound(NO_RATES), **{"ceiling": None, **limits})


@dataclass
class FakePolicy:
    """What the values look at; also as the session table, the persistence and the control of the rate."""

    present: Rates | None = LINE
    in_use: dict[AccountId, Rates] = field(default_factory=dict)
    allowances: dict[AccountId, Allowance] = field(default_factory=dict)
    parts: GuaranteedParts = ALL_GUARANTEED
    guests: dict[MacAddress, bool] = field(default_factory=dict)
    booked_at: Monotonic = NEVER
    probes: ProbeCounts = field(default_factory=ProbeCounts)

    def kept(self) -> GuaranteedParts:
        return self.parts

    def accounts_here(self) -> set[AccountId]:
        return set(self.allowances)

    def is_admitted(self, mac: MacAddress) -> bool:
        return self.guests[mac]


@dataclass
class FakeNode:
    effective_policy: FakePolicy
    uplink_rate: Rates = NO_RATES
    node: NodeId = OWN

    @property
    def session_table(self) -> FakePolicy:
        return self.effective_policy

    persistence = uplink_rate_control = session_table


@dataclass
class FakeMesh:
    links: tuple[NodeLink, ...]

    def peers(self) -> tuple[PeerView, ...]:
        return tuple(PeerView(NodeId(state), "", state, (), 1) for state in ("trusted", "trusted", "silent"))

    def node_pages(self) -> dict[NodeId, NodeFacts]:
        return {OWN: NodeFacts("square", links=self.links)} if self.links else {}


TOP = Ceiling(rates(1_000, 1_000))
MONTH = Quota(Bytes(10), "month", "uplink", TOP)


def a_rule(name: str, effect: Effect = TOP) -> Rule:
    return Rule(name, Who(), effect, "D-1")


def values(
    node: FakeNode, mesh: FakeMesh | None = None, now: int = 0, rules: tuple[Rule, ...] = ()
) -> HistoryValues:
    return HistoryValues(
        cast(Any, node),
        CountedEvents(lambda: {"admissions": 2}),
        now=lambda: Monotonic(now),
        mesh=mesh,
        rules=lambda: rules,
    )


def kinds(policy: FakePolicy, used: Rates = NO_RATES) -> frozenset[str]:
    return limits_reached(cast(Any, policy), used, frozenset({"month"})).kinds


def test_a_line_whose_rate_no_rule_states_has_no_rate_to_be_full() -> None:
    node = FakeNode(FakePolicy(present=None), rates(5_000, 7))
    assert {"line_down": 5_000, "line_up": 7} == dict(values(node).each_second())


@pytest.mark.parametrize(
    ("used", "is_full"), [(rates(18_000_000), 1), (rates(0, 3_600_000), 1), (rates(17_999_999, 3_599_999), 0)]
)
def test_a_line_is_full_when_nine_tenths_of_a_direction_are_in_use(used: Rates, is_full: int) -> None:
    found = dict(values(FakeNode(FakePolicy(), used)).each_second())
    assert (is_full, LINE.down, LINE.up) == (
        found["line_full"],
        found["line_rate_down"],
        found["line_rate_up"],
    )


def test_lifelines_are_held_or_not() -> None:
    held = [
        dict(values(FakeNode(FakePolicy(parts=parts))).each_second())["lifelines_held"]
        for parts in (ALL_GUARANTEED, GuaranteedParts(999, 0))
    ]
    assert [1000, 0] == held


def test_devices_accounts_and_guests_are_numbers_without_names() -> None:
    policy = FakePolicy(
        allowances=dict.fromkeys((ANA, BEN, GUEST), allowance()),
        guests={MacAddress("a"): True, MacAddress("b"): False, MacAddress("c"): True},
    )
    found = dict(values(FakeNode(policy)).each_step(10))
    assert (2, 3, 1) == (found["devices"], found["accounts"], found["guests"])


def test_each_kind_of_limit_has_the_seconds_in_which_it_held_somebody_back() -> None:
    policy = FakePolicy(
        in_use={ANA: rates(950_000)}, allowances={ANA: allowance(ceiling=bound(rates(1_000_000, 500_000)))}
    )
    found = dict(values(FakeNode(policy)).each_step(10))
    assert [0, 10, 0, 0] == [found[f"bound_{kind}"] for kind in ("share", "ceiling", "pool", "quota")]


def test_somebody_below_every_limit_is_held_back_by_none() -> None:
    own = allowance(ceiling=bound(rates(1_000_000, 500_000)))
    for in_use in ({ANA: rates(500_000)}, {ANA: NO_RATES}, {}, {BEN: rates(10)}):
        assert frozenset() == kinds(FakePolicy(in_use=in_use, allowances={ANA: own}))


def test_a_ceiling_that_a_used_up_quota_set_is_put_down_to_the_quota_and_another_one_is_not() -> None:
    in_use = {ANA: rates(1_000)}
    for ceiling, kind in (
        (bound(rates(1_000, 1_000), "month"), "quota"),
        (bound(rates(1_000, 1_000), "top", ("top", "month")), "quota"),
        (bound(rates(1_000, 1_000), "top"), "ceiling"),
    ):
        assert {kind} == kinds(FakePolicy(in_use=in_use, allowances={ANA: allowance(ceiling=ceiling)}))


def test_each_rule_in_force_has_the_seconds_in_which_it_held_somebody_back() -> None:
    policy = FakePolicy(
        in_use={ANA: rates(1_000), BEN: rates(19_000_000)},
        allowances={
            ANA: allowance(ceiling=bound(rates(1_000, 1_000), "top", ("month", "top"))),
            BEN: replace(allowance(), share=bound(50, "equal-share")),
        },
    )
    rules = (a_rule("top"), a_rule("month", MONTH), a_rule("quiet"), a_rule("Límit"))
    found = dict(values(FakeNode(policy, rates(19_000_000)), rules=rules).each_step(10))
    names = ("rule_top", "rule_month", "rule_quiet", rule_series_name("Límit"))
    assert [10, 10, 0, 0] == [found[each] for each in names]
    assert [10, 10] == [found[f"bound_{kind}"] for kind in ("quota", "share")]
    assert "rules_other" not in found
    assert not [each for each in found if "equal" in each]


def test_rules_that_only_promise_ask_or_end_sessions_limit_no_speed() -> None:
    alert = replace(MONTH, then=UsageAlert())
    effects = (TOP, MONTH, Share(50), Floor(rates(5)), alert, DevicesLimit(2))
    assert [True, True, True, False, False, False] == [limits_use(a_rule("x", each)) for each in effects]


def test_beyond_so_many_the_rules_have_one_series_together() -> None:
    rules = tuple(a_rule(f"r{number}") for number in range(RULES_MAX + 3))
    policy = FakePolicy(
        in_use={ANA: rates(1_000)},
        allowances={ANA: allowance(ceiling=bound(rates(1_000, 1_000), f"r{RULES_MAX + 1}"))},
    )
    found = dict(values(FakeNode(policy), rules=rules).each_step(10))
    assert RULES_MAX == len([each for each in found if each.startswith("rule_")])
    assert (10, 0) == (found["rules_other"], found["rule_r0"])
    assert {each.name for each in rule_series([each.id for each in rules])} <= found.keys()


def test_a_pool_holds_back_when_its_accounts_use_its_ceiling_together() -> None:
    pooled = allowance(pool="guests", pool_ceiling=bound(rates(2_000_000, 2_000_000)))
    policy = FakePolicy(
        in_use={ANA: rates(900_000), GUEST: rates(950_000)}, allowances={ANA: pooled, GUEST: pooled}
    )
    assert {"pool"} == kinds(policy)
    assert frozenset() == kinds(FakePolicy(in_use={ANA: rates(900_000)}, allowances={ANA: pooled}))


def test_on_a_full_line_a_share_holds_back_who_is_at_no_other_limit() -> None:
    policy = FakePolicy(in_use={ANA: rates(10_000_000)}, allowances={ANA: allowance()})
    assert {"share"} == kinds(policy, rates(19_000_000))
    assert frozenset() == kinds(policy, rates(10_000_000))


def test_the_delay_of_the_line_has_each_answer_and_its_loss_a_part_of_all_probes() -> None:
    policy = FakePolicy()
    policy.probes.take = lambda: ([19_600, 20_400, 41_000], 1)  # type: ignore[method-assign]
    found = list(values(FakeNode(policy)).each_step(10))
    assert [20, 20, 41] == [value for name, value in found if name == "line_delay"]
    assert [250] == [value for name, value in found if name == "line_loss"]


def test_a_line_that_nobody_probes_has_neither_delay_nor_loss() -> None:
    assert {"line_delay", "line_loss"}.isdisjoint(dict(values(FakeNode(FakePolicy())).each_step(10)))


def test_neighbours_are_those_that_are_connected_with_what_was_measured_of_them() -> None:
    links = (NodeLink(NodeId("a"), 12, 3), NodeLink(NodeId("b")), NodeLink(NodeId("c"), 40, 0))
    found = list(values(FakeNode(FakePolicy()), FakeMesh(links)).each_step(10))
    by_name = {name: [value for each, value in found if each == name] for name, _ in found}
    assert ([2], [12, 40], [30, 0]) == tuple(by_name[f"neighbours{end}"] for end in ("", "_delay", "_loss"))
    assert "neighbours_delay" not in dict(values(FakeNode(FakePolicy()), FakeMesh(())).each_step(10))
    assert "neighbours" not in dict(values(FakeNode(FakePolicy())).each_step(10))


def test_the_age_of_the_books_is_not_known_before_something_was_stored() -> None:
    assert "books_age" not in dict(values(FakeNode(FakePolicy()), now=9_000).each_step(10))
    booked = FakePolicy(booked_at=Monotonic(2_000))
    assert 7 == dict(values(FakeNode(booked), now=9_000).each_step(10))["books_age"]


def test_events_are_counted_from_one_look_to_the_next() -> None:
    counts = Counter({"admissions": 5})
    events = CountedEvents(lambda: {"admissions": counts["admissions"], "errors": counts["errors"]})
    counts["admissions"] += 2
    assert {"admissions": 2, "errors": 0} == events.take()
    counts["errors"] += 1
    assert {"admissions": 0, "errors": 1} == events.take()


def test_every_value_has_a_series() -> None:
    policy = FakePolicy(in_use={ANA: rates(1)}, allowances={ANA: allowance()}, booked_at=Monotonic(1))
    all_ = values(FakeNode(policy), FakeMesh((NodeLink(NodeId("a"), 1, 1),)))
    assert BY_NAME.keys() >= dict((*all_.each_second(), *all_.each_step(10))).keys()

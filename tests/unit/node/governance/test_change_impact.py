"""What a change of the rules changes, compared with evaluating both rulesets for everybody at every minute."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.allowance import Allowance, Unit
from node.governance.change_impact import ChangeImpact, Direct, EntitlementChange, PoolShare, change_impact
from node.governance.coverage import late
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import Evaluator, guest_lifeline, lifeline
from node.governance.rule_selection import applying, in_force, is_meant_for
from node.governance.rule_tests import moment_at
from node.governance.rules import LATE_DUES, Quota, Rule, Ruleset, Who
from node.governance.times import MINUTES_PER_DAY, day_of, midnight_of, parse_times
from node.units import AccountId, BitsPerSecond
from tests.fakes.rule_files import EXAMPLE, HEAD, example, rule, rules_of, village

GUESTS = Who(tiers=frozenset({"guest"}))
EVENING = 'ceiling = "5 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"'


def ruleset_of(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


def impact_on_example(text: str) -> ChangeImpact:
    return change_impact(example(), ruleset_of(text), village())


def only_change(text: str) -> EntitlementChange:
    impact = impact_on_example(text)
    assert impact.terms == ()
    (change,) = impact.changes
    return change


def test_comments_order_reasons_and_decisions_change_nothing():
    head, *tables = EXAMPLE.split("[[rule]]")
    *rules, last = tables
    shuffled = "[[rule]]".join([head, *reversed(rules), last]).replace("D-2025-002", "D-2026-099")
    commented = shuffled.replace('id = "guest-top"', '# no change\nwhy = "Radio is slow"\nid = "guest-top"')
    assert impact_on_example(commented).is_nothing


def test_another_name_of_a_rule_changes_nothing():
    assert impact_on_example(EXAMPLE.replace("guest-top", "top-of-guests")).is_nothing


def test_a_limit_above_another_changes_nothing_until_it_replaces_it():
    idle = EXAMPLE + rule("guest-evening", EVENING, '"tier:guest"')
    assert impact_on_example(idle).is_nothing
    change = only_change(EXAMPLE + rule("guest-evening", f'{EVENING}\nexception_to = "guest-top"', who=""))
    assert ("ceiling", GUESTS) == (change.aspect, change.people.who)
    assert change.times == parse_times("daily 18:00-23:00")
    assert (("guest-top",), ("guest-evening",)) == (change.rules_before, change.rules_after)


def test_only_the_direction_that_differs_is_in_a_change():
    change = only_change(EXAMPLE.replace('"3 Mbit/s down', '"5 Mbit/s down'))
    assert Direct(BitsPerSecond(3_000_000), None) == change.before
    assert Direct(BitsPerSecond(5_000_000), None) == change.after


def test_a_change_has_an_example_and_the_number_of_accounts():
    change = only_change(EXAMPLE.replace('"4 Mbit/s down', '"2 Mbit/s down'))
    assert 1 == change.accounts
    assert "household-0" == change.account
    assert change.minute is not None
    assert parse_times("mon-fri 08:00-16:00").holds(change.minute)


def test_people_who_differ_at_the_same_times_are_in_one_change():
    change = only_change(EXAMPLE.replace("devices = 5", "devices = 3"))
    assert Who(everyone=True) == change.people.who
    assert change.times is None
    assert 44 == change.accounts


def test_people_without_a_selector_are_named_by_tier_and_groups():
    before = rules_of(rule("a", "devices = 5", '"group:x"'), rule("b", "devices = 4", '"group:y"'))
    after = rules_of(rule("a", "devices = 3", '"group:x"'), rule("b", "devices = 4", '"group:y"'))
    x, y = frozenset({"x"}), frozenset({"y"})
    units = tuple(
        Unit(AccountId(name), "member", groups) for name, groups in (("p", x), ("q", y), ("r", x | y))
    )
    # People who are only in x had 5, those in both had 4.
    people = {change.before: change.people for change in change_impact(before, after, units).changes}
    assert (("member", x | y),) == people[4].combinations
    assert people[4].who is None
    assert Who(groups=x, excluded_groups=y) == people[5].who


def test_an_allowance_with_hours_also_holds_while_the_time_is_unknown():
    change = only_change(EXAMPLE.replace('when = "daily 00:00-06:00"', 'when = "daily 00:00-24:00"'))
    assert not change.clock_unknown
    lifted = only_change(EXAMPLE.replace('when = "daily 00:00-06:00"\nexcep', "excep"))
    assert parse_times("daily 06:00-24:00") == lifted.times


def test_a_limit_while_the_line_is_busy_changes_nothing_while_it_is_not():
    busy = rule("busy-top", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhile = "busy"', '"tier:member"')
    change = only_change(EXAMPLE + busy)
    assert (True, None, 44) == (change.busy, change.times, change.accounts)
    everybody = rule("top", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"', '"tier:member"')
    before, after = ruleset_of(EXAMPLE + busy), ruleset_of(EXAMPLE + everybody)
    (lost,) = change_impact(before, after, village()).changes
    assert False is lost.busy


def test_when_the_line_counts_as_busy_matters_if_a_rule_depends_on_it():
    text = EXAMPLE.replace("max_weight_ratio = 4", "max_weight_ratio = 4\nbusy_above = 90")
    assert ("busy",) == impact_on_example(text).terms
    head = HEAD.replace("max_weight_ratio = 4", "max_weight_ratio = 4\nbusy_above = 90")
    assert change_impact(ruleset_of(HEAD), ruleset_of(head)).is_nothing


def test_a_quota_is_compared_with_its_consequence():
    change = only_change(EXAMPLE.replace("60 GB per month", "80 GB per month"))
    assert "quotas" == change.aspect
    (quota,) = change.after
    assert isinstance(quota, Quota)
    assert 80 * 10**9 == quota.volume


def test_a_rule_for_a_group_without_people_changes_nothing_for_anybody_now():
    impact = impact_on_example(EXAMPLE + rule("clinic", 'session = "2 hours"', '"group:clinic"'))
    assert not impact.is_nothing
    assert {0} == {change.accounts for change in impact.changes}
    assert not impact.is_for_nobody_now  # a guest's voucher can have the group
    floor = rule("clinic", 'floor = "2 Mbit/s down, 1 Mbit/s up"', '"group:clinic"')
    assert impact_on_example(EXAMPLE + floor).is_for_nobody_now


def test_people_who_leave_a_pool_change_it_for_those_who_stay():
    share = "share = 100\ntogether = true"
    before = rules_of(rule("pool", share, '["group:school", "group:mast-host"]'))
    after = rules_of(rule("pool", share, '"group:school"'))
    changes = {change.people.who: change for change in change_impact(before, after, village()).changes}
    stay, leave = changes[Who(groups=frozenset({"school"}))], changes[Who(groups=frozenset({"mast-host"}))]
    assert isinstance(stay.after, PoolShare)
    assert isinstance(leave.after, PoolShare)
    assert stay.after.pool is not None
    assert leave.after.pool is None


def test_parts_of_the_agreement_for_everybody_are_compared():
    text = EXAMPLE.replace('"40 Mbit/s"', '"30 Mbit/s"').replace('"household"', '"person"')
    text = text.replace("max_weight_ratio = 4", "max_weight_ratio = 5").replace('["terms", ', "[")
    text = text.replace('lifeline = "256 kbit/s down', 'lifeline = "300 kbit/s down')
    assert ("line", "lifeline", "max_weight_ratio", "unit", "joining") == impact_on_example(text).terms


def test_a_higher_lifeline_is_said_once_and_not_for_each_person():
    impact = impact_on_example(EXAMPLE.replace('lifeline = "256 kbit/s down', 'lifeline = "300 kbit/s down'))
    assert ("lifeline",) == impact.terms
    assert () == impact.changes


@pytest.mark.parametrize("limit", ["evaluations_max", "comparisons_max", "slots_max"])
def test_too_many_situations_are_never_called_nothing(limit):
    impact = change_impact(example(), ruleset_of(EXAMPLE.replace("60 GB", "80 GB")), village(), **{limit: 0})
    assert not impact.is_complete
    assert not impact.is_nothing
    assert not impact.is_for_nobody_now


def test_a_rule_between_two_days_changes_nothing_before_and_after():
    winter = rule("w", 'devices = 3\nfrom = "2026-12-01"\nexpires = "2027-01-31"', '"tier:member"')
    change = only_change(EXAMPLE + winter)
    assert change.times is not None
    assert ("2026-12-01", "2027-01-31") == (str(change.times.first), str(change.times.last))
    assert change.times.is_whole_week


def test_hours_that_leave_out_named_days_are_said_by_their_name():
    text = EXAMPLE.replace(
        "[joining]", '[calendar]\nholidays = ["2026-12-25", "2027-01-01..2027-01-06"]\n[joining]'
    )
    school = rule("s", 'session = "2 hours"\nwhen = "mon-fri 08:00-15:00 except holidays"', '"tier:member"')
    impact = change_impact(ruleset_of(text), ruleset_of(text + school), village())
    (change,) = impact.changes
    (added,) = [each for each in impact.after.rules if each.id == "s"]
    assert added.when == change.times


def test_many_different_runs_of_days_are_one_change():
    days = '"2026-12-01", "2026-12-09", "2026-12-17", "2026-12-25", "2027-01-02"'
    text = EXAMPLE.replace("[joining]", f"[calendar]\nmarket = [{days}]\n[joining]")
    before = rule("s", 'session = "2 hours"\nwhen = "daily 08:00-15:00"', '"tier:member"')
    after = rule("s", 'session = "2 hours"\nwhen = "daily 08:00-15:00 except market"', '"tier:member"')
    (change,) = change_impact(ruleset_of(text + before), ruleset_of(text + after), village()).changes
    assert change.is_on_some_days
    assert day_of(change.minute or 0) in {date(2026, 12, 1), date(2026, 12, 9)}
    assert change.times is not None
    assert ("2026-12-01", "2027-01-03") == (str(change.times.first), str(change.times.last))


# --- nothing is only said of nothing ------------------------------------------------------

RATE = st.sampled_from(
    ["64 kbit/s down, 32 kbit/s up", "1 Mbit/s down, 256 kbit/s up", "3 Mbit/s down, 1 Mbit/s up"]
)
EFFECTS = st.one_of(
    st.sampled_from([50, 100, 200, 900]).map("share = {}".format),
    st.sampled_from([10, 50, 900]).map('credit = "share +{}"'.format),
    RATE.map('floor = "{}"'.format),
    RATE.map('ceiling = "{}"'.format),
    st.sampled_from(["4 Mbit/s for 20 s", "4 Mbit/s for 9 s", "4 Mbit/s down, 1 Mbit/s up for 20 s"]).map(
        'ceiling = "1 Mbit/s down, 400 kbit/s up"\nburst = "{}"'.format
    ),
    st.sampled_from(["share 50", "share 120", "ceiling 1 Mbit/s down, 256 kbit/s up"]).map(
        'quota = "1 GB per day"\nthen = "{} until reset"'.format
    ),
    st.sampled_from(["day", "7 days", "8 days"]).map('quota = "1 GB per {}"\nthen = "tell"'.format),
    st.sampled_from(["1 hour", "2 hours"]).map('session = "{}"'.format),
    st.sampled_from([2, 3]).map("devices = {}".format),
)
WHENS = st.sampled_from(
    ["", "daily 18:00-23:00", "mon-fri 08:00-16:00", "daily 22:00-06:00", "daily 00:00-24:00"]
)
DATES = st.sampled_from(
    [
        "",
        "",
        "",
        '\nfrom = "2026-12-03"',
        '\nexpires = "2026-12-26"',
        '\nfrom = "2026-12-03"\nexpires = "2027-01-01"',
    ]
)
CALENDAR = '[calendar]\nholidays = ["2026-12-24..2026-12-26", "2027-01-01"]\n'
WHOS = st.sampled_from(
    ['"everyone"', '"tier:member"', '"dues:late"', '"tier:guest"', '"group:school"', '["tier:guest", "group:choir"]',
     '"everyone"\nexcept = "group:school"', '"everyone"\nexcept = "dues:late"']
)  # fmt: skip
TOGETHER = {'"tier:member"', '"tier:guest"', '"group:school"'}
HEADS = st.sampled_from(
    [HEAD, HEAD.replace("256 kbit/s down, 96", "64 kbit/s down, 32"), HEAD.replace("= 4", "= 2")]
)
UNITS = (
    Unit(AccountId("a"), "member"),
    Unit(AccountId("b"), "member", frozenset({"school"})),
    Unit(AccountId("c"), "member", frozenset({"school", "choir"})),
    Unit(AccountId("d"), "member", frozenset({"choir"})),
    Unit(AccountId("g"), "guest"),
    Unit(AccountId("e"), "guest", frozenset({"choir"})),
    Unit(AccountId("f"), "guest", frozenset({"school"})),
)
ROLL = UNITS[:3]
LATE = tuple(late(unit) for unit in UNITS[:4])
"""The same people while their dues are late; nobody is while the time is unknown."""


@st.composite
def rule_tables(draw: st.DrawFn, number: int, targets: dict[str, str]) -> str:
    effect, when = draw(EFFECTS), draw(WHENS)
    kind = effect.split(" ", 1)[0]
    dates = draw(DATES)
    if when and not draw(st.integers(0, 3)):
        when += " except holidays"
    body = effect + (f'\nwhen = "{when}"' if when else "") + dates
    if kind in {"share", "ceiling", "session"} and not draw(st.integers(0, 3)):
        body, when = f'{body}\nwhile = "busy"', "busy"
    if not draw(st.integers(0, 5)):
        body, when = f'{body}\nat = "node:mill"', "mill"
    if kind in targets and draw(st.booleans()):
        body += f'\nexception_to = "{targets[kind]}"'
        if kind == "ceiling" and draw(st.booleans()):
            body = body.replace(effect, 'ceiling = "none"')
        return rule(f"r{number}", body, who="")
    who = draw(WHOS)
    if (
        kind in {"share", "floor", "ceiling"}
        and who in TOGETHER
        and not when
        and not dates
        and draw(st.booleans())
    ):
        return rule(f"r{number}", f"{body}\ntogether = true", who)
    targets.setdefault(kind, f"r{number}")
    return rule(f"r{number}", body, who)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Ruleset, Ruleset]:
    """Two files, the second one the first with rules left out, added and in another order."""
    targets: dict[str, str] = {}
    tables = [draw(rule_tables(number, targets)) for number in range(draw(st.integers(0, 4)))]
    before = draw(HEADS) + draw(st.sampled_from([CALENDAR, CALENDAR.replace("2027-01-01", "2027-01-02")]))
    first = ruleset_of(before + "".join(tables))
    more = [draw(rule_tables(9, dict(targets)))] if draw(st.booleans()) else []
    named = {
        name for name in targets.values() if any(f'exception_to = "{name}"' in each for each in tables + more)
    }
    others = more + [each for each in tables if each.split('"')[1] in named or draw(st.integers(0, 4))]
    after = before if draw(st.integers(0, 4)) else draw(HEADS) + CALENDAR
    shuffled = draw(st.permutations(others))
    return first, ruleset_of(after + "".join(f"# a comment\n{table}" for table in shuffled))


def seen(found: Allowance, ruleset: Ruleset, pool: frozenset[str] | None) -> tuple[object, ...]:
    """All of an allowance that a person could notice."""
    least = guest_lifeline(ruleset.charter), lifeline(ruleset.charter)
    bounds = (
        found.share,
        found.floor,
        found.own_floor,
        found.ceiling,
        found.pool_ceiling,
        found.session,
        found.devices,
    )
    values = tuple(None if bound is None else bound.value for bound in bounds)
    left = {(quota.allowed, quota.resets) for quota in found.quotas}
    return (
        *values,
        found.burst,
        found.pool_burst,
        pool,
        found.weight_in_pool if pool else None,
        found.lifeline,
        least,
        sorted(map(str, left)),
    )


def everything(
    ruleset: Ruleset, minute: int, clock: str, busy: bool, node: str, used_up: frozenset[str]
) -> list[tuple[object, ...]]:
    evaluator = Evaluator(ruleset)
    moment = replace(moment_at(minute, busy=busy, node=node), clock=clock)  # type: ignore[arg-type]
    used = {
        each.id: each.effect.volume
        for each in ruleset.rules
        if isinstance(each.effect, Quota) and str(each.effect) in used_up
    }
    units = UNITS + LATE if clock == "synced" else UNITS
    found = [evaluator.evaluate(unit, moment, used) for unit in units]
    pools = {
        name: frozenset(unit.account for unit, other in zip(units, found, strict=True) if other.pool == name)
        for name in {each.pool for each in found if each.pool}
    }
    return [
        (
            *seen(each, ruleset, pools.get(each.pool or "")),
            quotas_at(ruleset, unit, minute, clock, busy=busy, node=node),
        )
        for unit, each in zip(units, found, strict=True)
    ]


def quotas_at(ruleset: Ruleset, unit: Unit, minute: int, clock: str, *, busy: bool, node: str) -> set[str]:
    """A quota is said to be one even where its consequence is none."""
    selected = [each for each in ruleset.rules if is_meant_for(each, unit.tier, unit.groups)]
    now = in_force(applying(selected, minute if clock == "synced" else None, busy=busy, node=node))
    return {str(each.effect) for each in now if isinstance(each.effect, Quota) and clock == "synced"}


def terms(ruleset: Ruleset) -> tuple[object, ...]:
    return ruleset.shaped, ruleset.charter.max_weight_ratio, ruleset.unit


def differs_at(before: Ruleset, after: Ruleset, minutes: Iterable[int]) -> bool:
    """Whether anybody has anything else at one of these minutes, or while the time is unknown, whatever is used up."""
    effects = [each.effect for each in (*before.rules, *after.rules)]
    quotas = [frozenset[str](), *(frozenset({str(each)}) for each in effects if isinstance(each, Quota))]
    return any(
        everything(before, minute, clock, busy, node, used)
        != everything(after, minute, clock, busy, node, used)
        for minute, clock in [(0, "unknown"), *((minute, "synced") for minute in minutes)]
        for busy in (False, True)
        for node in ("", "mill")
        for used in quotas
    )


def edges(rules: Iterable[Rule]) -> list[int]:
    """Civil minutes at which rules can begin and end: in a week without dates, and around their days."""
    times = [each.when for each in rules if each.when]
    of_day = {0, *(minute % MINUTES_PER_DAY for when in times for minute in when.boundaries())}
    dated = {midnight_of(day) // MINUTES_PER_DAY for when in times for day in when.days()}
    days = {*range(7), *(day + n for day in dated for n in range(-2, 8))}
    return sorted(day * MINUTES_PER_DAY + minute for day in days for minute in of_day)


@given(pairs(), st.randoms(use_true_random=False))
def test_nothing_is_said_if_and_only_if_nobody_has_anything_else(both, random):
    before, after = both
    impact = change_impact(before, after, ROLL)
    every = edges((*before.rules, *after.rules))
    minutes = random.sample(every, min(len(every), 60))
    if impact.is_nothing:
        assert terms(before) == terms(after)
        assert not differs_at(before, after, minutes)
    else:
        examples = [change.minute for change in impact.changes if change.minute is not None]
        assert impact.terms or differs_at(before, after, examples)


def values_of(
    ruleset: Ruleset, unit: Unit, minute: int, clock: str, *, busy: bool, node: str
) -> dict[str, object]:
    """What a change can be about, as far as it can be seen from one account."""
    moment = replace(moment_at(minute, busy=busy, node=node), clock=clock)  # type: ignore[arg-type]
    found = Evaluator(ruleset).policy_for(unit, moment, {})
    guarantee = None if found.floor.value == found.lifeline else (found.floor.value, found.pool is None)
    return {
        "ceiling": found.ceiling and found.ceiling.value,
        "pool_ceiling": found.pool_ceiling and found.pool_ceiling.value,
        "burst": found.burst,
        "pool_burst": found.pool_burst,
        "guarantee": guarantee,
        "share": (found.share.value, found.pool is None),
        "weight": found.weight_in_pool,
        "quotas": quotas_at(ruleset, unit, minute, clock, busy=busy, node=node),
        "session": found.session and found.session.value,
        "devices": found.devices and found.devices.value,
    }


def covers(change: EntitlementChange, unit: Unit, minute: int, clock: str, *, busy: bool, node: str) -> bool:
    if (unit.tier, unit.groups) not in change.people.combinations or change.busy not in {None, busy}:
        return False
    if change.nodes is not None and node not in change.nodes:
        return False
    if clock == "unknown":
        return change.clock_unknown
    return change.times is None or change.times.holds(minute)


@given(
    pairs(),
    st.sampled_from(ROLL + UNITS[4:5]),
    st.booleans(),
    st.sampled_from(["", "mill"]),
    st.randoms(use_true_random=False),
)
def test_each_change_is_for_exactly_the_people_times_and_nodes_that_it_says(both, unit, busy, node, random):
    before, after = both
    if node not in (*before.nodes, *after.nodes):
        node = ""
    impact = change_impact(before, after, ROLL)
    every = edges((*before.rules, *after.rules))
    situations = [
        (0, "unknown"),
        *((minute, "synced") for minute in random.sample(every, min(len(every), 20))),
    ]
    for minute, clock in situations:
        old = values_of(before, unit, minute, clock, busy=busy, node=node)
        new = values_of(after, unit, minute, clock, busy=busy, node=node)
        told = [each for each in impact.changes if covers(each, unit, minute, clock, busy=busy, node=node)]
        # A pool can also change by who else is in it, and of many different days it is only said that they are some.
        certain = {each.aspect for each in told if each.aspect != "share" and not each.is_on_some_days}
        differing = {aspect for aspect in old if old[aspect] != new[aspect]}
        assert certain <= differing <= {each.aspect for each in told}


@given(pairs())
def test_the_way_back_has_the_same_changes_the_other_way_round(both):
    there, back = change_impact(*both, ROLL), change_impact(*reversed(both), ROLL)
    assert there.terms == back.terms
    turned = {
        (each.aspect, each.after, each.before, each.people, each.times, each.nodes) for each in back.changes
    }
    assert turned == {
        (each.aspect, each.before, each.after, each.people, each.times, each.nodes) for each in there.changes
    }


def test_days_of_grace_matter_if_a_rule_is_for_late_dues():
    late_rule = rule("late", "devices = 2", '"dues:late"')
    grace = "[dues]\ngrace_days = 30\n"
    assert ("grace_days",) == change_impact(
        ruleset_of(HEAD + late_rule), ruleset_of(HEAD + grace + late_rule)
    ).terms
    assert change_impact(ruleset_of(HEAD), ruleset_of(HEAD + grace)).is_nothing


def test_a_rule_for_late_dues_changes_it_for_those_who_may_become_late_and_never_without_a_clock():
    before, after = ruleset_of(HEAD), ruleset_of(HEAD + rule("late", "devices = 2", '"dues:late"'))
    (change,) = change_impact(before, after, ROLL).changes
    assert (Who(groups=frozenset({LATE_DUES})), 3, None) == (
        change.people.who,
        change.accounts,
        change.account,
    )
    assert (None, 2, False) == (change.before, change.after, change.clock_unknown)
    everyone = ruleset_of(HEAD + rule("all", "devices = 2", '"everyone"'))
    (change,) = change_impact(after, everyone, ROLL).changes
    assert ("a", 3) == (change.account, change.accounts)


def test_a_rule_for_one_node_changes_it_there_and_its_absence_at_the_others():
    plain, library = rule("a", "devices = 5"), rule("b", 'devices = 2\nat = "node:library"')
    before, there = ruleset_of(HEAD + plain), ruleset_of(HEAD + plain + library)
    (change,) = change_impact(before, there, ROLL).changes
    assert (5, 2, ("library",)) == (change.before, change.after, change.nodes)
    (change,) = change_impact(there, ruleset_of(HEAD + rule("b", "devices = 2")), ROLL).changes
    assert (5, 2, ("",)) == (change.before, change.after, change.nodes)
    assert change_impact(there, ruleset_of(HEAD + library + plain), ROLL).is_nothing

"""Properties of every set of rules that a community can write."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.periods import SlidingDays
from node.enforcement.plan import NO_LIMIT
from node.governance.allowance import Allowance, Unit
from node.governance.burst import Burst, saved_bits
from node.governance.checks import check
from node.governance.rule_evaluation import (
    CODE_LIFELINE,
    SESSION_MIN,
    Evaluator,
    guest_lifeline,
    lifeline,
)
from node.governance.rule_table import WHILE_BUSY
from node.governance.rule_tests import moment_at
from node.governance.rules import (
    Ceiling,
    Charter,
    Credit,
    DevicesLimit,
    Floor,
    Quota,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    UsageAlert,
    Who,
)
from node.governance.sentences import allowance_in
from node.governance.times import MINUTES_PER_WEEK, parse_times
from node.translator import ENGLISH
from node.units import AccountId, BitsPerSecond, Bytes, Milliseconds, Rates
from tests.fakes.rule_files import evaluate

RATE = st.sampled_from([10, 64, 96, 256, 500, 1_000, 3_000, 40_000]).map(lambda k: BitsPerSecond(k * 1000))
RATES = st.builds(Rates, RATE, RATE)
WHEN = st.sampled_from([None, "daily 18:00-23:00", "mon-fri 08:00-16:00", "daily 22:00-06:00"]).map(
    lambda text: None if text is None else parse_times(text)
)
WHO = st.sampled_from(
    [
        Who(everyone=True),
        Who(tiers=frozenset({"member"})),
        Who(tiers=frozenset({"guest"})),
        Who(groups=frozenset({"school"})),
        Who(everyone=True, excluded_groups=frozenset({"school"})),
    ]
)
CONSEQUENCE = st.one_of(
    st.builds(Share, st.integers(1, 200)), st.builds(Ceiling, RATES), st.just(UsageAlert())
)
BURST = st.builds(Burst, RATES, st.sampled_from([1, 20, 300]).map(lambda s: Milliseconds(s * 1_000)))
QUOTA = st.builds(
    Quota,
    st.integers(1, 5).map(Bytes),
    st.sampled_from(["day", "week", "month", SlidingDays(7)]),
    st.just("uplink"),
    CONSEQUENCE,
)
SESSION = st.builds(SessionLimit, st.integers(1, 300).map(lambda minutes: Milliseconds(minutes * 60_000)))
EFFECT = st.one_of(
    st.builds(Share, st.integers(1, 900)),
    st.builds(Credit, st.integers(1, 300)),
    st.builds(Floor, RATES),
    st.builds(Ceiling, RATES, st.none() | BURST),
    QUOTA,
    SESSION,
    st.builds(DevicesLimit, st.integers(1, 9)),
)
UNIT = st.sampled_from(
    [
        Unit(AccountId("a"), "member"),
        Unit(AccountId("b"), "guest"),
        Unit(AccountId("c"), "member", frozenset({"school"})),
    ]
)
MOMENT = st.builds(
    lambda minute, busy: moment_at(minute, busy=busy), st.integers(0, MINUTES_PER_WEEK - 1), st.booleans()
)


@st.composite
def rulesets(draw) -> Ruleset:
    """Rules as they would reach the evaluator if every check were bypassed, exceptions included."""
    rules: list[Rule] = []
    for number in range(draw(st.integers(0, 6))):
        earlier = draw(st.sampled_from([None, *rules])) if rules else None
        effect, who, together, target = draw(EFFECT), draw(WHO), draw(st.booleans()), None
        if earlier is not None and type(earlier.effect) is type(effect):
            target, who, together = earlier.id, earlier.who, earlier.together
            if isinstance(effect, Ceiling) and draw(st.booleans()):
                effect = Ceiling(None)
        together = together and not who.everyone
        busy = isinstance(effect, WHILE_BUSY) and draw(st.booleans())
        rules.append(Rule(f"r{number}", who, effect, "D-1", draw(WHEN), target, together, while_busy=busy))
    charter = Charter(draw(RATES), draw(RATES), draw(st.integers(1, 5)))
    uplink = Rates(BitsPerSecond(40_000_000), BitsPerSecond(8_000_000))
    return Ruleset("c", 1, "D-1", uplink, 920, charter, tuple(rules))


USED = st.dictionaries(st.sampled_from([f"r{n}" for n in range(6)]), st.integers(0, 6).map(Bytes), max_size=6)


@given(rulesets(), MOMENT)
def test_no_share_is_more_than_the_charters_multiple_of_another(ruleset, moment):
    """Before a quota is used up; a pool counts as one household, however small its share is."""
    units = [Unit(AccountId("a"), "member"), Unit(AccountId("c"), "member", frozenset({"school"}))]
    found = [evaluate(unit, moment, {}, ruleset) for unit in units]
    shares = [each.share.value for each in found if each.pool is None]
    assert not shares or max(shares) <= ruleset.charter.max_weight_ratio * min(shares)


@given(rulesets(), UNIT, MOMENT, USED, st.randoms(use_true_random=False))
def test_the_order_of_rules_never_matters(ruleset, unit, moment, used, random):
    shuffled = list(ruleset.rules)
    random.shuffle(shuffled)
    expected = evaluate(unit, moment, used, ruleset)
    assert expected == evaluate(unit, moment, used, replace(ruleset, rules=tuple(shuffled)))


@given(rulesets(), UNIT, MOMENT, USED, st.sampled_from(["synced", "unknown"]))
def test_no_rules_take_away_a_lifeline(ruleset, unit, moment, used, clock):
    found = evaluate(unit, replace(moment, clock=clock), used, ruleset)
    least = guest_lifeline(ruleset.charter) if unit.tier == "guest" else lifeline(ruleset.charter)
    if found.pool is None:
        assert covers(found.floor.value, least)
        assert found.ceiling is None or covers(found.ceiling.value, least)
    else:
        assert covers(found.floor.value, least)
        own = CODE_LIFELINE if unit.tier == "guest" else least
        assert found.ceiling is None or covers(found.ceiling.value, own)
        assert (found.own_floor is None) == (unit.tier == "guest")
        assert found.own_floor is None or covers(found.own_floor.value, least)
        assert found.pool_ceiling is None or covers(found.pool_ceiling.value, found.floor.value)
    assert found.share.value >= 1
    assert found.weight_in_pool >= 1


def most_within(found: Allowance, seconds: int) -> Rates:
    """Bits that an account can transfer at most in so many seconds, after a pause."""
    if found.ceiling is None:
        return Rates(NO_LIMIT, NO_LIMIT)
    top, burst = found.ceiling.value, found.burst
    if burst is None:
        return Rates(BitsPerSecond(top.down * seconds), BitsPerSecond(top.up * seconds))
    ways = (
        min(high * seconds, low * seconds + saved_bits(low, high, burst.length))
        for low, high in ((top.down, burst.rates.down), (top.up, burst.rates.up))
    )
    return Rates(*map(BitsPerSecond, ways))


@given(
    rulesets(), UNIT, MOMENT, USED, st.one_of(st.builds(Ceiling, RATES, st.none() | BURST), QUOTA), WHO, WHEN
)
def test_an_additional_limit_never_gives_anybody_more(ruleset, unit, moment, used, effect, who, when):
    more = Rule("new", who, effect, "D-2", when)
    before = evaluate(unit, moment, used, ruleset)
    after = evaluate(unit, moment, {**used, "new": Bytes(9)}, replace(ruleset, rules=(*ruleset.rules, more)))
    assert after.share.value <= before.share.value
    assert after.weight_in_pool <= before.weight_in_pool
    assert covers(before.floor.value, after.floor.value)
    assert before.ceiling is None or (after.ceiling and covers(before.ceiling.value, after.ceiling.value))
    for seconds in (1, 5, 20, 300):
        assert covers(most_within(before, seconds), most_within(after, seconds))


@given(rulesets(), UNIT, MOMENT, USED)
def test_a_busy_line_only_changes_what_rules_say_of_a_busy_line(ruleset, unit, moment, used):
    always = replace(ruleset, rules=tuple(replace(rule, while_busy=False) for rule in ruleset.rules))
    assert evaluate(unit, moment, used, always) == evaluate(unit, replace(moment, busy=False), used, always)
    if moment.busy:
        allowed, ours = evaluate(unit, moment, used, always), evaluate(unit, moment, used, ruleset)
        assert (allowed.share.value, allowed.floor.value) == (ours.share.value, ours.floor.value)
        assert (allowed.ceiling and allowed.ceiling.value) == (ours.ceiling and ours.ceiling.value)


@given(rulesets(), UNIT, MOMENT, USED)
def test_an_alert_never_limits_anybody(ruleset, unit, moment, used):
    rules = tuple(
        replace(rule, effect=replace(rule.effect, then=UsageAlert()))
        if isinstance(rule.effect, Quota)
        else rule
        for rule in ruleset.rules
    )
    alerts = replace(ruleset, rules=rules)
    found, free = evaluate(unit, moment, used, alerts), evaluate(unit, moment, {}, alerts)
    assert replace(found, quotas=(), alerts=()) == replace(free, quotas=(), alerts=())
    assert set(found.alerts) <= {quota.rule for quota in found.quotas if not quota.left}


@given(rulesets(), st.lists(st.tuples(UNIT, MOMENT, USED), max_size=6))
def test_the_evaluators_cache_never_changes_an_answer(ruleset, questions):
    evaluator = Evaluator(ruleset)
    for unit, moment, used in questions:
        assert evaluate(unit, moment, used, ruleset) == evaluator.evaluate(unit, moment, used)


@given(rulesets(), st.lists(UNIT, max_size=3))
def test_the_checks_handle_any_parsable_rules(ruleset, units):
    for finding in check(ruleset, units):
        assert finding.message
        assert finding.fix


@given(rulesets(), UNIT, MOMENT, USED)
def test_rules_that_pass_the_checks_are_never_clamped_at_run_time(ruleset, unit, moment, used):
    """Adopted rules apply as written: an accepted ceiling is not raised, an accepted floor is not cut."""
    if any(finding.is_error for finding in check(ruleset, (unit,))):
        return
    found = evaluate(unit, moment, used, ruleset)
    assert found.ceiling is None or found.ceiling.rule != "lifeline"
    if found.pool is None and found.ceiling is not None:
        assert covers(found.ceiling.value, found.floor.value)


def covers(high: Rates, low: Rates) -> bool:
    return high.down >= low.down and high.up >= low.up


@given(rulesets(), UNIT, MOMENT, USED)
def test_every_sentence_can_be_generated_again_from_the_rules(ruleset, unit, moment, used):
    charter = ruleset.charter
    allowed = replace(charter, lifeline=lifeline(charter), guest_lifeline=guest_lifeline(charter))
    ruleset = replace(ruleset, charter=allowed)
    found = evaluate(unit, moment, used, ruleset)
    assert found == allowance_in(ENGLISH, found, ruleset)


@given(rulesets(), UNIT, MOMENT)
def test_nobody_is_left_without_a_device_or_with_less_than_half_an_hour(ruleset, unit, moment):
    found = evaluate(unit, moment, {}, ruleset)
    assert found.session is None or found.session.value >= SESSION_MIN
    assert found.devices is None or found.devices.value >= 1

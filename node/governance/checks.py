"""Checks whether rules can be adopted, for every situation they can meet. Errors are contradictions that a vote
cannot resolve; warnings are about what people should review before they vote.

E02 a floor or ceiling that its pool cannot have · E03 below a lifeline · E04 more guaranteed than the uplink carries
· E05 a floor above a ceiling · E06 two rules for one thing · E12 a test in the rule file fails.

W01 never applies · W02 never changes anything · W04 a share over the charter's ratio · W05 for one household only ·
W07 needs a clock that the node does not have · W09 more rules than people read · W10 a quota that the lifeline alone
uses up · W11 so much of the uplink shared that its queue can stay full · W12 join methods for members only, but no
members · W13 floors of all hours together exceed the uplink · W14 an error that the rules in force have too · W15 lifelines
and floors exceed the least that a measured uplink carries. (W03, W06 and W08 need usage data, proposers and
concurrency.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from node.accounting.periods import PeriodKind
from node.errors import Finding
from node.governance import rule_evaluation
from node.governance.allowance import Allowance, ClockState, Moment, Unit
from node.governance.coverage import Situation, UnitKind, kinds, minute_words, situations, stretches
from node.governance.document import FINDINGS_MAX
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import (
    DIRECTIONS,
    Direction,
    Evaluator,
    binding_rules,
    is_of_pool,
    pool_has_guests,
    rate_in,
)
from node.governance.rule_tests import failure, moment_at
from node.governance.rules import (
    GUEST_TIER,
    GUESTS,
    WAYS_OF_MEMBERS,
    Ceiling,
    Floor,
    Quota,
    Rule,
    Ruleset,
    Share,
    is_meant_for,
    selects,
    shared_for,
    without_reserve,
)
from node.governance.sentences import rate_words, rates_words
from node.governance.value_syntax import format_quota, format_rates
from node.toml_reader import closest
from node.units import GIGA, KILO, NO_RATES, BitsPerSecond, Bytes, Rates, highest, lowest

RULES_READ_MAX = 25
"""Rules that people can still read before an assembly."""
USABLE_PERMILLE_FAIR = 900
"""Of the uplink; measured: above this, one account with dozens of downloads gets more than its share."""
_PERIOD_SECONDS: dict[PeriodKind, int] = {"day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400}

Found = Iterable[tuple[str, Finding]]
"""Findings with their subject: of several with the same code and subject, one is shown."""


@dataclass(frozen=True, slots=True)
class Excess:
    """By how many bit/s, in which direction and at which minute of the week, the guarantees exceed the capacity."""

    direction: Direction
    minute: int
    rate: int


def check_file(
    text: str, units: Sequence[Unit] = (), clock: ClockState = "synced"
) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """Parse and check: all findings, and the ruleset unless one of them is an error."""
    ruleset, findings = parse_ruleset(text)
    if ruleset is None:
        return None, findings
    findings = check(ruleset, units, clock)
    return (None if any(finding.is_error for finding in findings) else ruleset), findings


def check(ruleset: Ruleset, units: Sequence[Unit] = (), clock: ClockState = "synced") -> tuple[Finding, ...]:
    """Errors and warnings of parsed rules, by line. `units`: the member directory; empty when there is none."""
    among = kinds(ruleset, units)
    met = tuple(situations(ruleset, among))
    found: dict[tuple[str, str], Finding] = {}
    for situation in met:
        for key, finding in _situation(situation, ruleset, among):
            found.setdefault((finding.code, key), finding)
    findings = [*found.values(), *capacity_findings(ruleset, among)]
    findings += _examples(ruleset, units)
    findings += notes(ruleset, units, met, clock)
    return tuple(sorted(findings, key=lambda f: (not f.is_error, f.line, f.code)))[:FINDINGS_MAX]


def softened(error: Finding) -> Finding:
    """W14 instead of an error that the active rules have too, because members joined or left since."""
    message = f"{error.code} applies here as it does with the rules in force, because the members changed: {error.message}"
    return replace(error, code="W14", message=message)


def _situation(situation: Situation, ruleset: Ruleset, among: Sequence[UnitKind]) -> Found:
    yield from _ambiguous(situation)
    pool = _pool(situation, ruleset)
    yield from _outside_pool(situation, pool)
    if isinstance(pool, Rule) and not pool_has_guests(pool):
        yield from _pooled_lifelines(situation, pool, ruleset, among)
    for together in (False, True) if pool is not None else (False,):
        least = _least(ruleset, pool, among, together=together)
        rules = [rule for rule in situation.rules if _is_meant(rule, pool, together=together)]
        yield from _below_lifeline(rules, least)
        yield from _floor_above_ceiling(situation, rules)


def _ambiguous(situation: Situation) -> Found:
    """E06: two base shares, or two exceptions to one rule, for the same accounts at the same time."""
    shares = [rule for rule in situation.rules if isinstance(rule.effect, Share)]
    for other in shares[1:]:
        yield _two(
            shares[0], other, situation, "both set the share", "name one of them in exception_to of the other"
        )
    firsts: dict[str, Rule] = {}
    for rule in situation.applying:
        if rule.exception_to is None:
            continue
        first = firsts.setdefault(rule.exception_to, rule)
        if first is not rule:
            what = f"both replace {rule.exception_to}"
            yield _two(first, rule, situation, what, "let one replace the other, or narrow who or when")


def _two(first: Rule, second: Rule, situation: Situation, what: str, fix: str) -> tuple[str, Finding]:
    early, late = sorted((first, second), key=lambda rule: (rule.line, rule.id))
    message = f"{early.id} (line {early.line}) and {late.id} {what} ({situation.words})."
    return f"{early.id} {late.id}", Finding("E06", late.line, message, fix)


def _pool(situation: Situation, ruleset: Ruleset) -> Rule | str | None:
    """The rule that creates the pool in this situation, or `GUESTS`, or None; same result as `evaluate`."""
    by_id = {rule.id: rule for rule in ruleset.rules}
    pooled = [r for r in situation.rules if isinstance(r.effect, Share) and r.together]
    if not pooled:
        return GUESTS if situation.kind.unit.tier == GUEST_TIER else None
    rule = pooled[0]
    while rule.exception_to is not None:
        rule = by_id[rule.exception_to]
    return rule


def _outside_pool(situation: Situation, pool: Rule | str | None) -> Found:
    """E02: a limit for a pool where there is none, or an individual floor inside a pool."""
    for rule in situation.rules:
        if not isinstance(rule.effect, Floor | Ceiling):
            continue
        fits = pool is not None and is_of_pool(rule, pool)
        if rule.together and not fits:
            message = f"{rule.id} is for people together who do not share together ({situation.words})."
            fix = "write a share rule with together = true for the same who, or take out together"
            yield rule.id, Finding("E02", rule.line, message, fix)
        elif isinstance(rule.effect, Floor) and pool is not None and not fits:
            name = pool if isinstance(pool, str) else pool.id
            message = f"{rule.id} is a floor for people who share together by {name} ({situation.words})."
            fix = f"make it a floor for all of {name}, with the same who and together = true"
            yield rule.id, Finding("E02", rule.line, message, fix)


def _pooled_lifelines(situation: Situation, pool: Rule, ruleset: Ruleset, among: Sequence[UnitKind]) -> Found:
    """E03: a pool's floor must cover the lifelines of its households."""
    count, all_of_them = _households_of(pool, among), _lifelines(pool, ruleset, among)
    has = rule_evaluation.lifeline(ruleset.charter)
    for rule in situation.rules:
        if isinstance(rule.effect, Floor) and is_of_pool(rule, pool):
            has = highest(has, rule.effect.rates)
    if highest(has, all_of_them) == has:
        return
    message = (
        f"{pool.id} makes one of {count} {ruleset.unit}s, which each have a lifeline ({situation.words})."
    )
    fix = (
        f'add a floor together of "{format_rates(highest(has, all_of_them))}" for them, '
        "or make them devices of one account in the roll"
    )
    yield pool.id, Finding("E03", pool.line, message, fix)


def _least(ruleset: Ruleset, pool: Rule | str | None, among: Sequence[UnitKind], *, together: bool) -> Rates:
    """The lifeline that applies: of one household, of all households of a pool, of all guests together, or the
    minimum in code for one guest."""
    if pool is not None and pool_has_guests(pool):
        return rule_evaluation.guest_lifeline(ruleset.charter) if together else rule_evaluation.CODE_LIFELINE
    if together and isinstance(pool, Rule):
        return _lifelines(pool, ruleset, among)
    return rule_evaluation.lifeline(ruleset.charter)


def _lifelines(pool: Rule, ruleset: Ruleset, among: Sequence[UnitKind]) -> Rates:
    """Sum for all households of the directory that are in the pool; at least one."""
    return _times(rule_evaluation.lifeline(ruleset.charter), max(1, _households_of(pool, among)))


def _households_of(rule: Rule, among: Sequence[UnitKind]) -> int:
    """How many of the directory the rule is for."""
    return sum(kind.count for kind in among if is_meant_for(rule, kind.unit.tier, kind.unit.groups))


def _is_meant(rule: Rule, pool: Rule | str | None, *, together: bool) -> bool:
    """Whether the rule is for the whole pool (`together`) or for each account."""
    of_pool = pool is not None and is_of_pool(rule, pool)
    return of_pool == together


def _below_lifeline(rules: Iterable[Rule], least: Rates) -> Found:
    """E03: a ceiling, or the consequence of a quota, below the lifeline."""
    for rule in rules:
        rates = _limit(rule)
        if rates is None or (rates.down >= least.down and rates.up >= least.up):
            continue
        message = f"{rule.id} leaves {rates_words(rates)}, less than the lifeline of {rates_words(least)}."
        fix = f'write at least "{format_rates(highest(rates, least))}"'
        yield rule.id, Finding("E03", rule.line, message, fix)


def _floor_above_ceiling(situation: Situation, rules: Sequence[Rule]) -> Found:
    """E05: a floor above a ceiling or above the consequence of a quota."""
    for floor in rules:
        if not isinstance(floor.effect, Floor):
            continue
        rates = floor.effect.rates
        for other in rules:
            top = _limit(other)
            if top is None or (rates.down <= top.down and rates.up <= top.up):
                continue
            message = (
                f"{floor.id} promises {rates_words(rates)}, but {other.id} (line {other.line}) allows "
                f"no more than {rates_words(top)} ({situation.words})."
            )
            fix = f'lower the floor to "{format_rates(lowest(rates, top))}", or write an exception'
            yield f"{floor.id} {other.id}", Finding("E05", floor.line, message, fix)


def _limit(rule: Rule) -> Rates | None:
    """The ceiling that the rule sets, at once or when its quota is used up."""
    effect = rule.effect.then if isinstance(rule.effect, Quota) else rule.effect
    return effect.rates if isinstance(effect, Ceiling) else None


def _examples(ruleset: Ruleset, units: Sequence[Unit]) -> list[Finding]:
    """E12: a test in the file that fails or cannot be parsed."""
    evaluator = Evaluator(ruleset)
    findings = []
    for example in ruleset.examples:
        failed = failure(example, evaluator, units)
        if failed is not None:
            findings.append(Finding("E12", example.line, *failed))
    return findings


def notes(
    ruleset: Ruleset, units: Sequence[Unit], met: Sequence[Situation], clock: ClockState
) -> Iterable[Finding]:
    """All warnings but W13 to W15. `units`: the member directory, empty when there is none; `met`: every situation the
    rules can meet."""
    real = [situation for situation in met if situation.kind.exists or not units]
    reached = {rule.id for situation in real for rule in situation.rules}
    binding = _binding(ruleset, real)
    for rule in ruleset.rules:
        if rule.id not in reached:
            yield _unreached(rule, units, real)
        elif rule.id not in binding or _is_idle(rule, ruleset):
            yield _without_effect(rule, ruleset)
        yield from _share(rule, ruleset)
        yield from _one_household(rule, ruleset, units)
        yield from _small_quota(rule, ruleset)
        if clock == "unknown" and rule.when is not None:
            message = f"{rule.id} has hours, and this node does not know the time. Limits with hours wait until it does."
            yield Finding(
                "W07", rule.line, message, "give the node a clock, or a way to the time of its neighbours"
            )
    yield from _full_line(ruleset)
    yield from _closed_door(ruleset, units)
    if len(ruleset.rules) > RULES_READ_MAX:
        message = f"There are {len(ruleset.rules)} rules; beyond {RULES_READ_MAX}, people stop reading them."
        yield Finding(
            "W09", 0, message, "join rules that say the same, and repeal those that changed nothing"
        )


def _binding(ruleset: Ruleset, real: Sequence[Situation]) -> set[str]:
    """Rules that affect the result in some situation."""
    evaluator = Evaluator(ruleset)
    volumes = {rule.id: rule.effect.volume for rule in ruleset.rules if isinstance(rule.effect, Quota)}
    binding: set[str] = set()
    for situation in real:
        moment = moment_at(situation.minute)
        unknown = {rule.id for rule in situation.rules} - binding
        for exhausted in situation.exhaustions():
            # An additional limit cannot make another rule binding, so a quota is only tried to test the quota itself.
            # With this, 200 quotas with many times take seconds instead of minutes.
            if not unknown or (exhausted and not exhausted & unknown):
                continue
            used = {name: volumes[name] for name in exhausted}
            found = evaluator.policy_for(situation.kind.unit, moment, used)
            binding |= binding_rules(situation.rules, exhausted, found)
    return binding


def _is_idle(rule: Rule, ruleset: Ruleset) -> bool:
    """Whether the rule only has an effect when the uplink is shared, which needs its speed."""
    effect = rule.effect.then if isinstance(rule.effect, Quota) else rule.effect
    return ruleset.uplink is None and isinstance(effect, Share | Floor)


def _unreached(rule: Rule, units: Sequence[Unit], real: Sequence[Situation]) -> Finding:
    """W01: it selects no account, or other rules always replace it."""
    if units and not any(selects(rule.who, u.tier, u.groups) for u in [s.kind.unit for s in real]):
        names = sorted(rule.who.groups | rule.who.tiers)
        known = {group for unit in units for group in unit.groups} | {unit.tier for unit in units}
        near = [close for name in names if (close := closest(name, sorted(known)))]
        fix = f"did you mean {near[0]}?" if near else "add people to the roll, or remove the rule"
        return Finding(
            "W01", rule.line, f"{rule.id} is for nobody: the roll has no {' or '.join(names)}.", fix
        )
    if any(rule in situation.applying for situation in real):
        message = f"{rule.id} never applies: exceptions always replace it."
        return Finding("W01", rule.line, message, "remove it, or narrow the exceptions")
    message = (
        f"{rule.id} never applies: the rule it replaces never applies to the same people at the same time."
    )
    return Finding("W01", rule.line, message, "correct its who or when, or remove it")


def _without_effect(rule: Rule, ruleset: Ruleset) -> Finding:
    """W02: other rules are always stricter or more generous, or the uplink's speed is not stated."""
    if _is_idle(rule, ruleset):
        message = f"{rule.id} waits until the speed of the line is stated."
        return Finding("W02", rule.line, message, "measure the line and write [uplink.main] with down and up")
    message = f"{rule.id} never changes what anyone gets: other rules or the lifeline always decide."
    return Finding("W02", rule.line, message, "remove it, or check that the number is right")


def _share(rule: Rule, ruleset: Ruleset) -> Iterable[Finding]:
    cap = rule_evaluation.share_cap(ruleset)
    if isinstance(rule.effect, Share) and rule.effect.weight > cap:
        ratio = ruleset.charter.max_weight_ratio
        message = (
            f"{rule.id} gives a share of {rule.effect.weight}; the charter allows {ratio} times the smallest."
        )
        yield Finding("W04", rule.line, message, f"write at most share = {cap}; that is what applies now")


def _one_household(rule: Rule, ruleset: Ruleset, units: Sequence[Unit]) -> Iterable[Finding]:
    if not units or selects(rule.who, GUEST_TIER, frozenset()):
        return
    chosen = [unit for unit in units if selects(rule.who, unit.tier, unit.groups)]
    if len(chosen) == 1:
        message = f"{rule.id} is for one {ruleset.unit} only."
        yield Finding(
            "W05", rule.line, message, "make sure that everyone who votes knows this, and that it is intended"
        )


def _small_quota(rule: Rule, ruleset: Ruleset) -> Iterable[Finding]:
    """Only where the whole uplink counts: the busy part of a period is not known here."""
    if not isinstance(rule.effect, Quota) or rule.effect.counts != "uplink":
        return
    lifeline = rule_evaluation.lifeline(ruleset.charter)
    least = (lifeline.down + lifeline.up) * _PERIOD_SECONDS[rule.effect.period] // 8
    if rule.effect.volume < least:
        message = f"{rule.id} can be used up by the lifeline alone."
        enough = Bytes(-(-least // GIGA) * GIGA)
        fix = f'write quota = "{format_quota(enough, rule.effect.period)}", or counts = "uplink while busy"'
        yield Finding("W10", rule.line, message, fix)


def _full_line(ruleset: Ruleset) -> Iterable[Finding]:
    if ruleset.uplink is not None and ruleset.usable_permille > USABLE_PERMILLE_FAIR:
        message = (
            f"usable_percent is {ruleset.usable_permille // 10}: over 90, the queue builds up in the modem, "
            "which does not share the line fairly."
        )
        yield Finding("W11", 0, message, "write usable_percent = 85, or at most 90")


def _closed_door(ruleset: Ruleset, units: Sequence[Unit]) -> Iterable[Finding]:
    if not units and WAYS_OF_MEMBERS.issuperset(ruleset.joining.ways):
        message = "Every way to join needs a member, and there are no members."
        yield Finding("W12", 0, message, 'add people to the roll, or open "terms" or "voucher" in [joining]')


def capacity_findings(ruleset: Ruleset, among: Sequence[UnitKind]) -> Iterable[Finding]:
    """Whether the uplink can carry all lifelines and floors at once, beside its control traffic: E04 for the worst hour of
    each direction, otherwise W13 if only the floors of all hours together are too much, and W15 if a measured uplink may
    carry less; nothing when the uplink's speed is not stated."""
    line = ruleset.guaranteeable
    if line is None:
        return
    promised = [(minute, _promised(ruleset, among, moment_at(minute))) for minute in _minutes(ruleset)]
    for direction in DIRECTIONS:
        sums = [(rate_in(direction, rates), minute) for minute, rates in promised]
        most, minute = min(sums, key=lambda each: (-each[0], each[1]))
        over = most - rate_in(direction, line)
        if over > 0:
            excess = Excess(direction, minute, over)
            at, fix = _fix(ruleset, among, excess)
            yield Finding("E04", at, _message(ruleset, among, excess), fix)
        else:
            yield from _without_a_clock(ruleset, among, direction)
            if ruleset.measured is not None:
                over = most - rate_in(direction, without_reserve(ruleset.measured.least))
                fits = _enough(ruleset.measured.least, [rates for _, rates in promised])
                yield from _at_its_slowest(ruleset, among, Excess(direction, minute, over), fits)


def _without_a_clock(ruleset: Ruleset, among: Sequence[UnitKind], direction: Direction) -> Iterable[Finding]:
    """W13: while the clock is unknown, every floor with times applies. Lifelines still fit, as in every hour; only
    the part of the floors above them shrinks, so this is not an error."""
    assert ruleset.guaranteeable is not None, "without a line there is no excess"
    unknown = replace(moment_at(0), clock="unknown")
    most, line = _promised(ruleset, among, unknown), rate_in(direction, ruleset.guaranteeable)
    if rate_in(direction, most) <= line:
        return
    lifelines = rate_in(direction, _promised(ruleset, among, unknown, lifelines_only=True))
    percent = max(0, line - lifelines) * 100 // (rate_in(direction, most) - lifelines)
    message = (
        f"{direction.capitalize()}: while a node does not know the time, floors of all hours hold at once and come to "
        f"{rate_words(rate_in(direction, most))}; {rate_words(BitsPerSecond(line))} can be guaranteed. Everyone keeps the "
        f"lifeline, and each floor gives {percent} % of what it promises beyond that."
    )
    yield Finding(
        "W13", 0, message, "give the node a clock, or lower floors so that all of them fit together"
    )


def _at_its_slowest(
    ruleset: Ruleset, among: Sequence[UnitKind], excess: Excess, fits: Rates
) -> Iterable[Finding]:
    """W15: what is left of lifelines and floors while the line carries no more than `least`. `fits`: a `least` that is
    enough."""
    if excess.rate <= 0 or ruleset.measured is None:
        return
    direction = excess.direction
    least, line = (
        rate_in(direction, ruleset.measured.least),
        rate_in(direction, without_reserve(ruleset.measured.least)),
    )
    lifelines = rate_in(direction, _promised(ruleset, among, moment_at(excess.minute), lifelines_only=True))
    left = f"each {ruleset.unit} gets {line * 100 // max(1, lifelines)} % of its lifeline, and floors nothing beyond it"
    if lifelines <= line:
        percent = (line - lifelines) * 100 // max(1, line + excess.rate - lifelines)
        left = f"everyone keeps the lifeline, and floors give {percent} % of what they promise beyond it"
    message = (
        f"{direction.capitalize()}: lifelines and floors of {_households(among)} {ruleset.unit}s and the guests come to "
        f"{rate_words(BitsPerSecond(line + excess.rate))} ({minute_words(excess.minute)}), but while the line carries its "
        f"least, {rate_words(least)}, only {rate_words(line)} can be guaranteed: {left}."
    )
    at, fix = _fix(ruleset, among, excess)
    enough = f'write least = "{format_rates(fits)}" if the line always carries that'
    yield Finding("W15", at, message, f"{enough}; else {fix}, or adopt the rules with this in mind")


def _enough(least: Rates, promised: Sequence[Rates]) -> Rates:
    """The lowest rates, at least these, of which all that is promised can be guaranteed."""
    most = reduce(highest, promised)
    return highest(least, Rates(shared_for(most.down), shared_for(most.up)))


def _minutes(ruleset: Ruleset) -> list[int]:
    """One minute for each set of floors and pool rules that can apply at once."""
    relevant = [rule for rule in ruleset.rules if isinstance(rule.effect, Floor) or rule.together]
    return [minute for minute, _ in stretches(relevant)]


def _promised(
    ruleset: Ruleset, among: Sequence[UnitKind], moment: Moment, *, lifelines_only: bool = False
) -> Rates:
    """Sum of the floors of all households; each pool counts once, or with its households' lifelines if these are
    more. Without a member directory, one household of each kind."""
    evaluator = Evaluator(ruleset)
    alone: list[Rates] = []
    floors: dict[str, Rates] = {}
    inside: dict[str, list[Rates]] = {}
    for kind, count in _counts(among):
        allowance = evaluator.policy_for(kind.unit, moment, {})
        floor = allowance.lifeline if lifelines_only else allowance.floor.value
        if allowance.pool is None:
            alone.append(_times(floor, count))
            continue
        floors[allowance.pool] = highest(floors.get(allowance.pool, floor), floor)
        inside.setdefault(allowance.pool, []).append(_times(_kept(allowance), count))
    pools = [highest(floor, _sum(inside[name])) for name, floor in floors.items()]
    return _sum([*alone, *pools])


def _kept(allowance: Allowance) -> Rates:
    """What one account keeps for itself inside its pool."""
    return NO_RATES if allowance.own_floor is None else allowance.own_floor.value


def _times(rates: Rates, count: int) -> Rates:
    return Rates(BitsPerSecond(rates.down * count), BitsPerSecond(rates.up * count))


def _sum(many: Iterable[Rates]) -> Rates:
    many = list(many)
    return Rates(BitsPerSecond(sum(r.down for r in many)), BitsPerSecond(sum(r.up for r in many)))


def _counts(among: Sequence[UnitKind]) -> list[tuple[UnitKind, int]]:
    has_member_directory = any(kind.count for kind in among)
    return [
        (kind, kind.count if has_member_directory else 1)
        for kind in among
        if kind.exists or not has_member_directory
    ]


def _message(ruleset: Ruleset, among: Sequence[UnitKind], excess: Excess) -> str:
    assert ruleset.guaranteeable is not None, "without a line there is no excess"
    line = rate_in(excess.direction, ruleset.guaranteeable)
    return (
        f"{excess.direction.capitalize()}: lifelines and floors of {_households(among)} {ruleset.unit}s and the guests "
        f"come to {rate_words(BitsPerSecond(line + excess.rate))} ({minute_words(excess.minute)}), and "
        f"{rate_words(line)} can be guaranteed."
    )


def _fix(ruleset: Ruleset, among: Sequence[UnitKind], excess: Excess) -> tuple[int, str]:
    """The line to change, and how: lower the largest floor, otherwise the lifeline, to the value that fits."""
    direction, lifeline = (
        excess.direction,
        rate_in(excess.direction, rule_evaluation.lifeline(ruleset.charter)),
    )
    largest = _largest_floor(ruleset, among, excess)
    if largest is not None:
        rule, count, rate = largest
        lower = _without(excess, rate, count)
        if lower > lifeline * (max(1, _households_of(rule, among)) if rule.together else 1):
            fix = f'lower {rule.id} to at most "{rate_words(lower)} {direction}"'
            return rule.line, fix
    lower = _without(excess, lifeline, max(1, _households(among)))
    if lower >= rate_in(direction, rule_evaluation.CODE_LIFELINE):
        fix = f'lower the lifeline in [charter] to "{rate_words(lower)} {direction}", or take out floors'
        return 0, fix
    return 0, "take out floors, or find a faster line: this one is not enough for all lifelines"


def _households(among: Sequence[UnitKind]) -> int:
    return sum(count for kind, count in _counts(among) if kind.unit.tier != GUEST_TIER)


def _without(excess: Excess, rate: int, count: int) -> BitsPerSecond:
    """`rate` minus what each of `count` units must give up, in whole kbit/s."""
    return BitsPerSecond(max(0, (rate - -(-excess.rate // count)) // KILO * KILO))


def _largest_floor(
    ruleset: Ruleset, among: Sequence[UnitKind], excess: Excess
) -> tuple[Rule, int, int] | None:
    """The floor rule that guarantees most at that time: the rule, the number of units, and the rate of each."""
    best: tuple[Rule, int, int] | None = None
    for rule in ruleset.rules:
        if not isinstance(rule.effect, Floor) or (
            rule.when is not None and not rule.when.holds(excess.minute)
        ):
            continue
        count = sum(n for kind, n in _counts(among) if is_meant_for(rule, kind.unit.tier, kind.unit.groups))
        count = 1 if rule.together else count
        rate = rate_in(excess.direction, rule.effect.rates)
        if count and (best is None or rate * count > best[1] * best[2]):
            best = rule, count, rate
    return best

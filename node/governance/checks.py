"""Checks whether rules can be adopted, for every situation they can meet. Errors are contradictions that a vote
cannot resolve.

E02 a floor or ceiling that its pool cannot have · E03 below a lifeline · E04 more guaranteed than the uplink carries
· E05 a floor above a ceiling · E06 two rules for one thing · E12 a test in the rule file fails. For warnings see
`rule_warnings`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from node.errors import Finding
from node.governance import combine
from node.governance.allowance import ClockState, Unit
from node.governance.capacity import capacity_findings
from node.governance.coverage import Situation, UnitKind, kinds, situations
from node.governance.document import FINDINGS_MAX
from node.governance.evaluate import Evaluator
from node.governance.parse import parse_ruleset
from node.governance.policy_slice import is_of_pool, pool_has_guests
from node.governance.rule_tests import failure
from node.governance.rule_warnings import notes
from node.governance.rules import GUEST_TIER, GUESTS, Ceiling, Floor, Quota, Rule, Ruleset, Share
from node.governance.selection import is_meant_for
from node.governance.sentence_parts import rates_words
from node.governance.value_syntax import format_rates
from node.units import BitsPerSecond, Rates


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


Found = Iterable[tuple[str, Finding]]
"""Findings with their subject: of several with the same code and subject, one is shown."""


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


def _two(first: Rule, second: Rule, situation: Situation, what: str, mend: str) -> tuple[str, Finding]:
    early, late = sorted((first, second), key=lambda rule: (rule.line, rule.id))
    message = f"{early.id} (line {early.line}) and {late.id} {what} ({situation.words})."
    return f"{early.id} {late.id}", Finding("E06", late.line, message, mend)


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
            mend = "write a share rule with together = true for the same who, or take out together"
            yield rule.id, Finding("E02", rule.line, message, mend)
        elif isinstance(rule.effect, Floor) and pool is not None and not fits:
            name = pool if isinstance(pool, str) else pool.id
            message = f"{rule.id} is a floor for people who share together by {name} ({situation.words})."
            mend = f"make it a floor for all of {name}, with the same who and together = true"
            yield rule.id, Finding("E02", rule.line, message, mend)


def _pooled_lifelines(situation: Situation, pool: Rule, ruleset: Ruleset, among: Sequence[UnitKind]) -> Found:
    """E03: a pool's floor must cover the lifelines of its households."""
    count, all_of_them = _households(pool, among), _lifelines(pool, ruleset, among)
    has = combine.lifeline(ruleset.charter)
    for rule in situation.rules:
        if isinstance(rule.effect, Floor) and is_of_pool(rule, pool):
            has = combine.highest(has, rule.effect.rates)
    if combine.highest(has, all_of_them) == has:
        return
    message = (
        f"{pool.id} makes one of {count} {ruleset.unit}s, which each have a lifeline ({situation.words})."
    )
    mend = (
        f'add a floor together of "{format_rates(combine.highest(has, all_of_them))}" for them, '
        "or make them devices of one account in the roll"
    )
    yield pool.id, Finding("E03", pool.line, message, mend)


def _least(ruleset: Ruleset, pool: Rule | str | None, among: Sequence[UnitKind], *, together: bool) -> Rates:
    """The lifeline that applies: of one household, of all households of a pool, of all guests together, or the
    minimum in code for one guest."""
    if pool is not None and pool_has_guests(pool):
        return combine.guest_lifeline(ruleset.charter) if together else combine.CODE_LIFELINE
    if together and isinstance(pool, Rule):
        return _lifelines(pool, ruleset, among)
    return combine.lifeline(ruleset.charter)


def _lifelines(pool: Rule, ruleset: Ruleset, among: Sequence[UnitKind]) -> Rates:
    """Sum for all households of the directory that are in the pool; at least one."""
    count = max(1, _households(pool, among))
    one = combine.lifeline(ruleset.charter)
    return Rates(BitsPerSecond(one.down * count), BitsPerSecond(one.up * count))


def _households(pool: Rule, among: Sequence[UnitKind]) -> int:
    return sum(k.count for k in among if is_meant_for(pool, k.unit.tier, k.unit.groups))


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
        mend = f'write at least "{format_rates(combine.highest(rates, least))}"'
        yield rule.id, Finding("E03", rule.line, message, mend)


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
            mend = f'lower the floor to "{format_rates(combine.lowest(rates, top))}", or write an exception'
            yield f"{floor.id} {other.id}", Finding("E05", floor.line, message, mend)


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

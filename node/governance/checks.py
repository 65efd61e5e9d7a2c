"""Checks whether rules can be adopted, for every situation they can meet. Errors are contradictions that a vote
cannot resolve; warnings are about what people should review before they vote.

E02 a floor or ceiling that its pool cannot have · E03 below a lifeline · E04 more guaranteed than the uplink carries
· E05 a floor above a ceiling · E06 two rules for one thing · E12 a test in the rule file fails · W04 a share with its
credits over the charter's ratio. (Other warnings are in `rule_warnings`; W08, W13, W15 and W21 in `guarantees`, W14, W18
and W20 in `local_findings`, W17 in `observed_rules`, W19 in `minutes_table`.)
"""

from collections.abc import Callable, Collection, Container, Iterable, Sequence
from functools import partial

from node.errors import Finding
from node.governance import rule_evaluation
from node.governance.allowance import ClockState, Unit
from node.governance.conflicts import RuleIndex, conflicts
from node.governance.coverage import Population, Situation, UnitClass
from node.governance.deciding import ClassValues
from node.governance.document import FINDINGS_MAX
from node.governance.exhaustive_tests import example_findings
from node.governance.expressions import listed, number_of_units, rates_words
from node.governance.guarantees import capacity_findings, times
from node.governance.minutes_table import minutes_findings
from node.governance.observed_rules import observed_findings
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import (
    Evaluator,
    binding_rules,
    is_of_pool,
    pool_has_guests,
)
from node.governance.rule_tests import moment_at
from node.governance.rule_warnings import RuleReach, rule_warnings, too_many_rules
from node.governance.rules import (
    GUEST_TIER,
    GUESTS,
    SHARE_DEFAULT,
    Ceiling,
    Credit,
    Floor,
    Quota,
    Rule,
    Ruleset,
    Share,
    limit_of,
)
from node.governance.slices import ClassSlices, TimeSlices, mask_of, members_of
from node.governance.uplink_findings import merged
from node.governance.value_syntax import format_rates
from node.translator import N_, LazyText, gettext_lazy
from node.units import Rates, highest, lowest

Found = Iterable[tuple[str, Finding]]
"""Findings with their subject: of several with the same code and subject, one is shown."""


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
    find = partial(_findings, _Surveys(units), clock, ruleset)
    found = {name: _of_line(each, find) for name, each in ruleset.by_uplink.items()}
    findings = [*merged(ruleset, found), *too_many_rules(ruleset)]
    return tuple(sorted(findings, key=lambda f: (not f.is_error, f.line, f.code)))[:FINDINGS_MAX]


def _of_line(ruleset: Ruleset, find: Callable[[Ruleset, Collection[Rule]], list[Finding]]) -> list[Finding]:
    findings = find(ruleset, ruleset.rules)
    return [*findings, *observed_findings(ruleset, findings, find)]


def _findings(
    surveys: "_Surveys", clock: ClockState, whole: Ruleset, ruleset: Ruleset, warned: Collection[Rule]
) -> list[Finding]:
    """`ruleset`: of one line of the whole. `warned`: the rules whose warnings are wanted; those of the others are not
    reliable."""
    units, survey = surveys.units, surveys.of(ruleset, warned)
    findings = [*survey.found.values(), *capacity_findings(ruleset, survey.population)]
    findings += example_findings(ruleset, units, whole)
    findings += rule_warnings(ruleset, units, survey.reach, clock)
    findings += minutes_findings(ruleset)
    return findings


class _Surveys:
    """Lines that have the same rules need one survey: nothing in it depends on a line's speed."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        # A list: lines have the same rules as the same objects, which are compared faster than they are hashed.
        self._known: list[tuple[tuple[tuple[Rule, ...], tuple[Rule, ...]], _Survey]] = []

    def of(self, ruleset: Ruleset, warned: Collection[Rule]) -> "_Survey":
        key = ruleset.rules, tuple(warned)
        for known, survey in self._known:
            if known == key:
                return survey
        survey = _Survey(ruleset, self.units, warned)
        for unit_class in survey.population.classes:
            survey.visit(unit_class)
        self._known.append((key, survey))
        return survey


class _Survey:
    """Visits all classes of units, and for each the slices of time in which there is something to find."""

    def __init__(self, ruleset: Ruleset, units: Sequence[Unit], warned: Collection[Rule]) -> None:
        self._ruleset = ruleset
        self.found: dict[tuple[str, str], Finding] = {}
        """Errors, by their code and subject."""
        self.population, self._times = Population(ruleset, units), TimeSlices(ruleset.rules)
        self._index = RuleIndex(ruleset, self.population.accounts_of)
        self._evaluator = Evaluator(ruleset, lists_not_binding=False)
        # Bit masks of rules. Without a directory, people that only rules name count as real.
        self._selecting = self._applying = self._reached = 0
        # To find out takes long; for a rule without a warning of its own it need not be known.
        names = {rule.id for rule in warned}
        self._deciding = mask_of(i for i, rule in enumerate(ruleset.rules) if rule.id not in names)

    def visit(self, unit_class: UnitClass) -> None:
        """Adds the errors that this class is the first to meet."""
        found = self.found
        slices, guest = self._times.of_class(unit_class.selecting), unit_class.is_guest
        contradicting = 0
        for subject, where in conflicts(self._index, slices, self._times.all, guest=guest):
            if subject not in found:
                contradicting |= where & -where
        for number in members_of(contradicting):
            situation = self._situation(unit_class, slices, number)
            for key, finding in contradictions(situation, self._ruleset, self.population, found):
                found.setdefault((finding.code, key), finding)
        if unit_class.kind.exists or not self.population.has_directory:
            self._selecting |= unit_class.selecting
            self._applying |= mask_of(slices.applying)
            self._reached |= mask_of(slices.in_force)
            self._decide(unit_class, slices)

    @property
    def reach(self) -> RuleReach:
        """What the visited classes say of the rules."""
        return RuleReach(self._selecting, self._applying, self._reached, self._deciding)

    def _situation(self, unit_class: UnitClass, slices: ClassSlices, number: int) -> Situation:
        minute, busy = self._times.moment(number)
        node = self._times.node(number)
        sets = (slices.applying, slices.in_force)
        now, left = (tuple(self._ruleset.rules[i] for i in self._index.at(number, each)) for each in sets)
        return Situation(unit_class.kind, minute, busy, now, left, node)

    def _decide(self, unit_class: UnitClass, slices: ClassSlices) -> None:
        unknown = [index for index in slices.in_force if not self._deciding >> index & 1]
        if not unknown:
            return
        values = ClassValues(self._index, slices, self._times.all, guest=unit_class.is_guest)
        for index, where in values.deciding(unknown).items():
            for number in members_of(where):
                if self._deciding >> index & 1:
                    break
                situation = self._situation(unit_class, slices, number)
                self._deciding |= self._binding(situation, self._ruleset.rules[index])

    def _binding(self, situation: Situation, rule: Rule) -> int:
        """The rules that decide in this slice; of a quota, whether it does when it is used up."""
        used = {rule.id: rule.effect.volume} if isinstance(rule.effect, Quota) else {}
        found = self._evaluator.policy_for(
            situation.kind.unit,
            moment_at(situation.minute, busy=situation.busy, node=situation.node),
            used,
        )
        binding = binding_rules(situation.rules, frozenset(used), found)
        return self._index.mask(binding & used.keys() if used else binding)


Known = Container[tuple[str, str]]
"""Code and subject of findings."""


def contradictions(situation: Situation, ruleset: Ruleset, among: Population, known: Known = ()) -> Found:
    """The errors of one situation, at least those that are not `known`."""
    yield from _ambiguous(situation, known)
    yield from _credits_over_the_ratio(situation, ruleset)
    pool = _pool(situation, ruleset)
    yield from _outside_pool(situation, pool, known)
    if isinstance(pool, Rule) and not pool_has_guests(pool):
        yield from _pooled_lifelines(situation, pool, ruleset, among)
    for together in (False, True) if pool is not None else (False,):
        least = _least(ruleset, pool, among, together=together)
        rules = [rule for rule in situation.rules if _is_meant(rule, pool, together=together)]
        yield from _below_lifeline(rules, least, known)
        yield from _floor_above_ceiling(situation, rules, known)


def _ambiguous(situation: Situation, known: Known) -> Found:
    """E06: two base shares, or two exceptions to one rule, for the same accounts at the same time."""
    shares = [rule for rule in situation.rules if isinstance(rule.effect, Share)]
    for other in shares[1:]:
        if _is_new("E06", shares[0], other, known):
            text = N_("{first} (line {line}) and {second} both set the share ({situation}).")
            fix = gettext_lazy("name one of them in {key} of the other", key="exception_to")
            yield _ambiguity(shares[0], other, situation, text, fix)
    firsts: dict[str, Rule] = {}
    for rule in situation.applying:
        if rule.exception_to is None:
            continue
        first = firsts.setdefault(rule.exception_to, rule)
        if first is not rule and _is_new("E06", first, rule, known):
            text = N_("{first} (line {line}) and {second} both replace {rule} ({situation}).")
            fix = gettext_lazy(
                "let one replace the other, or narrow {one} or {other}", one="who", other="when"
            )
            yield _ambiguity(first, rule, situation, text, fix, rule=rule.exception_to)


def _is_new(code: str, first: Rule, second: Rule, known: Known) -> bool:
    """Whether neither order of the two is known: there may be hundreds of findings in thousands of situations."""
    return (code, f"{first.id} {second.id}") not in known and (code, f"{second.id} {first.id}") not in known


def _ambiguity(
    first: Rule, second: Rule, situation: Situation, text: str, fix: LazyText, **fields: object
) -> tuple[str, Finding]:
    """`text`: a message with the fields ``first``, ``line``, ``second``, ``situation`` and these."""
    early, late = sorted((first, second), key=lambda rule: (rule.line, rule.id))
    shown = {"first": early.id, "line": early.line, "second": late.id, "situation": situation.words}
    return f"{early.id} {late.id}", Finding("E06", late.line, gettext_lazy(text, **shown, **fields), fix)


def _credits_over_the_ratio(situation: Situation, ruleset: Ruleset) -> Found:
    """W04: a share with its credits is more than the charter allows."""
    credits_ = [(rule, rule.effect.weight) for rule in situation.rules if isinstance(rule.effect, Credit)]
    if not credits_:
        return
    weights = [rule.effect.weight for rule in situation.rules if isinstance(rule.effect, Share)]
    base, cap = max(weights, default=ruleset.share_default), ruleset.share_cap
    if _pool(situation, ruleset) is not None:
        base, cap = SHARE_DEFAULT, SHARE_DEFAULT * ruleset.charter.max_weight_ratio
    total = base + sum(weight for _, weight in credits_)
    if total > cap:
        message = gettext_lazy(
            "With {rules} a share comes to {total} ({situation}); the charter allows {most}.",
            rules=partial(listed, [rule.id for rule, _ in credits_]),
            total=total,
            situation=situation.words,
            most=cap,
        )
        fix = gettext_lazy("lower credits; {most} is what applies now", most=cap)
        yield credits_[0][0].id, Finding("W04", credits_[0][0].line, message, fix)


def _pool(situation: Situation, ruleset: Ruleset) -> Rule | str | None:
    """The rule that creates the pool in this situation, or `GUESTS`, or None; same result as `Evaluator`."""
    by_id = {rule.id: rule for rule in ruleset.rules}
    pooled = [r for r in situation.rules if isinstance(r.effect, Share) and r.together]
    if not pooled:
        return GUESTS if situation.kind.unit.tier == GUEST_TIER else None
    rule = pooled[0]
    while rule.exception_to is not None:
        rule = by_id[rule.exception_to]
    return rule


def _outside_pool(situation: Situation, pool: Rule | str | None, known: Known) -> Found:
    """E02: a limit for a pool where there is none, or an individual floor inside a pool."""
    for rule in situation.rules:
        if not isinstance(rule.effect, Floor | Ceiling) or ("E02", rule.id) in known:
            continue
        fits = pool is not None and is_of_pool(rule, pool)
        if rule.together and not fits:
            message = gettext_lazy(
                "{rule} is for people together who do not share together ({situation}).",
                rule=rule.id,
                situation=situation.words,
            )
            fix = gettext_lazy(
                "write a share rule with {example} for the same {who}, or take out {key}",
                example="together = true",
                who="who",
                key="together",
            )
            yield rule.id, Finding("E02", rule.line, message, fix)
        elif isinstance(rule.effect, Floor) and pool is not None and not fits:
            name = pool if isinstance(pool, str) else pool.id
            message = gettext_lazy(
                "{rule} is a floor for people who share together by {other} ({situation}).",
                rule=rule.id,
                other=name,
                situation=situation.words,
            )
            fix = gettext_lazy(
                "make it a floor for all of {other}, with the same {who} and {example}",
                other=name,
                who="who",
                example="together = true",
            )
            yield rule.id, Finding("E02", rule.line, message, fix)


def _pooled_lifelines(situation: Situation, pool: Rule, ruleset: Ruleset, among: Population) -> Found:
    """E03: a pool's floor must cover the lifelines of its households."""
    count, all_of_them = among.accounts_of(pool), _lifelines(pool, ruleset, among)
    has = rule_evaluation.lifeline(ruleset.charter)
    for rule in situation.rules:
        if isinstance(rule.effect, Floor) and is_of_pool(rule, pool):
            has = highest(has, rule.effect.rates)
    if highest(has, all_of_them) == has:
        return
    message = gettext_lazy(
        "{rule} makes one of {households}, which each have a lifeline ({situation}).",
        rule=pool.id,
        households=partial(number_of_units, count, ruleset.unit),
        situation=situation.words,
    )
    fix = gettext_lazy(
        "add a floor together of {rates} for them, or make them devices of one account in the roll",
        rates=f'"{format_rates(highest(has, all_of_them))}"',
    )
    yield pool.id, Finding("E03", pool.line, message, fix)


def _least(ruleset: Ruleset, pool: Rule | str | None, among: Population, *, together: bool) -> Rates:
    """The lifeline that applies: of one household, of all households of a pool, of all guests together, or the
    minimum in code for one guest."""
    if pool is not None and pool_has_guests(pool):
        return rule_evaluation.guest_lifeline(ruleset.charter) if together else rule_evaluation.CODE_LIFELINE
    if together and isinstance(pool, Rule):
        return _lifelines(pool, ruleset, among)
    return rule_evaluation.lifeline(ruleset.charter)


def _lifelines(pool: Rule, ruleset: Ruleset, among: Population) -> Rates:
    """Sum for all households of the directory that are in the pool; at least one."""
    return times(rule_evaluation.lifeline(ruleset.charter), max(1, among.accounts_of(pool)))


def _is_meant(rule: Rule, pool: Rule | str | None, *, together: bool) -> bool:
    """Whether the rule is for the whole pool (`together`) or for each account."""
    of_pool = pool is not None and is_of_pool(rule, pool)
    return of_pool == together


def _below_lifeline(rules: Iterable[Rule], least: Rates, known: Known) -> Found:
    """E03: a ceiling, or the consequence of a quota, below the lifeline."""
    for rule in rules:
        rates = limit_of(rule)
        if rates is None or (rates.down >= least.down and rates.up >= least.up):
            continue
        if ("E03", rule.id) in known:
            continue
        message = gettext_lazy(
            "{rule} leaves {rates}, less than the lifeline of {least}.",
            rule=rule.id,
            rates=partial(rates_words, rates),
            least=partial(rates_words, least),
        )
        fix = gettext_lazy("write at least {text}", text=f'"{format_rates(highest(rates, least))}"')
        yield rule.id, Finding("E03", rule.line, message, fix)


def _floor_above_ceiling(situation: Situation, rules: Sequence[Rule], known: Known) -> Found:
    """E05: a floor above a ceiling or above the consequence of a quota."""
    limits = [(other, top) for other in rules if (top := limit_of(other)) is not None]
    for floor in rules:
        if not isinstance(floor.effect, Floor):
            continue
        rates = floor.effect.rates
        for other, top in limits:
            if rates.down <= top.down and rates.up <= top.up:
                continue
            if not _is_new("E05", floor, other, known):
                continue
            message = gettext_lazy(
                "{floor} promises {rates}, but {other} (line {line}) allows at most {most} ({situation}).",
                floor=floor.id,
                rates=partial(rates_words, rates),
                other=other.id,
                line=other.line,
                most=partial(rates_words, top),
                situation=situation.words,
            )
            lower = f'"{format_rates(lowest(rates, top))}"'
            fix = gettext_lazy("lower the floor to {rates}, or write an exception", rates=lower)
            yield f"{floor.id} {other.id}", Finding("E05", floor.line, message, fix)

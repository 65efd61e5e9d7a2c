"""Checks whether rules can be adopted, for every situation they can meet. Errors are contradictions that a vote
cannot resolve; warnings are about what people should review before they vote.

E02 a floor or ceiling that its pool cannot have · E03 below a lifeline · E04 more guaranteed than the uplink carries
· E05 a floor above a ceiling · E06 two rules for one thing · E12 a test in the rule file fails.

W01 never applies · W02 never changes anything · W04 a share over the charter's ratio · W05 for one household only ·
W06 for the benefit of those who proposed it · W07 needs a clock that the node does not have · W08 floors over the uplink, as
far as the charter allows · W09 more rules than people read · W10 a quota that the lifeline alone uses up · W11 so much of
the uplink shared that its queue can stay full · W12 join methods for members only, but no members · W13 floors of all hours
together exceed the uplink · W15 lifelines and floors exceed the least that a
measured uplink carries · W16 an end after a decision whose date is not in the file · W17 observed without an end. (W03 needs
usage data; W14, W18 and W20 are in `local_findings`, W19 in `minutes_table`, W21 in `guarantees`.)
"""

from collections.abc import Collection, Container, Iterable, Sequence
from functools import partial

from node.accounting.periods import days_of
from node.errors import Finding
from node.governance import rule_evaluation
from node.governance.allowance import ClockState, Unit
from node.governance.conflicts import RuleIndex, conflicts
from node.governance.coverage import Population, Situation, UnitClass
from node.governance.deciding import ClassValues, deciding_instead
from node.governance.document import FINDINGS_MAX
from node.governance.exhaustive_tests import example_findings
from node.governance.expressions import listed, number_of_units, one_of, one_unit, rates_words
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
from node.governance.rule_table import TERM_EFFECTS
from node.governance.rule_tests import moment_at
from node.governance.rules import (
    GUEST_TIER,
    GUESTS,
    ONLY_GUESTS,
    SHARE_DEFAULT,
    WAYS_OF_MEMBERS,
    Ceiling,
    Credit,
    Floor,
    Quota,
    Rule,
    Ruleset,
    Share,
    favours,
    limit_of,
    selects,
)
from node.governance.slices import ClassSlices, TimeSlices, mask_of, members_of
from node.governance.times import NEVER_ENDS
from node.governance.value_syntax import format_quota, format_rates
from node.toml_reader import closest
from node.translator import N_, LazyText, gettext_lazy, ngettext_lazy
from node.units import GIGA, Bytes, Rates, highest, lowest

RULES_READ_MAX = 25
"""Rules that people can still read before an assembly."""
USABLE_PERMILLE_FAIR = 900
"""Of the uplink; measured: above this, one account with dozens of downloads gets more than its share."""

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
    findings = _findings(units, clock, ruleset, ruleset.rules)
    findings += observed_findings(ruleset, findings, partial(_findings, units, clock))
    return tuple(sorted(findings, key=lambda f: (not f.is_error, f.line, f.code)))[:FINDINGS_MAX]


def _findings(
    units: Sequence[Unit], clock: ClockState, ruleset: Ruleset, warned: Collection[Rule]
) -> list[Finding]:
    """`warned`: the rules whose warnings are wanted; those of the others are not reliable."""
    survey = _Survey(ruleset, units, warned)
    found: dict[tuple[str, str], Finding] = {}
    for unit_class in survey.population.classes:
        survey.visit(unit_class, found)
    findings = [*found.values(), *capacity_findings(ruleset, survey.population)]
    findings += example_findings(ruleset, units)
    findings += notes(ruleset, units, survey, clock)
    findings += minutes_findings(ruleset)
    return findings


class _Survey:
    """Visits all classes of units, and for each the slices of time in which there is something to find."""

    def __init__(self, ruleset: Ruleset, units: Sequence[Unit], warned: Collection[Rule]) -> None:
        self._ruleset = ruleset
        self.population, self._times = Population(ruleset, units), TimeSlices(ruleset.rules)
        self._index = RuleIndex(ruleset, self.population.accounts_of)
        self._evaluator = Evaluator(ruleset, lists_not_binding=False)
        # Bit masks of rules. Without a directory, people that only rules name count as real.
        self._selecting = self._applying = self._reached = 0
        # To find out takes long; for a rule without a warning of its own it need not be known.
        names = {rule.id for rule in warned}
        self._deciding = mask_of(i for i, rule in enumerate(ruleset.rules) if rule.id not in names)

    def visit(self, unit_class: UnitClass, found: dict[tuple[str, str], Finding]) -> None:
        """Adds the errors that this class is the first to meet."""
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

    def is_selecting(self, index: int) -> bool:
        """Whether the rule selects any real unit."""
        return bool(self._selecting >> index & 1)

    def is_applying(self, index: int) -> bool:
        """Whether the rule ever applies to a real unit, even if others always replace it."""
        return bool(self._applying >> index & 1)

    def is_reached(self, index: int) -> bool:
        """Whether the rule is ever in force for a real unit."""
        return bool(self._reached >> index & 1)

    def is_deciding(self, index: int) -> bool:
        """Whether the rule ever affects what a real unit gets, a quota when it is used up."""
        return bool(self._deciding >> index & 1)

    def _situation(self, unit_class: UnitClass, slices: ClassSlices, number: int) -> Situation:
        minute, busy = self._times.moment(number)
        node = self._times.node(number)
        sets = (slices.applying, slices.in_force)
        now, left = (tuple(self._ruleset.rules[i] for i in self._index.at(number, each)) for each in sets)
        return Situation(unit_class.kind, minute, busy, now, left, node)

    def _decide(self, unit_class: UnitClass, slices: ClassSlices) -> None:
        unknown = [index for index in slices.in_force if not self.is_deciding(index)]
        if not unknown:
            return
        values = ClassValues(self._index, slices, self._times.all, guest=unit_class.is_guest)
        for index, where in values.deciding(unknown).items():
            for number in members_of(where):
                if self.is_deciding(index):
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


def notes(ruleset: Ruleset, units: Sequence[Unit], survey: _Survey, clock: ClockState) -> Iterable[Finding]:
    """Warnings about single rules, and W09, W11 and W12. `units`: the member directory, empty when there is none."""
    for index, rule in enumerate(ruleset.rules):
        if not survey.is_reached(index):
            yield _unreached(rule, index, units, survey)
        elif not survey.is_deciding(index) or _is_idle(rule, ruleset):
            yield _without_effect(rule, ruleset)
        yield from _share(rule, ruleset)
        yield from _for_few(rule, ruleset, units)
        yield from _small_quota(rule, ruleset)
        if clock == "unknown" and rule.when is not None:
            message = gettext_lazy(
                "{rule} has hours or dates, and this node does not know the time. Such limits wait until it does.",
                rule=rule.id,
            )
            fix = gettext_lazy("give the node a clock, or a way to the time of its neighbours")
            yield Finding("W07", rule.line, message, fix)
        yield from _open_end(rule)
    yield from _full_line(ruleset)
    yield from _closed_door(ruleset, units)
    if len(ruleset.every_rule) > RULES_READ_MAX:
        message = gettext_lazy(
            "There are {number} rules; beyond {most}, people stop reading them.",
            number=len(ruleset.every_rule),
            most=RULES_READ_MAX,
        )
        fix = gettext_lazy("join rules that say the same, and repeal those that changed nothing")
        yield Finding("W09", 0, message, fix)


def _is_idle(rule: Rule, ruleset: Ruleset) -> bool:
    """Whether the rule only has an effect when the uplink is shared or busy, which needs its speed."""
    effect = rule.effect.then if isinstance(rule.effect, Quota) else rule.effect
    return ruleset.uplink is None and (rule.while_busy or isinstance(effect, Share | Credit | Floor))


def _unreached(rule: Rule, index: int, units: Sequence[Unit], survey: _Survey) -> Finding:
    """W01: it selects no account, or other rules always replace it."""
    if units and not survey.is_selecting(index):
        names = sorted(rule.who.groups | rule.who.tiers)
        known = sorted({group for unit in units for group in unit.groups} | {unit.tier for unit in units})
        near = next((close for name in names if (close := closest(name, known))), None)
        fix = gettext_lazy("add people to the roll, or remove the rule")
        if near:
            fix = gettext_lazy("did you mean {word}?", word=near)
        message = gettext_lazy("{rule} is for nobody: it leaves out everyone in the roll.", rule=rule.id)
        if names:
            message = gettext_lazy(
                "{rule} is for nobody: the roll has no {names}.", rule=rule.id, names=partial(one_of, names)
            )
        return Finding("W01", rule.line, message, fix)
    if survey.is_applying(index):
        message = gettext_lazy("{rule} never applies: exceptions always replace it.", rule=rule.id)
        return Finding("W01", rule.line, message, gettext_lazy("remove it, or narrow the exceptions"))
    message = gettext_lazy(
        "{rule} never applies: the rule it replaces never applies to the same people at the same time.",
        rule=rule.id,
    )
    fix = gettext_lazy("correct its {one} or {other}, or remove it", one="who", other="when")
    return Finding("W01", rule.line, message, fix)


def _without_effect(rule: Rule, ruleset: Ruleset) -> Finding:
    """W02: other rules are always stricter or more generous, or the uplink's speed is not stated."""
    if _is_idle(rule, ruleset):
        message = gettext_lazy("{rule} waits until the speed of the line is stated.", rule=rule.id)
        fix = gettext_lazy(
            "measure the line and write {table} with {one} and {other}",
            table="[uplink.main]",
            one="down",
            other="up",
        )
        return Finding("W02", rule.line, message, fix)
    wider = deciding_instead(rule, ruleset.rules)
    if wider is None:
        message = gettext_lazy(
            "{rule} never changes what anyone gets: other rules or the lifeline always decide.", rule=rule.id
        )
        fix = gettext_lazy("remove it, or check that the number is right")
        return Finding("W02", rule.line, message, fix)
    message = gettext_lazy(
        "{rule} never changes what anyone gets: {other} (line {line}) is for the same people at the same time, and it "
        "decides.",
        rule=rule.id,
        other=wider.id,
        line=wider.line,
    )
    exception = f'exception_to = "{wider.id}"'
    fix = gettext_lazy("write {example} if it should replace that rule, or remove it", example=exception)
    return Finding("W02", rule.line, message, fix, exception)


def _share(rule: Rule, ruleset: Ruleset) -> Iterable[Finding]:
    cap, ratio = ruleset.share_cap, ruleset.charter.max_weight_ratio
    if not isinstance(rule.effect, Share):
        return
    if rule.effect.weight * ratio == cap < SHARE_DEFAULT and not rule.together:
        message = gettext_lazy(
            "{rule} gives a share of {weight}; the charter allows {ratio} times the smallest, so everyone without a share "
            "rule has {most} instead of {default}.",
            rule=rule.id,
            weight=rule.effect.weight,
            ratio=ratio,
            most=cap,
            default=SHARE_DEFAULT,
        )
        fix = gettext_lazy("write at least {text}", text=f"share = {-(-SHARE_DEFAULT // ratio)}")
        yield Finding("W04", rule.line, message, fix)
    if rule.effect.weight > cap:
        message = gettext_lazy(
            "{rule} gives a share of {weight}; the charter allows {ratio} times the smallest.",
            rule=rule.id,
            weight=rule.effect.weight,
            ratio=ratio,
        )
        fix = gettext_lazy("write at most {text}; that is what applies now", text=f"share = {cap}")
        yield Finding("W04", rule.line, message, fix)


def _for_few(rule: Rule, ruleset: Ruleset, units: Sequence[Unit]) -> Iterable[Finding]:
    """W05: for one household only; W06: more than half of those that it favours are of those who proposed it."""
    chosen = [unit for unit in units if selects(rule.who, unit.tier, unit.groups)]
    fix = gettext_lazy("make sure that everyone who votes knows this, and that it is intended")
    if len(chosen) == 1 and not selects(rule.who, GUEST_TIER, frozenset()):
        message = gettext_lazy("{rule} is for {one} only.", rule=rule.id, one=partial(one_unit, ruleset.unit))
        yield Finding("W05", rule.line, message, fix)
    replaced = next((each for each in ruleset.rules if each.id == rule.exception_to), None)
    if rule.proposed_by is None or not favours(rule, replaced):
        return
    own = [unit for unit in chosen if selects(rule.proposed_by, unit.tier, unit.groups)]
    if 2 * len(own) > len(chosen):
        message = ngettext_lazy(
            "{rule} favours one account, which is of those who proposed it.",
            "{rule} favours {number} accounts, and {own} of them are of those who proposed it.",
            len(chosen),
            rule=rule.id,
            own=len(own),
        )
        yield Finding("W06", rule.line, message, fix)


def _small_quota(rule: Rule, ruleset: Ruleset) -> Iterable[Finding]:
    """Only where the whole uplink counts: the busy part of a period is not known here."""
    if not isinstance(rule.effect, Quota) or rule.effect.counts != "uplink":
        return
    lifeline = rule_evaluation.lifeline(ruleset.charter)
    if rule.who == ONLY_GUESTS:
        lifeline = rule_evaluation.CODE_LIFELINE  # of one guest; the charter's is of all guests together
    least = (lifeline.down + lifeline.up) * days_of(rule.effect.period) * 86_400 // 8
    if rule.effect.volume < least:
        message = gettext_lazy("{rule} can be used up by the lifeline alone.", rule=rule.id)
        enough = Bytes(-(-least // GIGA) * GIGA)
        fix = gettext_lazy(
            "write {one}, or {other}",
            one=f'quota = "{format_quota(enough, rule.effect.period)}"',
            other='counts = "uplink while busy"',
        )
        yield Finding("W10", rule.line, message, fix)


def _open_end(rule: Rule) -> Iterable[Finding]:
    """W16: the day of a decision is not in the file."""
    if rule.when is None or (end := rule.when.open_end) is None:
        return
    message = gettext_lazy(
        "{rule} does not end: the file does not say when {decision} was decided.",
        rule=rule.id,
        decision=end.decision,
    )
    table, example = "[decisions]", f'"{end.decision}" = "2026-12-31"'
    fix = gettext_lazy("write {table} with {example}, its day", table=table, example=example)
    if isinstance(rule.effect, TERM_EFFECTS):
        fix = gettext_lazy(
            "write {table} with {example}, its day, or {never} in the rule if it shall not end",
            table=table,
            example=example,
            never=f'expires = "{NEVER_ENDS}"',
        )
    yield Finding("W16", rule.line, message, fix)


def _full_line(ruleset: Ruleset) -> Iterable[Finding]:
    if ruleset.uplink is not None and ruleset.usable_permille > USABLE_PERMILLE_FAIR:
        message = gettext_lazy(
            "{key} is {percent}: over {most}, the queue builds up in the modem, which does not share the line fairly.",
            key="usable_percent",
            percent=ruleset.usable_permille // 10,
            most=USABLE_PERMILLE_FAIR // 10,
        )
        fix = gettext_lazy(
            "write {text}, or at most {most}", text="usable_percent = 85", most=USABLE_PERMILLE_FAIR // 10
        )
        yield Finding("W11", 0, message, fix)


def _closed_door(ruleset: Ruleset, units: Sequence[Unit]) -> Iterable[Finding]:
    if not units and WAYS_OF_MEMBERS.issuperset(ruleset.joining.ways):
        message = gettext_lazy("Every way to join needs a member, and there are no members.")
        fix = gettext_lazy(
            "add people to the roll, or open {one} or {other} in {table}",
            one='"terms"',
            other='"voucher"',
            table="[joining]",
        )
        yield Finding("W12", 0, message, fix)

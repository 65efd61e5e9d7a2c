"""Warnings about single rules, the line and the join methods: what people should review before they vote.

W01 never applies · W02 never changes anything · W04 a share over the charter's ratio · W05 for one household only ·
W06 for the benefit of those who proposed it · W07 needs a clock that the node does not have · W09 more rules than people
read · W10 a quota that the lifeline alone uses up · W11 so much of the uplink shared that its queue can stay full · W12
join methods for members only, but no members · W16 an end after a decision whose date is not in the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from node.accounting.periods import days_of
from node.errors import Finding
from node.governance import rule_evaluation
from node.governance.allowance import ClockState, Unit
from node.governance.deciding import deciding_instead
from node.governance.expressions import one_of, one_unit
from node.governance.rule_selection import favours, selects
from node.governance.rule_table import TERM_EFFECTS
from node.governance.rules import (
    GUEST_TIER,
    ONLY_GUESTS,
    SHARE_DEFAULT,
    WAYS_OF_MEMBERS,
    Credit,
    Floor,
    Quota,
    Rule,
    Ruleset,
    Share,
)
from node.governance.times import NEVER_ENDS
from node.governance.uplink_table import USABLE_PERCENT, USABLE_UP_PERCENT
from node.governance.value_syntax import format_quota
from node.toml_reader import closest
from node.translator import gettext_lazy, ngettext_lazy
from node.units import GIGA, Bytes

RULES_READ_MAX = 25
"""Rules that people can still read before an assembly."""
USABLE_PERMILLE_FAIR, USABLE_UP_PERMILLE_FAIR = 900, 970
"""Of the download and of the upload; measured: above the first, one account with dozens of downloads gets more than its
share, and above the second the modem's queue stays full."""


@dataclass(frozen=True, slots=True)
class RuleReach:
    """What rules do for real people, as bit masks of the rules' indexes."""

    selecting: int
    applying: int
    reached: int
    deciding: int

    def is_selecting(self, index: int) -> bool:
        """Whether the rule selects any real unit."""
        return bool(self.selecting >> index & 1)

    def is_applying(self, index: int) -> bool:
        """Whether the rule ever applies to a real unit, even if others always replace it."""
        return bool(self.applying >> index & 1)

    def is_reached(self, index: int) -> bool:
        """Whether the rule is ever in force for a real unit."""
        return bool(self.reached >> index & 1)

    def is_deciding(self, index: int) -> bool:
        """Whether the rule ever affects what a real unit gets, a quota when it is used up."""
        return bool(self.deciding >> index & 1)


def rule_warnings(
    ruleset: Ruleset, units: Sequence[Unit], reach: RuleReach, clock: ClockState
) -> Iterable[Finding]:
    """`units`: the member directory, empty when there is none."""
    for index, rule in enumerate(ruleset.rules):
        if not reach.is_reached(index):
            yield _unreached(rule, index, units, reach)
        elif not reach.is_deciding(index) or _is_idle(rule, ruleset):
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


def too_many_rules(ruleset: Ruleset) -> Iterable[Finding]:
    """W09."""
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


def _unreached(rule: Rule, index: int, units: Sequence[Unit], reach: RuleReach) -> Finding:
    """W01: it selects no account, or other rules always replace it."""
    if units and not reach.is_selecting(index):
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
    if reach.is_applying(index):
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
    if ruleset.uplink is None:
        return
    for key, permille, usual, fair in (
        ("usable_percent", ruleset.usable_permille, USABLE_PERCENT, USABLE_PERMILLE_FAIR),
        ("usable_up_percent", ruleset.usable_up_permille or 0, USABLE_UP_PERCENT, USABLE_UP_PERMILLE_FAIR),
    ):
        if permille > fair:
            message = gettext_lazy(
                "{key} is {percent}: over {most}, the queue builds up in the modem, which does not share the line fairly.",
                key=key,
                percent=permille // 10,
                most=fair // 10,
            )
            fix = gettext_lazy("write {text}, or at most {most}", text=f"{key} = {usual}", most=fair // 10)
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

"""Warnings: rules that can be adopted, but that people should review before they vote.

W01 never applies · W02 never changes anything · W04 a share over the charter's ratio · W05 for one household only ·
W07 needs a clock that the node does not have · W09 more rules than people read · W10 a quota that the lifeline alone
uses up · W11 so much of the uplink shared that its queue can stay full · W12 join methods for members only, but no
members. (W03, W06 and W08 need usage data, proposers and concurrency.)
"""

import difflib
from collections.abc import Iterable, Sequence

from node.accounting.periods import PeriodKind
from node.errors import Finding
from node.governance import combine
from node.governance.allowance import ClockState, Unit
from node.governance.coverage import Situation
from node.governance.evaluate import Evaluator
from node.governance.join_methods import WAYS_OF_MEMBERS
from node.governance.policy_slice import binding_rules
from node.governance.rule_tests import moment_at
from node.governance.rules import GUEST_TIER, Floor, Quota, Rule, Ruleset, Share
from node.governance.selection import selects
from node.governance.value_syntax import format_quota
from node.units import GIGA, Bytes

RULES_READ_MAX = 25
"""Rules that people can still read before an assembly."""
USABLE_PERMILLE_FAIR = 900
"""Of the uplink; measured: above this, one account with dozens of downloads gets more than its share."""
_PERIOD_SECONDS: dict[PeriodKind, int] = {"day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400}


def notes(
    ruleset: Ruleset, units: Sequence[Unit], met: Sequence[Situation], clock: ClockState
) -> Iterable[Finding]:
    """All warnings. `units`: the member directory, empty when there is none; `met`: every situation the rules can
    meet."""
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
        near = [close for name in names for close in difflib.get_close_matches(name, sorted(known), n=1)]
        mend = f"did you mean {near[0]}?" if near else "add people to the roll, or remove the rule"
        return Finding(
            "W01", rule.line, f"{rule.id} is for nobody: the roll has no {' or '.join(names)}.", mend
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
    cap = combine.share_cap(ruleset)
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
    lifeline = combine.lifeline(ruleset.charter)
    least = (lifeline.down + lifeline.up) * _PERIOD_SECONDS[rule.effect.period] // 8
    if rule.effect.volume < least:
        message = f"{rule.id} can be used up by the lifeline alone."
        enough = Bytes(-(-least // GIGA) * GIGA)
        mend = f'write quota = "{format_quota(enough, rule.effect.period)}", or counts = "uplink while busy"'
        yield Finding("W10", rule.line, message, mend)


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

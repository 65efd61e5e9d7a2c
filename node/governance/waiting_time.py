"""How long rules wait that admins adopt without an assembly, as the charter in force says, and what does not have to."""

from dataclasses import replace
from datetime import date

from node.governance.canonical_form import effect_fingerprint
from node.governance.rules import NO_WAITING, Rule, Ruleset
from node.units import Milliseconds


def waiting_needed(confirmed: Ruleset, proposed: Ruleset, *, is_return: bool = False) -> Milliseconds:
    """For how long `proposed` waits at least before it replaces `confirmed`. What changes nothing for anybody does not wait,
    nor an emergency order alone, nor what minutes of an assembly decided. `is_return`: they were confirmed just before."""
    waiting = confirmed.charter.waiting
    if not waiting or (is_return and proposed.charter == confirmed.charter):
        return NO_WAITING
    # Minutes that were taken out could come back as new ones.
    keeps_minutes = {each.decision for each in confirmed.minutes} <= {
        each.decision for each in proposed.minutes
    }
    is_nothing = effect_fingerprint(_without_orders(confirmed)) == effect_fingerprint(
        _without_orders(proposed)
    )
    if is_nothing:
        return NO_WAITING if keeps_minutes else waiting
    return NO_WAITING if is_decided_by_minutes(confirmed, proposed) else waiting


def is_decided_by_minutes(confirmed: Ruleset, proposed: Ruleset, since: date | None = None) -> bool:
    """Whether minutes that adopted it are behind all that `proposed` changes: minutes that `confirmed` does not have, of the
    day `since` or later. Either the file's own decision has them, or only rules are new or changed, and each one's decision
    has them."""
    known = {each.decision for each in confirmed.minutes}
    held = {
        each.decision
        for each in proposed.minutes
        if each.is_adopted and each.decision not in known and (since is None or each.day >= since)
    }
    if proposed.decision in held:
        return True
    before = {(_binding(rule), rule in confirmed.observed) for rule in confirmed.every_rule}
    changed = [
        rule for rule in proposed.every_rule if (_binding(rule), rule in proposed.observed) not in before
    ]
    removed = {rule.id for rule in confirmed.every_rule} - {rule.id for rule in proposed.every_rule}
    if removed or not all(rule.by in held for rule in changed):
        return False
    return effect_fingerprint(_without_rules(confirmed)) == effect_fingerprint(_without_rules(proposed))


def _binding(rule: Rule) -> Rule:
    return replace(rule, line=0, by="", why="", proposed_by=None)


def _without_rules(ruleset: Ruleset) -> Ruleset:
    return replace(ruleset, rules=(), observed=())


def _without_orders(ruleset: Ruleset) -> Ruleset:
    return replace(ruleset, rules=tuple(rule for rule in ruleset.rules if not rule.is_emergency))

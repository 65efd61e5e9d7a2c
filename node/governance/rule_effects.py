"""What single rules would have changed in the last days, replayed from usage: counts of rules that are only observed, and
W03 for new and changed rules that touch many accounts or none."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from node.accounting.periods import days_of
from node.errors import Finding
from node.governance.account_classes import AccountClasses
from node.governance.observed_rules import Bundle, bundles
from node.governance.replay import AlikeReplay, Interval, Replay, replay_alike, replay_each
from node.governance.replayed_rights import UnitOn
from node.governance.rules import DevicesLimit, Quota, Rule, Ruleset, SessionLimit, UsageAlert, essence
from node.translator import day_words, gettext_lazy

TOUCHED_PERMILLE_FAIR = 300
"""Of the active accounts; of a rule that touches more, everybody who votes should know."""
SINGLE_CHANGES_MAX = 5
"""Rules of one draft that are replayed on their own; each can take some seconds."""
PERIODS_REPLAYED = 2
"""Of a quota, for at least one that is there from its first day to its last."""

type Change = tuple[Ruleset, Ruleset]
type ReadAgain = Callable[[], Iterable[Interval]]
"""Reads the same intervals each time."""


@dataclass(frozen=True, slots=True)
class ObservedCount:
    """What observed rules that belong together would have limited."""

    rules: tuple[str, ...]
    first: date
    last: date
    accounts: int
    """Active in these days."""
    low: int | None
    """Accounts that would have had a lower speed, if nobody wanted more than they used; None for few."""
    low_s: int
    """For how long, added up over these accounts."""
    high: int | None
    high_s: int
    """The same if everybody who was active wanted as much as possible; None also where the line's speed is not stated."""
    has_high: bool
    """Whether the line's speed is stated."""
    is_here: bool
    """Whether one of the rules holds at this node on any of these days."""
    has_quota: bool
    """A quota counts only what was used in these days."""
    are_low_many: bool = False
    are_high_many: bool = False
    """At least `GROUP_MIN`, also where their number is not told."""


def count_observed(
    intervals: Iterable[Interval], ruleset: Ruleset, unit_on: UnitOn, node: str = ""
) -> tuple[ObservedCount, ...]:
    """Of each bundle of observed rules, compared with the rules in force. Raises TooFewAccounts."""
    changes = _observed_changes(ruleset)
    return _counts(ruleset, replay_each(intervals, changes, unit_on, node), node) if changes else ()


def count_observed_alike(
    read: ReadAgain, ruleset: Ruleset, unit_on: UnitOn, node: str, told: AccountClasses
) -> tuple[tuple[ObservedCount, ...], AccountClasses]:
    """As `count_observed`, after what was `told`, and the accounts that these counts treat alike. Raises TooFewAccounts."""
    changes = _observed_changes(ruleset)
    if not changes:
        return (), {}
    alike = replay_alike(read, changes, unit_on, node, told)
    return _counts(ruleset, alike.replays, node), alike.classes


def _observed_changes(ruleset: Ruleset) -> list[Change]:
    return [(ruleset, ruleset.as_if_in_force(bundle)) for bundle in bundles(ruleset.observed)]


def _counts(ruleset: Ruleset, replays: Iterable[Replay], node: str) -> tuple[ObservedCount, ...]:
    found = zip(bundles(ruleset.observed), replays, strict=True)
    return tuple(_count(bundle, each, node) for bundle, each in found)


def _count(bundle: Bundle, found: Replay, node: str) -> ObservedCount:
    high = found.high
    return ObservedCount(
        tuple(rule.id for rule in bundle),
        found.first,
        found.last,
        found.accounts,
        found.low.limited,
        found.low.limited_s,
        None if high is None else high.limited,
        0 if high is None else high.limited_s,
        high is not None,
        any(_is_here(rule, node) and _overlaps(rule, found) for rule in bundle),
        any(isinstance(rule.effect, Quota) for rule in bundle),
        found.low.are_many_limited,
        high is not None and high.are_many_limited,
    )


def _is_here(rule: Rule, node: str) -> bool:
    return rule.at in ("", node)


def _overlaps(rule: Rule, found: Replay) -> bool:
    """Whether one of the days that were replayed is within the rule's dates."""
    if rule.when is None:
        return True
    first, last = rule.when.first, rule.when.last
    return (first is None or first <= found.last) and (last is None or last >= found.first)


# --- W03 -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SingleChange:
    """A rule of a draft that is new or has changed, and the rules without it and with it. Observed rules that belong
    together are one."""

    rule: Rule
    """Of observed ones, the first."""
    change: Change


def single_changes(in_force: Ruleset, draft: Ruleset) -> tuple[SingleChange, ...]:
    """The rules whose effect usage can tell, by their place in the file."""
    before = {rule.id: rule for rule in in_force.rules}
    binding = replace(draft, observed=())
    found = [
        SingleChange(rule, (_without(binding, rule, before.get(rule.id)), binding))
        for rule in draft.rules
        if _changes_speeds(rule) and (rule.id not in before or essence(before[rule.id]) != essence(rule))
    ]
    known = {essence(rule) for rule in in_force.observed}
    found += [
        SingleChange(bundle[0], (binding, draft.as_if_in_force(bundle)))
        for bundle in bundles(draft.observed)
        if any(essence(rule) not in known for rule in bundle)
    ]
    return tuple(sorted(found, key=lambda each: each.rule.line)[:SINGLE_CHANGES_MAX])


def _changes_speeds(rule: Rule) -> bool:
    if isinstance(rule.effect, SessionLimit | DevicesLimit):
        return False
    return not (isinstance(rule.effect, Quota) and isinstance(rule.effect.then, UsageAlert))


def _without(draft: Ruleset, rule: Rule, before: Rule | None) -> Ruleset:
    """The draft with the rule as it was before; without one, exceptions to the rule replace nothing."""
    others = [before if each is rule else each for each in draft.rules]
    return replace(draft, rules=tuple(each for each in others if each is not None))


def preview_draft(
    intervals: Iterable[Interval], in_force: Ruleset, draft: Ruleset, unit_on: UnitOn, node: str = ""
) -> tuple[Replay, tuple[Finding, ...]]:
    """What the draft would have changed, and W03 for its rules that are new or have changed. Raises TooFewAccounts."""
    tried = single_changes(in_force, draft)
    changes = [(in_force, draft), *(each.change for each in tried)]
    whole, *single = replay_each(intervals, changes, unit_on, node)
    return whole, _findings(tried, single, node)


def preview_draft_alike(  # noqa: PLR0917
    read: ReadAgain, in_force: Ruleset, draft: Ruleset, unit_on: UnitOn, node: str, told: AccountClasses
) -> tuple[AlikeReplay, tuple[Finding, ...]]:
    """As `preview_draft`, after what was `told`; the first of the replays is that of the draft. Raises TooFewAccounts."""
    tried = single_changes(in_force, draft)
    changes = [(in_force, draft), *(each.change for each in tried)]
    alike = replay_alike(read, changes, unit_on, node, told)
    return alike, _findings(tried, alike.replays[1:], node)


def _findings(tried: Iterable[SingleChange], replays: Iterable[Replay], node: str) -> tuple[Finding, ...]:
    return tuple(
        finding
        for each, found in zip(tried, replays, strict=True)
        for finding in touch_findings(each.rule, found, node)
    )


def touch_findings(rule: Rule, found: Replay, node: str = "") -> Iterator[Finding]:
    """W03: the rule would have touched many of the active accounts even if nobody wanted more than they used, or none at
    either end of the range. Nothing is said of few."""
    days = {"first": partial(day_words, found.first), "last": partial(day_words, found.last)}
    touched = found.low.affected
    if touched is not None and touched * 1000 > TOUCHED_PERMILLE_FAIR * found.accounts:
        message = gettext_lazy(
            "{rule} would have changed the speed of {number} of the {accounts} accounts that were active from {first} to "
            "{last}.",
            rule=rule.id,
            number=touched,
            accounts=found.accounts,
            **days,
        )
        fix = gettext_lazy("make sure that everyone who votes knows this, and that it is intended")
        yield Finding("W03", rule.line, message, fix)
    elif found.is_nothing and _could_have_touched(rule, found, node):
        message = gettext_lazy(
            "{rule} would have changed the speed of none of the {accounts} accounts that were active from {first} to "
            "{last}.",
            rule=rule.id,
            accounts=found.accounts,
            **days,
        )
        yield Finding("W03", rule.line, message, gettext_lazy("remove it, or check that the number is right"))


def _could_have_touched(rule: Rule, found: Replay, node: str) -> bool:
    """Whether the replay can tell: the rule was within its dates on all days, at this node, and its quota was counted."""
    days = (found.last - found.first).days + 1
    if isinstance(rule.effect, Quota) and days < PERIODS_REPLAYED * days_of(rule.effect.period):
        return False
    is_within = rule.when is None or (rule.when.is_within(found.first) and rule.when.is_within(found.last))
    return is_within and _is_here(rule, node)

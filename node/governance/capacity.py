"""Checks that the uplink can carry all lifelines and floors at once, in every hour of the week and while the clock is
unknown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from node.errors import Finding
from node.governance import combine
from node.governance.allowance import Allowance, Moment
from node.governance.combine import DIRECTIONS, Direction, rate_in
from node.governance.coverage import UnitKind, minute_words, stretches
from node.governance.evaluate import Evaluator
from node.governance.rule_tests import moment_at
from node.governance.rules import GUEST_TIER, Floor, Rule, Ruleset
from node.governance.selection import is_meant_for
from node.governance.sentence_parts import rate_words
from node.units import KILO, NO_RATES, BitsPerSecond, Rates


@dataclass(frozen=True, slots=True)
class Excess:
    """By how many bit/s, in which direction and at which minute of the week, the guarantees exceed the capacity."""

    direction: Direction
    minute: int
    rate: int


def capacity_findings(ruleset: Ruleset, among: Sequence[UnitKind]) -> Iterable[Finding]:
    """E04 for the worst hour of each direction, otherwise W13 if only the floors of all hours together are too much;
    nothing when the uplink's speed is not stated."""
    if ruleset.shaped is None:
        return
    promised = [(minute, _promised(ruleset, among, moment_at(minute))) for minute in _minutes(ruleset)]
    for direction in DIRECTIONS:
        worst, most = max(promised, key=lambda item, d=direction: (rate_in(d, item[1]), -item[0]))  # type: ignore[misc]
        over = rate_in(direction, most) - rate_in(direction, ruleset.shaped)
        if over > 0:
            message = _message(ruleset, among, direction, most, worst)
            yield _with_mend(ruleset, among, Excess(direction, worst, over), message)
        else:
            yield from _without_a_clock(ruleset, among, direction)


def _without_a_clock(ruleset: Ruleset, among: Sequence[UnitKind], direction: Direction) -> Iterable[Finding]:
    """W13: while the clock is unknown, every floor with times applies. Lifelines still fit, as in every hour; only
    the part of the floors above them shrinks, so this is not an error."""
    assert ruleset.shaped is not None, "without a line there is no excess"
    unknown = replace(moment_at(0), clock="unknown")
    most, line = _promised(ruleset, among, unknown), rate_in(direction, ruleset.shaped)
    if rate_in(direction, most) <= line:
        return
    lifelines = rate_in(direction, _promised(ruleset, among, unknown, lifelines_only=True))
    percent = max(0, line - lifelines) * 100 // (rate_in(direction, most) - lifelines)
    message = (
        f"{direction.capitalize()}: while a node does not know the time, floors of all hours hold at once and come to "
        f"{rate_words(rate_in(direction, most))}; {rate_words(BitsPerSecond(line))} can be shared. Everyone keeps the "
        f"lifeline, and each floor gives {percent} % of what it promises beyond that."
    )
    yield Finding(
        "W13", 0, message, "give the node a clock, or lower floors so that all of them fit together"
    )


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
        floors[allowance.pool] = combine.highest(floors.get(allowance.pool, floor), floor)
        inside.setdefault(allowance.pool, []).append(_times(_kept(allowance), count))
    pools = [combine.highest(floor, _sum(inside[name])) for name, floor in floors.items()]
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


def _message(
    ruleset: Ruleset, among: Sequence[UnitKind], direction: Direction, most: Rates, minute: int
) -> str:
    assert ruleset.shaped is not None, "without a line there is no excess"
    return (
        f"{direction.capitalize()}: lifelines and floors of {_households(among)} {ruleset.unit}s and the guests "
        f"come to {rate_words(rate_in(direction, most))} ({minute_words(minute)}), and "
        f"{rate_words(rate_in(direction, ruleset.shaped))} can be shared."
    )


def _with_mend(ruleset: Ruleset, among: Sequence[UnitKind], excess: Excess, message: str) -> Finding:
    """The finding, with a fix: lower the largest floor, otherwise the lifeline, to the value that fits."""
    direction, lifeline = excess.direction, rate_in(excess.direction, combine.lifeline(ruleset.charter))
    largest = _largest_floor(ruleset, among, excess)
    if largest is not None:
        rule, count, rate = largest
        lower = _without(excess, rate, count)
        if lower > lifeline * (max(1, _selected(rule, among)) if rule.together else 1):
            mend = f'lower {rule.id} to at most "{rate_words(lower)} {direction}"'
            return Finding("E04", rule.line, message, mend)
    lower = _without(excess, lifeline, max(1, _households(among)))
    if lower >= rate_in(direction, combine.CODE_LIFELINE):
        mend = f'lower the lifeline in [charter] to "{rate_words(lower)} {direction}", or take out floors'
        return Finding("E04", 0, message, mend)
    return Finding(
        "E04", 0, message, "take out floors, or find a faster line: this one is not enough for all lifelines"
    )


def _selected(rule: Rule, among: Sequence[UnitKind]) -> int:
    return sum(kind.count for kind in among if is_meant_for(rule, kind.unit.tier, kind.unit.groups))


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

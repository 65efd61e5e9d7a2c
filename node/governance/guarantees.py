"""Whether an uplink can carry all that rules guarantee: E04, W08, W13 and W15 of the checks, and W21 of what was measured.

The sum of all lifelines and floors is computed for all slices of time at once, by class of units.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from node.errors import Finding
from node.governance.allowance import Unit
from node.governance.burst_table import bursts_above_the_line
from node.governance.conflicts import RuleIndex
from node.governance.coverage import Population, place_words
from node.governance.deciding import ClassValues
from node.governance.expressions import every_unit, number_of_units, rate_words
from node.governance.rule_evaluation import CODE_LIFELINE, DIRECTIONS, Direction, lifeline, rate_in
from node.governance.rules import Floor, Reserve, Rule, Ruleset, shared_for, without_reserve
from node.governance.slices import ClassSlices, SliceSums, TimeSlices, mask_of
from node.governance.uplink_table import LEAST_MIN
from node.governance.value_syntax import format_rates
from node.translator import LazyText, amount_lazy, gettext_lazy
from node.units import KILO, BitsPerSecond, Rates, highest, lowest


@dataclass(frozen=True, slots=True)
class Excess:
    """By how many bit/s, in which direction and slice of time, the guarantees exceed the capacity."""

    direction: Direction
    minute: int
    """The first of the slice."""
    node: str
    """Of the slice; empty for one that no rule names."""
    rate: int
    most: int
    """What is promised then."""


def capacity_findings(ruleset: Ruleset, among: Population) -> Iterable[Finding]:
    """Whether the uplink can carry all lifelines and floors at once, beside its control traffic: E04 for bursts above it and
    for the worst hour of each direction, W08 where the charter lets floors promise more, otherwise W13 if only the floors of
    all hours together are too much, and W15 if a measured uplink may carry less; nothing when the uplink's speed is not
    stated."""
    line = ruleset.guaranteeable
    if line is None:
        return
    yield from bursts_above_the_line(ruleset)
    slices, index = TimeSlices(ruleset.rules), RuleIndex(ruleset, among.accounts_of)
    yield from _too_much_reserved(ruleset, slices)
    promised = Promised(index, among, slices)
    without_clock: Promised | None = None
    peaks = {direction: promised.floors(direction).most(slices.all) for direction in DIRECTIONS}
    for direction, (most, number) in peaks.items():
        over, minute, node = most - rate_in(direction, line), slices.moment(number)[0], slices.node(number)
        if over > 0:
            excess = Excess(direction, minute, node, over, most)
            yield _over_the_line(ruleset, among, excess, promised.lifelines(direction).most(slices.all)[0])
            continue
        if without_clock is None:
            without_clock = Promised(index, among, TimeSlices(ruleset.rules, "unknown"))
        yield from _without_a_clock(direction, without_clock, rate_in(direction, line))
        if ruleset.measured is not None:
            over = most - rate_in(direction, without_reserve(ruleset.measured.least))
            lifelines = promised.lifelines(direction).at(number)
            fits = _enough(ruleset.measured.least, peaks)
            yield from _at_its_slowest(
                ruleset, among, Excess(direction, minute, node, over, most), lifelines, fits
            )


def measured_findings(
    ruleset: Ruleset, units: Sequence[Unit], slowest: Mapping[Direction, BitsPerSecond]
) -> Iterable[Finding]:
    """W21: more is promised than the line carried in its slowest tenth, as this node measured it. A warning, because rules
    in force do not become invalid by weather. Nothing for a direction that was not measured, and none beside E04 or W08."""
    line = ruleset.guaranteeable
    if line is None or not slowest:
        return
    among, slices = Population(ruleset, units), TimeSlices(ruleset.rules)
    promised = Promised(RuleIndex(ruleset, among.accounts_of), among, slices)
    for direction, rate in slowest.items():
        most, number = promised.floors(direction).most(slices.all)
        over = most - rate_in(direction, without_reserve(Rates(rate, rate)))
        if over > 0 and most <= rate_in(direction, line):
            excess = Excess(direction, slices.moment(number)[0], slices.node(number), over, most)
            lifelines = promised.lifelines(direction).at(number)
            yield _over_the_measured(ruleset, among, excess, lifelines, slowest)


def _too_much_reserved(ruleset: Ruleset, slices: TimeSlices) -> Iterable[Finding]:
    """E04: all reserves together are more than the charter allows."""
    reserves = {
        number: rule.effect.percent
        for number, rule in enumerate(ruleset.rules)
        if isinstance(rule.effect, Reserve)
    }
    if not reserves:
        return
    in_force, sums = slices.of_class(mask_of(range(len(ruleset.rules)))).in_force, SliceSums()
    for number, percent in reserves.items():
        sums.add(in_force.get(number, 0), percent)
    most, where = sums.most(slices.all)
    if most <= ruleset.charter.reserve_max_percent:
        return
    message = gettext_lazy(
        "All reserves come to {most} % of the line ({time}), and the charter allows {allowed} %.",
        most=most,
        time=partial(place_words, slices.moment(where)[0], slices.node(where)),
        allowed=ruleset.charter.reserve_max_percent,
    )
    largest = max(reserves, key=lambda number: reserves[number])
    fix = gettext_lazy("lower {rule}, or another reserve", rule=ruleset.rules[largest].id)
    yield Finding("E04", ruleset.rules[largest].line, message, fix)


def _over_the_line(ruleset: Ruleset, among: Population, excess: Excess, lifelines: int) -> Finding:
    """E04, or W08 where the charter lets floors promise more than can be guaranteed. `lifelines`: the sum of all lifelines,
    which has to fit in any case."""
    assert ruleset.guaranteeable is not None, "without a line there is no excess"
    direction, percent = excess.direction, ruleset.charter.overbook_percent
    line = rate_in(direction, ruleset.guaranteeable)
    if percent > 100 and lifelines > line:
        excess = replace(excess, rate=lifelines - line)
        return Finding("E04", 0, _message(ruleset, among, excess), _lower_lifeline(ruleset, among, excess))
    allowed = line * percent // 100
    if excess.most > allowed:
        excess = replace(excess, rate=excess.most - allowed)
        at, fix = _fix(ruleset, among, excess)
        return Finding("E04", at, _message(ruleset, among, excess), fix)
    message = gettext_lazy(
        "{direction}: lifelines and floors of {households} and the guests come to {most} ({time}), and {line} can be "
        "guaranteed. The charter allows {percent} % of it. When all of them need it at once everyone keeps the lifeline, "
        "and floors give {part} % of what they promise beyond it.",
        **_promised_then(ruleset, among, excess),
        line=_rate(line),
        percent=percent,
        part=(line - lifelines) * 100 // max(1, excess.most - lifelines),
    )
    at, lower = _fix(ruleset, among, excess)
    return Finding(
        "W08", at, message, gettext_lazy("{lower}, or adopt the rules with this in mind", lower=lower)
    )


def _without_a_clock(direction: Direction, promised: "Promised", line: BitsPerSecond) -> Iterable[Finding]:
    """W13: while the clock is unknown, every floor with times applies. Lifelines still fit, as in every hour; only
    the part of the floors above them shrinks, so this is not an error."""
    most, number = promised.floors(direction).most(promised.everywhere)
    if most <= line:
        return
    lifelines = promised.lifelines(direction).at(number)
    percent = max(0, line - lifelines) * 100 // (most - lifelines)
    message = gettext_lazy(
        "{direction}: while a node does not know the time, floors of all hours hold at once and come to {most}; {line} "
        "can be guaranteed. Everyone keeps the lifeline, and each floor gives {percent} % of what it promises beyond "
        "that.",
        direction=_NAMES[direction],
        most=_rate(most),
        line=_rate(line),
        percent=percent,
    )
    fix = gettext_lazy("give the node a clock, or lower floors so that all of them fit together")
    yield Finding("W13", 0, message, fix)


def _at_its_slowest(
    ruleset: Ruleset, among: Population, excess: Excess, lifelines: int, fits: Rates
) -> Iterable[Finding]:
    """W15: what is left of lifelines and floors while the line carries only the least that the rules state. `fits`: the
    lowest rates of a line that could guarantee all of it."""
    if excess.rate <= 0 or ruleset.measured is None:
        return
    direction = excess.direction
    least, line = (
        rate_in(direction, ruleset.measured.least),
        rate_in(direction, without_reserve(ruleset.measured.least)),
    )
    message = gettext_lazy(
        "{direction}: lifelines and floors of {households} and the guests come to {most} ({time}), but while the line "
        "carries its least, {least}, only {line} can be guaranteed: {left}.",
        **_promised_then(ruleset, among, excess),
        least=_rate(least),
        line=_rate(line),
        left=_left(ruleset, excess, line, lifelines),
    )
    at, lower = _fix(ruleset, among, excess)
    fix = gettext_lazy(
        "write {least} if the line always carries that; else {lower}, or adopt the rules with this in mind",
        least=f'least = "{format_rates(fits)}"',
        lower=lower,
    )
    yield Finding("W15", at, message, fix)


def _over_the_measured(
    ruleset: Ruleset,
    among: Population,
    excess: Excess,
    lifelines: int,
    slowest: Mapping[Direction, BitsPerSecond],
) -> Finding:
    """W21."""
    rate = slowest[excess.direction]
    line = excess.most - excess.rate
    message = gettext_lazy(
        "{direction}: lifelines and floors of {households} and the guests come to {most} ({time}). In the slowest tenth of "
        "the last 14 days the line carried at most about {rate}, of which {line} can be guaranteed: {left}.",
        **_promised_then(ruleset, among, excess),
        rate=_rate(rate),
        line=_rate(line),
        left=_left(ruleset, excess, line, lifelines),
    )
    at, lower = _fix(ruleset, among, excess)
    fix = gettext_lazy("{lower}, or adopt the rules with this in mind", lower=lower)
    measured = ruleset.measured
    if measured is not None and LEAST_MIN <= rate < rate_in(excess.direction, measured.least):
        least = lowest(measured.least, _whole(slowest, measured.least))
        fix = gettext_lazy(
            "write {least}, or less; and {lower}, or adopt the rules with this in mind",
            least=f'least = "{format_rates(least)}"',
            lower=lower,
        )
    return Finding("W21", at, message, fix)


def _whole(slowest: Mapping[Direction, BitsPerSecond], others: Rates) -> Rates:
    """In whole kbit/s, with the other rate of a direction that was not measured."""
    down, up = (max(LEAST_MIN, slowest.get(way, rate_in(way, others)) // KILO * KILO) for way in DIRECTIONS)
    return Rates(BitsPerSecond(down), BitsPerSecond(up))


def _left(ruleset: Ruleset, excess: Excess, line: int, lifelines: int) -> LazyText:
    """What is left of lifelines and floors while only `line` can be guaranteed."""
    if lifelines <= line:
        return gettext_lazy(
            "everyone keeps the lifeline, and floors give {percent} % of what they promise beyond it",
            percent=(line - lifelines) * 100 // max(1, excess.most - lifelines),
        )
    return gettext_lazy(
        "{every} gets {percent} % of its lifeline, and floors nothing beyond it",
        every=partial(every_unit, ruleset.unit),
        percent=line * 100 // max(1, lifelines),
    )


class Promised:
    """Sums of what is guaranteed to all units, in each slice of time. Each pool counts once, or with its households'
    lifelines if these are more. Without a directory there is one unit of each kind."""

    def __init__(self, index: RuleIndex, among: Population, slices: TimeSlices) -> None:
        self._index, self.everywhere, self._least = index, slices.all, index.least_floor(None)
        self._alone: dict[Direction, dict[int, SliceSums]] = {direction: {} for direction in DIRECTIONS}
        """By rate, the number of units outside pools that have it."""
        self._units, self._inside = SliceSums(), dict[int, SliceSums]()
        """The number of units outside pools, and in each pool of households."""
        self._pools: dict[int, dict[Direction, SliceSums]] = {}
        """The floor of each pool."""
        self._where: dict[int, int] = {}
        """The slices in which anybody is in each pool."""
        self._either: dict[Direction, SliceSums] = {direction: SliceSums() for direction in DIRECTIONS}
        """Sum for units outside pools that have another floor while their dues are late: the higher one of each."""
        for unit_class, count in among.counted:
            now = slices.of_class(unit_class.selecting)
            late = None if unit_class.late == unit_class.selecting else slices.of_class(unit_class.late)
            self._add(now, late, count, guest=unit_class.is_guest)

    def floors(self, direction: Direction) -> SliceSums:
        found = SliceSums()
        found.add_all(self._either[direction])
        for rate, units in self._alone[direction].items():
            found.add_all(units, rate)
        for pool, floors in self._pools.items():
            found.add_all(floors[direction].highest(self._kept_inside(pool, direction)))
        return found

    def lifelines(self, direction: Direction) -> SliceSums:
        found = SliceSums()
        found.add_all(self._units, rate_in(direction, self._least))
        for pool, slices in self._where.items():
            own = SliceSums()
            own.add(slices, rate_in(direction, self._index.least_floor(self._index.people_of(pool))))
            found.add_all(own.highest(self._kept_inside(pool, direction)))
        return found

    def _kept_inside(self, pool: int, direction: Direction) -> SliceSums:
        """What the households of a pool keep for themselves."""
        found = SliceSums()
        if pool in self._inside:
            found.add_all(self._inside[pool], rate_in(direction, self._least))
        return found

    def _add(self, slices: ClassSlices, late: ClassSlices | None, count: int, *, guest: bool) -> None:
        """`late`: where rules apply to these units while their dues are late; None for no difference. Nobody changes a
        pool by that."""
        values = ClassValues(self._index, slices, self.everywhere, guest=guest)
        outside = self.everywhere & ~values.pools.pooled
        self._units.add(outside, count)
        if late is not None:
            values_late = ClassValues(self._index, late, self.everywhere, guest=guest)
            self._add_either(values, values_late, outside, count)
        for direction in DIRECTIONS if late is None else ():
            for rate, where in values.floors(direction, None, outside):
                self._alone[direction].setdefault(rate, SliceSums()).add(where, count)
        for pool, where in values.pools.by_pool.items():
            self._where[pool] = self._where.get(pool, 0) | where
            if not self._index.has_guests(pool):
                self._inside.setdefault(pool, SliceSums()).add(where, count)
            sums = self._pools.setdefault(pool, {direction: SliceSums() for direction in DIRECTIONS})
            for direction in DIRECTIONS:
                own = SliceSums()
                for rate, part in values.floors(direction, self._index.people_of(pool), where):
                    own.add(part, rate)
                sums[direction] = sums[direction].highest(own)

    def _add_either(self, values: ClassValues, late: ClassValues, outside: int, count: int) -> None:
        for direction in DIRECTIONS:
            sums = SliceSums(), SliceSums()
            for each, own in zip((values, late), sums, strict=True):
                for rate, where in each.floors(direction, None, outside):
                    own.add(where, rate)
            self._either[direction].add_all(sums[0].highest(sums[1]), count)


def _enough(least: Rates, peaks: Mapping[Direction, tuple[int, int]]) -> Rates:
    """The lowest rates, at least these, with which all that is promised can be guaranteed."""
    down, up = (shared_for(BitsPerSecond(peaks[direction][0])) for direction in DIRECTIONS)
    return highest(least, Rates(down, up))


def times(rates: Rates, count: int) -> Rates:
    return Rates(BitsPerSecond(rates.down * count), BitsPerSecond(rates.up * count))


def _message(ruleset: Ruleset, among: Population, excess: Excess) -> LazyText:
    assert ruleset.guaranteeable is not None, "without a line there is no excess"
    line = rate_in(excess.direction, ruleset.guaranteeable)
    return gettext_lazy(
        "{direction}: lifelines and floors of {households} and the guests come to {most} ({time}), and {line} can be "
        "guaranteed.",
        **_promised_then(ruleset, among, excess),
        line=_rate(line),
    )


def _promised_then(ruleset: Ruleset, among: Population, excess: Excess) -> dict[str, object]:
    """The fields of each message about what is promised in a slice."""
    return {
        "direction": _NAMES[excess.direction],
        "households": partial(number_of_units, among.households, ruleset.unit),
        "most": _rate(excess.most),
        "time": partial(place_words, excess.minute, excess.node),
    }


_NAMES: Mapping[Direction, LazyText] = {"down": gettext_lazy("Download"), "up": gettext_lazy("Upload")}


def _rate(rate: int) -> LazyText:
    """In whole kbit/s: what is left of a line is seldom a round number."""
    return amount_lazy(rate_words(BitsPerSecond(rate // KILO * KILO or rate)))


def _fix(ruleset: Ruleset, among: Population, excess: Excess) -> tuple[int, LazyText]:
    """The line to change, and how: lower the largest floor, otherwise the lifeline, to the value that fits."""
    direction, least = excess.direction, rate_in(excess.direction, lifeline(ruleset.charter))
    largest = _largest_floor(ruleset, among, excess)
    if largest is not None:
        rule, count, rate = largest
        lower = _without(excess, rate, count)
        if lower > least * (max(1, among.accounts_of(rule)) if rule.together else 1):
            rate_text = f'"{rate_words(lower)} {direction}"'
            return rule.line, gettext_lazy("lower {rule} to at most {rate}", rule=rule.id, rate=rate_text)
    return 0, _lower_lifeline(ruleset, among, excess)


def _lower_lifeline(ruleset: Ruleset, among: Population, excess: Excess) -> LazyText:
    direction, least = excess.direction, rate_in(excess.direction, lifeline(ruleset.charter))
    lower = _without(excess, least, max(1, among.households))
    if lower >= rate_in(direction, CODE_LIFELINE):
        return gettext_lazy(
            "lower the lifeline in {table} to {rate}, or take out floors",
            table="[charter]",
            rate=f'"{rate_words(lower)} {direction}"',
        )
    return gettext_lazy("take out floors, or find a faster line: this one is not enough for all lifelines")


def _without(excess: Excess, rate: int, count: int) -> BitsPerSecond:
    """`rate` minus what each of `count` units must give up, in whole kbit/s."""
    return BitsPerSecond(max(0, (rate - -(-excess.rate // count)) // KILO * KILO))


def _largest_floor(ruleset: Ruleset, among: Population, excess: Excess) -> tuple[Rule, int, int] | None:
    """The floor rule that guarantees most at that time: the rule, the number of units, and the rate of each."""
    best: tuple[Rule, int, int] | None = None
    for rule in ruleset.rules:
        if (
            not isinstance(rule.effect, Floor)
            or (rule.when is not None and not rule.when.holds(excess.minute))
            or rule.at not in ("", excess.node)
        ):
            continue
        count = 1 if rule.together and among.counted_of(rule) else among.counted_of(rule)
        rate = rate_in(excess.direction, rule.effect.rates)
        if count and (best is None or rate * count > best[1] * best[2]):
            best = rule, count, rate
    return best

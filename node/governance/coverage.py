"""All situations that the rules can meet: kinds of units, times of the week, days of the calendar, a busy uplink or not,
exhausted quotas.

Between two days on which a rule begins, ends, or has an exception, all weeks are alike, so seven days stand for them. The
situations are finite, so checks go through all of them, in `node.governance.slices`. Values are combined by minimum and
maximum, so it is enough to look at no exhausted quota and at each one alone: a set of them gives the minimum.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from node.errors import InvalidValue
from node.governance.allowance import Unit
from node.governance.expressions import moment_words, nodes_words, people_of_kind
from node.governance.rule_selection import RuleSelectors
from node.governance.rules import GUEST_TIER, LATE_DUES, MEMBER_TIER, Rule, Ruleset, nodes_of
from node.governance.times import (
    MINUTES_PER_DAY,
    MINUTES_PER_WEEK,
    NamedDays,
    Times,
    day_of,
    midnight_of,
)
from node.translator import ENGLISH, Translator, gettext_lazy, number_lazy
from node.units import AccountId

NOBODY = AccountId("")
STRETCHES_MAX = MINUTES_PER_WEEK
"""Distinct sets of rules that can hold at once; as many as a week has minutes."""
STEPS_MAX = 500_000
"""Edges of times that are looked at, on all kinds of days and for each list of named days: some seconds' work on the
smallest computer. Hundreds of rules and dates can have the same few sets of rules over and over."""

_FEWER_TIMES = gettext_lazy("use the same hours and the same dates in several rules")


@dataclass(frozen=True, slots=True)
class UnitKind:
    """All units with the same tier and groups."""

    unit: Unit
    """One of them; made up when rules name a tier or group that the directory does not have."""
    count: int
    """Number in the directory; 0 for a made-up unit, for guests, and for units whose dues are late."""
    may_be: int = 0
    """Number in the directory whose dues may become late: they are counted as another kind."""

    @property
    def exists(self) -> bool:
        return self.count > 0 or self.may_be > 0 or self.unit.tier == GUEST_TIER

    @property
    def is_late(self) -> bool:
        return LATE_DUES in self.unit.groups

    def words(self, words: Translator = ENGLISH) -> str:
        return people_of_kind(self.unit.tier, self.unit.groups, words)


@dataclass(frozen=True, slots=True)
class Situation:
    """One kind of unit at one civil minute, representing all minutes with the same rules."""

    kind: UnitKind
    minute: int
    busy: bool
    """Whether the uplink is busy."""
    applying: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    """Those of `applying` that no exception replaces."""
    node: str = ""
    """Name of the node; empty for one that no rule names."""

    def words(self, words: Translator = ENGLISH) -> str:
        return situation_words(self.kind, self.minute, self.busy or None, words, node=self.node)


def situation_words(
    kind: UnitKind, minute: int, busy: bool | None, words: Translator = ENGLISH, *, node: str = ""
) -> str:
    """``members, Friday 21:00, while the line is busy, at the node library``. `busy`: None where it does not matter; `node`:
    empty for one that no rule names."""
    more = [minute_words(minute, words)]
    if busy is not None:
        load = words.gettext("while the line is busy")
        more.append(load if busy else words.gettext("while the line is not busy"))
    if node:
        more.append(nodes_words([node], words))
    text = kind.words(words)
    for each in more:
        text = words.gettext("{some}, {more}").format(some=text, more=each)
    return text


def place_words(minute: int, node: str, words: Translator = ENGLISH) -> str:
    """``Friday 21:00, at the node library``"""
    text = minute_words(minute, words)
    if not node:
        return text
    return words.gettext("{some}, {more}").format(some=text, more=nodes_words([node], words))


def minute_words(minute: int, words: Translator = ENGLISH) -> str:
    """``Friday 21:00``, with the date where rules depend on it: ``Friday 25 December 2026 21:00``."""
    return moment_words(minute, words, is_dated=not 0 <= minute < MINUTES_PER_WEEK)


def kinds(ruleset: Ruleset, units: Sequence[Unit]) -> tuple[UnitKind, ...]:
    """Every combination of tier and groups in the directory, guests, and each tier and group named by a rule; where a rule
    depends on dues, each of them but guests once paid and once late."""
    counts: dict[tuple[str, frozenset[str]], int] = {}
    for unit in units:
        key = (unit.tier, unit.groups)
        counts[key] = counts.get(key, 0) + 1
    named = [(GUEST_TIER, frozenset[str]()), (MEMBER_TIER, frozenset[str]())]
    for rule in ruleset.rules:
        named += [(tier, frozenset[str]()) for tier in rule.who.tiers]
        named += [(MEMBER_TIER, frozenset({group})) for group in rule.who.groups - {LATE_DUES}]
    for key in named:
        counts.setdefault(key, 0)
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], sorted(item[0][1])))
    found = [UnitKind(Unit(AccountId(tier), tier, groups), count) for (tier, groups), count in ordered]
    if ruleset.knows_dues:
        paid = [kind for kind in found if kind.unit.tier != GUEST_TIER]
        found += [UnitKind(late(kind.unit), 0, kind.count) for kind in paid]
    return tuple(found)


def accounts_by_kind(rulesets: Sequence[Ruleset], units: Sequence[Unit]) -> dict[Unit, tuple[AccountId, ...]]:
    """The accounts of each combination of tier and groups in the directory, and combinations that any of the rulesets
    names. An account whose dues may become late is there twice. A guest whose voucher has a group is not in the
    directory."""
    accounts: dict[Unit, list[AccountId]] = {}
    for unit in units:
        accounts.setdefault(replace(unit, account=NOBODY), []).append(unit.account)
    for kind in [kind for ruleset in rulesets for kind in kinds(ruleset, ())]:
        accounts.setdefault(replace(kind.unit, account=NOBODY), [])
    for rule in [rule for ruleset in rulesets for rule in ruleset.rules]:
        groups = (rule.who.groups | rule.who.excluded_groups) - {LATE_DUES}
        for group, tier in product(groups, (GUEST_TIER, MEMBER_TIER)):
            accounts.setdefault(Unit(NOBODY, tier, frozenset({group})), [])
    if any(ruleset.knows_dues for ruleset in rulesets):
        for unit in [each for each in accounts if each.tier != GUEST_TIER and LATE_DUES not in each.groups]:
            accounts.setdefault(late(unit), []).extend(accounts[unit])
    ordered = sorted(accounts.items(), key=lambda item: (item[0].tier, sorted(item[0].groups)))
    return {unit: tuple(found) for unit, found in ordered}


def late(unit: Unit) -> Unit:
    """The unit while its dues are late."""
    return replace(unit, groups=unit.groups | {LATE_DUES})


@dataclass(frozen=True, slots=True)
class UnitClass:
    """All kinds of units that the same rules select, so that they have the same rights; guests are apart."""

    kind: UnitKind
    """The first of them; one in the directory, if any is."""
    selecting: int
    """The rules that select them, as bit mask of their indexes."""
    late: int
    """The same for these units while their dues are late."""
    count: int
    """Accounts in the directory."""
    kinds: int

    @property
    def is_guest(self) -> bool:
        return self.kind.unit.tier == GUEST_TIER


class Population:
    """All units that rules can meet, by class, and how many accounts each rule is for."""

    def __init__(self, ruleset: Ruleset, units: Sequence[Unit]) -> None:
        selectors = RuleSelectors(ruleset.rules)
        alike: dict[tuple[int, int, bool, bool], list[UnitKind]] = {}
        for kind in sorted(kinds(ruleset, units), key=lambda kind: not kind.exists):
            unit, is_guest = kind.unit, kind.unit.tier == GUEST_TIER
            selecting = when_late = selectors[unit.tier, unit.groups]
            if ruleset.knows_dues and not is_guest:
                when_late = selectors[unit.tier, late(unit).groups]
            alike.setdefault((selecting, when_late, is_guest, kind.is_late), []).append(kind)
        self.classes = tuple(
            UnitClass(same[0], selecting, when_late, sum(kind.count for kind in same), len(same))
            for (selecting, when_late, _, _), same in alike.items()
        )
        """Those in the directory come first. Units whose dues are late are classes of their own."""
        self.has_directory = bool(units)
        self._index = {rule.id: index for index, rule in enumerate(ruleset.rules)}

    @property
    def counted(self) -> list[tuple[UnitClass, int]]:
        """Classes that guarantees are for, each with its number of units; units whose dues are late are counted with those
        that have paid. Without a directory one unit of each kind."""
        paid = [each for each in self.classes if not each.kind.is_late]
        if not self.has_directory:
            return [(each, each.kinds) for each in paid]
        return [(each, each.count) for each in paid if each.kind.exists]

    @property
    def households(self) -> int:
        """All units that guarantees are for, without guests."""
        return sum(count for each, count in self.counted if not each.is_guest)

    def accounts_of(self, rule: Rule) -> int:
        """How many accounts of the directory the rule is for."""
        index = self._index[rule.id]
        return sum(each.count for each in self.classes if each.selecting >> index & 1)

    def counted_of(self, rule: Rule) -> int:
        """How many units that guarantees are for the rule is for, at least while their dues are late."""
        index = self._index[rule.id]
        return sum(count for each, count in self.counted if (each.selecting | each.late) >> index & 1)


def stretches(rules: Sequence[Rule]) -> tuple[tuple[int, int], ...]:
    """(civil minute, bit mask of the applying rules) for each distinct set of `rules` that can hold at once, at its first
    minute. Raises InvalidValue where there are more than `STRETCHES_MAX`, or more than `STEPS_MAX` to compare."""
    times = [(1 << index, rule.when) for index, rule in enumerate(rules)]
    edges = _edges(when for _, when in times if when is not None)
    spans, windows = _span_masks(times, edges), list(_window_masks(times, edges).items())
    lists = [named for named, _ in windows]
    found: dict[int, int] = {}
    steps = 0
    for day, dates, left_out in _day_kinds(times, lists):
        holding = [
            masks[later]
            for number, (_, masks) in enumerate(windows)
            for later in (0, 1)
            if not left_out >> 2 * number + later & 1
        ]
        steps += len(edges[day % 7]) * (1 + len(holding))
        for edge in edges[day % 7] if steps <= STEPS_MAX else ():
            mask = spans[edge]
            for of_windows in holding:
                mask |= of_windows.get(edge, 0)
            found.setdefault(mask & dates, day * MINUTES_PER_DAY + edge % MINUTES_PER_DAY)
        if steps > STEPS_MAX:
            wrong = gettext_lazy("these rules have too many hours on too many different days")
            raise InvalidValue(wrong, _FEWER_TIMES)
        if len(found) > STRETCHES_MAX:
            wrong = gettext_lazy(
                "these rules have more than {most} different times", most=number_lazy(STRETCHES_MAX)
            )
            raise InvalidValue(wrong, _FEWER_TIMES)
    return tuple((minute, mask) for mask, minute in found.items())


TimesOfRules = Sequence[tuple[int, Times | None]]
"""The bit of each rule, and its times."""


def _edges(times: Iterable[Times]) -> list[list[int]]:
    """Minutes of the week at which some rule can start or end, by weekday; midnight is always one."""
    every = {day * MINUTES_PER_DAY for day in range(7)}.union(*(when.boundaries() for when in times))
    return [sorted(edge for edge in every if edge // MINUTES_PER_DAY == day) for day in range(7)]


def _span_masks(times: TimesOfRules, edges: Sequence[Sequence[int]]) -> dict[int, int]:
    """At each edge, the rules whose weekly times without named days hold."""
    turns: dict[int, int] = {}
    mask = 0
    for bit, when in times:
        for start, end in ((0, MINUTES_PER_WEEK),) if when is None else when.spans:
            turns[start] = turns.get(start, 0) ^ bit
            turns[end] = turns.get(end, 0) ^ bit
    masks: dict[int, int] = {}
    for minute in sorted({*turns, *(edge for day in edges for edge in day)}):
        mask ^= turns.get(minute, 0)
        masks[minute] = mask
    return masks


def _window_masks(
    times: TimesOfRules, edges: Sequence[Sequence[int]]
) -> dict[tuple[NamedDays, ...], tuple[dict[int, int], dict[int, int]]]:
    """For each list of named days, the rules whose windows hold at each edge except on those days: windows that began on
    the same day, and on the day before."""
    found: dict[tuple[NamedDays, ...], tuple[dict[int, int], dict[int, int]]] = {}
    for bit, when in times:
        for windows in () if when is None else when.windows:
            masks = found.setdefault(windows.left_out, ({}, {}))
            for start, length in windows.starts:
                day = start // MINUTES_PER_DAY
                for later in (0, 1):
                    mask = masks[later]
                    for edge in edges[(day + later) % 7]:
                        if (edge - start) % MINUTES_PER_WEEK < length:
                            mask[edge] = mask.get(edge, 0) | bit
    return found


def _day_kinds(times: TimesOfRules, lists: Sequence[tuple[NamedDays, ...]]) -> Iterator[tuple[int, int, int]]:
    """One day of each kind: its number since the epoch, the rules that are within their dates, and two bits for each list
    of named days: whether the day, and the day before, is among them."""
    dated = [(bit, when) for bit, when in times if when is not None and when.is_dated]
    undated = sum(bit for bit, _ in times) - sum(bit for bit, _ in dated)
    every_name = list(dict.fromkeys(named for each in lists for named in each))
    bits = {named.name: 1 << number for number, named in enumerate(every_name)}
    masks = [sum(bits[named.name] for named in each) for each in lists]
    begins = sorted({midnight_of(day) // MINUTES_PER_DAY for _, when in dated for day in when.days()})
    begins = [begins[0] - 7, *begins] if begins else [0]
    seen: set[tuple[int, int, int]] = set()
    for first, after in zip(begins, [*begins[1:], begins[-1] + 7], strict=True):
        day, before = day_of(first * MINUTES_PER_DAY), day_of((first - 1) * MINUTES_PER_DAY)
        dates = undated | sum(bit for bit, when in dated if when.is_within(day))
        today, yesterday = (
            sum(bits[named.name] for named in every_name if named.includes(each)) for each in (day, before)
        )
        left_out = sum(
            (bool(mask & today) | bool(mask & yesterday) << 1) << 2 * number
            for number, mask in enumerate(masks)
        )
        for number in range(first, min(after, first + 7)):
            if (number % 7, dates, left_out) not in seen:
                seen.add((number % 7, dates, left_out))
                yield number, dates, left_out


def variants(rules: Sequence[Rule]) -> tuple[tuple[bool, str], ...]:
    """Apart from time: whether the uplink is busy, where rules depend on it, and at which node; first not busy, and at a
    node that no rule names."""
    loads = (False, True) if any(rule.while_busy for rule in rules) else (False,)
    return tuple((busy, node) for node in ("", *nodes_of(rules)) for busy in loads)


def is_in_variant(rule: Rule, busy: bool, node: str) -> bool:
    """Whether a rule can hold while the uplink is busy or not, at this node."""
    return rule.at in ("", node) and (busy or not rule.while_busy)

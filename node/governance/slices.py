"""All times at once: in which slices of time each rule applies to a class of units, and sums over all slices.

In a slice the same rules hold, the uplink is busy or not, and the node is one that rules name, or another. Rules that start
or end at any minute make up to 10,080 of them, and members in many groups make as many classes as there are members, so
that it took minutes to visit each slice of each class. A set of slices is therefore one integer, bit n for slice n, so that
all times are intersected in one step.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.governance.allowance import ClockState
from node.governance.coverage import is_in_variant, stretches, variants
from node.governance.rule_selection import is_timely, kindness
from node.governance.rules import Rule


@dataclass(frozen=True, slots=True)
class ClassSlices:
    """Slices in which rules apply to a class of units, by the index of the rule; rules that never do are left out."""

    applying: Mapping[int, int]
    """As `rule_selection.applying()` says, including replaced rules."""
    in_force: Mapping[int, int]
    """As `rule_selection.in_force()` says."""


class TimeSlices:
    """The slices of time, or the only one while the clock is unknown, and which rules hold in them."""

    def __init__(self, rules: Sequence[Rule], clock: ClockState = "synced") -> None:
        self._rules = rules
        self._variants = variants(rules)
        by_id = {rule.id: rule for rule in rules}
        if clock == "unknown":
            timely = mask_of(index for index, rule in enumerate(rules) if is_timely(rule, None, by_id))
            distinct: Sequence[tuple[int, int]] = ((0, timely),)
        else:
            distinct = stretches(rules)
        self._minutes = [minute for minute, _ in distinct]
        self._holding = self._by_rule([holding for _, holding in distinct])
        index = {rule.id: number for number, rule in enumerate(rules)}
        self._base = [
            None if rule.exception_to is None else index.get(rule.exception_to, -1) for rule in rules
        ]
        self._exceptions: dict[int, list[int]] = {}
        for number in sorted(range(len(rules)), key=lambda number: rules[number].id):
            base = self._base[number]
            if base is not None:
                self._exceptions.setdefault(base, []).append(number)
        for rivals in self._exceptions.values():
            # Of two that are equally generous the first by id stays: the sort is stable.
            rivals.sort(key=lambda number: kindness(rules[number]), reverse=True)
        self._ordered = self._bases_first()

    @property
    def all(self) -> int:
        return (1 << len(self._minutes) * len(self._variants)) - 1

    def under(self, *, busy: bool, node: str | None) -> int:
        """The slices in which the uplink is busy, or those in which it is not, at one node or (None) at each."""
        node = self._known_node(node)
        chosen = [(load, each) for load, each in self._variants if node in (None, each)]
        if any(load == busy for load, _ in chosen):
            chosen = [(load, each) for load, each in chosen if load == busy]
        return self._in_variants("".join("1" if each in chosen else "0" for each in self._variants))

    def at(self, minute: int, *, busy: bool, node: str) -> int:
        """The slice of a civil minute, as a set."""
        node = self._known_node(node) or ""
        found = self.under(busy=busy, node=node)
        for rule, slices in zip(self._rules, self._holding, strict=True):
            holds = is_in_variant(rule, busy, node) and (rule.when is None or rule.when.holds(minute))
            found &= slices if holds else ~slices
        return found

    def _known_node(self, node: str | None) -> str | None:
        return node if node is None or any(node == each for _, each in self._variants) else ""

    def _in_variants(self, digits: str) -> int:
        """All times, in the variants with a 1."""
        return int(digits[::-1] * len(self._minutes), 2)

    def moment(self, number: int) -> tuple[int, bool]:
        """The first civil minute of a slice, and whether the uplink is busy."""
        minute, variant = divmod(number, len(self._variants))
        return self._minutes[minute], self._variants[variant][0]

    def node(self, number: int) -> str:
        """The node of a slice; empty for one that no rule names."""
        return self._variants[number % len(self._variants)][1]

    def of_class(self, selecting: int) -> ClassSlices:
        """For units selected by these rules, a bit mask."""
        applying: dict[int, int] = {}
        for index in self._ordered:
            if selecting >> index & 1:
                base, slices = self._base[index], self._holding[index]
                if base is not None:
                    slices &= applying.get(base, 0)
                if slices:
                    applying[index] = slices
        replaced, lost = self._rivals(applying)
        in_force: dict[int, int] = {}
        for index, slices in applying.items():
            base = self._base[index]
            if base in lost:
                lost[index] = lost.get(index, 0) | lost[base]
            if left := slices & ~replaced.get(index, 0) & ~lost.get(index, 0):
                in_force[index] = left
        return ClassSlices(applying, in_force)

    def _rivals(self, applying: Mapping[int, int]) -> tuple[dict[int, int], dict[int, int]]:
        """Where each rule is replaced by an exception, and where each exception loses against a more generous one."""
        replaced: dict[int, int] = {}
        lost: dict[int, int] = {}
        for base, rivals in self._exceptions.items():
            taken = 0
            for index in rivals:
                slices = applying.get(index, 0)
                if slices & taken:
                    lost[index] = slices & taken
                taken |= slices
            if taken:
                replaced[base] = taken
        return replaced, lost

    def _by_rule(self, distinct: Sequence[int]) -> list[int]:
        """The slices of each rule, from the rules of each slice."""
        # Digits are exchanged as in a table, because a loop over 10,080 times of 200 rules would take long.
        rows = (f"{holding:0{len(self._rules)}b}" for holding in reversed(distinct))
        columns = ["".join(digits) for digits in zip(*rows, strict=True)] if self._rules else []
        return [
            self._with_variants(digits, rule)
            for digits, rule in zip(reversed(columns), self._rules, strict=True)
        ]

    def _with_variants(self, digits: str, rule: Rule) -> int:
        """Each time is there once for each variant, as far as the rule can hold in it."""
        if len(self._variants) == 1:
            return int(digits, 2)
        held = "".join("1" if is_in_variant(rule, busy, node) else "0" for busy, node in self._variants)
        return int(digits.replace("0", "x").replace("1", held[::-1]).replace("x", "0" * len(held)), 2)

    def _bases_first(self) -> list[int]:
        """Indexes of the rules, each after the one that it replaces; without those of a cycle, which never apply."""
        ordered = [number for number, base in enumerate(self._base) if base is None]
        for index in ordered:
            ordered += self._exceptions.get(index, ())
        return ordered


class SliceSums:
    """A number for each slice. Bit n of `planes[i]` is bit i of the number of slice n, so that adding to many slices takes
    a few steps."""

    def __init__(self, planes: Iterable[int] = ()) -> None:
        self.planes = list(planes)

    def add(self, slices: int, amount: int) -> None:
        """Adds a number, 0 and up, in all these slices."""
        place = 0
        while amount:
            if amount & 1:
                self._carry(slices, place)
            amount, place = amount >> 1, place + 1

    def add_all(self, others: "SliceSums", times: int = 1) -> None:
        for place, plane in enumerate(others.planes):
            self.add(plane, times << place)

    def highest(self, others: "SliceSums") -> "SliceSums":
        """The larger number of each slice."""
        length = max(len(self.planes), len(others.planes))
        mine, theirs = (each.planes + [0] * (length - len(each.planes)) for each in (self, others))
        larger, smaller = 0, 0
        for a, b in zip(reversed(mine), reversed(theirs), strict=True):
            larger |= a & ~b & ~smaller
            smaller |= b & ~a & ~larger
        return SliceSums((a & ~smaller) | (b & smaller) for a, b in zip(mine, theirs, strict=True))

    def above(self, amount: int, slices: int) -> int:
        """Those of `slices` whose number is more than `amount`."""
        larger, equal = 0, slices
        for place in reversed(range(max(len(self.planes), amount.bit_length()))):
            plane = self.planes[place] if place < len(self.planes) else 0
            if amount >> place & 1:
                equal &= plane
            else:
                larger |= equal & plane
                equal &= ~plane
        return larger

    def at(self, index: int) -> int:
        return sum((plane >> index & 1) << place for place, plane in enumerate(self.planes))

    def most(self, slices: int) -> tuple[int, int]:
        """The highest number in these slices, and the first of them that has it."""
        amount = 0
        for place in reversed(range(len(self.planes))):
            if among := slices & self.planes[place]:
                slices, amount = among, amount | 1 << place
        return amount, first_of(slices)

    def _carry(self, slices: int, place: int) -> None:
        while slices:
            if place >= len(self.planes):
                self.planes += [0] * (place + 1 - len(self.planes))
            before = self.planes[place]
            self.planes[place] = before ^ slices
            slices, place = slices & before, place + 1


def first_of(slices: int) -> int:
    """The first of these slices, of which there is at least one."""
    return (slices & -slices).bit_length() - 1


def in_turn(slices: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Of (index, slices) in order of precedence: for each index the slices that no earlier one has."""
    taken = 0
    for index, each in slices:
        if left := each & ~taken:
            yield index, left
        taken |= each


def union(sets: Iterable[int]) -> int:
    found = 0
    for each in sets:
        found |= each
    return found


def members_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, in ascending order."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def mask_of(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)

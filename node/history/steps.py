"""Steps of one length in a row: of each, how many raw values were in it, their sum, and the least and the most of them.

Means of longer steps are exact, because sums and numbers are added, not means.
"""

from array import array
from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

VALUE_MAX = 1 << 44
"""Of a raw value, also below zero: 17 terabytes, or as many bits per second. What is beyond it is taken as this."""
COUNT_MAX = 1 << 18
"""Raw values in a step: one each second of three days. A full step takes no further ones, so that no sum overflows."""


class Step(NamedTuple):
    """Raw values of one step together."""

    values: int
    """How many."""
    total: int
    least: int
    most: int

    @property
    def mean(self) -> int:
        """Rounded to the nearest whole number."""
        return (2 * self.total + self.values) // (2 * self.values)


def joined(one: Step | None, other: Step | None) -> Step | None:
    """The values of both; None for none."""
    if one is None or other is None:
        return one or other
    if one.values + other.values > COUNT_MAX:
        return one
    return Step(
        one.values + other.values,
        one.total + other.total,
        min(one.least, other.least),
        max(one.most, other.most),
    )


def step_of(value: int) -> Step:
    """One raw value."""
    value = max(-VALUE_MAX, min(VALUE_MAX, value))
    return Step(1, value, value, value)


class Steps:
    """So many steps, in 32 bytes each. A step without values is a gap."""

    __slots__ = ("_columns",)

    def __init__(self, length: int) -> None:
        self._columns = tuple(array("q", bytes(8 * length)) for _ in Step._fields)

    @classmethod
    def of_columns(cls, columns: "tuple[array[int], ...]") -> "Steps":
        """Of the fields of `Step`, in their order. Raises ValueError for what no steps can have."""
        counts, totals, leasts, mosts = columns
        is_sound = not counts or (min(counts) >= 0 and max(counts) <= COUNT_MAX)
        for values, most in ((totals, VALUE_MAX * COUNT_MAX), (leasts, VALUE_MAX), (mosts, VALUE_MAX)):
            is_sound = is_sound and (not values or (min(values) >= -most and max(values) <= most))
        if not is_sound or len({len(each) for each in columns}) != 1:
            raise ValueError("no steps")
        made = cls(0)
        made._columns = columns
        return made

    @property
    def columns(self) -> "tuple[array[int], ...]":
        """Not to be changed."""
        return self._columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[Step | None]:
        for each in zip(*self._columns, strict=True):
            yield Step(*each) if each[0] else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and self._columns == other._columns

    def __hash__(self) -> int:
        raise TypeError("steps change")

    def get(self, at: int) -> Step | None:
        counts, totals, leasts, mosts = self._columns
        return Step(counts[at], totals[at], leasts[at], mosts[at]) if counts[at] else None

    def put(self, at: int, step: Step | None) -> None:
        for column, value in zip(self._columns, step or (0, 0, 0, 0), strict=True):
            column[at] = value

    def join(self, at: int, step: Step | None) -> None:
        """Adds the values of a step to those that are there."""
        if step is not None:
            self.put(at, joined(self.get(at), step))

    def join_all(self, at: int, others: "Steps") -> None:
        """Adds steps in a row, from this place on."""
        end = at + len(others)
        if any(self._columns[0][at:end]):
            for place, step in enumerate(others, at):
                self.join(place, step)
            return
        for column, values in zip(self._columns, others.columns, strict=True):
            column[at:end] = values

    def together(self, begin: int = 0, end: int | None = None) -> Step | None:
        """All values of these steps; None if they are all gaps."""
        counts, totals, leasts, mosts = (column[begin:end] for column in self._columns)
        if not any(counts):
            return None
        if not all(counts):
            leasts, mosts = (
                array("q", [each for each, count in zip(column, counts, strict=True) if count])
                for column in (leasts, mosts)
            )
        count = sum(counts)
        if count > COUNT_MAX:
            return reduce(joined, (self.get(at) for at in range(len(self))[begin:end]), None)
        return Step(count, sum(totals), min(leasts), max(mosts))

"""Four counters for each of some days, in 20 bytes a day, or 36 where the last two are not zero."""

from array import array
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

from node.accounting.periods import DAY_UNKNOWN

type Counters = tuple[int, int, int, int]


class PackedDays:
    """Counters by day. Another thread may read while one changes it, and finds for each day what it was before or after."""

    __slots__ = ("_columns",)

    def __init__(self, days: Iterable[tuple[str, Counters]] = ()) -> None:
        """Each day once."""
        self._columns = _columns_of(days)
        """Days, and two or four numbers for each. Replaced together when that changes, so that they always fit."""

    def __len__(self) -> int:
        return len(self._columns[0])

    def get(self, day: str) -> Counters | None:
        days, numbers = self._columns
        try:
            return _at(numbers, days.index(_number_of(day)), len(days))
        except ValueError:
            return None

    def put(self, day: str, counters: Counters) -> None:
        """Each number must be below 2^63."""
        days, numbers = self._columns
        number, width = _number_of(day), _width(counters)
        try:
            at = days.index(number)
        except ValueError:
            self._columns = _columns_of([*self.items(), (day, counters)])
            return
        if len(numbers) >= width * len(days):
            width = len(numbers) // len(days)
            numbers[width * at : width * (at + 1)] = array("q", counters[:width])
        else:
            self._columns = _columns_of({**dict(self.items()), day: counters}.items())

    def remove(self, day: str) -> None:
        """The day must be there."""
        left = dict(self.items())
        del left[day]
        self._columns = _columns_of(left.items())

    def items(self) -> Iterator[tuple[str, Counters]]:
        """As they are now, also if days come or leave meanwhile."""
        days, numbers = self._columns
        for at, number in enumerate(days):
            yield _day_of(number), _at(numbers, at, len(days))


def _at(numbers: "array[int]", at: int, count: int) -> Counters:
    if len(numbers) == 2 * count:
        down, up = numbers[2 * at : 2 * at + 2]
        return down, up, 0, 0
    a, b, c, d = numbers[4 * at : 4 * at + 4]
    return a, b, c, d


def _width(counters: Counters) -> int:
    """The last two are often zero, and then need no room."""
    return 4 if counters[2] or counters[3] else 2


def _columns_of(items: Iterable[tuple[str, Counters]]) -> "tuple[array[int], array[int]]":
    given = tuple(items)
    width = max((_width(counters) for _, counters in given), default=2)
    numbers = array("q", [number for _, counters in given for number in counters[:width]])
    return array("i", [_number_of(day) for day, _ in given]), numbers


@lru_cache(maxsize=1024)
def _number_of(day: str) -> int:
    return 0 if day == DAY_UNKNOWN else date.fromisoformat(day).toordinal()


@lru_cache(maxsize=1024)
def _day_of(number: int) -> str:
    return date.fromordinal(number).isoformat() if number else DAY_UNKNOWN

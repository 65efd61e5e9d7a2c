"""Four counters for each of some days, in 36 bytes a day."""

from array import array
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from node.accounting.periods import DAY_UNKNOWN

type Counters = tuple[int, int, int, int]


class PackedDays:
    """Counters by day. Another thread may read while one changes it, and finds for each day what it was before or after."""

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        self._columns = array("i"), array("q")
        """Days, and four numbers for each. Replaced together when a day comes or leaves, so that they always fit."""

    def __len__(self) -> int:
        return len(self._columns[0])

    def get(self, day: str) -> Counters | None:
        days, numbers = self._columns
        try:
            at = 4 * days.index(_number_of(day))
        except ValueError:
            return None
        a, b, c, d = numbers[at : at + 4]
        return a, b, c, d

    def put(self, day: str, counters: Counters) -> None:
        """Each number must be below 2^63."""
        days, numbers = self._columns
        number = _number_of(day)
        try:
            at = 4 * days.index(number)
        except ValueError:
            self._columns = days + array("i", (number,)), numbers + array("q", counters)
        else:
            numbers[at : at + 4] = array("q", counters)

    def remove(self, day: str) -> None:
        """The day must be there."""
        days, numbers = self._columns
        at = days.index(_number_of(day))
        self._columns = days[:at] + days[at + 1 :], numbers[: 4 * at] + numbers[4 * at + 4 :]

    def items(self) -> Iterator[tuple[str, Counters]]:
        """As they are now, also if days come or leave meanwhile."""
        days, numbers = self._columns
        for at, number in enumerate(days):
            a, b, c, d = numbers[4 * at : 4 * at + 4]
            yield _day_of(number), (a, b, c, d)


@lru_cache(maxsize=1024)
def _number_of(day: str) -> int:
    return 0 if day == DAY_UNKNOWN else date.fromisoformat(day).toordinal()


@lru_cache(maxsize=1024)
def _day_of(number: int) -> str:
    return date.fromordinal(number).isoformat() if number else DAY_UNKNOWN

"""Long lists, one screen at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

ROWS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class ListPage[T]:
    """One screen of a list, and the ways to the next and the last one."""

    rows: tuple[T, ...]
    whole: int
    """Rows of the whole list."""
    number: int
    """Counting from 1."""
    last: int
    earlier: str
    """Address of the screen before; empty on the first."""
    later: str

    def turned[S](self, shown: Callable[[T], S]) -> "ListPage[S]":
        """The same screen, each row as `shown` makes it; the others cost nothing."""
        return ListPage(
            tuple(map(shown, self.rows)), self.whole, self.number, self.last, self.earlier, self.later
        )


def paginate[T](
    rows: Sequence[T], number: int, address: str, *, size: int = ROWS_A_PAGE, **query: str
) -> ListPage[T]:
    """Screen `number` of `rows`; the nearest one that there is. `query` is kept in the addresses of the others."""
    last = max(1, -(-len(rows) // size))
    number = min(max(1, number), last)
    kept = {name: value for name, value in query.items() if value}

    def address_of(other: int) -> str:
        return f"{address}?{urlencode({**kept, 'page': other})}" if 1 <= other <= last else ""

    return ListPage(
        rows=tuple(rows[(number - 1) * size : number * size]),
        whole=len(rows),
        number=number,
        last=last,
        earlier=address_of(number - 1),
        later=address_of(number + 1),
    )

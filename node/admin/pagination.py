"""Pagination of long lists."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

ROWS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class ListPage[T]:
    """One page of a list, with links to the pages before and after it."""

    rows: tuple[T, ...]
    whole: int
    """Number of rows in the whole list."""
    number: int
    """Starts at 1."""
    last: int
    earlier: str
    """URL of the page before; empty on the first."""
    later: str

    def turned[S](self, shown: Callable[[T], S]) -> "ListPage[S]":
        """The same page with `shown` applied to its rows only."""
        return ListPage(
            tuple(map(shown, self.rows)), self.whole, self.number, self.last, self.earlier, self.later
        )


def paginate[T](
    rows: Sequence[T], number: int, address: str, *, size: int = ROWS_A_PAGE, **query: str
) -> ListPage[T]:
    """Page `number` of `rows`, or the nearest that exists. `query` is kept in the links to other pages."""
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

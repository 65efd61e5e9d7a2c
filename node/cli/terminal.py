"""Text for a terminal: aligned columns, optional colour, no control characters from outside."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
BAR_CELLS = 20
_FULL, _EMPTY, _PARTS = "█", "░", ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Colours, or none."""

    coloured: bool

    def bold(self, text: str) -> str:
        return self._in("1", text)

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def good(self, text: str) -> str:
        return self._in("32", text)

    def warn(self, text: str) -> str:
        return self._in("33", text)

    def bad(self, text: str) -> str:
        return self._in("31", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured and text else text


@dataclass(frozen=True, slots=True)
class Column:
    """Heading of a column, and whether its values are numbers."""

    heading: str
    is_number: bool = False


def clean(text: object) -> str:
    """`text` on one line without control characters: a device or another node may have chosen it."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def width(text: str) -> int:
    """Terminal cells that `text` takes: wide characters take two, combining marks none."""
    return sum(_cells(char) for char in text)


def table(columns: Sequence[Column], rows: Sequence[Sequence[object]], terminal: Terminal) -> list[str]:
    """Headings and rows, each column as wide as its widest value, numbers aligned to the right."""
    cells = [[clean(value) for value in row] for row in rows]
    widths = [
        max([width(column.heading), *(width(row[at]) for row in cells)]) for at, column in enumerate(columns)
    ]
    heading = _row([column.heading for column in columns], columns, widths)
    return [terminal.dim(heading), *(_row(row, columns, widths) for row in cells)]


def bar(part: int, whole: int, cells: int = BAR_CELLS) -> str:
    """A bar that shows `part` of `whole`, to an eighth of a cell."""
    eighths = min(cells * 8, part * cells * 8 // whole) if whole > 0 else 0
    drawn = _FULL * (eighths // 8) + _PARTS[eighths % 8]
    return drawn + _EMPTY * (cells - len(drawn))


def _row(values: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = [
        " " * (room - width(value)) + value if column.is_number else value + " " * (room - width(value))
        for value, column, room in zip(values, columns, widths, strict=True)
    ]
    return GAP.join(parts).rstrip()


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1

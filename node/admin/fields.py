"""Form fields: parsed within stated limits; errors are shown beside their field, in the language of the page, and typed
values are kept."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urlencode

from node.errors import Finding
from node.translator import as_sentence, gettext_lazy, in_a_row, ngettext_lazy

LINE_CHARS_MAX = 200
"""Limit of a one-line field without a limit of its own."""
# Control characters, and bidirectional ones that make a text look different (Unicode UAX #9).
_MISLEADING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_BREAKS = re.compile(r"[\r\n\t\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class FormView:
    """Values and errors of a form, as a page shows it."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")


class TypedForm:
    """One form as it was sent. Each method parses one field; `errors` holds one message for each wrong
    field."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.values: dict[str, str] = {}
        """Values as typed, to be shown again."""
        self.errors: dict[str, str] = {}
        self.sent = fields
        """All fields as received, not parsed."""

    def line(self, name: str, most: int = LINE_CHARS_MAX, *, wanted: str = "") -> str:
        """One line of text without white space around it; `wanted` is the error of an empty field that is
        required."""
        text = _BREAKS.sub(" ", self.sent.get(name, "")).strip()
        return self._text(name, text, most, wanted)

    def text(self, name: str, most: int, *, wanted: str = "") -> str:
        """Several lines of text."""
        text = self.sent.get(name, "").replace("\r\n", "\n").replace("\r", "\n").strip()
        return self._text(name, text, most, wanted)

    def whole(self, name: str, least: int, most: int, *, fallback: int | None = None) -> int:
        """An integer; an empty field gives `fallback`, if there is one."""
        text = self._kept(name, self.sent.get(name, "").strip()[:LINE_CHARS_MAX])
        if not text and fallback is not None:
            return fallback
        if text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= most:
            return int(text)
        self.refuse(
            name, gettext_lazy("Write a whole number from {least} to {most}.", least=least, most=most)
        )
        return least

    def choice(self, name: str, options: Collection[str], fallback: str) -> str:
        """One of `options`; an empty field gives `fallback`."""
        text = self._kept(name, self.sent.get(name, "").strip()[:LINE_CHARS_MAX]) or fallback
        if text in options:
            return text
        self.refuse(name, gettext_lazy("Choose one of: {options}.", options=", ".join(options)))
        return fallback

    def day(self, name: str) -> str:
        """An ISO date, or empty."""
        text = self._kept(name, self.sent.get(name, "").strip()[:LINE_CHARS_MAX])
        if not text:
            return ""
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            self.refuse(
                name, gettext_lazy("Write a day as year-month-day, such as 2026-12-31, or leave it empty.")
            )
            return ""

    def flag(self, name: str) -> bool:
        return bool(self._kept(name, self.sent.get(name, "")[:LINE_CHARS_MAX]))

    def refuse(self, name: str, message: str) -> None:
        """Adds an error; only the first of each field is kept."""
        self.errors.setdefault(name, message)

    def take(self, findings: Iterable[Finding], name: str) -> None:
        """Adds findings as errors of one field."""
        for finding in findings:
            fix = (as_sentence(finding.fix),) if finding.fix else ()
            self.refuse(name, in_a_row(finding.message, *fix))

    def view(self) -> FormView:
        return FormView(self.values, self.errors)

    def _text(self, name: str, text: str, most: int, wanted: str) -> str:
        self._kept(name, text[: most + 1])
        if len(text) > most:
            self.refuse(
                name,
                gettext_lazy(
                    "Write at most {most} characters; these are {number}.", most=most, number=len(text)
                ),
            )
        elif _MISLEADING.search(text):
            self.refuse(name, gettext_lazy("This holds an invisible character. Type it again by hand."))
        elif wanted and not text:
            self.refuse(name, wanted)
        return text[:most]

    def _kept(self, name: str, text: str) -> str:
        self.values[name] = text
        return text


def long_ago(seconds: int) -> str:
    """A duration in its largest unit: ``40 s``, ``12 min``, ``3 h``, ``2 days``."""
    if seconds < 60:
        return gettext_lazy("{number} s", number=seconds)
    if seconds < 7_200:
        return gettext_lazy("{number} min", number=seconds // 60)
    if seconds < 172_800:
        return gettext_lazy("{number} h", number=seconds // 3_600)
    return ngettext_lazy("{number} day", "{number} days", seconds // 86_400)


# --- pagination of long lists ---

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
    rows: Sequence[T], number: int, address: str, *, size: int = ROWS_A_PAGE, name: str = "page", **query: str
) -> ListPage[T]:
    """Page `number` of `rows`, or the nearest that exists. `query` is kept in the links to other pages; `name` is the
    field of the number."""
    last = max(1, -(-len(rows) // size))
    number = min(max(1, number), last)
    kept = {key: value for key, value in query.items() if value}

    def address_of(other: int) -> str:
        return f"{address}?{urlencode({**kept, name: other})}" if 1 <= other <= last else ""

    return ListPage(
        rows=tuple(rows[(number - 1) * size : number * size]),
        whole=len(rows),
        number=number,
        last=last,
        earlier=address_of(number - 1),
        later=address_of(number + 1),
    )

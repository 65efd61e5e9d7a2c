"""Reads TOML files that people wrote: checks limits, then returns the values, the line of
each key, and all syntax errors.

Python's `tomllib` takes time quadratic in the parts of a key (117 KB of ``a.a.a`` took 73 s), so the structure is
checked first, in one pass. It reports no lines and stops at the first error; both are added here.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from node.characters import hidden_character
from node.errors import Finding
from node.translator import gettext_lazy

LINE_CHARS_MAX = 16_384
"""Enough for a list of several hundred names on one line."""
KEY_PARTS_MAX = 8
"""``[uplink.main]`` has two."""
WORD_CHARS_MAX = 120
"""Limit of a bare word outside quotes: keys, numbers and dates."""
DEPTH_MAX = 16
"""Limit of nested brackets."""

SYNTAX_ERRORS_MAX = 20
KeyPath = tuple[str, int, str]
"""Table name, number of earlier tables with that name, and key. The key is empty for the table's own line, the table
name for the top level of the file."""

_TOKEN = re.compile(r"#[^\n]*|\"{3}|'{3}|\"(?:\\.|[^\"\\\n])*\"?|'[^'\n]*'?|[A-Za-z0-9_+:-]+|[.\[\]{}=,\n]")
"""Comments, single-line strings, the start of multi-line strings, bare words and punctuation."""
_MARKS, _OPENING, _SHUTTING = frozenset("[]{}=,\n"), frozenset("[{"), frozenset("]}")
_CLOSING = {'"""': re.compile(r'\\.|"{3,5}', re.DOTALL), "'''": re.compile(r"'{3,5}")}
"""The closing quotes may follow one or two quotes that belong to the string."""
_TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_ARRAY_TABLE = re.compile(r"\s*\[\[([^\[\]]+)\]\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*[=.]")
_AT_LINE = re.compile(r"\s*\((?:at line (\d+), column \d+|at end of document)\)")
_CURES = (
    (
        ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate"),
        gettext_lazy("this key or table is there twice; keep one of them"),
    ),
    (
        ("Invalid value",),
        gettext_lazy("put text in double quotes, such as {example}", example='name = "library"'),
    ),
    (
        ("Expected '='", "Invalid statement", "Invalid initial character"),
        gettext_lazy(
            "write key = value, such as {example}; a name in brackets is alone on its line",
            example='name = "library"',
        ),
    ),
    (("Unescaped", "hex value", "Escaped"), gettext_lazy("write {example} for one backslash", example=r"\\")),
    (
        ("newline or end", "Illegal character", "Unterminated"),
        gettext_lazy(
            "put text in double quotes that close on the same line, and each key on a line of its own"
        ),
    ),
)
"""Messages of tomllib, and the fix for each."""


@dataclass(frozen=True, slots=True)
class TomlDocument:
    """Values of a TOML file, the line of each table and key, and the findings."""

    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    findings: tuple[Finding, ...] = ()

    def line(self, table: str, index: int = 0, key: str = "") -> int:
        """The line of a key, else of its table, else 0."""
        return self.lines.get((table, index, key)) or self.lines.get((table, index, "")) or 0


def read_toml(
    text: str, *, code: str, bytes_max: int, syntax_code: str = "", errors_max: int = SYNTAX_ERRORS_MAX
) -> TomlDocument:
    """Never raises. A file beyond the limits gives one finding with `code` and no values. A line that is not TOML gives
    a finding with `syntax_code`, else `code`, and is left out, for up to `errors_max` such lines."""
    if (found := flaw(text, code, bytes_max)) is not None:
        return TomlDocument({}, {}, (found,))
    rows = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    findings: list[Finding] = []
    while True:
        try:
            data = tomllib.loads("\n".join(rows))
        except ValueError as error:
            findings.append(_syntax_finding(str(error), rows, syntax_code or code))
            if len(findings) >= errors_max or not _is_skippable(rows, findings[-1].line):
                return TomlDocument({}, {}, tuple(findings))
            rows[findings[-1].line - 1] = ""
        else:
            return TomlDocument(data, _lines(rows), tuple(findings))


def read_value(text: str) -> Any:
    """One TOML value from a text that this program wrote. Raises ValueError."""
    return tomllib.loads(f"value = {text}")["value"]


def flaw(text: str, code: str, bytes_max: int) -> Finding | None:
    """A finding with `code` if the text exceeds a limit or has hidden characters; None when it may be parsed."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        message = gettext_lazy("This file is not text in UTF-8.")
        return Finding(code, line, message, gettext_lazy("save it again as UTF-8"))
    if size > bytes_max:
        message = gettext_lazy(
            "This file has {number} bytes; at most {most} are read.", number=size, most=bytes_max
        )
        return Finding(code, 0, message, gettext_lazy("remove what is no longer in force"))
    return _long_line(text, code) or _hidden(text, code) or _misshapen(text, code)


def _long_line(text: str, code: str) -> Finding | None:
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LINE_CHARS_MAX:
            message = gettext_lazy(
                "This line has {number} characters; at most {most} are read.",
                number=len(line),
                most=LINE_CHARS_MAX,
            )
            return Finding(code, number, message, gettext_lazy("write a long list on several lines"))
    return None


def _hidden(text: str, code: str) -> Finding | None:
    found = hidden_character(text.removeprefix("\ufeff"))
    if found is None:
        return None
    at, name = found
    line = text.count("\n", 0, at) + 1
    message = gettext_lazy(
        "This line holds the invisible character {name}, which can hide what it says.", name=name
    )
    return Finding(code, line, message, gettext_lazy("type the line again by hand"))


def _misshapen(text: str, code: str) -> Finding | None:
    dots, depth = 0, 0
    for part, line in _tokens(text):
        if part == ".":
            dots += 1
        elif part in _MARKS:
            dots, depth = 0, _depth_after(part, depth)
        elif len(part) > WORD_CHARS_MAX and part[0] not in "#\"'":
            return _long_word(code, line, len(part))
        if dots >= KEY_PARTS_MAX:
            message = gettext_lazy(
                "A key on this line has more than {most} parts with dots between.", most=KEY_PARTS_MAX
            )
            fix = gettext_lazy("write flat tables, such as {example}", example="[uplink.main]")
            return Finding(code, line, message, fix)
        if depth > DEPTH_MAX:
            message = gettext_lazy("Brackets are inside brackets, more than {most} deep.", most=DEPTH_MAX)
            return Finding(code, line, message, gettext_lazy("write flat tables and short lists"))
    return None


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Each token with the line on which it ends; for a multi-line string only its opening quotes."""
    line, at = 1, 0
    while (match := _TOKEN.search(text, at)) is not None:
        part, at = match[0], match.end()
        if part in _CLOSING:
            end = _end_of_text(text, at, _CLOSING[part])
            line, at = line + text.count("\n", at, end), end
        line += part == "\n"
        yield part, line


def _depth_after(part: str, depth: int) -> int:
    return max(0, depth + (part in _OPENING) - (part in _SHUTTING))


def _end_of_text(text: str, at: int, closing: re.Pattern[str]) -> int:
    """Offset after the closing quotes of a multi-line string."""
    found = (match.end() for match in closing.finditer(text, at) if match[0][0] != "\\")
    return next(found, len(text))


def _long_word(code: str, line: int, length: int) -> Finding:
    message = gettext_lazy(
        "A word on this line has {number} characters without quotes; at most {most} are read.",
        number=length,
        most=WORD_CHARS_MAX,
    )
    fix = gettext_lazy("write a shorter name, or put text in double quotes")
    return Finding(code, line, message, fix)


def _syntax_finding(said: str, rows: list[str], code: str) -> Finding:
    found = _AT_LINE.search(said)
    line = int(found[1]) if found is not None and found[1] else 0
    cure = next(
        (cure for words, cure in _CURES if any(each in said for each in words)),
        gettext_lazy(
            "compare the line with those around it: brackets closed, text in double quotes, one key on a line"
        ),
    )
    message = gettext_lazy("The file ends before something in it is closed.")
    if line:
        message = gettext_lazy("This line cannot be read: {text}.", text=repr(rows[line - 1].strip()[:60]))
    return Finding(code, line or len(rows), message, cure)


def _is_skippable(rows: list[str], line: int) -> bool:
    # Without its header the keys of a table would be read as keys of the table before it.
    row = rows[line - 1].strip()
    return bool(row) and not row.startswith("[")


def _lines(rows: list[str]) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    counts: dict[str, int] = {}
    table, index = "", 0
    for number in _statements("\n".join(rows)):
        row = rows[number - 1]
        if (match := _ARRAY_TABLE.fullmatch(row)) is not None:
            table = match[1].strip()
            index = counts.get(table, 0)
            counts[table] = index + 1
            lines.setdefault((table, index, ""), number)
        elif (match := _TABLE.fullmatch(row)) is not None:
            table, index = match[1].strip(), 0
            lines.setdefault((table, 0, ""), number)
        elif (match := _KEY.match(row)) is not None:
            lines.setdefault((table, index, match[1].strip("\"'")), number)
    return lines


def _statements(text: str) -> Iterator[int]:
    """Lines on which a table or key may begin: those not inside a list or a multi-line string."""
    depth = 0
    yield 1
    for part, line in _tokens(text):
        if part in _MARKS:
            depth = _depth_after(part, depth)
        if part == "\n" and not depth:
            yield line


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that a misspelt one most probably means; empty if none is similar."""
    import difflib  # noqa: PLC0415 - takes 0.25 MB, and files without mistakes do not need it

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")

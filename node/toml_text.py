"""What a TOML file that people wrote may hold before anything parses it: limits, and no character that hides.

Python's `tomllib` takes time that grows with the square of a key's parts (117 KB of ``a.a.a`` took 73 s), so shape is
looked at first, in one pass.
"""

import re

from node.characters import hidden_character
from node.errors import Finding

LINE_CHARS_MAX = 16_384
"""A list of some hundred names on one line."""
KEY_PARTS_MAX = 8
"""As in ``[uplink.main]``, which has two."""
WORD_CHARS_MAX = 120
"""In one bare word outside quotes: keys, numbers and dates alike."""
DEPTH_MAX = 16
"""Brackets inside brackets."""

_TOKEN = re.compile(r"#[^\n]*|\"{3}|'{3}|\"(?:\\.|[^\"\\\n])*\"?|'[^'\n]*'?|[A-Za-z0-9_+:-]+|[.\[\]{}=,\n]")
"""Comments, strings of one line, where strings of several lines begin, bare words, and marks."""
_CLOSING = {'"""': re.compile(r'\\.|"{3,5}', re.DOTALL), "'''": re.compile(r"'{3,5}")}
"""One or two quotes may stand before the three that close."""


def flaw(text: str, code: str, bytes_max: int) -> Finding | None:
    """Why this text is not read as TOML at all, as a finding of this `code`; None when it may be parsed."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        return Finding(code, line, "This file is not text in UTF-8.", "save it again as UTF-8")
    if size > bytes_max:
        message = f"This file has {size} bytes; at most {bytes_max} are read."
        return Finding(code, 0, message, "take out what is no longer in force")
    return _long_line(text, code) or _hidden(text, code) or _misshapen(text, code)


def _long_line(text: str, code: str) -> Finding | None:
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LINE_CHARS_MAX:
            message = f"This line has {len(line)} characters; at most {LINE_CHARS_MAX} are read."
            return Finding(code, number, message, "write a long list on several lines")
    return None


def _hidden(text: str, code: str) -> Finding | None:
    found = hidden_character(text.removeprefix("\ufeff"))
    if found is None:
        return None
    at, name = found
    line = text.count("\n", 0, at) + 1
    message = f"This line holds the invisible character {name}, which can hide what it says."
    return Finding(code, line, message, "type the line again by hand")


def _misshapen(text: str, code: str) -> Finding | None:
    line, dots, depth, at = 1, 0, 0, 0
    while (match := _TOKEN.search(text, at)) is not None:
        part, at = match[0], match.end()
        if part in _CLOSING:
            end = _end_of_text(text, at, _CLOSING[part])
            line, at = line + text.count("\n", at, end), end
        elif part == ".":
            dots += 1
        elif part in "[]{}=,\n":
            dots, depth = 0, max(0, depth + (part in "[{") - (part in "]}"))
            line += part == "\n"
        elif len(part) > WORD_CHARS_MAX and part[0] not in "#\"'":
            return _long_word(code, line, len(part))
        if dots >= KEY_PARTS_MAX:
            message = f"A key on this line has more than {KEY_PARTS_MAX} parts with dots between."
            return Finding(code, line, message, "write flat tables, such as [uplink.main]")
        if depth > DEPTH_MAX:
            message = f"Brackets stand inside brackets, more than {DEPTH_MAX} deep."
            return Finding(code, line, message, "write flat tables and short lists")
    return None


def _end_of_text(text: str, at: int, closing: re.Pattern[str]) -> int:
    """Behind the quotes that close a text of several lines."""
    found = (match.end() for match in closing.finditer(text, at) if match[0][0] != "\\")
    return next(found, len(text))


def _long_word(code: str, line: int, length: int) -> Finding:
    message = (
        f"A word on this line has {length} characters without quotes; at most {WORD_CHARS_MAX} are read."
    )
    return Finding(code, line, message, "write a shorter name, or put text in double quotes")

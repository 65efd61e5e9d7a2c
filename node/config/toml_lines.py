"""Where things stand in a TOML file: tomllib tells values, people need lines. Syntax errors all at once."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.errors import Finding

SYNTAX_ERRORS_MAX = 20
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?")
_KEY = re.compile(r"\s*(?:([A-Za-z0-9_-]+)|\"([^\"]*)\"|'([^']*)')\s*[=.]")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """Values of a TOML file, where each stands, and what could not be read."""

    values: Mapping[str, Any]
    lines: Mapping[tuple[str, str], int]
    """(section, key), the key empty for the section's own header; section empty for the top of the file."""
    findings: tuple[Finding, ...]

    def line_of(self, section: str, key: str = "") -> int:
        """The line of a key, else of its section, else 0."""
        return self.lines.get((section, key)) or self.lines.get((section, ""), 0)


def read_toml(text: str) -> TomlFile:
    """Never raises: a line that is not TOML becomes a finding, and the rest is read without it."""
    rows = text.split("\n")
    findings: list[Finding] = []
    values: dict[str, Any] | None = None
    while values is None and len(findings) < SYNTAX_ERRORS_MAX:
        try:
            values = tomllib.loads("\n".join(rows))
        except tomllib.TOMLDecodeError as error:
            findings.append(_syntax_finding(str(error), len(rows)))
            if not _can_go_on(rows, findings[-1].line):
                break
            rows[findings[-1].line - 1] = ""
    return TomlFile(values or {}, _lines(rows), tuple(findings))


def _syntax_finding(message: str, last_line: int) -> Finding:
    found = _AT_LINE.search(message)
    said = message.split(" (at ", maxsplit=1)[0]
    line = int(found[1]) if found else last_line
    mend = 'write it as name = "text", name = 7, name = true or name = ["a", "b"], once in its section'
    return Finding("config-syntax", line, f"this is not TOML: {said[:1].lower()}{said[1:]}.", mend)


def _can_go_on(rows: list[str], line: int) -> bool:
    # Without its header a section's keys would be blamed on the section before it.
    return (
        1 <= line <= len(rows)
        and bool(rows[line - 1].strip())
        and not rows[line - 1].lstrip().startswith("[")
    )


def _lines(rows: list[str]) -> dict[tuple[str, str], int]:
    lines: dict[tuple[str, str], int] = {}
    section, closing = "", ""
    for number, row in enumerate(rows, 1):
        if closing:
            closing = "" if closing in row else closing
            continue
        if header := _HEADER.fullmatch(row.rstrip("\r")):
            section = header[1]
            lines.setdefault((section, ""), number)
        elif key := _KEY.match(row):
            lines.setdefault((section, key[1] or key[2] or key[3] or ""), number)
            closing = next((mark for mark in ('"""', "'''") if row.count(mark) == 1), "")
    return lines

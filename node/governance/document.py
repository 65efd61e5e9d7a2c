"""Reads tables of a TOML file key by key, and describes errors in plain words."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from node.characters import hidden_character, mixed_scripts
from node.errors import Finding, InvalidValue
from node.toml_reader import TomlDocument, closest, read_toml
from node.translator import LazyText, gettext_lazy

TEXT_MAX = 500
"""Characters in one text value."""
LIST_MAX = 200
"""Values in one list."""
_TABLE_HEAD = re.compile(r"\s*\[\[[^\[\]]+\]\]\s*(?:#.*)?")
_ID_LINE = re.compile(r"\s*id\s*=\s*\"[^\"]*\"\s*(?:#.*)?")
FINDINGS_MAX = 100
"""Findings shown for one file; the user fixes the first ones and checks again."""


@dataclass(slots=True)
class TomlTable:
    """One table of a document, read key by key; collects all findings instead of stopping at the first."""

    document: TomlDocument
    name: str
    index: int
    data: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list)

    def line(self, key: str = "") -> int:
        return self.document.line(self.name, self.index, key)

    def refuse(self, key: str, message: LazyText, fix: LazyText, code: str = "E01") -> None:
        self.findings.append(Finding(code, self.line(key), message, fix))

    def refuse_value(self, key: str, error: InvalidValue, wanted: LazyText, code: str = "E01") -> None:
        """`wanted`: what to write, unless the error says it."""
        message = gettext_lazy("{key}: {problem}.", key=key, problem=error.message)
        self.refuse(key, message, error.fix or write(wanted), code)

    def text(self, key: str, wanted: LazyText) -> str | None:
        """The text at `key`; None when it is missing or refused."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            message = gettext_lazy("{key} must be text in quotes, not {kind}.", key=key, kind=_kind(value))
            self.refuse(key, message, write(wanted))
            return None
        if not value.strip() or len(value) > TEXT_MAX:
            message = gettext_lazy("{key} is empty or longer than {most} characters.", key=key, most=TEXT_MAX)
            self.refuse(key, message, write(wanted))
            return None
        return value if self._is_plain(key, value, alike_only=True) else None

    def name_text(self, key: str, wanted: LazyText) -> str | None:
        """As `text`, for names that identify a person or thing: each word must use a single script."""
        value = self.text(key, wanted)
        return value if value is None or self._is_plain(key, value) else None

    def _is_plain(self, key: str, value: str, *, alike_only: bool = False) -> bool:
        """False when a word can be mistaken for another: letters of another script, or invisible characters between
        them, such as ``\\u200b``."""
        if (hidden := hidden_character(value)) is not None:
            message = gettext_lazy(
                "{key} holds the invisible character {name}, which can hide what it says.",
                key=key,
                name=hidden[1],
            )
            self.refuse(key, message, gettext_lazy("type the text again by hand"))
            return False
        if not (mixed := mixed_scripts(value, alike_only=alike_only)):
            return True
        message = gettext_lazy("In {key}, {problem}.", key=key, problem=mixed)
        self.refuse(key, message, gettext_lazy("type the word again in one script"))
        return False

    def value[T](self, key: str, wanted: LazyText, parse: Callable[[str], T], code: str = "E01") -> T | None:
        """The text at `key`, parsed by `parse`, which raises InvalidValue."""
        text = self.text(key, wanted)
        if text is None:
            return None
        try:
            return parse(text)
        except InvalidValue as error:
            self.refuse_value(key, error, wanted, code)
            return None

    def required[T](
        self, key: str, wanted: LazyText, parse: Callable[[str], T], code: str = "E01"
    ) -> T | None:
        """As `value`, but a missing key is refused too."""
        if key not in self.data:
            message = gettext_lazy("This {table} has no {key}.", table=self.name, key=key)
            fix = gettext_lazy("add {key} = {wanted}", key=key, wanted=wanted)
            self.refuse("", message, fix, code)
            return None
        return self.value(key, wanted, parse, code)

    def integer(self, key: str, least: int, most: int) -> int | None:
        """The integer at `key`; None when it is missing or refused."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wanted = gettext_lazy(
                "a whole number from {least} to {most}, without quotes", least=least, most=most
            )
            self.refuse(key, gettext_lazy("{key} is not {wanted}.", key=key, wanted=wanted), write(wanted))
            return None
        return value

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            message = gettext_lazy("{key} is {kind}.", key=key, kind=_kind(value))
            fix = gettext_lazy("write {yes} or {no}, without quotes", yes="true", no="false")
            self.refuse(key, message, fix)
            return False
        return value

    def texts(self, key: str, wanted: LazyText) -> list[str] | None:
        """One text or a list of texts; None when it is missing or refused."""
        value = self.data.get(key)
        if value is None:
            return None
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or len(items) > LIST_MAX or not all(isinstance(i, str) for i in items):
            message = gettext_lazy("{key} is not a text or a list of texts.", key=key)
            self.refuse(key, message, write(wanted))
            return None
        if any(len(item) > TEXT_MAX for item in items):
            message = gettext_lazy("{key} has a text longer than {most} characters.", key=key, most=TEXT_MAX)
            self.refuse(key, message, write(wanted))
            return None
        return items if all(self._is_plain(key, item) for item in items) else None

    def known(self, keys: Iterable[str]) -> None:
        """Refuse each key that is not in `keys`."""
        keys = list(keys)
        for key in self.data:
            if key in keys or len(self.findings) > FINDINGS_MAX:
                continue
            message = gettext_lazy(
                "{key} is not a key of {table}.", key=f"{key!r:.60}", table=f"[{self.name}]"
            )
            self.refuse(key, message, suggestion(key, keys))


def read_document(text: str, bytes_max: int) -> TomlDocument | Finding:
    """Parse TOML text; a Finding when it cannot be read."""
    document = read_toml(text, code="E01", bytes_max=bytes_max, errors_max=1)
    return document.findings[0] if document.findings else document


def one_table(document: TomlDocument, name: str, findings: list[Finding]) -> TomlTable | None:
    """The table ``[name]``; None when it is missing or is something else."""
    data: Any = document.data
    for part in name.split("."):
        data = data.get(part) if isinstance(data, dict) else None
        if data is None:
            return None
    if not isinstance(data, dict):
        line = document.line("", 0, name) or document.line(name)
        message = gettext_lazy("{name} is not a table.", name=name)
        fix = gettext_lazy("write {example} on a line of its own", example=f"[{name}]")
        findings.append(Finding("E01", line, message, fix))
        return None
    return TomlTable(document, name, 0, data, findings)


def tables(document: TomlDocument, name: str, most: int, findings: list[Finding]) -> list[TomlTable]:
    """All tables ``[[name]]``, at most `most`."""
    value = document.data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        line = document.line(name) or document.line("", 0, name)
        message = gettext_lazy("{name} is written once for each, in double brackets.", name=name)
        fix = gettext_lazy("write {example} above each {name}", example=f"[[{name}]]", name=name)
        findings.append(Finding("E01", line, message, fix))
        return []
    if len(value) > most:
        line = document.line(name)
        message = gettext_lazy(
            "There are {number} tables {table}; at most {most} are read.",
            number=len(value),
            table=f"[[{name}]]",
            most=most,
        )
        findings.append(Finding("E01", line, message, gettext_lazy("join or remove some of them")))
    return [TomlTable(document, name, index, item, findings) for index, item in enumerate(value[:most])]


def write(wanted: str) -> LazyText:
    """A fix: what to write."""
    return gettext_lazy("write {wanted}", wanted=wanted)


def suggestion(word: str, known: Iterable[str]) -> LazyText:
    """What to write instead of an unknown word: the closest known one, otherwise all of them."""
    known = list(known)
    if near := closest(word[:60], known):
        return gettext_lazy("did you mean {word}?", word=near)
    return gettext_lazy("use one of {words}", words=", ".join(known)) if known else gettext_lazy("remove it")


def with_addition(text: str, findings: Iterable[Finding], line: int) -> str:
    """The text with the addition that a finding proposes for the table at `line`; unchanged where none does. It comes after
    the table's id."""
    addition = next((each.addition for each in findings if each.line == line and each.addition), "")
    lines = text.split("\n")
    if not addition or not 0 < line <= len(lines) or not _TABLE_HEAD.fullmatch(lines[line - 1]):
        return text
    at = line + (line < len(lines) and _ID_LINE.fullmatch(lines[line]) is not None)
    return "\n".join([*lines[:at], addition, *lines[at:]])


def _kind(value: object) -> LazyText:
    if isinstance(value, bool):
        return gettext_lazy("true or false")
    if isinstance(value, int | float):
        return gettext_lazy("a number")
    if isinstance(value, str):
        return gettext_lazy("text")
    if isinstance(value, list):
        return gettext_lazy("a list")
    return gettext_lazy("a table") if isinstance(value, dict) else gettext_lazy("a date or time")

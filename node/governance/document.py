"""Reads tables of a TOML file key by key, and describes errors in plain words."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from node.characters import hidden_character, mixed_scripts
from node.errors import Finding
from node.toml_reader import TomlDocument, closest, read_toml

TEXT_MAX = 500
"""Characters in one text value."""
LIST_MAX = 200
"""Values in one list."""
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

    def refuse(self, key: str, message: str, fix: str, code: str = "E01") -> None:
        self.findings.append(Finding(code, self.line(key), message, fix))

    def text(self, key: str, wanted: str) -> str | None:
        """The text at `key`; None when it is missing or refused."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(key, f"{key} must be text in quotes, not {_kind(value)}.", f"write {wanted}")
            return None
        if not value.strip() or len(value) > TEXT_MAX:
            self.refuse(key, f"{key} is empty or longer than {TEXT_MAX} characters.", f"write {wanted}")
            return None
        return value if self._is_plain(key, value, alike_only=True) else None

    def name_text(self, key: str, wanted: str) -> str | None:
        """As `text`, for names that identify a person or thing: each word must use a single script."""
        value = self.text(key, wanted)
        return value if value is None or self._is_plain(key, value) else None

    def _is_plain(self, key: str, value: str, *, alike_only: bool = False) -> bool:
        """False when a word can be mistaken for another: letters of another script, or invisible characters between
        them, such as ``\\u200b``."""
        if (hidden := hidden_character(value)) is not None:
            message = f"{key} holds the invisible character {hidden[1]}, which can hide what it says."
            self.refuse(key, message, "type the text again by hand")
            return False
        if not (mixed := mixed_scripts(value, alike_only=alike_only)):
            return True
        self.refuse(key, f"In {key}, {mixed}.", "type the word again in one script")
        return False

    def value[T](self, key: str, wanted: str, parse: Callable[[str], T], code: str = "E01") -> T | None:
        """The text at `key`, parsed by `parse`, whose ValueError says what to write instead."""
        text = self.text(key, wanted)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.refuse(key, f"{key}: {_without_fix(error)}.", _fix(error, wanted), code)
            return None

    def required[T](self, key: str, wanted: str, parse: Callable[[str], T], code: str = "E01") -> T | None:
        """As `value`, but a missing key is refused too."""
        if key not in self.data:
            self.refuse("", f"This {self.name} has no {key}.", f"add {key} = {wanted}", code)
            return None
        return self.value(key, wanted, parse, code)

    def integer(self, key: str, least: int, most: int) -> int | None:
        """The integer at `key`; None when it is missing or refused."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wanted = f"a whole number from {least} to {most}, without quotes"
            self.refuse(key, f"{key} is not {wanted}.", f"write {wanted}")
            return None
        return value

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.refuse(key, f"{key} is {_kind(value)}.", "write true or false, without quotes")
            return False
        return value

    def texts(self, key: str, wanted: str) -> list[str] | None:
        """One text or a list of texts; None when it is missing or refused."""
        value = self.data.get(key)
        if value is None:
            return None
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or len(items) > LIST_MAX or not all(isinstance(i, str) for i in items):
            self.refuse(key, f"{key} is not a text or a list of texts.", f"write {wanted}")
            return None
        if any(len(item) > TEXT_MAX for item in items):
            self.refuse(key, f"{key} has a text longer than {TEXT_MAX} characters.", f"write {wanted}")
            return None
        return items if all(self._is_plain(key, item) for item in items) else None

    def known(self, keys: Iterable[str], later: Mapping[str, str] | None = None) -> None:
        """Refuse each key that is not in `keys`; `later` explains why some keys are not supported yet."""
        keys = list(keys)
        for key in self.data:
            if key in keys or len(self.findings) > FINDINGS_MAX:
                continue
            if later and key in later:
                self.refuse(key, f"{key} is not known to this version.", later[key])
                continue
            self.refuse(key, f"{key!r:.60} is not a key of [{self.name}].", suggestion(key, keys))


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
        findings.append(
            Finding("E01", line, f"{name} is not a table.", f"write [{name}] on a line of its own")
        )
        return None
    return TomlTable(document, name, 0, data, findings)


def tables(document: TomlDocument, name: str, most: int, findings: list[Finding]) -> list[TomlTable]:
    """All tables ``[[name]]``, at most `most`."""
    value = document.data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        line = document.line(name) or document.line("", 0, name)
        message = f"{name} is written once for each, in double brackets."
        findings.append(Finding("E01", line, message, f"write [[{name}]] above each {name}"))
        return []
    if len(value) > most:
        line = document.line(name, most)
        message = f"There are {len(value)} tables [[{name}]]; at most {most} are read."
        findings.append(Finding("E01", line, message, "join or remove some of them"))
    return [TomlTable(document, name, index, item, findings) for index, item in enumerate(value[:most])]


def suggestion(word: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown word: the closest known one, otherwise all of them."""
    known = list(known)
    if near := closest(word[:60], known):
        return f"did you mean {near}?"
    return f"use one of {', '.join(known)}" if known else "remove it"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "a date or time"


def _fix(error: ValueError, wanted: str) -> str:
    words = str(error)
    return f"write {words.rpartition('; write ')[2]}" if "; write " in words else f"write {wanted}"


def _without_fix(error: ValueError) -> str:
    return str(error).partition("; write ")[0].rstrip(".")

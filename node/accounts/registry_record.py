"""A registry record: one fact of the account registry, as the nodes of a community tell it to each other. Nothing in it is a
code, a hardware address or a name in the clear."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeGuard

KEPT_DAYS = 400
"""How long a record of something that ended is kept, so that it ends at every node that returns by then."""

CREDENTIALS = frozenset({"hash"})
"""Fields of values that nobody is shown."""
_KEPT_CHARACTERS = frozenset("\n\r\t\u200c\u200d")
"""Line breaks, and the joiners that some scripts need."""

type Value = Mapping[str, Any]
"""A small JSON object."""


@dataclass(frozen=True, slots=True)
class RegistryRecord:
    """Of two records of one kind and key, the one with the higher version is in effect."""

    kind: str
    key: str
    version: int
    """Counts the changes of the record, from 1."""
    until: str
    """ISO day after which every node forgets it; empty: none."""
    value: Value


@dataclass(frozen=True, slots=True)
class RecordRow:
    """The record in effect, as it is stored."""

    kind: str
    key: str
    version: int
    until: str
    text: str
    """Its value as canonical JSON."""


@dataclass(frozen=True, slots=True)
class RecordGone:
    """The record is over, and is not kept any longer."""

    kind: str
    key: str


def row_of_record(record: RegistryRecord) -> RecordRow:
    return RecordRow(record.kind, record.key, record.version, record.until, value_text(record.value))


def value_text(value: Value) -> str:
    """Canonical JSON: equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def is_iso_day(value: object) -> TypeGuard[str]:
    """Whether it is a day as nodes write it; other forms of ISO 8601 do not sort by date."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def displayable(text: str) -> str:
    """A text of a person as nodes tell it to each other: what controls a page or a terminal is a space."""
    return "".join(each if each.isprintable() or each in _KEPT_CHARACTERS else " " for each in text)


def last_day(today: str, days: int = KEPT_DAYS) -> str:
    """So many days later; no end if the day is not known."""
    try:
        return str(date.fromisoformat(today) + timedelta(days=days))
    except (ValueError, OverflowError):
        return ""

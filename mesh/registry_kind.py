"""The page kind `registry`: registry records that its author carries. See PROTOCOL.md."""

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mesh.page_format import (
    ACCOUNT_BYTES_MAX,
    KIND,
    NUMBER_MAX,
    Malformed,
    Page,
    canonical,
    fits,
    is_text,
    list_of,
    parse_object,
)
from mesh.page_kind import NOW, Priority, later_kind
from node.accounts.registry_record import RegistryRecord, is_iso_day

REGISTRY_PARTS = 64
"""Records are spread over so many pages, so that a change sends a small one."""
RECORDS_PER_PART_MAX = 1000
VALUE_BYTES_MAX = 16384
"""Of one record's value, as canonical JSON."""
VALUE_DEPTH_MAX = 8
"""Objects and lists in one another: a value can be written again, however deep the call that does it is."""
NAME = "registry"


@dataclass(frozen=True, slots=True)
class RegistryContent:
    """The records of one page, sorted by kind and key, each once."""

    records: tuple[RegistryRecord, ...]


def registry_part(kind: str, key: str) -> int:
    """The part in which every author lists this record."""
    return hashlib.sha256(f"{kind}/{key}".encode()).digest()[0] % REGISTRY_PARTS


def registry_label(part: int) -> str:
    return f"{NAME}/{NOW}/{part:04d}"


def part_of_label(label: str) -> int | None:
    """The part of a registry page with this label; None for other pages."""
    kind, period, part = label.split("/")
    return int(part) if (kind, period) == (NAME, NOW) and int(part) < REGISTRY_PARTS else None


def registry_body(records: Iterable[RegistryRecord]) -> bytes:
    """The second line of a page with these records, in any order."""
    rows = sorted(([r.kind, r.key, r.version, r.until, r.value] for r in records), key=lambda row: row[:2])
    return canonical({"rows": rows})


def registry_content(body: bytes) -> RegistryContent | Malformed:
    """What a registry page says. Fields that this version does not know are ignored."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    rows = list_of(fields.get("rows"), RECORDS_PER_PART_MAX)
    if rows is None or not all(map(_is_row, rows)):
        return Malformed(f"rows are not at most {RECORDS_PER_PART_MAX} of [kind, key, version, until, value]")
    if not all(left[:2] < right[:2] for left, right in itertools.pairwise(rows)):
        return Malformed("rows are not sorted by kind and key, each once")
    return RegistryContent(tuple(RegistryRecord(*row) for row in rows))


def is_record_key(value: object) -> bool:
    """As an account: displayable text of at most ACCOUNT_BYTES_MAX bytes."""
    return is_text(value) and len(value.encode()) <= ACCOUNT_BYTES_MAX


def is_value(value: object) -> bool:
    """Whether a record may have this value."""
    try:
        is_flat = isinstance(value, dict) and _is_flat(value)
        return is_flat and len(canonical(value)) <= VALUE_BYTES_MAX
    except (ValueError, UnicodeEncodeError, RecursionError):
        return False


def _is_flat(value: object) -> bool:
    level = [value]
    for _ in range(VALUE_DEPTH_MAX + 1):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return True
    return False


def _inside(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _is_row(row: Any) -> bool:
    if not (isinstance(row, list) and len(row) == 5):
        return False
    kind, key, version, until, value = row
    return (
        fits(kind, KIND)
        and is_record_key(key)
        and type(version) is int
        and 1 <= version <= NUMBER_MAX
        and (until == "" or is_iso_day(until))
        and is_value(value)
    )


def _read(page: Page) -> RegistryContent | Malformed:
    if page.period != NOW or page.part >= REGISTRY_PARTS:
        return Malformed("not a part of the records of now")
    said = registry_content(page.body)
    if isinstance(said, RegistryContent) and not all(_is_of(each, page.part) for each in said.records):
        return Malformed("a record in a part that is not its own")
    return said


def _is_of(record: RegistryRecord, part: int) -> bool:
    return registry_part(record.kind, record.key) == part


REGISTRY_KIND = later_kind(NAME, Priority.REGISTRY, _read)

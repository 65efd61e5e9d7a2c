"""The page kind `batch`: vouchers that a node issued, each by its account. See PROTOCOL.md.

No code, no fingerprint of one, no note and no name: who has the paper shows the code, and any node finds its account in the
list.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mesh.page_format import (
    Malformed,
    Page,
    canonical,
    fits,
    list_of,
    parse_object,
)
from mesh.page_kind import NOW, Priority, later_kind
from node.accounts.account_list import ACCOUNT_CHARS
from node.accounts.registry_record import is_iso_day
from node.accounts.vouchers import BATCH_MAX, DEVICES_MAX, LASTS_MAX, LASTS_MIN
from node.characters import is_name

NAME = "batch"
BATCH_PARTS = 16
"""Batches are spread over so many pages by their numbers, so that a new one sends a small page."""
BATCHES_PER_PART_MAX = 500
BATCH_NUMBER_MAX = 10**9
_ACCOUNTS = re.compile(rf"(?:[a-z2-7]{{{ACCOUNT_CHARS}}}){{1,{BATCH_MAX}}}")
PART_BYTES_MAX = 56 * 1024
"""Of the batches in one page: it fits into a frame."""
PAGE_OVERHEAD_BYTES = 600
"""At most, of head and signature."""


@dataclass(frozen=True, slots=True)
class BatchSaid:
    """One batch as its node says it."""

    number: int
    """At that node, which counts from 1."""
    issued_day: str
    """Empty if that node did not know the date."""
    group: str
    lasts_ms: int
    devices_max: int
    accounts: str
    """Sorted, each once, twelve characters for each."""


@dataclass(frozen=True, slots=True)
class BatchContent:
    """The batches of one page, sorted by number."""

    day: str
    """When this was true; empty if the author does not know the date. A voucher that ended long before is not in it."""
    batches: tuple[BatchSaid, ...]


def batch_part(number: int) -> int:
    """The part in which a node lists its batch of that number."""
    return number % BATCH_PARTS


def batch_label(part: int) -> str:
    return f"{NAME}/{NOW}/{part:04d}"


def batch_body(content: BatchContent) -> bytes:
    """The second line of a page with these batches."""
    return canonical({"batches": [_row(each) for each in content.batches], "day": content.day})


def batch_content(body: bytes) -> BatchContent | Malformed:
    """What a batch page says. Fields that this version does not know are ignored."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    rows, day = list_of(fields.get("batches"), BATCHES_PER_PART_MAX), fields.get("day")
    if rows is None or not all(map(_is_row, rows)):
        return Malformed(
            f"batches are not at most {BATCHES_PER_PART_MAX} of [number, day, group, milliseconds, devices, accounts]"
        )
    if not all(left[0] < right[0] for left, right in itertools.pairwise(rows)):
        return Malformed("batches are not sorted by number, each once")
    if not _is_day(day):
        return Malformed("its day is no day")
    return BatchContent(str(day), tuple(BatchSaid(*row) for row in rows))


def batches_by_part(
    batches: Iterable[BatchSaid], bytes_max: int, page_bytes_min: int
) -> tuple[dict[int, tuple[BatchSaid, ...]], int]:
    """The batches that fit into `bytes_max`, where each page counts as at least `page_bytes_min`; those with the highest
    numbers first. And how many do not fit."""
    found: dict[int, list[BatchSaid]] = {}
    sizes: dict[int, int] = {}
    used, left_out = 0, 0
    for each in sorted(batches, key=lambda said: -said.number):
        part = batch_part(each.number)
        before = sizes.get(part, 0)
        after = (before or PAGE_OVERHEAD_BYTES) + len(canonical(_row(each))) + 1
        more = max(after, page_bytes_min) - (max(before, page_bytes_min) if before else 0)
        if (
            after > PART_BYTES_MAX
            or used + more > bytes_max
            or len(found.get(part, ())) >= BATCHES_PER_PART_MAX
        ):
            left_out += 1
            continue
        found.setdefault(part, []).insert(0, each)
        sizes[part], used = after, used + more
    return {part: tuple(listed) for part, listed in found.items()}, left_out


def _row(said: BatchSaid) -> list[Any]:
    return [said.number, said.issued_day, said.group, said.lasts_ms, said.devices_max, said.accounts]


def _is_row(row: object) -> bool:
    if not (isinstance(row, list) and len(row) == 6):
        return False
    number, day, group, lasts_ms, devices_max, accounts = row
    return (
        _is_within(number, 1, BATCH_NUMBER_MAX)
        and _is_day(day)
        and isinstance(group, str)
        and is_name(group)
        and _is_within(lasts_ms, LASTS_MIN, LASTS_MAX)
        and _is_within(devices_max, 0, DEVICES_MAX)
        and _are_accounts(accounts)
    )


def _is_within(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_day(value: object) -> bool:
    return value == "" or is_iso_day(value)


def _are_accounts(value: object) -> bool:
    if not fits(value, _ACCOUNTS):
        return False
    each = [value[at : at + ACCOUNT_CHARS] for at in range(0, len(value), ACCOUNT_CHARS)]
    return all(left < right for left, right in itertools.pairwise(each))


def _read(page: Page) -> BatchContent | Malformed:
    if page.period != NOW or page.part >= BATCH_PARTS:
        return Malformed("not a part of the batches of now")
    said = batch_content(page.body)
    if isinstance(said, BatchContent) and any(batch_part(each.number) != page.part for each in said.batches):
        return Malformed("a batch in a part that is not its own")
    return said


BATCH_KIND = later_kind(NAME, Priority.VOUCHERS, _read)

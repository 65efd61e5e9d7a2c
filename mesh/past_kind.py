"""The page kind `past`: what earlier incarnations of its author published about one day. See PROTOCOL.md."""

import itertools
from collections.abc import Mapping
from typing import Any

from mesh.page_format import (
    INCARNATION,
    LABEL,
    Malformed,
    Page,
    canonical,
    fits,
    is_day,
    is_number,
    list_of,
    parse_object,
)
from mesh.page_kind import PageKind, Priority, is_member
from mesh.usage_kind import ROWS_MAX, PageContent, bucket_of, is_row, row_of
from node.accounting.ledger import UsageBucket
from node.units import AccountId

COVERS_MAX = 1000
"""Pages of earlier incarnations that one page may list as merged."""


def past_body(
    rows: Mapping[tuple[str, AccountId], UsageBucket], covers: Mapping[tuple[str, str], int]
) -> bytes:
    """The second line of a page about earlier incarnations, by incarnation and account; `covers` by incarnation and
    label."""
    listed = [
        [incarnation, *row_of(account, rows[incarnation, account])] for incarnation, account in sorted(rows)
    ]
    return canonical({"covers": [[*key, covers[key]] for key in sorted(covers)], "rows": listed})


def past_of(body: bytes, period: str) -> PageContent | Malformed:
    """A page about earlier incarnations, for the day `period`: rows sorted by incarnation and account, covered pages
    by incarnation and label, each once."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    rows, covers = list_of(fields.get("rows"), ROWS_MAX), list_of(fields.get("covers"), COVERS_MAX)
    if rows is None or covers is None or not (rows or covers):
        return Malformed("neither rows nor covers, or too many")
    if not all(_is_past_row(row) for row in rows):
        return Malformed("a row is not [incarnation, account, down, up, busy down, busy up]")
    if not all(_is_cover(cover, period) for cover in covers):
        return Malformed("a cover is not [incarnation, label of this day, seq]")
    if not (_each_once(rows) and _each_once(covers)):
        return Malformed("rows or covers are not in order, each once")
    listed = tuple((str(row[0]), AccountId(row[1]), bucket_of(row[1:])) for row in rows)
    return PageContent(
        listed, tuple((str(incarnation), str(label), int(seq)) for incarnation, label, seq in covers)
    )


def _is_past_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 6 and fits(row[0], INCARNATION) and is_row(row[1:])


def _is_cover(cover: object, period: str) -> bool:
    if not (isinstance(cover, list) and len(cover) == 3):
        return False
    incarnation, label, seq = cover
    is_named = fits(incarnation, INCARNATION) and fits(label, LABEL)
    return is_named and label.split("/")[1] == period and is_number(seq)


def _each_once(entries: list[Any]) -> bool:
    return all(left[:2] < right[:2] for left, right in itertools.pairwise(entries))


def _read(page: Page) -> PageContent | Malformed:
    return past_of(page.body, page.period)


PAST = PageKind(
    name="past",
    priority=Priority.USAGE_FAR,
    is_period=is_day,
    read=_read,
    may_sign=is_member,
    replaces="in its stream",
    limit="rows",
)

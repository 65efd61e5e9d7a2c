"""The page kind `usage`: bytes of each account at its author's node on one day. See PROTOCOL.md."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.page_format import Malformed, Page, canonical, is_account, is_day, is_number, parse_object
from mesh.page_kind import PageKind, Priority, is_member
from node.accounting.ledger import UsageBucket
from node.units import AccountId, Bytes, Usage

ROWS_MAX = 1000

type UsageRow = tuple[AccountId, UsageBucket]
type PastRow = tuple[str, AccountId, UsageBucket]
"""The incarnation that counted it, the account, and the usage."""
type Cover = tuple[str, str, int]
"""Incarnation, label and seq of a page of an earlier incarnation: it and the versions before it are merged."""


@dataclass(frozen=True, slots=True)
class PageContent:
    """Content of a page: usage rows of the incarnation that wrote it, or of earlier incarnations of its author's
    ledger."""

    rows: tuple[PastRow, ...]
    covers: tuple[Cover, ...]


def usage_body(rows: Mapping[AccountId, UsageBucket]) -> bytes:
    """The second line of a usage page: usage of each account at the author's node."""
    return canonical({"rows": [row_of(account, rows[account]) for account in sorted(rows)]})


def usage_rows(body: bytes) -> tuple[UsageRow, ...] | Malformed:
    """The usage buckets of a usage page, sorted by account, each account once."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    rows = fields.get("rows")
    if not isinstance(rows, list) or not 0 < len(rows) <= ROWS_MAX:
        return Malformed(f"rows is not a list of 1 to {ROWS_MAX}")
    if not all(is_row(row) for row in rows):
        return Malformed("a row is not [account, down, up, busy down, busy up]")
    accounts = [row[0] for row in rows]
    if any(left >= right for left, right in itertools.pairwise(accounts)):
        return Malformed("accounts are not in order, each once")
    return tuple((AccountId(row[0]), bucket_of(row)) for row in rows)


def takes_back(before: bytes, after: bytes) -> bool:
    """Whether `before` has a row that `after` lacks, or a greater number in a row. Both must be valid bodies of pages
    of one kind."""
    now = {tuple(row[:-4]): row[-4:] for row in json.loads(after)["rows"]}
    none = [-1] * 4
    return any(
        said > says
        for row in json.loads(before)["rows"]
        for said, says in zip(row[-4:], now.get(tuple(row[:-4]), none), strict=True)
    )


def row_of(account: AccountId, bucket: UsageBucket) -> list[str | int]:
    """A row as it stands in a page."""
    return [account, bucket.uplink.down, bucket.uplink.up, bucket.busy.down, bucket.busy.up]


def bucket_of(row: list[Any]) -> UsageBucket:
    """The usage in a valid row."""
    return UsageBucket(Usage(Bytes(row[1]), Bytes(row[2])), Usage(Bytes(row[3]), Bytes(row[4])))


def is_row(row: object) -> bool:
    """Whether it is [account, down, up, busy down, busy up]."""
    return isinstance(row, list) and len(row) == 5 and is_account(row[0]) and all(map(is_number, row[1:]))


def _read(page: Page) -> PageContent | Malformed:
    rows = usage_rows(page.body)
    if isinstance(rows, Malformed):
        return rows
    return PageContent(tuple((page.incarnation, account, bucket) for account, bucket in rows), ())


USAGE = PageKind(
    name="usage",
    priority=Priority.USAGE_FAR,
    is_period=is_day,
    read=_read,
    may_sign=is_member,
    replaces="in its stream",
    limit="rows",
)

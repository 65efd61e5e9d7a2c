"""This node's own pages: usage cells to numbered parts, and only the parts that changed are written anew."""

import json
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.collection import DAYS_MAX
from mesh.exchange import PAGE_KIND
from mesh.messages import (
    PARTS_MAX,
    Malformed,
    Page,
    UsageRow,
    assemble_page,
    decode,
    is_account,
    is_number,
    page_head,
    usage_body,
)
from node.accounting.ledger import NO_CELL, Cell
from node.accounting.periods import DAY_UNKNOWN
from node.identity import own_node_id, sign
from node.units import AccountId, Bytes, Usage

RESERVATION_BYTES_MAX = 256
ROWS_PER_PART = 300
"""With the longest names and numbers, a part of this many rows still fits into one frame."""

PartKey = tuple[str, int]


class UsagePages:
    """The usage pages of one life of this node's books: the only writer of its stream."""

    def __init__(self, key: Ed25519PrivateKey, community: str, incarnation: str) -> None:
        self._key = key
        self._author = own_node_id(key)
        self._community = community
        self.incarnation = incarnation
        self._parts: dict[PartKey, dict[AccountId, Cell]] = {}
        self._part_of: dict[str, dict[AccountId, int]] = {}
        self._changed: dict[PartKey, None] = {}
        self.seq = 0
        """The highest number used so far, here or on any page of ours that came back."""

    def adopt(self, page: Page, rows: tuple[UsageRow, ...]) -> None:
        """A page of ours from the shelf or from a neighbour: go on from it, in the same parts."""
        if page.author != self._author or page.incarnation != self.incarnation:
            return
        self.seq = max(self.seq, page.seq)
        part = self._parts.setdefault((page.period, page.part), {})
        places = self._part_of.setdefault(page.period, {})
        for account, cell in rows:
            if account not in places:
                places[account] = page.part
                part[account] = cell

    def note(self, day: str, account: AccountId, cell: Cell) -> None:
        """A cell of our books as it stands now; nothing is written for one that has not grown.

        An account or a number that the format cannot hold is left out, so that the rest still travels.
        """
        if not (is_account(account) and all(map(is_number, _numbers(cell)))):
            return
        places = self._part_of.setdefault(day, {})
        number = places.get(account)
        if number is None:
            number = self._part_with_room(day)
            if number >= PARTS_MAX:
                return
            places[account] = number
        part = self._parts.setdefault((day, number), {})
        known = part.get(account, NO_CELL)
        grown = Cell(_highest(known.uplink, cell.uplink), _highest(known.busy, cell.busy))
        if grown != known or account not in part:
            part[account] = grown
            self._changed[day, number] = None
        if len(self._part_of) > DAYS_MAX:
            self._forget_oldest_day()

    @property
    def changed_count(self) -> int:
        """How many pages `write` would make now."""
        return len(self._changed)

    @property
    def row_count(self) -> int:
        """How many cells are held to be written."""
        return sum(len(part) for part in self._parts.values())

    def write(self) -> Iterator[Page]:
        """Number and sign each changed part. Between two pages the caller may let others run."""
        while self._changed:
            day, number = next(iter(self._changed))
            del self._changed[day, number]
            self.seq += 1
            yield self._sign(day, number)

    def _sign(self, day: str, number: int) -> Page:
        head = page_head(
            community=self._community,
            author=self._author,
            incarnation=self.incarnation,
            period=day,
            part=number,
            seq=self.seq,
        )
        signed = head + b"\n" + usage_body(self._parts[day, number])
        page = decode(assemble_page(signed, sign(self._key, PAGE_KIND, signed)))
        assert isinstance(page, Page), page if isinstance(page, Malformed) else "a page must decode as a page"
        return page

    def _part_with_room(self, day: str) -> int:
        number = max(0, sum(1 for period, _ in self._parts if period == day) - 1)
        return number + (len(self._parts.get((day, number), ())) >= ROWS_PER_PART)

    def _forget_oldest_day(self) -> None:
        oldest = min(day for day in self._part_of if day != DAY_UNKNOWN)
        del self._part_of[oldest]
        for number in [number for day, number in self._parts if day == oldest]:
            del self._parts[oldest, number]
            self._changed.pop((oldest, number), None)


def _numbers(cell: Cell) -> tuple[int, ...]:
    return cell.uplink.down, cell.uplink.up, cell.busy.down, cell.busy.up


def _highest(a: Usage, b: Usage) -> Usage:
    return Usage(Bytes(max(a.down, b.down)), Bytes(max(a.up, b.up)))


def reservation(incarnation: str, seq: int) -> bytes:
    """A record for our own shelf: numbers up to `seq` may be in use already."""
    return json.dumps({"is": "reserved", "incarnation": incarnation, "seq": seq}, sort_keys=True).encode()


def read_reservation(record: bytes, incarnation: str) -> int | None:
    """The number in a record of `reservation` for this life of the books; None for any other record."""
    if b"\n" in record or len(record) > RESERVATION_BYTES_MAX:
        return None
    try:
        fields = json.loads(record)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("is") != "reserved":
        return None
    seq = fields.get("seq")
    return seq if fields.get("incarnation") == incarnation and is_number(seq) else None

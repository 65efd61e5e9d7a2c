"""This node's own pages: usage buckets in numbered parts; only changed parts are written again."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.exchange import PAGE_KIND
from mesh.messages import decode
from mesh.page_format import PARTS_MAX, Malformed, Page, assemble_page, is_account, is_number, page_head
from mesh.page_versions import DAYS_MAX, day_rank
from mesh.past_kind import past_body
from mesh.usage_kind import PageContent, PastRow, usage_body
from node.accounting.ledger import EMPTY_BUCKET, UsageBucket, highest
from node.accounting.periods import DAY_UNKNOWN
from node.identity import own_node_id, sign
from node.units import AccountId, NodeId

RESERVATION_BYTES_MAX = 256
ROWS_PER_PART = 300
"""With the longest names and numbers, a part of this many rows still fits into one frame."""

PAST_ROWS_PER_PART = 220
COVERS_PER_PART = 100
"""Both limits together also fit into one frame; rows here carry an incarnation as well."""

type PartKey = tuple[str, int]
type PastKey = tuple[str, AccountId]
type CoverKey = tuple[str, str]


@dataclass(slots=True)
class _PastPart:
    rows: dict[PastKey, UsageBucket] = field(default_factory=dict)
    covers: dict[CoverKey, int] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= PAST_ROWS_PER_PART or len(self.covers) >= COVERS_PER_PART


class PastPages:
    """Usage of earlier incarnations, by day, in numbered parts of this incarnation's stream."""

    def __init__(self) -> None:
        self._days: dict[str, list[_PastPart]] = {}
        self._rows: dict[str, dict[PastKey, int]] = {}
        self._covers: dict[str, dict[CoverKey, int]] = {}
        self._waiting: dict[str, dict[CoverKey, int]] = {}
        """Covers for the next write: a cover must not be published before the rows it stands for."""
        self.changed: dict[PartKey, None] = {}

    def adopt(self, day: str, number: int, past: PageContent) -> None:
        """Continue from a page of this stream that was loaded or received, with the same parts."""
        parts = self._days.setdefault(day, [])
        parts += [_PastPart() for _ in range(len(parts), number + 1)]
        for incarnation, account, bucket in past.rows:
            places = self._rows.setdefault(day, {})
            if places.setdefault((incarnation, account), number) == number:
                rows = parts[number].rows
                rows[incarnation, account] = highest(rows.get((incarnation, account), EMPTY_BUCKET), bucket)
        for incarnation, label, seq in past.covers:
            places_of_covers = self._covers.setdefault(day, {})
            if places_of_covers.setdefault((incarnation, label), number) == number:
                covers = parts[number].covers
                covers[incarnation, label] = max(seq, covers.get((incarnation, label), -1))

    def note(self, day: str, incarnation: str, account: AccountId, bucket: UsageBucket) -> None:
        """Record a bucket of an earlier incarnation; unchanged buckets are not written."""
        places = self._rows.setdefault(day, {})
        number = places.get((incarnation, account))
        if number is None:
            number = self._part_with_room(day)
            if number >= PARTS_MAX:
                return
            places[incarnation, account] = number
        rows = self._days[day][number].rows
        grown = highest(rows.get((incarnation, account), EMPTY_BUCKET), bucket)
        if grown != rows.get((incarnation, account)):
            rows[incarnation, account] = grown
            self.changed[day, number] = None
        self._forget_oldest_days()

    def cover(self, incarnation: str, label: str, seq: int) -> None:
        """Record that all rows of an earlier incarnation's page have been noted."""
        day = label.split("/")[1]
        number = self._covers.get(day, {}).get((incarnation, label))
        known = -1 if number is None else self._days[day][number].covers[incarnation, label]
        waiting = self._waiting.setdefault(day, {})
        if seq > known:
            waiting[incarnation, label] = max(seq, waiting.get((incarnation, label), -1))

    def take_changed(self) -> Iterator[PartKey]:
        """The changed parts of the newest day that has any. Each day is completed, with its covers, before the next:
        until then its rows are in two pages, and there is no room for all days twice."""
        newest = max((day for day, _ in self.changed), key=day_rank, default="")
        while (part := next((key for key in self.changed if key[0] == newest), None)) is not None:
            del self.changed[part]
            yield part

    def say_covers(self) -> None:
        """Move the waiting covers of days whose rows are written into the parts, to be written next."""
        unwritten = {day for day, _ in self.changed}
        for day in [day for day in self._waiting if day not in unwritten]:
            for key, seq in self._waiting.pop(day).items():
                self._say(day, key, seq)
        self._forget_oldest_days()

    def _say(self, day: str, key: CoverKey, seq: int) -> None:
        places = self._covers.setdefault(day, {})
        number = places.get(key)
        if number is None:
            number = self._part_with_room(day)
            if number >= PARTS_MAX:
                return
            places[key] = number
        self._days[day][number].covers[key] = seq
        self.changed[day, number] = None

    def body(self, day: str, number: int) -> bytes:
        part = self._days[day][number]
        return past_body(part.rows, part.covers)

    def _part_with_room(self, day: str) -> int:
        parts = self._days.setdefault(day, [])
        if not parts or parts[-1].is_full:
            parts.append(_PastPart())
        return len(parts) - 1

    def _forget_oldest_days(self) -> None:
        while len(self._days) > DAYS_MAX:
            oldest = min(self._days, key=day_rank)
            for places in (self._days, self._rows, self._covers):
                places.pop(oldest, None)
            self.changed = {key: None for key in self.changed if key[0] != oldest}


class UsagePages:
    """The pages of one incarnation of this node's ledger: the only writer of its stream."""

    def __init__(self, key: Ed25519PrivateKey, community: str, incarnation: str) -> None:
        self._key = key
        self._author = own_node_id(key)
        self._community = community
        self.incarnation = incarnation
        self._parts: dict[PartKey, dict[AccountId, UsageBucket]] = {}
        self._part_of: dict[str, dict[AccountId, int]] = {}
        self._changed: dict[PartKey, None] = {}
        self.past = PastPages()
        self.seq = 0
        """The highest sequence number used so far, in a new or a restored page of this node."""

    def adopt(self, page: Page, said: PageContent) -> None:
        """Continue from one of this node's pages, from the page cache or a neighbour, with the same parts."""
        if page.author != self._author or page.incarnation != self.incarnation:
            return
        self.seq = max(self.seq, page.seq)
        if page.kind == "past":
            self.past.adopt(page.period, page.part, said)
            return
        part = self._parts.setdefault((page.period, page.part), {})
        places = self._part_of.setdefault(page.period, {})
        for _, account, bucket in said.rows:
            if account not in places:
                places[account] = page.part
                part[account] = bucket

    def take_in(self, page: Page, rows: Iterable[PastRow]) -> None:
        """Merge a page of another incarnation of this node: this incarnation publishes its rows from now on."""
        if page.author != self._author or page.incarnation == self.incarnation:
            return
        for incarnation, account, bucket in rows:
            self.note_past(page.period, incarnation, account, bucket)
        self.past.cover(page.incarnation, page.label, page.seq)

    def note_past(self, day: str, incarnation: str, account: AccountId, bucket: UsageBucket) -> None:
        """Record the current value of a bucket that an earlier incarnation of our ledger counted."""
        if incarnation == self.incarnation:
            self.note(day, account, bucket)
        elif is_account(account) and all(map(is_number, _numbers(bucket))):
            self.past.note(day, incarnation, account, bucket)

    def note(self, day: str, account: AccountId, bucket: UsageBucket) -> None:
        """Record the current value of a bucket of our ledger; unchanged buckets are not written.

        An account or number that the format cannot represent is skipped, so that the others are still published.
        """
        if not (is_account(account) and all(map(is_number, _numbers(bucket)))):
            return
        places = self._part_of.setdefault(day, {})
        number = places.get(account)
        if number is None:
            number = self._part_with_room(day)
            if number >= PARTS_MAX:
                return
            places[account] = number
        part = self._parts.setdefault((day, number), {})
        known = part.get(account, EMPTY_BUCKET)
        grown = highest(known, bucket)
        if grown != known or account not in part:
            part[account] = grown
            self._changed[day, number] = None
        if len(self._part_of) > DAYS_MAX:
            self._forget_oldest_day()

    @property
    def changed_count(self) -> int:
        """Number of pages that `write` would produce now."""
        return len(self._changed) + len(self.past.changed)

    def write(self) -> Iterator[Page]:
        """Number and sign each changed part; of earlier incarnations, those of one day. A generator, so that the caller can
        yield to other tasks between pages."""
        while self._changed:
            day, number = next(iter(self._changed))
            del self._changed[day, number]
            self.seq += 1
            yield self._sign(day, number, "usage", usage_body(self._parts[day, number]))
        for day, number in self.past.take_changed():
            self.seq += 1
            yield self._sign(day, number, "past", self.past.body(day, number))
        self.past.say_covers()

    def write_other(self, kind: str, period: str, body: bytes, part: int = 0) -> Page:
        """Number and sign a page of another kind."""
        self.seq += 1
        return self._sign(period, part, kind, body)

    def _sign(self, day: str, number: int, kind: str, body: bytes) -> Page:
        head = page_head(
            community=self._community,
            author=self._author,
            incarnation=self.incarnation,
            period=day,
            part=number,
            seq=self.seq,
            kind=kind,
        )
        signed = head + b"\n" + body
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


def _numbers(bucket: UsageBucket) -> tuple[int, ...]:
    return bucket.uplink.down, bucket.uplink.up, bucket.busy.down, bucket.busy.up


def changes_record(changes: Iterable[tuple[str, str]]) -> bytes:
    """A record for our own page cache: (author, day) pairs whose pages changed while the ledger may still have the
    old usage."""
    return json.dumps({"is": "changes", "days": sorted(changes)}, sort_keys=True).encode()


def read_changes(record: bytes) -> set[tuple[NodeId, str]]:
    """Parse a record made by `changes_record`; empty for any other record."""
    fields = _own_record(record, "changes")
    return {(NodeId(author), str(day)) for author, day in fields["days"]} if fields else set()


def _own_record(record: bytes, kind: str) -> dict[str, Any] | None:
    if b"\n" in record:
        return None
    try:
        fields = json.loads(record)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) and fields.get("is") == kind else None


def reservation(incarnation: str, seq: int) -> bytes:
    """A record for our own page cache: sequence numbers up to `seq` may already be in use."""
    return json.dumps({"is": "reserved", "incarnation": incarnation, "seq": seq}, sort_keys=True).encode()


def read_reservation(record: bytes, incarnation: str) -> int | None:
    """The number in a record made by `reservation` for this incarnation; None for any other record."""
    fields = _own_record(record, "reserved") if len(record) <= RESERVATION_BYTES_MAX else None
    if fields is None:
        return None
    seq = fields.get("seq")
    return seq if fields.get("incarnation") == incarnation and is_number(seq) else None

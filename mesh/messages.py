"""The wire format between nodes: messages, their encoding and their limits. See PROTOCOL.md.

Nothing here raises on received data: the result is a message or `Malformed` with the reason.
"""

import hashlib
import itertools
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard

from node.accounting.ledger import UsageBucket
from node.accounting.periods import DAY_UNKNOWN
from node.identity import NODE_ID_CHARS, SIGNATURE_BYTES
from node.units import AccountId, Bytes, NodeId, Usage

VERSION = 1
FRAME_BYTES_MAX = 64 * 1024
HEAD_BYTES_MAX = 1024
NAME_CHARS_MAX = 64
"""For names of nodes and communities."""
ACCOUNT_BYTES_MAX = 64
ROWS_MAX = 1000
COVERS_MAX = 1000
"""Pages of earlier incarnations that one page may list as merged."""
PARTS_MAX = 1000
STREAMS_PER_MESSAGE_MAX = 400
PAGES_PER_MESSAGE_MAX = 800
NUMBER_MAX = 2**53 - 1
"""Largest integer that every JSON parser represents exactly."""
LABEL_END = "~"
"""Sorts after every label and node id: the end of a range."""

_INCARNATION = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NODE = re.compile(rf"[a-z2-7]{{{NODE_ID_CHARS}}}")
_BOOT = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_ROOT = re.compile(r"[0-9a-f]{32}")
_SIGNATURE = re.compile(rf"[0-9a-f]{{{2 * SIGNATURE_BYTES}}}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
KINDS = ("usage", "past")
_LABEL = re.compile(r"[a-z]{1,16}/[0-9a-z-]{1,16}/[0-9]{4}")


@dataclass(frozen=True, slots=True)
class Malformed:
    """Received data that cannot be used; the reason is for logs and tests."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message on every connection, from both sides, after key authentication."""

    version: int
    community: str
    node: NodeId
    name: str
    boot: str
    """16 hexadecimal digits, new with each start of the node."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Sent when there is nothing else to send."""


@dataclass(frozen=True, slots=True)
class Root:
    """Digest of everything held; equal roots end a round."""

    digest: str


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams with keys (author/incarnation) in the range (`after`, `upto`], each with its digest."""

    after: str
    upto: str
    streams: tuple[tuple[NodeId, str, str], ...]


@dataclass(frozen=True, slots=True)
class Have:
    """Pages of one stream with labels in the range (`after`, `upto`]: (label, seq, digest)."""

    author: NodeId
    incarnation: str
    after: str
    upto: str
    pages: tuple[tuple[str, int, str], ...]
    asks: bool
    """Whether the receiver must answer with its own list if this one has something new for it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One signed page as its author wrote it; `raw` is forwarded and stored unchanged."""

    community: str
    author: NodeId
    incarnation: str
    kind: str
    period: str
    part: int
    seq: int
    body: bytes
    signed: bytes
    signature: bytes
    raw: bytes

    @property
    def label(self) -> str:
        """Identifies the page within its stream; a newer page with the same label replaces it."""
        return f"{self.kind}/{self.period}/{self.part:04d}"

    @property
    def name(self) -> str:
        """Identifies the page globally, for the page cache."""
        return f"{self.author}/{self.incarnation}/{self.label}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message kind of a later version; ignored."""

    kind: str


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


type Message = Hello | Keepalive | Root | Streams | Have | Page | Unknown


def encode(message: Hello | Keepalive | Root | Streams | Have) -> bytes:
    """One frame: canonical JSON with the message kind in ``is``."""
    match message:
        case Hello(version, community, node, name, boot):
            fields = {"v": version, "community": community, "node": node, "name": name, "boot": boot}
            return _canonical({"is": "hello", **fields})
        case Keepalive():
            return _canonical({"is": "beat"})
        case Root(digest):
            return _canonical({"is": "root", "digest": digest})
        case Streams(after, upto, streams):
            return _canonical({"is": "streams", "after": after, "upto": upto, "streams": streams})
        case Have(author, incarnation, after, upto, pages, asks):
            stream = {"author": author, "incarnation": incarnation, "after": after, "upto": upto}
            return _canonical({"is": "have", **stream, "pages": pages, "asks": asks})


def page_head(
    *,
    community: str,
    author: NodeId,
    incarnation: str,
    period: str,
    part: int,
    seq: int,
    kind: str = "usage",
) -> bytes:
    """The first line of a page."""
    stream = {"community": community, "author": author, "incarnation": incarnation, "kind": kind}
    return _canonical({"is": "page", "v": VERSION, **stream, "period": period, "part": part, "seq": seq})


def usage_body(rows: Mapping[AccountId, UsageBucket]) -> bytes:
    """The second line of a usage page: usage of each account at the author's node."""
    return _canonical({"rows": [_row(account, rows[account]) for account in sorted(rows)]})


def past_body(
    rows: Mapping[tuple[str, AccountId], UsageBucket], covers: Mapping[tuple[str, str], int]
) -> bytes:
    """The second line of a page about earlier incarnations, by incarnation and account; `covers` by incarnation and
    label."""
    listed = [
        [incarnation, *_row(account, rows[incarnation, account])] for incarnation, account in sorted(rows)
    ]
    return _canonical({"covers": [[*key, covers[key]] for key in sorted(covers)], "rows": listed})


def assemble_page(signed: bytes, signature: bytes) -> bytes:
    """A page on the wire: head, body and signature, one per line."""
    return signed + b"\n" + signature.hex().encode()


def decode(frame: bytes) -> Message | Malformed:
    """Parse a frame. The body of a page is not parsed until its signature is verified: see `page_content`."""
    if len(frame) > FRAME_BYTES_MAX:
        return Malformed(f"larger than {FRAME_BYTES_MAX} bytes")
    head, newline, rest = frame.partition(b"\n")
    if newline and len(head) > HEAD_BYTES_MAX:
        return Malformed(f"head larger than {HEAD_BYTES_MAX} bytes")
    fields = _parse(head)
    if isinstance(fields, Malformed):
        return fields
    if newline:
        return _page(fields, head, rest, frame)
    return _message(fields)


def usage_rows(body: bytes) -> tuple[UsageRow, ...] | Malformed:
    """The usage buckets of a usage page, sorted by account, each account once."""
    fields = _parse(body)
    if isinstance(fields, Malformed):
        return fields
    rows = fields.get("rows")
    if not isinstance(rows, list) or not 0 < len(rows) <= ROWS_MAX:
        return Malformed(f"rows is not a list of 1 to {ROWS_MAX}")
    if not all(_is_row(row) for row in rows):
        return Malformed("a row is not [account, down, up, busy down, busy up]")
    accounts = [row[0] for row in rows]
    if any(left >= right for left, right in itertools.pairwise(accounts)):
        return Malformed("accounts are not in order, each once")
    return tuple((AccountId(row[0]), _bucket(row)) for row in rows)


def past_of(body: bytes, period: str) -> PageContent | Malformed:
    """A page about earlier incarnations, for the day `period`: rows sorted by incarnation and account, covered pages
    by incarnation and label, each once."""
    fields = _parse(body)
    if isinstance(fields, Malformed):
        return fields
    rows, covers = _list(fields.get("rows"), ROWS_MAX), _list(fields.get("covers"), COVERS_MAX)
    if rows is None or covers is None or not (rows or covers):
        return Malformed("neither rows nor covers, or too many")
    if not all(_is_past_row(row) for row in rows):
        return Malformed("a row is not [incarnation, account, down, up, busy down, busy up]")
    if not all(_is_cover(cover, period) for cover in covers):
        return Malformed("a cover is not [incarnation, label of this day, seq]")
    if not (_each_once(rows) and _each_once(covers)):
        return Malformed("rows or covers are not in order, each once")
    listed = tuple((str(row[0]), AccountId(row[1]), _bucket(row[1:])) for row in rows)
    return PageContent(
        listed, tuple((str(incarnation), str(label), int(seq)) for incarnation, label, seq in covers)
    )


def page_content(page: Page) -> PageContent | Malformed:
    """Parse the body of a page of either kind; rows of a usage page get the incarnation that wrote it."""
    if page.kind == "past":
        return past_of(page.body, page.period)
    rows = usage_rows(page.body)
    if isinstance(rows, Malformed):
        return rows
    return PageContent(tuple((page.incarnation, account, bucket) for account, bucket in rows), ())


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


def page_digest(page: Page) -> str:
    """16 hexadecimal digits over what the author signed."""
    return hashlib.sha256(page.signed).hexdigest()[:16]


def is_text(value: object) -> TypeGuard[str]:
    """Displayable name: printable, normalized (NFC), at most NAME_CHARS_MAX characters."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= NAME_CHARS_MAX
        and value.isprintable()
        and unicodedata.is_normalized("NFC", value)
    )


def is_account(value: object) -> TypeGuard[str]:
    """Valid account in a usage page: text of at most ACCOUNT_BYTES_MAX bytes in UTF-8."""
    return is_text(value) and len(value.encode()) <= ACCOUNT_BYTES_MAX


def is_number(value: object) -> TypeGuard[int]:
    """An integer from 0 to NUMBER_MAX."""
    return type(value) is int and 0 <= value <= NUMBER_MAX


def _message(fields: dict[str, Any]) -> Message | Malformed:
    match fields.get("is"):
        case "hello":
            return _hello(fields)
        case "beat":
            return Keepalive()
        case "root":
            digest = fields.get("digest")
            return Root(digest) if _fits(digest, _ROOT) else Malformed("root without a digest")
        case "streams":
            return _streams(fields)
        case "have":
            return _have(fields)
        case str(kind):
            return Unknown(kind[:NAME_CHARS_MAX])
        case _:
            return Malformed("no message kind in 'is'")


def _hello(fields: dict[str, Any]) -> Hello | Malformed:
    version, community, node = fields.get("v"), fields.get("community"), fields.get("node")
    name, boot = fields.get("name"), fields.get("boot")
    if not is_number(version):
        return Malformed("hello without a version")
    if not (is_text(community) and is_text(name)):
        return Malformed("hello without a readable community and name")
    if not (_fits(node, _NODE) and _fits(boot, _BOOT)):
        return Malformed("hello without a node id and a boot")
    return Hello(version, community, NodeId(node), name, boot)


def _streams(fields: dict[str, Any]) -> Streams | Malformed:
    entries = _list(fields.get("streams"), STREAMS_PER_MESSAGE_MAX)
    if not _is_range(fields) or entries is None:
        return Malformed("streams without a range and a list")
    streams = tuple(tuple(entry) if isinstance(entry, list) else () for entry in entries)
    if not all(
        len(entry) == 3
        and _fits(entry[0], _NODE)
        and _fits(entry[1], _INCARNATION)
        and _fits(entry[2], _ROOT)
        for entry in streams
    ):
        return Malformed("a stream is not [author, incarnation, digest]")
    return Streams(fields["after"], fields["upto"], streams)


def _have(fields: dict[str, Any]) -> Have | Malformed:
    author, incarnation, asks = fields.get("author"), fields.get("incarnation"), fields.get("asks")
    entries = _list(fields.get("pages"), PAGES_PER_MESSAGE_MAX)
    if not _is_range(fields) or entries is None or not isinstance(asks, bool):
        return Malformed("have without a range, a list and asks")
    if not (_fits(author, _NODE) and _fits(incarnation, _INCARNATION)):
        return Malformed("have without author and incarnation")
    pages = tuple(tuple(entry) if isinstance(entry, list) else () for entry in entries)
    if not all(
        len(entry) == 3 and _fits(entry[0], _LABEL) and is_number(entry[1]) and _fits(entry[2], _DIGEST)
        for entry in pages
    ):
        return Malformed("a page is not [label, seq, digest]")
    return Have(NodeId(author), incarnation, fields["after"], fields["upto"], pages, asks)


def _page(fields: dict[str, Any], head: bytes, rest: bytes, frame: bytes) -> Page | Malformed:
    body, newline, signature = rest.partition(b"\n")
    if not newline or not _fits(signature.decode("ascii", "replace"), _SIGNATURE):
        return Malformed("a page is three lines: head, body, signature in hexadecimal")
    if fields.get("is") != "page" or fields.get("v") != VERSION:
        return Malformed(f"not a page of version {VERSION}")
    author, incarnation, kind = fields.get("author"), fields.get("incarnation"), fields.get("kind")
    community, period = fields.get("community"), fields.get("period")
    part, seq = fields.get("part"), fields.get("seq")
    if not (is_text(community) and _fits(author, _NODE) and _fits(incarnation, _INCARNATION)):
        return Malformed("page without community, author and incarnation")
    if kind not in KINDS or not _is_day(period):
        return Malformed("page of an unknown kind or period")
    if not (is_number(part) and part < PARTS_MAX and is_number(seq)):
        return Malformed("page without part and seq")
    return Page(
        community,
        NodeId(author),
        incarnation,
        kind,
        period,
        part,
        seq,
        body=body,
        signed=head + b"\n" + body,
        signature=bytes.fromhex(signature.decode()),
        raw=frame,
    )


def _canonical(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _parse(text: bytes) -> dict[str, Any] | Malformed:
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError):
        return Malformed("not JSON")
    return value if isinstance(value, dict) else Malformed("not a JSON object")


def _no_key_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _row(account: AccountId, bucket: UsageBucket) -> list[str | int]:
    return [account, bucket.uplink.down, bucket.uplink.up, bucket.busy.down, bucket.busy.up]


def _bucket(row: list[Any]) -> UsageBucket:
    return UsageBucket(Usage(Bytes(row[1]), Bytes(row[2])), Usage(Bytes(row[3]), Bytes(row[4])))


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 5 and is_account(row[0]) and all(map(is_number, row[1:]))


def _is_past_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 6 and _fits(row[0], _INCARNATION) and _is_row(row[1:])


def _is_cover(cover: object, period: str) -> bool:
    if not (isinstance(cover, list) and len(cover) == 3):
        return False
    incarnation, label, seq = cover
    is_named = _fits(incarnation, _INCARNATION) and _fits(label, _LABEL)
    return is_named and label.split("/")[1] == period and is_number(seq)


def _each_once(entries: list[Any]) -> bool:
    return all(left[:2] < right[:2] for left, right in itertools.pairwise(entries))


def _is_day(value: object) -> TypeGuard[str]:
    if value == DAY_UNKNOWN:
        return True
    if not _fits(value, _DAY):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_range(fields: dict[str, Any]) -> bool:
    after, upto = fields.get("after"), fields.get("upto")
    return isinstance(after, str) and isinstance(upto, str) and len(after) <= 96 and len(upto) <= 96


def _list(value: object, most: int) -> list[Any] | None:
    return value if isinstance(value, list) and len(value) <= most else None


def _fits(value: object, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

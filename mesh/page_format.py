"""The format of signed pages: head, body and signature, and the checks that every kind of page shares. See PROTOCOL.md.

Nothing here raises on received data: the result is a value or `Malformed` with the reason.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard

from node.accounting.periods import DAY_UNKNOWN
from node.identity import NODE_ID_CHARS
from node.units import NodeId

VERSION = 1
NAME_CHARS_MAX = 64
"""For names of nodes and communities."""
ACCOUNT_BYTES_MAX = 64
PARTS_MAX = 1000
NUMBER_MAX = 2**53 - 1
"""Largest integer that every JSON parser represents exactly."""

INCARNATION = re.compile(r"[A-Za-z0-9_-]{1,32}")
NODE = re.compile(rf"[a-z2-7]{{{NODE_ID_CHARS}}}")
KIND = re.compile(r"[a-z]{1,16}")
PERIOD = re.compile(r"[0-9a-z-]{1,16}")
LABEL = re.compile(r"[a-z]{1,16}/[0-9a-z-]{1,16}/[0-9]{4}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Malformed:
    """Received data that cannot be used; the reason is for logs and tests."""

    reason: str


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
    return canonical({"is": "page", "v": VERSION, **stream, "period": period, "part": part, "seq": seq})


def assemble_page(signed: bytes, signature: bytes) -> bytes:
    """A page on the wire: head, body and signature, one per line."""
    return signed + b"\n" + signature.hex().encode()


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


def canonical(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def parse_object(text: bytes) -> dict[str, Any] | Malformed:
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


def is_day(value: object) -> TypeGuard[str]:
    if value == DAY_UNKNOWN:
        return True
    if not fits(value, _DAY):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def list_of(value: object, most: int) -> list[Any] | None:
    return value if isinstance(value, list) and len(value) <= most else None


def fits(value: object, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

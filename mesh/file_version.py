"""A version of a file of the community: the text of its rules or of its members, as admins signed it, and what it replaces.
See PROTOCOL.md.

A version replaces the versions that its signer had before, and those of before them. Versions that were signed apart replace
neither each other nor what the other side had: people choose. No date decides anything.
"""

import base64
import binascii
import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from mesh.community_record import HASH, CommunityRecord
from mesh.page_format import Malformed, canonical, fits, is_day, is_number, is_text, list_of
from mesh.signed_statement import FILE_TEXT_BYTES_MAX, SignedStatement
from node.accounting.periods import DAY_UNKNOWN

FILES: tuple["FileName", ...] = ("rules", "members")
BEFORE_MAX = 128
"""Earlier versions that one names."""
FILE_BYTES_MAX = 256 * 1024
"""Of the text, unpacked."""
STATEMENT_BYTES_MAX = FILE_TEXT_BYTES_MAX
"""Of a version in a frame without its signatures: with all that are kept it fits."""
NUMBERS_OF_A_RECORD = 2**32
"""How far each version of the record lets the numbers of files go: an admin that uses them up is removed by the next one."""
REASON_CHARS_MAX = 200
_TEXT_HASH = re.compile(r"[0-9a-f]{32}")

type FileName = Literal["rules", "members"]
type VersionId = tuple[int, str]
"""Number and hash of the text."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision for a version, as it was signed: the person, the reason and the day. Only people read it."""

    by: str
    reason: str = ""
    """May be empty."""
    day: str = DAY_UNKNOWN
    """ISO date."""


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One version of a file."""

    community: str
    file: FileName
    number: int
    hash: str
    """32 hexadecimal digits of the text's hash."""
    before: tuple[VersionId, ...]
    """The versions that it replaces, with numbers from `oldest`; sorted, all numbers below its own."""
    oldest: int
    """It replaces all versions with lower numbers, too."""
    decision: Decision
    packed: str
    """The text, compressed, in base64."""

    @property
    def id(self) -> VersionId:
        return self.number, self.hash

    def has_replaced(self, text_hash: str) -> bool:
        """Whether a version with this text is among those that it names."""
        return any(each == text_hash for _, each in self.before)


@lru_cache(maxsize=2)  # for the two texts of this node, which are compared each few seconds
def text_hash(text: str) -> str:
    """The same for a text with other line ends."""
    plain = text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")
    return hashlib.sha256(plain).hexdigest()[:32]


def packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(version: FileVersion) -> str | None:
    """The text; None if there is none, it is too large, or it is another one than the version says."""
    try:
        raw = base64.b64decode(version.packed, validate=True)
        unpacking = zlib.decompressobj()
        found = unpacking.decompress(raw, FILE_BYTES_MAX + 1)
        text = found.decode()
    except (binascii.Error, ValueError, zlib.error):
        return None
    if len(found) > FILE_BYTES_MAX or not unpacking.eof or unpacking.unused_data:
        return None
    return text if text_hash(text) == version.hash else None


def replaces(newer: FileVersion, older: FileVersion) -> bool:
    """Whether `newer` comes after `older`. A strict partial order, whatever versions say: the versions that it names
    contain those that the older one names."""
    if newer.file != older.file or older.number >= newer.number or newer.oldest < older.oldest:
        return False
    if older.number < newer.oldest:
        return True
    known = frozenset(newer.before)
    return older.id in known and all(each in known for each in older.before if each[0] >= newer.oldest)


def version_after(
    community: str, file: FileName, text: str, held: Iterable[FileVersion], decision: Decision
) -> FileVersion:
    """The version with this text that replaces all of `held`."""
    earlier = tuple(held)
    oldest, before = replaced_by_next(earlier)
    return FileVersion(
        community,
        file,
        1 + max((each.number for each in earlier), default=0),
        text_hash(text),
        before,
        oldest,
        decision,
        packed(text.replace("\r\n", "\n")),
    )


def replaced_by_next(held: Iterable[FileVersion]) -> tuple[int, tuple[VersionId, ...]]:
    """What a version that replaces all of `held` says: its `oldest` and its `before`."""
    earlier = tuple(held)
    named = {each.id for each in earlier}.union(*(each.before for each in earlier))
    oldest = max((each.oldest for each in earlier), default=0)
    kept = sorted((each for each in named if each[0] >= oldest), reverse=True)
    if len(kept) > BEFORE_MAX:
        oldest = kept[BEFORE_MAX][0] + 1
    return oldest, tuple(sorted(each for each in kept if each[0] >= oldest))


def file_fields(version: FileVersion) -> dict[str, Any]:
    """The fields of its statement."""
    return {
        "community": version.community,
        "file": version.file,
        "number": version.number,
        "hash": version.hash,
        "before": [list(each) for each in version.before],
        "oldest": version.oldest,
        "by": version.decision.by,
        "reason": version.decision.reason,
        "day": version.decision.day,
        "text": version.packed,
    }


def read_file_version(statement: SignedStatement) -> FileVersion | Malformed:
    """Its form: the text is read by `unpacked`."""
    if not fits_a_frame(statement.text):
        return Malformed(f"a version larger than {STATEMENT_BYTES_MAX} bytes in a frame")
    fields = statement.fields()
    community, file, number, found = (fields.get(each) for each in ("community", "file", "number", "hash"))
    if not fits(community, HASH) or file not in FILES or not fits(found, _TEXT_HASH):
        return Malformed("a version without a community, a file and a hash")
    before, oldest = _before(fields.get("before")), fields.get("oldest")
    if before is None:
        return Malformed(f"the versions before it are not at most {BEFORE_MAX} numbers with hashes, sorted")
    if not (is_number(number) and is_number(oldest) and 0 <= oldest <= number and number > 0):
        return Malformed("a version without its numbers")
    if before and not (before[0][0] >= oldest and before[-1][0] < number):
        return Malformed("the numbers of the versions before it are not between its own two")
    decision, text = _decision(fields), fields.get("text")
    if decision is None or not isinstance(text, str):
        return Malformed("a version without a decision and a text")
    return FileVersion(community, file, number, found, before, oldest, decision, text)


def fits_a_frame(text: bytes) -> bool:
    """Whether a statement with this text fits a frame with all signatures that are kept."""
    return len(canonical(text.decode(errors="replace"))) <= STATEMENT_BYTES_MAX


def votes_needed(file: FileName, record: CommunityRecord) -> int:
    """Rules are signed as the record asks for; members by one admin."""
    return record.threshold if file == "rules" else 1


def number_max(record: CommunityRecord) -> int:
    """Of a version while this record is in force."""
    return record.version * NUMBERS_OF_A_RECORD


def is_printable(text: str, most: int) -> bool:
    return len(text) <= most and text.isprintable() and unicodedata.is_normalized("NFC", text)


def _before(value: object) -> tuple[VersionId, ...] | None:
    entries = list_of(value, BEFORE_MAX)
    if entries is None or not all(_is_id(each) for each in entries):
        return None
    found = tuple((number, each) for number, each in entries)
    return found if all(one < other for one, other in pairwise(found)) else None


def _is_id(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and is_number(entry[0]) and fits(entry[1], _TEXT_HASH)


def _decision(fields: Mapping[str, Any]) -> Decision | None:
    by, reason, day = fields.get("by"), fields.get("reason"), fields.get("day")
    if not (is_text(by) and isinstance(reason, str) and is_printable(reason, REASON_CHARS_MAX)):
        return None
    return Decision(by, reason, day) if is_day(day) else None

"""Files of other portals, as what would come in here: vouchers of pirania and OPNsense, hotspots and users of WiFiDog's
authentication server.

A voucher comes in as a new one with the time that it has left: its old code has too few possibilities, or no check
character. Everything is hostile text; what cannot be read is named with its place, and the rest comes in.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from node.errors import InvalidValue
from node.translator import gettext_lazy

ForeignKind = Literal["pirania", "opnsense", "wifidog"]
FILE_BYTES_MAX = 4_000_000
ROWS_MAX = 20_000
NAME_CHARACTERS_MAX = 60
LASTS_MIN_S, LASTS_MAX_S = 600, 400 * 86_400
SKIPPED_SHOWN_MAX = 200

SkipReason = Literal["ended", "unreadable", "repeated", "too-long"]


@dataclass(frozen=True, slots=True)
class ForeignVoucher:
    """A voucher that can come in."""

    name: str
    """What people know it by: pirania's name, OPNsense's user name."""
    lasts_s: int
    ends_s: int | None = field(default=None, compare=False)
    """Unix time, if it runs already: the same at a later import, when less is left."""


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """A hotspot or a user of a WiFiDog server."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """What does not come in: its place in the file, counted from 1, and why."""

    place: int
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """What would come in."""

    kind: ForeignKind
    mark: str
    """The same for the same rows, so that a second import finds the first."""
    vouchers: tuple[ForeignVoucher, ...] = ()
    hotspots: tuple[ForeignRow, ...] = ()
    users: tuple[ForeignRow, ...] = ()
    skipped: tuple[SkippedRow, ...] = ()

    @property
    def batches(self) -> Mapping[str, tuple[ForeignVoucher, ...]]:
        """Vouchers that can be of one batch, by what is the same of them at every import of the file."""
        found: dict[str, list[ForeignVoucher]] = {}
        for voucher in sorted(self.vouchers, key=lambda each: each.lasts_s):
            name = str(voucher.lasts_s) if voucher.ends_s is None else f"until {voucher.ends_s}"
            found.setdefault(name, []).append(voucher)
        return {name: tuple(vouchers) for name, vouchers in found.items()}

    @property
    def by_duration(self) -> Mapping[int, tuple[ForeignVoucher, ...]]:
        """Vouchers by how many seconds they last."""
        found: dict[int, list[ForeignVoucher]] = {}
        for voucher in self.vouchers:
            found.setdefault(voucher.lasts_s, []).append(voucher)
        return {lasts: tuple(found[lasts]) for lasts in sorted(found)}


type Row = tuple[int, ForeignVoucher | ForeignRow | SkipReason, str]
"""Place, what it is, and what two rows may not have in common."""


def read_foreign(kind: ForeignKind, raw: bytes, *, now_s: int) -> ForeignFile:
    """Raises InvalidValue for a file that is no such file at all. `now_s` is Unix time, for what has ended."""
    if len(raw) > FILE_BYTES_MAX:
        raise InvalidValue(gettext_lazy("the file is too large"), gettext_lazy("divide it into several"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValue(
            gettext_lazy("the file is not UTF-8 text"), gettext_lazy("export it again")
        ) from error
    match kind:
        case "pirania":
            rows = list(_pirania(text, now_s))
        case "opnsense":
            rows = list(_opnsense(text, now_s))
        case "wifidog":
            rows = list(_wifidog(text))
    return _file(kind, rows)


def _file(kind: ForeignKind, rows: list[Row]) -> ForeignFile:
    seen: set[str] = set()
    vouchers: list[ForeignVoucher] = []
    hotspots: list[ForeignRow] = []
    users: list[ForeignRow] = []
    skipped: list[SkippedRow] = []
    for place, row, unique in rows:
        if isinstance(row, str):
            skipped.append(SkippedRow(place, row))
        elif unique in seen:
            skipped.append(SkippedRow(place, "repeated"))
        elif isinstance(row, ForeignVoucher):
            vouchers.append(row)
        else:
            (hotspots if unique.startswith("hotspot") else users).append(row)
        seen.add(unique)
    said = json.dumps([kind, sorted(seen - {""})])
    mark = sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return ForeignFile(kind, mark, tuple(vouchers), tuple(hotspots), tuple(users), tuple(skipped))


def _pirania(text: str, now_s: int) -> Iterator[Row]:
    """The list that its command or its page gives, or the files of its folder between brackets."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(
            gettext_lazy("the file is not JSON"),
            gettext_lazy("write the list of pirania's vouchers to a file"),
        ) from error
    if isinstance(said, dict):
        said = said.get("vouchers", list(said.values()))
    if not isinstance(said, list):
        raise InvalidValue(
            gettext_lazy("the file has no list of vouchers"),
            gettext_lazy("write the list of pirania's vouchers to a file"),
        )
    _check_count(len(said))
    for place, row in enumerate(said, start=1):
        yield (place, *_pirania_row(row, now_s))


def _pirania_row(row: Any, now_s: int) -> tuple[ForeignVoucher | SkipReason, str]:
    if not isinstance(row, dict):
        return "unreadable", ""
    name, code = row.get("name"), row.get("code")
    duration_m, activated, deadline = (
        row.get(each) for each in ("duration_m", "activation_date", "activation_deadline")
    )
    numbers = [each for each in (duration_m, activated, deadline) if each is not None]
    if not isinstance(name, str) or not isinstance(code, str) or not all(map(_is_count, numbers)):
        return "unreadable", ""
    unique = f"voucher {row.get('id', '')} {code}"
    if duration_m is None:
        return ForeignVoucher(_name(name), LASTS_MAX_S), unique
    end_s = None if activated is None else activated + duration_m * 60
    left_s = duration_m * 60 if end_s is None else end_s - now_s
    if (deadline is not None and activated is None and deadline <= now_s) or left_s < LASTS_MIN_S:
        return "ended", unique
    # To the full hour of the clock, so that vouchers that began at different times can be of one batch.
    ends_s = None if end_s is None else -(-end_s // 3_600) * 3_600
    lasts_s = left_s if ends_s is None else ends_s - now_s
    found = ForeignVoucher(_name(name), lasts_s, ends_s)
    return (found, unique) if lasts_s <= LASTS_MAX_S else ("too-long", unique)


def _opnsense(text: str, now_s: int) -> Iterator[Row]:
    rows = _csv(text)
    head = [each.strip().lower() for each in next(rows, [])]
    if not {"username", "validity"} <= set(head):
        raise InvalidValue(
            gettext_lazy("the first line must name the columns username and validity"),
            gettext_lazy("take the file that OPNsense offers when it has generated vouchers"),
        )
    for place, cells in enumerate(rows, start=2):
        _check_count(place)
        yield (place, *_opnsense_row(dict(zip(head, cells, strict=False)), now_s))


def _opnsense_row(row: Mapping[str, str], now_s: int) -> tuple[ForeignVoucher | SkipReason, str]:
    name, validity, expiry = (row.get(each, "").strip() for each in ("username", "validity", "expirytime"))
    if not name or not _is_digits(validity) or (expiry and not _is_digits(expiry)):
        return "unreadable", ""
    unique = f"voucher {name} {row.get('password', '')}"
    if 0 < int(expiry or "0") <= now_s:
        return "ended", unique
    lasts_s = int(validity)
    if not LASTS_MIN_S <= lasts_s <= LASTS_MAX_S:
        return "too-long" if lasts_s > LASTS_MAX_S else "ended", unique
    return ForeignVoucher(_name(name), lasts_s), unique


def _wifidog(text: str) -> Iterator[Row]:
    rows = _csv(text)
    head = [each.strip().lower() for each in next(rows, [])]
    if head[:3] != ["kind", "id", "name"]:
        raise InvalidValue(
            gettext_lazy("the first line must be: kind,id,name"),
            gettext_lazy("export the tables with these columns"),
        )
    for place, cells in enumerate(rows, start=2):
        _check_count(place)
        kind, id_, name = (*(each.strip() for each in cells[:3]), "", "", "")[:3]
        if (
            kind not in ("hotspot", "user")
            or not id_
            or not id_.isprintable()
            or len(id_) > NAME_CHARACTERS_MAX
        ):
            yield place, "unreadable", ""
        else:
            yield place, ForeignRow(id_, _name(name) or id_), f"{kind} {id_}"


def _csv(text: str) -> Iterator[list[str]]:
    """Raises InvalidValue for text that is no CSV."""
    try:
        for row in csv.reader(io.StringIO(text), strict=True):
            if row:
                yield row
    except csv.Error as error:
        raise InvalidValue(
            gettext_lazy("the file is not CSV: {english}", english=str(error)),
            gettext_lazy("export it again"),
        ) from error


def _check_count(count: int) -> None:
    if count > ROWS_MAX:
        raise InvalidValue(
            gettext_lazy("the file has more than {most} rows", most=str(ROWS_MAX)),
            gettext_lazy("divide it into several"),
        )


def _name(text: str) -> str:
    """For a list that people read and a terminal shows."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[
        :NAME_CHARACTERS_MAX
    ]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12

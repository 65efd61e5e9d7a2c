"""Vouchers: printed codes that become an account at first use.

The node stores no code, only its HMAC under a key of the community, so a sheet can be printed only once.
Fingerprint and account are derived from the code, so they are the same on every node of the community.
"""

import hashlib
import hmac
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal, get_args

from node.accounting.session_leases import Lease, SavedLease
from node.accounts.account_list import ACCOUNT_CHARS
from node.accounts.codes import Code
from node.characters import is_name
from node.errors import Finding
from node.units import VOUCHER_PREFIX, AccountId, Milliseconds, Monotonic, NodeId

VoucherState = Literal["unused", "used", "ended", "revoked"]
VOUCHER_STATES: tuple[VoucherState, ...] = get_args(VoucherState)
"""In the order of a voucher's life cycle."""

BATCH_MAX = 960
"""Codes in one batch: 40 sheets of 24."""
LASTS_MIN, LASTS_MAX = Milliseconds(10 * 60_000), Milliseconds(400 * 86_400_000)
LEASE_MOVES_S = 60
"""Ends of a voucher that differ by less are one end, converted to another boot's time."""
DEVICES_MAX = 50
NOTE_CHARS_MAX = 200
ISSUER_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Batch:
    """Vouchers issued together with the same properties."""

    number: int
    group: str
    """Group of the accounts, so that rules can refer to them: ``who = "group:day-pass"``."""
    lasts_ms: Milliseconds
    """Time from first use, whether online or not."""
    devices_max: int
    """Simultaneous devices; 0 leaves it to the rules."""
    issued_day: str
    issued_by: str
    """``admin`` or ``issuer``, and the name they gave."""
    note: str = ""
    is_revoked: bool = False
    """All of its vouchers that had not ended are revoked together."""
    origin: NodeId | None = None
    """The node that issued it; None for this one."""
    origin_number: int = 0
    """Its number at that node; 0 for a batch of this one."""
    accounts: str = ""
    """An account list of the vouchers whose fingerprints are not known here; empty where each voucher has a row of its
    own."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """One voucher and its state."""

    fingerprint: str
    """HMAC-SHA256 of the code, in hexadecimal, under the community's key of when it was issued. For a voucher of another
    node, its account."""
    batch: int
    account: AccountId
    lease: Lease | None = None
    """None until first use."""
    is_revoked: bool = False
    used_day: str = ""
    used_elsewhere: bool = False
    """It was first used at another node, which says when it ends."""


@dataclass(frozen=True, slots=True)
class VoucherView:
    """Status of one voucher."""

    batch: Batch
    account: AccountId
    state: VoucherState
    used_day: str
    seconds_left: int | None
    """None unless it is in use."""
    used_elsewhere: bool = False
    """It was first used at another node."""


@dataclass(frozen=True, slots=True)
class SavedVoucher:
    """A voucher as stored. The lease is converted to this boot's time on load, so `voucher.lease` is None
    here."""

    voucher: Voucher
    lease: SavedLease | None


def voucher_fingerprint(key: bytes, code: Code) -> str:
    """Stored form of a code. Without `key`, codes cannot be tested against it."""
    return hmac.digest(key, b"voucher\0" + code.text.encode(), "sha256").hex()


def voucher_account(fingerprint: str) -> AccountId:
    """Account of the voucher, the same on every node: 60 bits derived from its fingerprint."""
    short = hashlib.sha256(b"voucher account\0" + bytes.fromhex(fingerprint)).digest()
    return AccountId(VOUCHER_PREFIX + b32encode(short).decode().lower()[:ACCOUNT_CHARS])


def voucher_state(voucher: Voucher, now: Monotonic) -> VoucherState:
    """State at `now`; a voucher is ended from the instant of its end."""
    if voucher.is_revoked:
        return "revoked"
    if voucher.lease is None:
        return "unused"
    return "used" if now < voucher.lease.ends else "ended"


def first_end_possible_s(batch: Batch) -> int:
    """Unix time before which no voucher of the batch can end, in any time zone; 0 if its day of issue is not known. An end
    before it comes from a wrong clock."""
    try:
        issued = datetime.combine(date.fromisoformat(batch.issued_day), time(), UTC)
    except ValueError:
        return 0
    return int(issued.timestamp()) + batch.lasts_ms // 1000 - 86_400


def is_end_earlier(saved: SavedVoucher | None, ends_s: int) -> bool:
    """Whether the voucher was first used at this node and ends before this Unix time; 0 is not known, and later."""
    if saved is None or saved.lease is None or saved.voucher.used_elsewhere:
        return False
    own_s = saved.lease.ends_wall_s
    return own_s is not None and (not ends_s or own_s < ends_s - LEASE_MOVES_S)


def batch_findings(batch: Batch, count: int) -> tuple[Finding, ...]:
    """Everything that is wrong with a request for `count` such vouchers."""
    checks = (
        (
            not 1 <= count <= BATCH_MAX,
            f"{count} vouchers cannot be issued at once.",
            f"choose 1 to {BATCH_MAX}; 24 fit on a page",
        ),
        (
            not is_name(batch.group),
            f"{batch.group!r:.60} is not the name of a group.",
            'write a-z, 0-9 and hyphens, such as "day-pass"',
        ),
        (
            not LASTS_MIN <= batch.lasts_ms <= LASTS_MAX,
            "A voucher cannot last as long as that.",
            'choose 10 minutes to 400 days, such as "1 day"',
        ),
        (
            not 0 <= batch.devices_max <= DEVICES_MAX,
            f"{batch.devices_max} devices at once cannot be promised.",
            f"choose 1 to {DEVICES_MAX}, or 0 to leave it to the rules",
        ),
        (
            len(batch.note) > NOTE_CHARS_MAX,
            "The note is too long.",
            f"write at most {NOTE_CHARS_MAX} characters",
        ),
        (
            len(batch.issued_by) > ISSUER_CHARS_MAX,
            "The name of who issues them is too long.",
            f"write at most {ISSUER_CHARS_MAX} characters",
        ),
    )
    return tuple(Finding("voucher", 0, message, fix) for is_wrong, message, fix in checks if is_wrong)

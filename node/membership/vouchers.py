"""Vouchers: printed codes that become an account when they are first used.

The node keeps no code, only its fingerprint under the community's key; a sheet can be printed once.
"""

from dataclasses import dataclass
from typing import Literal

from node.accounting.leases import Lease
from node.units import AccountId, Milliseconds

VoucherState = Literal["unused", "used", "ended", "revoked"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Vouchers that were issued together and are worth the same."""

    number: int
    group: str
    """The group that its accounts are in, so that rules can say what they get: ``who = "group:day-pass"``."""
    lasts_ms: Milliseconds
    """From the first use on, in hours that pass whether anybody is online or not."""
    devices_max: int
    """At once; 0 leaves it to the rules."""
    issued_day: str
    issued_by: str
    """``admin`` or ``issuer``, and the name they gave."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Voucher:
    """One code of a batch, and what became of it."""

    fingerprint: str
    """HMAC-SHA256 of the code under the community's key, in hexadecimal."""
    batch: int
    account: AccountId
    lease: Lease | None = None
    """None until it is first used."""
    is_revoked: bool = False
    used_day: str = ""

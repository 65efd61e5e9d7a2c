"""What membership keeps, and how it comes back from storage."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from node.accounting.leases import SavedLease
from node.membership.bindings import Binding
from node.membership.contests import Contest
from node.membership.notices import Notice
from node.membership.terms import Terms
from node.membership.vouchers import Batch, Voucher
from node.units import AccountId, MacAddress


@dataclass(frozen=True, slots=True)
class SavedVoucher:
    """A voucher as stored; its lease is re-based when loaded, so `voucher.lease` is None."""

    voucher: Voucher
    lease: SavedLease | None


@dataclass(frozen=True, slots=True)
class PassphraseHash:
    """A member's passphrase, as kept."""

    account: AccountId
    hash: str


@dataclass(frozen=True, slots=True)
class CardsVoid:
    """Cards of the account with a serial number below this one count no more."""

    account: AccountId
    below_serial: int


@dataclass(frozen=True, slots=True)
class Unbound:
    """The device belongs to nobody any more."""

    mac: MacAddress


@dataclass(frozen=True, slots=True)
class NoticeGone:
    """The notice was taken down."""

    number: int


@dataclass(frozen=True, slots=True)
class PassphraseGone:
    """The account has no passphrase any more."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class ContestGone:
    """Its author erased it."""

    number: int


Change = (
    Batch
    | SavedVoucher
    | Binding
    | Unbound
    | PassphraseHash
    | PassphraseGone
    | CardsVoid
    | Contest
    | ContestGone
    | Notice
    | NoticeGone
    | Terms
)
"""One row to keep, or to take away. Saving one twice is harmless."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that storage knows of membership."""

    batches: tuple[Batch, ...] = ()
    vouchers: tuple[SavedVoucher, ...] = ()
    bindings: tuple[Binding, ...] = ()
    passphrases: tuple[PassphraseHash, ...] = ()
    cards_void: tuple[CardsVoid, ...] = ()
    contests: tuple[Contest, ...] = ()
    notices: tuple[Notice, ...] = ()
    terms: tuple[Terms, ...] = ()


class RegisterMemory(Protocol):
    """Storage as the register sees it. Everything raises StorageTrouble while the data folder cannot be used."""

    async def recall(self) -> Kept: ...

    async def save(self, changes: Iterable[Change]) -> None:
        """All or none, on the disk when it returns."""

"""What membership keeps, and how it comes back from storage."""

from dataclasses import dataclass

from node.accounting.erasures import ErasureNote
from node.membership.bindings import Binding, Unbound
from node.membership.cards import CardsVoid
from node.membership.contests import Contest, ContestGone
from node.membership.notices import Notice, NoticeGone
from node.membership.passphrases import PassphraseGone, PassphraseHash
from node.membership.terms import Terms
from node.membership.vouchers import Batch, SavedVoucher
from node.units import MacAddress

__all__ = [
    "Batch",
    "Binding",
    "CardsVoid",
    "Change",
    "Contest",
    "ContestGone",
    "Forgotten",
    "Kept",
    "Notice",
    "NoticeGone",
    "PassphraseGone",
    "PassphraseHash",
    "SavedVoucher",
    "Terms",
    "Unbound",
]

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


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What storage keeps no more because its time is over."""

    vouchers: tuple[str, ...] = ()
    """Fingerprints."""
    bindings: tuple[MacAddress, ...] = ()
    contests: tuple[int, ...] = ()
    notices: tuple[int, ...] = ()
    erased: tuple[ErasureNote, ...] = ()
    """Erasures whose month is over, and those whose day was wrong."""

"""Rows of the account registry, as exchanged with storage."""

from dataclasses import dataclass

from node.accounting.ledger import ErasureNote
from node.accounts.appearance import Appearance
from node.accounts.cards import CardsVoid
from node.accounts.device_bindings import Binding, Unbound
from node.accounts.events import Event, EventGone, EventsErased
from node.accounts.ladder_cases import LadderCaseGone
from node.accounts.member_passphrases import PassphraseGone, PassphraseHash
from node.accounts.messages import Message, MessageGone
from node.accounts.notices import Notice, NoticeGone
from node.accounts.objections import Objection, ObjectionGone
from node.accounts.registry_record import RecordGone, RecordRow
from node.accounts.rule_objections import RuleObjection, RuleObjectionGone
from node.accounts.terms import Terms
from node.accounts.vouchers import Batch, SavedVoucher
from node.governance.ladder_case import LadderCase
from node.units import AccountId, MacAddress

__all__ = [
    "Appearance",
    "Batch",
    "Binding",
    "CardsVoid",
    "Change",
    "Event",
    "EventGone",
    "EventsErased",
    "Forgotten",
    "LadderCase",
    "LadderCaseGone",
    "Message",
    "MessageGone",
    "Notice",
    "NoticeGone",
    "Objection",
    "ObjectionGone",
    "PassphraseGone",
    "PassphraseHash",
    "RecordGone",
    "RecordRow",
    "RuleObjection",
    "RuleObjectionGone",
    "SavedVoucher",
    "StoredAccounts",
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
    | Objection
    | ObjectionGone
    | RuleObjection
    | RuleObjectionGone
    | LadderCase
    | LadderCaseGone
    | Notice
    | NoticeGone
    | Terms
    | Appearance
    | RecordRow
    | RecordGone
    | Event
    | EventGone
    | EventsErased
    | Message
    | MessageGone
)
"""One row to store or delete. Storing one twice has no further effect."""


@dataclass(frozen=True, slots=True)
class StoredAccounts:
    """All account data in storage."""

    batches: tuple[Batch, ...] = ()
    vouchers: tuple[SavedVoucher, ...] = ()
    bindings: tuple[Binding, ...] = ()
    passphrases: tuple[PassphraseHash, ...] = ()
    cards_void: tuple[CardsVoid, ...] = ()
    objections: tuple[Objection, ...] = ()
    rule_objections: tuple[RuleObjection, ...] = ()
    ladder_cases: tuple[LadderCase, ...] = ()
    notices: tuple[Notice, ...] = ()
    terms: tuple[Terms, ...] = ()
    appearance: tuple[Appearance, ...] = ()
    """At most one."""
    messages: tuple[Message, ...] = ()
    records: tuple[RecordRow, ...] = ()
    """What nodes told each other."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Rows that storage deleted at the end of their retention."""

    vouchers: tuple[str, ...] = ()
    """Voucher fingerprints."""
    batches: tuple[int, ...] = ()
    """Batches of which no unused voucher is kept."""
    bindings: tuple[MacAddress, ...] = ()
    objections: tuple[int, ...] = ()
    notices: tuple[int, ...] = ()
    ladder_cases: tuple[int, ...] = ()
    messages: tuple[AccountId, ...] = ()
    erased: tuple[ErasureNote, ...] = ()
    """Erasures whose month is over, and those whose date was wrong."""

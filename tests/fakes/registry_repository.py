"""The account registry's storage, in dicts that outlive the daemon."""

from collections.abc import Hashable, Iterable
from dataclasses import fields, replace

from node.accounts.appearance import APPEARANCE_ROW, Appearance
from node.accounts.changes import (
    CardsVoid,
    Change,
    Event,
    EventGone,
    EventsErased,
    LadderCase,
    LadderCaseGone,
    Message,
    MessageGone,
    NoticeGone,
    ObjectionGone,
    PassphraseGone,
    PassphraseHash,
    RecordGone,
    RecordRow,
    SavedVoucher,
    StoredAccounts,
    Unbound,
)
from node.accounts.device_bindings import Binding
from node.accounts.notices import Notice
from node.accounts.objections import Objection
from node.accounts.rule_objections import RuleObjection, RuleObjectionGone
from node.accounts.terms import Terms
from node.accounts.vouchers import Batch
from node.units import AccountId


class FakeRegistryRepository:
    """The registry's part of `tests.fakes.repository.FakeRepository`."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Hashable, object]] = {each.name: {} for each in fields(StoredAccounts)}
        self.events: dict[str, Event] = {}
        """By key, in the order in which they were stored."""

    @property
    def kept(self) -> StoredAccounts:
        return StoredAccounts(**{name: tuple(rows.values()) for name, rows in self._rows.items()})  # type: ignore[arg-type]

    def save(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if isinstance(change, Event | EventGone | EventsErased):
                self._save_event(change)
                continue
            table, key, is_gone = place_of(change)
            if is_gone:
                self._rows[table].pop(key, None)
            else:
                self._rows[table][key] = change

    def _save_event(self, change: Event | EventGone | EventsErased) -> None:
        match change:
            case Event():
                self.events[change.key] = change
            case EventGone(key):
                self.events.pop(key, None)
            case EventsErased(account, until):
                for key, event in self.events.items():
                    if event.account == account and event.day <= until:
                        self.events[key] = replace(event, account=AccountId(""), about="", text="")


def place_of(change: Change) -> tuple[str, Hashable, bool]:
    """Table, key, and whether the row is deleted."""
    match change:
        case Batch():
            return "batches", change.number, False
        case SavedVoucher():
            return "vouchers", change.voucher.fingerprint, False
        case Binding() | Unbound():
            return "bindings", change.mac, isinstance(change, Unbound)
        case PassphraseHash() | PassphraseGone():
            return "passphrases", change.account, isinstance(change, PassphraseGone)
        case CardsVoid():
            return "cards_void", change.account, False
        case Objection() | ObjectionGone():
            return "objections", change.number, isinstance(change, ObjectionGone)
        case RuleObjection() | RuleObjectionGone():
            key = change.account, change.version
            return "rule_objections", key, isinstance(change, RuleObjectionGone)
        case LadderCase() | LadderCaseGone():
            return "ladder_cases", change.number, isinstance(change, LadderCaseGone)
        case Message() | MessageGone():
            return "messages", change.account, isinstance(change, MessageGone)
        case Notice() | NoticeGone():
            return "notices", change.number, isinstance(change, NoticeGone)
        case RecordRow() | RecordGone():
            return "records", (change.kind, change.key), isinstance(change, RecordGone)
        case Terms():
            return "terms", change.version, False
        case Appearance():
            return "appearance", APPEARANCE_ROW, False

"""What membership keeps, in dicts that outlive the daemon."""

from collections.abc import Hashable, Iterable
from dataclasses import fields

from node.membership.bindings import Binding
from node.membership.contests import Contest
from node.membership.notices import Notice
from node.membership.ports import (
    CardsVoid,
    Change,
    ContestGone,
    Kept,
    NoticeGone,
    PassphraseGone,
    PassphraseHash,
    SavedVoucher,
    Unbound,
)
from node.membership.terms import Terms
from node.membership.vouchers import Batch


class FakeRegisterMemory:
    """The register's part of `tests.fakes.memory.FakeMemory`."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Hashable, object]] = {each.name: {} for each in fields(Kept)}

    @property
    def kept(self) -> Kept:
        return Kept(**{name: tuple(rows.values()) for name, rows in self._rows.items()})  # type: ignore[arg-type]

    def save(self, changes: Iterable[Change]) -> None:
        for change in changes:
            table, key, is_gone = place_of(change)
            if is_gone:
                self._rows[table].pop(key, None)
            else:
                self._rows[table][key] = change


def place_of(change: Change) -> tuple[str, Hashable, bool]:
    """Table, key, and whether the row is taken away."""
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
        case Contest() | ContestGone():
            return "contests", change.number, isinstance(change, ContestGone)
        case Notice() | NoticeGone():
            return "notices", change.number, isinstance(change, NoticeGone)
        case Terms():
            return "terms", change.version, False

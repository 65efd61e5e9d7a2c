"""What changed in the register and is still to be stored."""

from collections.abc import Hashable, Iterable

from node.accounts.ports import (
    Batch,
    Binding,
    CardsVoid,
    Change,
    Notice,
    NoticeGone,
    Objection,
    ObjectionGone,
    PassphraseGone,
    PassphraseHash,
    SavedVoucher,
    Terms,
    Unbound,
)


class UnsavedChanges:
    """Of each row only what it became last waits here, however long the data folder cannot be used."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Hashable], Change] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._rows[row_of(change)] = change

    def holds(self, changes: Iterable[Change]) -> bool:
        """Whether any row of these still waits."""
        return any(row_of(change) in self._rows for change in changes)

    def take(self) -> tuple[Change, ...]:
        """Everything that waits; `give_back` what could not be stored."""
        taken, self._rows = tuple(self._rows.values()), {}
        return taken

    def give_back(self, taken: Iterable[Change]) -> None:
        """What changed meanwhile is newer."""
        self._rows = {**{row_of(change): change for change in taken}, **self._rows}


def row_of(change: Change) -> tuple[str, Hashable]:
    """The row that a change writes or takes away."""
    match change:
        case Binding(mac) | Unbound(mac):
            return "binding", mac
        case PassphraseHash(account) | PassphraseGone(account):
            return "passphrase", account
        case Objection(number) | ObjectionGone(number):
            return "contest", number
        case Notice(number) | NoticeGone(number):
            return "notice", number
        case SavedVoucher(voucher):
            return "voucher", voucher.fingerprint
        case Batch(number):
            return "batch", number
        case CardsVoid(account):
            return "cards", account
        case Terms(version):
            return "terms", version

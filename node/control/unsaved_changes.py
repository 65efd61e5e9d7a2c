"""Registry changes that are not yet stored."""

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
    """Keeps only the latest change of each row, however long the data folder cannot be used."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Hashable], Change] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._rows[row_of(change)] = change

    def holds(self, changes: Iterable[Change]) -> bool:
        """Whether any row of these is not yet stored."""
        return any(row_of(change) in self._rows for change in changes)

    def take(self) -> tuple[Change, ...]:
        """Removes and returns all changes; the caller passes what it could not store to `give_back`."""
        taken, self._rows = tuple(self._rows.values()), {}
        return taken

    def give_back(self, taken: Iterable[Change]) -> None:
        """Queues these changes again; rows that changed meanwhile keep the newer change."""
        self._rows = {**{row_of(change): change for change in taken}, **self._rows}


def row_of(change: Change) -> tuple[str, Hashable]:
    """Table and key of the row that a change writes or deletes."""
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

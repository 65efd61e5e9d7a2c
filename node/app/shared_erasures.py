"""Erasures of accounts, told to the other nodes of the community and done as they tell of them."""

from collections.abc import Callable

from node.accounts import passphrase_records
from node.accounts.changes import Change
from node.accounts.erasure_records import KIND, erase_until, erasure_day, erasure_value, join_erasures
from node.accounts.registry_record import RegistryRecord, last_day
from node.app.shared_registry import SharedRegistry
from node.control.reconciler import Reconciler
from node.units import AccountId


class SharedErasures:
    """Made before the control loop runs."""

    def __init__(self, reconciler: Reconciler, shared: SharedRegistry | None = None) -> None:
        """`shared`: None for a node without neighbours."""
        self._registry, self._persistence = reconciler.registry, reconciler.persistence
        self._shared = shared
        self.on_erased: Callable[[], None] = lambda: None
        """Called when somebody's data was erased because of another node."""
        if shared is not None:
            # An erasure and its record are not stored in one transaction: those that are not done are done at a start.
            shared.register(KIND, _no_change, self._apply, join=join_erasures, is_reapplied=True)

    def tell(self, account: AccountId) -> None:
        """The data of this account is erased until today, on every node. Nothing is told while the day is not known:
        then no usage is erased here either."""
        today = self._persistence.instant().today
        if self._shared is not None and today:
            self._shared.put(KIND, account, erasure_value(today), last_day(today))

    def _apply(self, record: RegistryRecord) -> None:
        account, today = AccountId(record.key), self._persistence.instant().today
        day = erasure_day(record, today) if today else ""
        if not day or self._persistence.erased.is_known(account, day):
            return
        self._persistence.pending.add(
            erase_until(self._registry, account, day, passphrase_day=self._passphrase_day(account))
        )
        self._persistence.erase(None, account, day)
        self.on_erased()

    def _passphrase_day(self, account: AccountId) -> str:
        found = self._shared.records.effective(passphrase_records.KIND, account) if self._shared else None
        return passphrase_records.passphrase_day(found) if found is not None else ""


def _no_change(_change: Change) -> None:
    """An erasure is told by `SharedErasures.tell`: no row of the registry says it."""

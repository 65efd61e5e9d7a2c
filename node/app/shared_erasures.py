"""Erasures of accounts and devices, told to the other nodes of the community and done as they tell of them."""

from collections.abc import Awaitable, Callable, Iterable

from node.accounts import passphrase_records
from node.accounts.changes import Change, EventsErased
from node.accounts.device_names import DeviceNames
from node.accounts.erasure_records import (
    DEVICE_KIND,
    KIND,
    erase_device,
    erase_until,
    erasure_day,
    erasure_value,
    join_erasures,
)
from node.accounts.registry_record import RegistryRecord, last_day
from node.app.shared_registry import SharedRegistry
from node.control.reconciler import Reconciler
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

COLLECTED_FOR = Milliseconds(600_000)
"""How long the names of all devices in the database are kept: those of later ones are known without them."""


async def _no_devices() -> Iterable[MacAddress]:
    return ()


class SharedErasures:
    """Made before the control loop runs."""

    def __init__(
        self,
        reconciler: Reconciler,
        shared: SharedRegistry | None = None,
        stored_devices: Callable[[], Awaitable[Iterable[MacAddress]]] = _no_devices,
    ) -> None:
        """`shared`: None for a node without neighbours. `stored_devices`: all of which the database has a row."""
        self._reconciler, self._registry = reconciler, reconciler.registry
        self._persistence = reconciler.persistence
        self._shared, self._stored_devices = shared, stored_devices
        self._collected: tuple[Monotonic, dict[str, MacAddress]] | None = None
        self.names: DeviceNames | None = None
        """By which nodes name devices; None: they are not told of any."""
        self.find: Callable[[str], MacAddress | None] = lambda _name: None
        """The device here with a name, of those in memory."""
        self.on_erased: Callable[[], None] = lambda: None
        """Called when somebody's data was erased because of another node."""
        if shared is not None:
            # An erasure and its record are not stored in one transaction: those that are not done are done at a start.
            shared.register(KIND, _no_change, self._apply, join=join_erasures, is_reapplied=True)
            shared.register(
                DEVICE_KIND, _no_change, self._apply_to_device, join=join_erasures, is_plentiful=True
            )

    def tell(self, account: AccountId, mac: MacAddress | None = None, *, is_last: bool = True) -> None:
        """The data of this device is erased, and if it is the last one of its account (`is_last`), that of the account until
        today, on every node. Nothing is told while the day is not known: then no usage is erased here either."""
        today = self._persistence.instant().today
        if self._shared is None or not today:
            return
        if is_last:
            self._shared.put(KIND, account, erasure_value(today), last_day(today))
        if mac is not None and self.names is not None:
            self._shared.put(DEVICE_KIND, self.names.newest(mac), erasure_value(today), last_day(today))

    def _apply(self, record: RegistryRecord) -> None:
        account, day = AccountId(record.key), self._day(record)
        if not day or self._persistence.erased.is_known(account, day):
            return
        rows = erase_until(self._registry, account, day, passphrase_day=self._passphrase_day(account))
        self._persistence.pending.add((*rows, EventsErased(account, day)))
        self._persistence.erase(None, account, day)
        self.on_erased()

    async def _apply_to_device(self, record: RegistryRecord) -> None:
        """A device that is online here since a later day has come back."""
        day, at = self._day(record), self._persistence.instant()
        mac = (self.find(record.key) or await self._stored(record.key)) if day else None
        if mac is None or (day < at.today and self._reconciler.session_table.is_admitted(mac)):
            return
        account = self._reconciler.account_of(mac)
        rows = erase_device(self._registry, mac, day, at)
        await self._reconciler.erase(mac, account, is_last=False, changes=rows)

    def _day(self, record: RegistryRecord) -> str:
        """Empty if the erasure is not to be done now."""
        today = self._persistence.instant().today
        return erasure_day(record, today) if today else ""

    def _passphrase_day(self, account: AccountId) -> str:
        found = self._shared.records.effective(passphrase_records.KIND, account) if self._shared else None
        return passphrase_records.passphrase_day(found) if found is not None else ""

    async def _stored(self, name: str) -> MacAddress | None:
        """A device of which only the database knows. All are collected at once: a hash each."""
        now, names = self._persistence.instant().now, self.names
        if names is None:
            return None
        if self._collected is None or now - self._collected[0] >= COLLECTED_FOR:
            found = await self._stored_devices()
            self._collected = now, {each: mac for mac in found for each in names.every(mac)}
        return self._collected[1].get(name)


def _no_change(_change: Change) -> None:
    """An erasure is told by `SharedErasures.tell`: no row of the registry says it."""

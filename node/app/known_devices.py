"""Which device a name of other nodes means: those with a session or a binding here, and those heard lately. Pure."""

from collections.abc import Callable, Iterable

from node.accounts.device_names import DeviceNames
from node.units import MacAddress, Milliseconds, Monotonic

HEARD_MAX = 4_096
"""At the limit the one that was heard first is dropped; it is found again when it is heard again."""
NEAR = Milliseconds(3_600_000)
ADDRESSES_MAX = 4
"""Of one device."""
SURPLUS_MAX = 1_000
"""Names of devices that are no longer kept, before all are collected again."""


class KnownDevices:
    """Finds a device by its name; a name is a hash that cannot be undone."""

    def __init__(self, names: DeviceNames, kept: Callable[[], Iterable[MacAddress]]) -> None:
        """`kept`: the devices with a session or a binding."""
        self._names, self._kept = names, kept
        self._by_name: dict[str, MacAddress] = {}
        self._collected_at = 0
        """Size after they were last collected; 0: not yet."""
        self._newest = ""
        """A name under the newest key, which changes with the key."""
        self._heard: dict[MacAddress, tuple[Monotonic, tuple[str, ...], tuple[str, ...]]] = {}
        self._heard_names: dict[str, MacAddress] = {}

    def heard(self, mac: MacAddress, names: tuple[str, ...], address: str, now: Monotonic) -> None:
        """The device is on the LAN now; `address`: empty if it is not known."""
        known = [each for each in self.addresses(mac) if each != address]
        addresses = (*([address] if address else []), *known)[:ADDRESSES_MAX]
        self._drop(mac)
        if len(self._heard) >= HEARD_MAX:
            self._drop(next(iter(self._heard)))
        self._heard[mac] = now, names, addresses
        self._heard_names |= dict.fromkeys(names, mac)

    def is_near(self, mac: MacAddress, now: Monotonic) -> bool:
        """Whether it was heard within `NEAR`."""
        return mac in self._heard and now - self._heard[mac][0] < NEAR

    def addresses(self, mac: MacAddress) -> tuple[str, ...]:
        """Under which it was heard lately, the last first."""
        return self._heard[mac][2] if mac in self._heard else ()

    def add(self, mac: MacAddress) -> None:
        """It has a session or a binding now."""
        if self._collected_at:
            self._by_name |= dict.fromkeys(self._names.every(mac), mac)

    def find(self, name: str) -> MacAddress | None:
        if name in self._heard_names:
            return self._heard_names[name]
        self._collect()
        return self._by_name.get(name)

    def _collect(self) -> None:
        """A new secret of the community changes all names."""
        newest = self._names.newest(_ANY)
        is_full = len(self._by_name) > 2 * self._collected_at + SURPLUS_MAX
        if self._collected_at and newest == self._newest and not is_full:
            return
        self._by_name = {name: mac for mac in self._kept() for name in self._names.every(mac)}
        self._collected_at, self._newest = len(self._by_name) or 1, newest

    def _drop(self, mac: MacAddress) -> None:
        _, names, _ = self._heard.pop(mac, (0, (), ()))
        for name in names:
            self._heard_names.pop(name, None)


_ANY = MacAddress("00:00:00:00:00:00")

"""Bindings of devices (MAC addresses) to accounts, with the join method that made them."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from node.governance.join_methods import Way
from node.governance.members import GUEST_PREFIX
from node.units import AccountId, MacAddress

DEVICE_NAME_CHARS_MAX = 40
DEVICES_BOUND_MAX = 50
"""For one account; at the limit its oldest binding is removed. How many may be online at once is set by the
rules."""
BINDINGS_MAX = 50_000
"""On one node; at the limit the oldest guest binding is removed, so that random MAC addresses displace only
other guests. If there are no guest bindings, the oldest of all is removed, and that device must show its
credential again."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One device of an account. A device without a binding has a guest account of its own."""

    mac: MacAddress
    account: AccountId
    way: Way
    bound_day: str
    name: str = ""
    """Name given by its owner; empty if none."""
    introduced_by: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Unbound:
    """The device is no longer bound."""

    mac: MacAddress


class Bindings:
    """All bindings, oldest first."""

    def __init__(self) -> None:
        self._by_mac: dict[MacAddress, Binding] = {}
        self._by_account: dict[AccountId, dict[MacAddress, None]] = {}
        self._by_host: dict[AccountId, dict[MacAddress, None]] = {}
        self._guests: dict[MacAddress, None] = {}

    def __len__(self) -> int:
        return len(self._by_mac)

    def get(self, mac: MacAddress) -> Binding | None:
        return self._by_mac.get(mac)

    def all(self) -> tuple[Binding, ...]:
        return tuple(self._by_mac.values())

    def of(self, account: AccountId) -> tuple[Binding, ...]:
        """The devices of an account, oldest binding first."""
        return tuple(self._by_mac[mac] for mac in self._by_account.get(account, ()))

    def introduced_by(self, host: AccountId) -> tuple[Binding, ...]:
        """The devices of guests that this member sponsors."""
        return tuple(self._by_mac[mac] for mac in self._by_host.get(host, ()))

    def name_of(self, mac: MacAddress) -> str:
        """Empty if the device has no name."""
        binding = self._by_mac.get(mac)
        return binding.name if binding is not None else ""

    def take(self, kept: Iterable[Binding]) -> None:
        """Load from storage, in order of binding."""
        for binding in kept:
            self._put(binding)

    def bind(self, binding: Binding) -> tuple[Binding | Unbound, ...]:
        """Bind the device to this account and no other. Returns the rows to store."""
        before = self._by_mac.get(binding.mac)
        if before == binding:
            return ()
        self.unbind(binding.mac)
        siblings = self._by_account.get(binding.account, ())
        rows: list[Binding | Unbound] = [binding]
        if len(siblings) >= DEVICES_BOUND_MAX:
            rows += self.unbind(next(iter(siblings)))
        if len(self._by_mac) >= BINDINGS_MAX:
            rows += self.unbind(next(iter(self._guests or self._by_mac)))
        self._put(binding)
        return tuple(rows)

    def amend(self, binding: Binding) -> tuple[Binding]:
        """Change the name or join method of a binding without changing its position."""
        assert self._by_mac[binding.mac].account == binding.account, "a device changes hands by `bind`"
        self._by_mac[binding.mac] = binding
        return (binding,)

    def unbind(self, mac: MacAddress) -> tuple[Unbound, ...]:
        """The device becomes a guest again. Empty if it was not bound."""
        binding = self._by_mac.pop(mac, None)
        if binding is None:
            return ()
        self._guests.pop(mac, None)
        _remove(self._by_account, binding.account, mac)
        if binding.introduced_by is not None:
            _remove(self._by_host, binding.introduced_by, mac)
        return (Unbound(mac),)

    def _put(self, binding: Binding) -> None:
        self._by_mac[binding.mac] = binding
        self._by_account.setdefault(binding.account, {})[binding.mac] = None
        if binding.account.startswith(GUEST_PREFIX):
            self._guests[binding.mac] = None
        if binding.introduced_by is not None:
            self._by_host.setdefault(binding.introduced_by, {})[binding.mac] = None


def clean_name(typed: str) -> str | None:
    """Normalize a name typed for a device or a person: one line, invisible characters removed. None if the
    result is longer than DEVICE_NAME_CHARS_MAX."""
    if len(typed) > 4 * DEVICE_NAME_CHARS_MAX:
        return None
    visible = "".join(" " if _is_hidden(letter) else letter for letter in unicodedata.normalize("NFC", typed))
    name = " ".join(visible.split())
    return name if len(name) <= DEVICE_NAME_CHARS_MAX else None


def _is_hidden(letter: str) -> bool:
    # ZERO WIDTH JOINER is needed for family emoji. Other invisible characters could make two names look
    # alike.
    return unicodedata.category(letter)[0] in "CZ" and letter != "\u200d"


def _remove(index: dict[AccountId, dict[MacAddress, None]], account: AccountId, mac: MacAddress) -> None:
    macs = index[account]
    del macs[mac]
    if not macs:
        del index[account]

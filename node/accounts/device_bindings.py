"""Which device belongs to which account, by the way its person came in."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from node.governance.join_methods import Way
from node.governance.members import GUEST_PREFIX
from node.units import AccountId, MacAddress

DEVICE_NAME_CHARS_MAX = 40
DEVICES_BOUND_MAX = 50
"""Of one account; the one that was bound first makes room. How many may be on at once is for the rules."""
BINDINGS_MAX = 50_000
"""On one node; the guest's device that was bound first makes room, so that strangers who come under ever new hardware
addresses push out none but each other. Only without any it is a member's or voucher's, whose code or card is shown
once more then."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One device of an account. A device that is bound to nobody is a guest of its own."""

    mac: MacAddress
    account: AccountId
    way: Way
    bound_day: str
    name: str = ""
    """As its owner calls it; empty until named."""
    introduced_by: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Unbound:
    """The device belongs to nobody any more."""

    mac: MacAddress


class Bindings:
    """Every device that is bound, the one that was bound first at the front."""

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
        """The devices of an account, the one that was bound first at the front."""
        return tuple(self._by_mac[mac] for mac in self._by_account.get(account, ()))

    def introduced_by(self, host: AccountId) -> tuple[Binding, ...]:
        """The devices of guests whom this member said yes to."""
        return tuple(self._by_mac[mac] for mac in self._by_host.get(host, ()))

    def name_of(self, mac: MacAddress) -> str:
        """Empty for a device that nobody named."""
        binding = self._by_mac.get(mac)
        return binding.name if binding is not None else ""

    def take(self, kept: Iterable[Binding]) -> None:
        """From storage, in the order in which they were bound."""
        for binding in kept:
            self._put(binding)

    def bind(self, binding: Binding) -> tuple[Binding | Unbound, ...]:
        """From now on the device belongs to this account and no other; the rows to keep."""
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
        """The same device of the same account, with another name or way, keeps its place."""
        assert self._by_mac[binding.mac].account == binding.account, "a device changes hands by `bind`"
        self._by_mac[binding.mac] = binding
        return (binding,)

    def unbind(self, mac: MacAddress) -> tuple[Unbound, ...]:
        """The device is a guest of its own again; no rows when it was."""
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
    """A name that a person typed for a device or for themselves, on one line and without characters that nobody
    sees; None when it is longer than DEVICE_NAME_CHARS_MAX."""
    if len(typed) > 4 * DEVICE_NAME_CHARS_MAX:
        return None
    visible = "".join(" " if _is_hidden(letter) else letter for letter in unicodedata.normalize("NFC", typed))
    name = " ".join(visible.split())
    return name if len(name) <= DEVICE_NAME_CHARS_MAX else None


def _is_hidden(letter: str) -> bool:
    # ZERO WIDTH JOINER holds emoji of families together; all other invisible signs can make one name look like two.
    return unicodedata.category(letter)[0] in "CZ" and letter != "\u200d"


def _remove(index: dict[AccountId, dict[MacAddress, None]], account: AccountId, mac: MacAddress) -> None:
    macs = index[account]
    del macs[mac]
    if not macs:
        del index[account]

"""Bindings of devices (MAC addresses) to accounts, with the join method that made them; and device codes, which bind
one more device."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from node.accounts.codes import RANDOM_BYTES, Code, make_code
from node.governance.rules import Way
from node.units import GUEST_PREFIX, AccountId, MacAddress, Milliseconds, Monotonic

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
        if before is not None:
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


# Short codes that one device of an account shows and another device types to join the same account.

CODE_LIFE = Milliseconds(10 * 60_000)
OPEN_MAX = 2_000
"""Over all accounts; at the limit the oldest guest's code is dropped, or the oldest of all without any."""
SPENT_MAX = 2_000
"""Used and expired codes that are still recognized as such."""


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that is not used yet. In memory only; the account's page can show it again."""

    code: Code = field(repr=False)
    account: AccountId
    way: Way
    """Join method of the device that shows the code; the new device gets the same."""
    ends: Monotonic


class DeviceCodes:
    """At most one open code for each account."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._by_account: dict[AccountId, OpenCode] = {}
        self._by_text: dict[str, OpenCode] = {}
        self._spent: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._by_account)

    def new(self, account: AccountId, way: Way, now: Monotonic) -> OpenCode:
        """A code for one more device; it replaces an earlier code of the account."""
        self.drop(account)
        if len(self._by_account) >= OPEN_MAX:
            oldest = next(iter(self._by_account))
            self.drop(next((each for each in self._by_account if each.startswith(GUEST_PREFIX)), oldest))
        shown = OpenCode(self._fresh(), account, way, Monotonic(now + CODE_LIFE))
        self._by_account[account] = self._by_text[shown.code.text] = shown
        return shown

    def of(self, account: AccountId, now: Monotonic) -> OpenCode | None:
        """The open code of the account, None if there is none or it has expired."""
        shown = self._by_account.get(account)
        return shown if shown is not None and now < shown.ends else None

    def use(self, code: Code, now: Monotonic) -> OpenCode | None:
        """Use the code; it is valid once. None if it was used, has expired or is unknown."""
        shown = self._by_text.get(code.text)
        if shown is None:
            return None
        self.drop(shown.account)
        return shown if now < shown.ends else None

    def is_spent(self, code: Code) -> bool:
        """Whether the code was used or has expired, among the last SPENT_MAX."""
        return code.text in self._spent

    def drop(self, account: AccountId) -> None:
        """Invalidate the open code of this account."""
        shown = self._by_account.pop(account, None)
        if shown is None:
            return
        del self._by_text[shown.code.text]
        self._spent[shown.code.text] = None
        if len(self._spent) > SPENT_MAX:
            del self._spent[next(iter(self._spent))]

    def _fresh(self) -> Code:
        while True:
            code = make_code(self._random(RANDOM_BYTES["device"]), "device")
            if code.text not in self._by_text and code.text not in self._spent:
                return code

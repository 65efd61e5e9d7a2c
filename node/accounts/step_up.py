"""Step-up authentication: a device that recently showed a membership card may set a passphrase without the
old one."""

from node.units import AccountId, MacAddress, Milliseconds, Monotonic

SHOWN_FOR = Milliseconds(10 * 60_000)
"""Long enough to choose a passphrase; short because a device that copies the MAC address is taken for this
one."""
STEP_UPS_MAX = 1_000
"""Devices; at the limit the oldest entry is dropped, and its card must be shown again."""


class StepUp:
    """In memory only: after a restart the card must be shown again."""

    def __init__(self) -> None:
        self._shown: dict[MacAddress, tuple[AccountId, Monotonic]] = {}

    def __len__(self) -> int:
        return len(self._shown)

    def show(self, mac: MacAddress, account: AccountId, now: Monotonic) -> None:
        """A valid card of `account` was shown on this device."""
        self._shown.pop(mac, None)
        if len(self._shown) >= STEP_UPS_MAX:
            del self._shown[next(iter(self._shown))]
        self._shown[mac] = account, Monotonic(now + SHOWN_FOR)

    def has_shown(self, mac: MacAddress, account: AccountId, now: Monotonic) -> bool:
        """Whether a card of this account was recently shown on this device."""
        whose, until = self._shown.get(mac, ("", now))
        return whose == account and now < until

    def drop(self, account: AccountId) -> None:
        """Forget the cards of this account that were shown until now."""
        self._shown = {mac: shown for mac, shown in self._shown.items() if shown[0] != account}

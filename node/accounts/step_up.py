"""Who has just shown a membership card, and so may choose a passphrase without the one before."""

from node.units import AccountId, MacAddress, Milliseconds, Monotonic

SHOWN_FOR = Milliseconds(10 * 60_000)
"""Long enough to choose some words; short, because whoever copies the device's hardware address is taken for it."""
STEP_UPS_MAX = 1_000
"""Devices; whoever showed theirs first shows it once more."""


class StepUp:
    """Kept in memory only: after a restart the card is shown again."""

    def __init__(self) -> None:
        self._shown: dict[MacAddress, tuple[AccountId, Monotonic]] = {}

    def __len__(self) -> int:
        return len(self._shown)

    def show(self, mac: MacAddress, account: AccountId, now: Monotonic) -> None:
        """A card of `account` that counts was shown on this device."""
        self._shown.pop(mac, None)
        if len(self._shown) >= STEP_UPS_MAX:
            del self._shown[next(iter(self._shown))]
        self._shown[mac] = account, Monotonic(now + SHOWN_FOR)

    def has_shown(self, mac: MacAddress, account: AccountId, now: Monotonic) -> bool:
        """Whether a card of this very account was lately shown on this device."""
        whose, until = self._shown.get(mac, ("", now))
        return whose == account and now < until

    def drop(self, account: AccountId) -> None:
        """Cards of this account that were shown until now count no more."""
        self._shown = {mac: shown for mac, shown in self._shown.items() if shown[0] != account}

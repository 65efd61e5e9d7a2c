"""Short codes that one device of an account shows and another device types to join the same account."""

from collections.abc import Callable
from dataclasses import dataclass, field

from node.accounts.codes import RANDOM_BYTES, Code, make_code
from node.governance.join_methods import Way
from node.governance.members import GUEST_PREFIX
from node.units import AccountId, Milliseconds, Monotonic

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

"""Short codes that one device of an account shows and another one types, to belong to the same account."""

from collections.abc import Callable
from dataclasses import dataclass, field

from node.accounts.codes import RANDOM_BYTES, Code, make_code
from node.governance.join_methods import Way
from node.governance.members import GUEST_PREFIX
from node.units import AccountId, Milliseconds, Monotonic

CODE_LIFE = Milliseconds(10 * 60_000)
OPEN_MAX = 2_000
"""Of all accounts; a further one takes the place of a guest's oldest, or, without any, of the oldest."""
SPENT_MAX = 2_000
"""Codes that were used or too old and are still known as such."""


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that waits for the other device. It is in memory only, so that its own page can show it again."""

    code: Code = field(repr=False)
    account: AccountId
    way: Way
    """How the device that shows it came in; so does the other."""
    ends: Monotonic


class DeviceCodes:
    """One open code for each account."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._by_account: dict[AccountId, OpenCode] = {}
        self._by_text: dict[str, OpenCode] = {}
        self._spent: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._by_account)

    def new(self, account: AccountId, way: Way, now: Monotonic) -> OpenCode:
        """A code for one more device; an older one of the account counts no more."""
        self.drop(account)
        if len(self._by_account) >= OPEN_MAX:
            oldest = next(iter(self._by_account))
            self.drop(next((each for each in self._by_account if each.startswith(GUEST_PREFIX)), oldest))
        shown = OpenCode(self._fresh(), account, way, Monotonic(now + CODE_LIFE))
        self._by_account[account] = self._by_text[shown.code.text] = shown
        return shown

    def of(self, account: AccountId, now: Monotonic) -> OpenCode | None:
        """The code that this account can show now."""
        shown = self._by_account.get(account)
        return shown if shown is not None and now < shown.ends else None

    def use(self, code: Code, now: Monotonic) -> OpenCode | None:
        """What the code opens; it opens nothing a second time. None for one that is used, too old or unknown."""
        shown = self._by_text.get(code.text)
        if shown is None:
            return None
        self.drop(shown.account)
        return shown if now < shown.ends else None

    def is_spent(self, code: Code) -> bool:
        """Whether it was a code once, as far as is remembered."""
        return code.text in self._spent

    def drop(self, account: AccountId) -> None:
        """The open code of this account counts no more."""
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

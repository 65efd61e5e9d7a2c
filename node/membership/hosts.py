"""Members by what people call them: their account, or their name where the roll says it and only one has it."""

import unicodedata
from collections import Counter

from node.governance.roll import Roll
from node.units import AccountId

TYPED_CHARS_MAX = 60


class HostNames:
    """An index of one roll, made anew when the roll is another."""

    def __init__(self) -> None:
        self._roll: Roll | None = None
        self._accounts: dict[str, AccountId] = {}

    def find(self, typed: str, roll: Roll) -> AccountId | None:
        """The member whom a person means, in any case and with any spaces; None for nobody, and for a name that
        several have: their accounts still tell them apart."""
        if len(typed) > TYPED_CHARS_MAX:
            return None
        if roll is not self._roll:
            self._roll, self._accounts = roll, _index(roll)
        return self._accounts.get(plain(typed))


def plain(typed: str) -> str:
    """The one form of a name in which two spellings of it are equal."""
    return " ".join(unicodedata.normalize("NFKC", typed).casefold().split())


def _index(roll: Roll) -> dict[str, AccountId]:
    names = [(plain(name), account) for account, name in roll.names.items()]
    times = Counter(name for name, _ in names)
    return {name: account for name, account in names if times[name] == 1} | {
        plain(unit.account): unit.account for unit in roll.units
    }

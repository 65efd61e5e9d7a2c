"""Members by what people call them: their account, or their name where the roll says it and only one has it."""

import unicodedata
from collections import Counter

from node.governance.members import MemberDirectory
from node.units import AccountId

TYPED_CHARS_MAX = 60


class MemberLookup:
    """An index of one roll, made anew when the roll is another."""

    def __init__(self) -> None:
        self._member_directory: MemberDirectory | None = None
        self._accounts: dict[str, AccountId] = {}

    def find(self, typed: str, member_directory: MemberDirectory) -> AccountId | None:
        """The member whom a person means, in any case and with any spaces; None for nobody, and for a name that
        several have: their accounts still tell them apart."""
        if len(typed) > TYPED_CHARS_MAX:
            return None
        if member_directory is not self._member_directory:
            self._member_directory, self._accounts = member_directory, _index(member_directory)
        return self._accounts.get(plain(typed))


def plain(typed: str) -> str:
    """The one form of a name in which two spellings of it are equal."""
    return " ".join(unicodedata.normalize("NFKC", typed).casefold().split())


def _index(member_directory: MemberDirectory) -> dict[str, AccountId]:
    names = [(plain(name), account) for account, name in member_directory.names.items()]
    times = Counter(name for name, _ in names)
    return {name: account for name, account in names if times[name] == 1} | {
        plain(unit.account): unit.account for unit in member_directory.units
    }

"""Finds members by account, or by name if the member directory has it and it is unique."""

from collections import Counter

from node.characters import plain
from node.governance.members import MemberDirectory
from node.units import AccountId

TYPED_CHARS_MAX = 60


class MemberLookup:
    """An index of one member directory, rebuilt when the directory is replaced."""

    def __init__(self) -> None:
        self._member_directory: MemberDirectory | None = None
        self._accounts: dict[str, AccountId] = {}

    def find(self, typed: str, member_directory: MemberDirectory) -> AccountId | None:
        """The member with this account or name, ignoring case and spaces. None if there is none, or if
        several have the name; they can still be found by account."""
        if len(typed) > TYPED_CHARS_MAX:
            return None
        if member_directory is not self._member_directory:
            self._member_directory, self._accounts = member_directory, _index(member_directory)
        return self._accounts.get(plain(typed))


def _index(member_directory: MemberDirectory) -> dict[str, AccountId]:
    names = [(plain(name), account) for account, name in member_directory.names.items()]
    times = Counter(name for name, _ in names)
    return {name: account for name, account in names if times[name] == 1} | {
        plain(unit.account): unit.account for unit in member_directory.units
    }

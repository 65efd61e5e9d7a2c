"""Messages of admins to people: one for each account, until its people say that they read it and after."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from node.characters import hidden_character
from node.errors import Finding
from node.governance.canonical_form import FINGERPRINT_CHARS
from node.translator import gettext_lazy
from node.units import AccountId

MESSAGE_CHARS_MAX = 500
MESSAGES_MAX = 1_000
"""At once on a node; one that was read makes room."""
KEPT_READ_DAYS = 30
"""After it was read. An unread one is kept as long as usage is."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to the people of an account. A later one takes its place."""

    account: AccountId
    number: int
    """Later ones have greater numbers. After a restart, the number of the newest one, if it is gone, is used again."""
    day: str
    """ISO date; empty while the date was unknown."""
    by: str
    """As `Signed.label`."""
    text: str
    is_read: bool = False
    read_day: str = ""

    @property
    def fingerprint(self) -> str:
        """Identifies the message with its text, as a page shows it, whether it was read or not."""
        shown = repr((self.account, self.number, self.text))
        return hashlib.sha256(shown.encode()).hexdigest()[:FINGERPRINT_CHARS]


@dataclass(frozen=True, slots=True)
class MessageGone:
    """The message to the account was withdrawn or deleted."""

    account: AccountId


def message_finding(text: str) -> Finding | None:
    """What is wrong with the text; None for nothing."""
    if not text.strip():
        return Finding("message", 0, gettext_lazy("The message is empty."), gettext_lazy("write a few words"))
    if len(text) > MESSAGE_CHARS_MAX:
        fix = gettext_lazy("write at most {number} characters", number=MESSAGE_CHARS_MAX)
        return Finding("message", 0, gettext_lazy("The message is too long."), fix)
    if hidden_character(text) is not None:
        fix = gettext_lazy("type it again by hand")
        return Finding("message", 0, gettext_lazy("The message holds an invisible character."), fix)
    return None


class Messages:
    """At most one for each account."""

    def __init__(self) -> None:
        self._by_account: dict[AccountId, Message] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_account)

    def take(self, kept: Iterable[Message]) -> None:
        """Load from storage."""
        for message in kept:
            self._by_account[message.account] = message
            self._last = max(self._last, message.number)

    def all(self) -> tuple[Message, ...]:
        return tuple(self._by_account.values())

    def of(self, account: AccountId) -> Message | None:
        return self._by_account.get(account)

    def unread(self, account: AccountId) -> Message | None:
        """What its people have not said that they read."""
        message = self._by_account.get(account)
        return message if message is not None and not message.is_read else None

    def send(
        self, account: AccountId, text: str, by: str, today: str
    ) -> tuple[Message | MessageGone, ...] | Finding:
        """Replaces the message of before. When there are too many, the oldest that was read goes; else it is refused."""
        if (wrong := message_finding(text)) is not None:
            return wrong
        gone: tuple[MessageGone, ...] = ()
        if account not in self._by_account and len(self._by_account) >= MESSAGES_MAX:
            read = min(
                (each for each in self.all() if each.is_read), key=lambda each: each.number, default=None
            )
            if read is None:
                message = gettext_lazy(
                    "There are {number} messages that nobody has read.", number=MESSAGES_MAX
                )
                return Finding("message", 0, message, gettext_lazy("withdraw some first"))
            gone = self.withdraw(read.account)
        self.take((Message(account, self._last + 1, today, by, text),))
        return *gone, self._by_account[account]

    def read(self, account: AccountId, shown: str, today: str) -> tuple[Message, ...]:
        """Its people say that they read the message with this fingerprint. Empty if there is another one, or none."""
        message = self.unread(account)
        if message is None or message.fingerprint != shown:
            return ()
        self._by_account[account] = replace(message, is_read=True, read_day=today)
        return (self._by_account[account],)

    def withdraw(self, account: AccountId) -> tuple[MessageGone, ...]:
        """Empty if there is none."""
        return (MessageGone(account),) if self._by_account.pop(account, None) is not None else ()

    def forget(self, accounts: Iterable[AccountId]) -> None:
        """Drop what storage deleted."""
        for account in accounts:
            self._by_account.pop(account, None)

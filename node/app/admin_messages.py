"""Application service of the admin pages for messages to people."""

from node.accounts.messages import Message
from node.app.admin_sessions import Signed
from node.app.admin_vouchers import store, unwritable
from node.app.event_recorder import event_of
from node.control.reconciler import Reconciler
from node.errors import Finding
from node.translator import gettext_lazy
from node.units import AccountId


class AdminMessagesService:
    """A change that cannot be stored is refused."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler, self._messages = reconciler, reconciler.registry.messages

    def of(self, account: str) -> Message | None:
        """The last message to the account, also after it was read."""
        return self._messages.of(AccountId(account))

    async def send(self, signed: Signed, account: str, text: str) -> Finding | None:
        """Its people see it on their page until they say that they read it; it replaces the one of before."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return refused
        before = self.of(account)
        if before is not None and (before.text, before.by, before.is_read) == (text, signed.label, False):
            return None  # the same form twice
        today = self._reconciler.persistence.instant().today
        sent = self._messages.send(AccountId(account), text, signed.label, today)
        if isinstance(sent, Finding):
            return sent
        await store(
            self._reconciler, (*sent, event_of(self._reconciler, signed, "message-sent", account=account))
        )
        return None

    async def withdraw(self, signed: Signed, account: str, shown: str) -> Finding | None:
        """Nobody sees the message with this fingerprint any longer, read or not."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return refused
        message = self.of(account)
        if message is None or message.fingerprint != shown:
            text = gettext_lazy("This message is gone, or there is a newer one.")
            return Finding("message", 0, text, gettext_lazy("look at the page again"))
        event = event_of(self._reconciler, signed, "message-withdrawn", account=account)
        await store(self._reconciler, (*self._messages.withdraw(AccountId(account)), event))
        return None

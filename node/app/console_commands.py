"""Control socket commands that issue vouchers, passphrases and cards. They use the services of the admin pages."""

from collections.abc import Callable, Mapping
from typing import Any

from node.app.admin import SiteInfo
from node.app.admin_members import AdminMembersService
from node.app.admin_vouchers import AdminVouchersService, VoucherOrder, batch_line
from node.app.signin import Signed
from node.console import Answer
from node.errors import UNSTORED, Finding, NodeError
from node.units import parse_duration

TEXT_CHARS_MAX = 400
"""Longest argument, in characters; the services have lower limits of their own."""
BATCH_DIGITS_MAX = 6
"""An argument with more digits is a voucher code."""
_CONSOLE = Signed("admin", "console")


class ConsoleCommands:
    """Each method runs one command. Raises NodeError when it is refused."""

    def __init__(
        self, vouchers: AdminVouchersService, members: AdminMembersService, place: Callable[[], SiteInfo]
    ) -> None:
        self._vouchers, self._members, self._place = vouchers, members, place
        self._unstored: tuple[VoucherOrder, str] | None = None
        """The last order and its idempotency key, while its vouchers could not be stored."""

    def all(self) -> Mapping[str, Answer]:
        return {
            "vouchers-issue": self.issue,
            "vouchers-list": self.batches,
            "vouchers-revoke": self.revoke,
            "members-passphrase": self.passphrase,
            "members-card": self.card,
            "members-void-cards": self.void_cards,
        }

    async def issue(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Issues vouchers. The codes are in this response only. If they could not be stored, the same order given
        again returns the same vouchers."""
        try:
            lasts = parse_duration(_text(question, "lasts"))
        except ValueError as error:
            raise NodeError(str(error), 'write how long a voucher lasts, such as "1 day"') from error
        order = VoucherOrder(
            count=_number(question, "count"),
            group=_text(question, "group"),
            lasts=lasts,
            devices_max=_number(question, "devices"),
            note=_text(question, "note"),
        )
        before, self._unstored = self._unstored, None
        is_same = before is not None and before[0] == order
        idempotency_key = before[1] if before and is_same else self._vouchers.idempotency_key(_CONSOLE.label)
        issued = await self._vouchers.issue(_CONSOLE, order, _CONSOLE.label, idempotency_key)
        if isinstance(issued, tuple):
            if any(finding.code == UNSTORED for finding in issued):
                self._unstored = order, idempotency_key
            raise _no(*issued)
        return {"batch": issued.batch, "codes": issued.codes, "place": self._place()}

    def batches(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """The batches of all issuers, newest first."""
        return {
            "batches": [
                {"batch": batch, **dict(batch_line(batch, self._vouchers.counts(batch.number)).counts)}
                for batch in self._vouchers.batches(_CONSOLE)
            ]
        }

    async def revoke(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Revokes a batch by its number or one voucher by its code; with ``back`` restores it."""
        which, back = _text(question, "which"), bool(question.get("back"))
        if which.isascii() and which.isdecimal() and len(which) <= BATCH_DIGITS_MAX:
            changed = await self._vouchers.revoke_batch(_CONSOLE, int(which), back=back)
            if isinstance(changed, Finding):
                raise _no(changed)
            return {"changed": changed, "back": back}
        found = await self._vouchers.revoke_voucher(_CONSOLE, which, back=back)
        if found is not None:
            raise _no(found)
        return {"changed": 1, "back": back}

    async def passphrase(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Sets a new passphrase for a member. It replaces the old one and is in this response only."""
        account = _text(question, "who")
        made = await self._members.new_passphrase(account)
        if isinstance(made, Finding):
            raise _no(made)
        return {"account": account, "passphrase": made}

    async def card(self, question: dict[str, Any]) -> Mapping[str, Any]:
        made = await self._members.new_card(_text(question, "who"))
        if isinstance(made, Finding):
            raise _no(made)
        return {
            "account": made.member.account,
            "card": made.text,
            "address": f"{self._place().portal}/?card={made.text}",
            "last_day": made.last_day,
        }

    async def void_cards(self, question: dict[str, Any]) -> Mapping[str, Any]:
        account = _text(question, "who")
        found = await self._members.void_cards(account)
        if found is not None:
            raise _no(found)
        return {"account": account}


def _text(question: dict[str, Any], name: str) -> str:
    return str(question.get(name) or "")[:TEXT_CHARS_MAX].strip()


def _number(question: dict[str, Any], name: str) -> int:
    text = _text(question, name) or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > BATCH_DIGITS_MAX:
        raise NodeError(f"{text!r:.40} is not a number of {name}", f"write a whole number, as --{name} 3")
    return int(text)


def _no(*findings: Finding) -> NodeError:
    return NodeError(
        " ".join(finding.message for finding in findings), "; ".join(finding.mend for finding in findings)
    )

"""Events in words: what was done, and who did it."""

from collections.abc import Mapping

from node.accounts.events import BY_NODE, BY_SOMEBODY, Event, EventKind
from node.app.admin_sessions import label_text
from node.app.rule_adoption import BY_NODE as BY_RULES
from node.app.rule_files import BY_EDIT, BY_START
from node.translator import LazyText, Translator, gettext_lazy, isolated, ngettext_lazy, translate

WHAT: Mapping[EventKind, LazyText] = {
    "blocked": gettext_lazy("Blocked"),
    "paused": gettext_lazy("Paused"),
    "unblocked": gettext_lazy("Unblocked"),
    "extended": gettext_lazy("Session made longer"),
    "extension-undone": gettext_lazy("Longer session taken back"),
    "voucher-revoked": gettext_lazy("Voucher revoked"),
    "voucher-restored": gettext_lazy("Voucher valid again"),
    "member-added": gettext_lazy("Member added"),
    "member-changed": gettext_lazy("Member’s entry changed"),
    "member-removed": gettext_lazy("Member removed"),
    "passphrase-given": gettext_lazy("New passphrase for a member"),
    "card-made": gettext_lazy("Membership card made"),
    "cards-voided": gettext_lazy("Membership cards voided"),
    "objection-answered": gettext_lazy("Objection answered"),
    "case-opened": gettext_lazy("Case opened"),
    "case-answered": gettext_lazy("Objection to a case answered"),
    "case-lifted": gettext_lazy("Case lifted"),
    "message-sent": gettext_lazy("Message sent"),
    "message-withdrawn": gettext_lazy("Message withdrawn"),
    "vouchers-issued": gettext_lazy("Vouchers issued"),
    "batch-revoked": gettext_lazy("Batch of vouchers revoked"),
    "batch-restored": gettext_lazy("Batch of vouchers valid again"),
    "notice-saved": gettext_lazy("Notice saved"),
    "notice-removed": gettext_lazy("Notice removed"),
    "outage-told": gettext_lazy("People told who knows about the outage"),
    "outage-untold": gettext_lazy("People no longer told who knows about the outage"),
    "terms-saved": gettext_lazy("Terms changed"),
    "appearance-changed": gettext_lazy("Appearance changed"),
    "rules-adopted": gettext_lazy("Rules in force"),
    "rules-proposed": gettext_lazy("Rules proposed"),
    "rules-approved": gettext_lazy("Rules approved"),
    "rules-confirmed": gettext_lazy("Rules confirmed"),
    "rules-withdrawn": gettext_lazy("Rules withdrawn"),
    "rules-ended": gettext_lazy("Rules ended"),
    "file-shared": gettext_lazy("Signed for all nodes"),
    "node-invited": gettext_lazy("Node invited"),
    "invite-closed": gettext_lazy("Invite closed"),
    "node-suspended": gettext_lazy("Node suspended"),
    "node-removed": gettext_lazy("Node removed"),
    "node-restored": gettext_lazy("Node taken back"),
    "admin-added": gettext_lazy("Admin of the community added"),
    "admin-removed": gettext_lazy("Admin of the community removed"),
    "key-made": gettext_lazy("Key for the community made"),
    "key-replaced": gettext_lazy("Key for the community replaced"),
    "secret-made": gettext_lazy("New secret of the community"),
    "record-begun": gettext_lazy("Community record begun"),
    "link-made": gettext_lazy("Sign-in link made"),
    "signed-in": gettext_lazy("Signed in"),
    "sign-in-failed": gettext_lazy("Sign-in failed"),
    "passphrase-chosen": gettext_lazy("Passphrase chosen"),
    "session-ended": gettext_lazy("Signed out"),
    "access-removed": gettext_lazy("Account of an admin or issuer removed"),
    "token-made": gettext_lazy("Token for metrics made"),
    "token-revoked": gettext_lazy("Token for metrics revoked"),
    "recovery-key-made": gettext_lazy("Recovery key made"),
    "backup-made": gettext_lazy("Backup made"),
    "losses-read": gettext_lazy("Data losses acknowledged"),
}
STATE_KINDS: Mapping[str, EventKind] = {
    "active": "node-restored",
    "suspended": "node-suspended",
    "removed": "node-removed",
}
"""By the state of a node that an admin signed."""
_BATCHES = frozenset({"vouchers-issued", "batch-revoked", "batch-restored"})
_RULES = frozenset(kind for kind in WHAT if kind.startswith("rules-"))
_DEVICES = frozenset({"blocked", "paused", "unblocked", "extended", "extension-undone"})
_PEOPLE = frozenset({"access-removed", "link-made", "session-ended"})
_BY_ITSELF = frozenset({BY_EDIT, BY_START, BY_RULES})
"""How rules came into force without anybody at a page."""


def about_words(event: Event) -> tuple[str, ...]:
    """What the event concerns, in words; empty where `WHAT` says it all."""
    found: list[str] = []
    if event.kind in _BATCHES:
        found.append(gettext_lazy("batch {number}", number=event.about))
    elif event.kind in _RULES and event.about:
        found.append(gettext_lazy("version {number}", number=event.about))
    elif event.kind in _PEOPLE:
        found.append(label_text(event.about))
    elif event.about:
        found.append(isolated(event.about))
    if event.kind == "vouchers-issued":
        found.append(ngettext_lazy("{number} voucher", "{number} vouchers", event.count))
    elif event.kind in _DEVICES and event.count > 1:
        found.append(ngettext_lazy("{number} device", "{number} devices", event.count))
    elif event.count > 1:
        found.append(ngettext_lazy("{number} time", "{number} times", event.count))
    return tuple(found)


def by_text(by: str) -> str:
    """The person who did it, translatable."""
    if by == BY_NODE:
        return gettext_lazy("the node")
    if by == BY_SOMEBODY:
        return gettext_lazy("somebody")
    return gettext_lazy(by) if by in _BY_ITSELF else label_text(by)


def kinds_with(text: str, words: Translator) -> tuple[EventKind, ...]:
    """Kinds whose words contain the text, in the reader's language."""
    sought = text.casefold().strip()
    return tuple(
        kind for kind, what in WHAT.items() if sought and sought in translate(what, words).casefold()
    )

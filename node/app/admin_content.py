"""Application service of the admin pages for terms, notices, objections and the appearance of the community's pages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from node.accounts.appearance import Appearance, appearance_findings
from node.accounts.events import Event, EventKind
from node.accounts.notices import Notice, is_current, notice_findings, places_at
from node.accounts.objections import ORIGIN_CHARS, Objection
from node.accounts.terms import SAME_TERMS, Terms, TermsText
from node.accounts.told_notices import telling_findings
from node.app.admin_sessions import ADMIN, Signed
from node.app.admin_vouchers import require_writable, store, unwritable
from node.app.event_recorder import event_of
from node.config import NodeConfig
from node.config.settings import TERMS
from node.control import active_ruleset
from node.control.reconciler import Reconciler
from node.errors import CONFLICT, Finding
from node.translator import gettext_lazy

_CHANGED = Finding(
    CONFLICT,
    0,
    gettext_lazy("This has changed since you opened the page."),
    gettext_lazy("look at it as it is now, then decide"),
)
_OTHER_TERMS = gettext_lazy("Someone else has saved other terms.")


def fingerprint(shown: Notice | Objection | Appearance) -> str:
    """Identifies a notice, an objection or the appearance with its content, as a form shows it. A number alone does not:
    after a restart the number of the newest one, if it was deleted, is used again."""
    return active_ruleset.fingerprint(repr(shown))


class AdminContentService:
    """Terms, notices, objections and appearance. A change that cannot be stored is refused."""

    def __init__(self, reconciler: Reconciler, config: NodeConfig) -> None:
        self._reconciler, self._registry = reconciler, reconciler.registry
        node = config.node
        language = "en" if node.terms == TERMS else config.portal.language
        self._first_terms = Terms(node.terms_version, (TermsText(language, node.terms),))
        """In force until an admin saves others."""
        self._places = places_at(node.name, (node.zone,) if node.zone else ())

    def terms(self) -> Sequence[Terms]:
        """All stored versions, the one in force first."""
        return self._registry.terms.all() or (self._first_terms,)

    async def save_terms(
        self, signed: Signed, texts: tuple[TermsText, ...], replacing: str
    ) -> Terms | tuple[Finding, ...]:
        """Saves a new version if the one in force is still `replacing`; all users must accept it again."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return (refused,)
        current = self.terms()[0]
        if current.version != replacing and current.texts == texts:
            return current  # the same form twice
        if current.version != replacing:
            return (Finding(CONFLICT, 0, _OTHER_TERMS, gettext_lazy("look at them first")),)
        if current.texts == texts:
            return (SAME_TERMS,)
        adopted = self._registry.terms.adopt(
            texts,
            self._reconciler.persistence.instant().today,
            signed.label,
            not_below=self._first_terms.version,
        )
        if isinstance(adopted, Terms):
            await store(self._reconciler, (adopted, self._event(signed, "terms-saved", adopted.version)))
        return adopted

    def appearance(self) -> Appearance:
        return self._registry.appearance

    async def save_appearance(
        self, signed: Signed, wanted: Appearance, replacing: str
    ) -> Mapping[str, Finding]:
        """Puts an appearance in force if the present one still has the fingerprint `replacing`. Returns what is wrong, by
        form field as `appearance_findings`; empty for the field if somebody else has changed it."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return {"": refused}
        current = self._registry.appearance
        if current == replace(wanted, by=current.by):
            return {}  # the same form twice
        if fingerprint(current) != replacing:
            return {"": _CHANGED}
        if findings := appearance_findings(wanted):
            return findings
        self._registry.appearance = replace(wanted, by=signed.label)
        await store(self._reconciler, (self._registry.appearance, self._event(signed, "appearance-changed")))
        return {}

    def notices(self) -> Sequence[Notice]:
        """Urgent and new ones first, including past and future ones."""
        return self._registry.notices.all()

    def heard_notices(self) -> Sequence[Notice]:
        """Those of other nodes for all nodes, urgent ones first."""
        return self._registry.heard_notices.all()

    def check_notice(self, notice: Notice) -> tuple[Finding, ...]:
        return notice_findings(notice)

    def shows_today(self, notice: Notice) -> bool:
        """Whether it is shown at this node today."""
        return notice.where in self._places and is_current(
            notice, self._reconciler.persistence.instant().today
        )

    async def save_notice(self, signed: Signed, notice: Notice, replacing: str = "") -> tuple[Finding, ...]:
        """Saves a notice if the one with its number still has the fingerprint `replacing`; number 0 creates a new one,
        unless there is one with the same content."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return (refused,)
        current = self._registry.notices.get(notice.number)
        if current is None:
            # New, or deleted meanwhile: then what was written becomes a new notice.
            notice = replace(notice, number=0)
            if any(each == replace(notice, number=each.number, by=each.by) for each in self.notices()):
                return ()  # the same form twice
        elif current == replace(notice, by=current.by):
            return ()  # the same form twice
        elif fingerprint(current) != replacing:
            return (_CHANGED,)
        others = [each for each in self.notices() if each.number != notice.number]
        if findings := telling_findings(notice, others):
            return findings
        put_up = self._registry.notices.put_up(replace(notice, by=signed.label))
        if not isinstance(put_up, Notice):
            return put_up
        await store(self._reconciler, (put_up, self._event(signed, "notice-saved", _title(put_up))))
        self._registry.notices.stored()
        return ()

    async def take_down(self, number: int, replacing: str, *, by: Signed = ADMIN) -> Notice | Finding | None:
        """Deletes and returns the notice, so that it can be restored, if it still has the fingerprint `replacing`."""
        await require_writable(self._reconciler)
        notice = self._registry.notices.get(number)
        if notice is None:
            return None
        if fingerprint(notice) != replacing:
            return _CHANGED
        gone = self._registry.notices.take_down(number)
        await store(self._reconciler, (*gone, self._event(by, "notice-removed", _title(notice))))
        self._registry.notices.stored()
        return notice

    @property
    def origin(self) -> str:
        """In the keys of objections that were filed at this node."""
        return self._reconciler.node[:ORIGIN_CHARS]

    def objections(self) -> Sequence[Objection]:
        """Unanswered objections first, then the newest."""
        return self._registry.objections.all()

    async def answer_objection(
        self, number: int, text: str, replacing: str, *, by: Signed = ADMIN
    ) -> Finding | None:
        """Answers an objection if it still has the fingerprint `replacing`, so neither another person's objection nor
        another admin's answer is touched."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return refused
        objection = self._registry.objections.get(number)
        if objection is not None and objection.answer == text:
            return None  # the same form twice
        if objection is not None and fingerprint(objection) != replacing:
            return _CHANGED
        answered = self._registry.answer_objection(number, text, self._reconciler.persistence.instant())
        if not answered:
            message = gettext_lazy("This objection is gone: its author deleted it.")
            return Finding("contest", 0, message, gettext_lazy("answer another one"))
        account = answered[0].account
        event = event_of(self._reconciler, by, "objection-answered", account=account)
        await store(self._reconciler, (*answered, event))
        return None

    def _event(self, by: Signed, kind: EventKind, about: str = "") -> Event:
        return event_of(self._reconciler, by, kind, about=about)


def _title(notice: Notice) -> str:
    return notice.texts[0].title if notice.texts else ""

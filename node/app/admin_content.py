"""Application service of the admin pages for terms, notices and objections."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from node.accounts.notices import Notice, is_current, notice_findings
from node.accounts.objections import Objection
from node.accounts.registry import AccountRegistry
from node.accounts.terms import SAME_TERMS, Terms, TermsText
from node.app.admin_vouchers import Check, Keep, Unwritable, unwritable
from node.app.signin import Signed
from node.errors import CONFLICT, Finding, StorageTrouble
from node.governance.translations import gettext_lazy
from node.units import Now

_OTHER_TERMS = gettext_lazy("Someone else has saved other terms.")


class AdminContentService:
    """"""

    def __init__(
        self,
        registry: AccountRegistry,
        *,
        keep: Keep,
        check: Check,
        unwritable: Unwritable,
        instant: Callable[[], Now],
        first_terms: Terms,
        node: str,
        zones: tuple[str, ...],
    ) -> None:
        """`first_terms` are in force until an admin saves others."""
        self._registry, self._keep, self._check, self._instant = registry, keep, check, instant
        self._unwritable = unwritable
        self._first_terms = first_terms
        self._places = {"network", f"node:{node}", *(f"zone:{zone}" for zone in zones)}

    def terms(self) -> Sequence[Terms]:
        """All stored versions, the one in force first."""
        return self._registry.terms.all() or (self._first_terms,)

    async def save_terms(
        self, signed: Signed, texts: tuple[TermsText, ...], replacing: str
    ) -> Terms | tuple[Finding, ...]:
        """Saves a new version if the one in force is still `replacing`; all users must accept it again."""
        if (refused := await self._refusal()) is not None:
            return (refused,)
        current = self.terms()[0]
        if current.version != replacing:
            return (Finding(CONFLICT, 0, _OTHER_TERMS, gettext_lazy("look at them first")),)
        if current.texts == texts:
            return (SAME_TERMS,)
        adopted = self._registry.terms.adopt(
            texts, self._instant().today, signed.label, not_below=self._first_terms.version
        )
        if isinstance(adopted, Terms):
            await self._keep((adopted,))
        return adopted

    def notices(self) -> Sequence[Notice]:
        """Urgent and new ones first, including past and future ones."""
        return self._registry.notices.all()

    def check_notice(self, notice: Notice) -> tuple[Finding, ...]:
        return notice_findings(notice)

    def shows_today(self, notice: Notice) -> bool:
        """Whether it is shown at this node today."""
        return notice.where in self._places and is_current(notice, self._instant().today)

    async def save_notice(self, signed: Signed, notice: Notice) -> tuple[Finding, ...]:
        """Saves a notice; number 0 creates a new one."""
        if (refused := await self._refusal()) is not None:
            return (refused,)
        if notice.number and self._registry.notices.get(notice.number) is None:
            # It was deleted meanwhile: what was written becomes a new notice.
            notice = replace(notice, number=0)
        put_up = self._registry.notices.put_up(replace(notice, by=signed.label))
        if not isinstance(put_up, Notice):
            return put_up
        await self._keep((put_up,))
        return ()

    async def take_down(self, number: int) -> Notice | None:
        """Deletes and returns the notice, so that it can be restored."""
        if (refused := await self._refusal()) is not None:
            raise StorageTrouble(refused.message, refused.mend)
        notice = self._registry.notices.get(number)
        if notice is not None:
            await self._keep(self._registry.notices.take_down(number))
        return notice

    def objections(self) -> Sequence[Objection]:
        """Unanswered objections first, then the newest."""
        return self._registry.objections.all()

    async def answer_objection(self, number: int, text: str) -> Finding | None:
        if (refused := await self._refusal()) is not None:
            return refused
        answered = self._registry.objections.answer(number, text, self._instant().today)
        if answered is None:
            message = gettext_lazy("This objection is gone: its author deleted it.")
            return Finding("contest", 0, message, gettext_lazy("answer another one"))
        await self._keep((answered,))
        return None

    async def _refusal(self) -> Finding | None:
        self._check()
        trouble = await self._unwritable()
        return unwritable(trouble) if trouble else None

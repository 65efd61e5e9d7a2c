"""Cases of ladders: admins open them, answer objections and lift them here."""

from dataclasses import dataclass

from node.accounts.ladder_cases import REASON_CHARS_MAX
from node.accounts.objections import ANSWER_CHARS_MAX
from node.admin.fields import FormView, ListPage, TypedForm, paginate
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    number_in,
    page_layout,
    refused,
)
from node.app.admin import AdminService
from node.app.case_views import CaseView
from node.app.ladder_cases import LadderView, NextStep
from node.errors import CONFLICT, Finding
from node.translator import as_sentence, gettext_lazy, in_a_row

CASES_A_PAGE = 20
ACCOUNT_CHARS_MAX = 64
DEEDS = ("opened", "lifted", "answered")


@dataclass(frozen=True, slots=True)
class LaddersPage:
    """The ladders, a form to open a case, and all cases, open ones first."""

    template = "ladders.html"
    frame: PageLayout
    ladders: tuple[LadderView, ...]
    cases: ListPage[CaseView]
    form: FormView
    next: NextStep | None
    """What a case of the account in the form would bring; None until it was looked up."""
    deed: str = ""
    """A value of `DEEDS`; shown once."""

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """For the menu of ladders."""
        return tuple((each.id, each.id) for each in self.ladders)


class LadderViews:
    """Views for ladders and their cases."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._cases = backend, backend.cases

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/ladders", self._show),
            Route("POST", "/ladders/open", self._open),
            Route("POST", "/ladders/answer", self._answer),
            Route("POST", "/ladders/lift", self._lift),
        )

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.query)
        account, ladder = form.line("account", ACCOUNT_CHARS_MAX), form.line("ladder", ACCOUNT_CHARS_MAX)
        following = None
        if account and ladder and not form.errors:
            found = self._cases.next_step(account, ladder, request.translations)
            if isinstance(found, Finding):
                form.take((found,), "account")
            else:
                following = found
        deed = next((each for each in DEEDS if each in request.query), "")
        return self._page(request, form.view(), following, deed=deed, status=422 if form.errors else 200)

    async def _open(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        account, ladder = form.line("account", ACCOUNT_CHARS_MAX), form.line("ladder", ACCOUNT_CHARS_MAX)
        reason = form.text("reason", REASON_CHARS_MAX)
        status = 422
        if not form.errors:
            step = number_in(request.fields, "step")
            opened = await self._cases.open(request.signed.label, account, ladder, reason, step=step)
            if not isinstance(opened, Finding):
                return AdminRedirect("/ladders?opened")
            form.take((opened,), "reason")
            status = 409 if opened.code == CONFLICT else status
        found = self._cases.next_step(account, ladder, request.translations)
        following = None if isinstance(found, Finding) else found
        return self._page(request, form.view(), following, status=status)

    async def _answer(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        number, form = number_in(request.fields, "number"), TypedForm(request.fields)
        name = f"answer-{number}"
        wanted = gettext_lazy("Write an answer: the person will read it on their page.")
        text = form.text(name, ANSWER_CHARS_MAX, wanted=wanted)
        if not form.errors:
            answered = await self._cases.answer(
                request.signed.label, number, text, request.fields.get("key", "-")
            )
            if not isinstance(answered, Finding):
                return AdminRedirect("/ladders?answered")
            form.refuse(name, in_a_row(answered.message, as_sentence(answered.fix)))
        return self._page(request, form.view(), status=422)

    async def _lift(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        lifted = await self._cases.lift(
            request.signed.label, number_in(request.fields, "number"), request.fields.get("key", "-")
        )
        return refused(lifted) if isinstance(lifted, Finding) else AdminRedirect("/ladders?lifted")

    def _page(
        self,
        request: AdminRequest,
        form: FormView,
        following: NextStep | None = None,
        *,
        deed: str = "",
        status: int = 200,
    ) -> AdminResponse:
        turn = number_in(request.fields, "page") or number_in(request.query, "page")
        cases = self._cases.cases(request.translations)
        page = LaddersPage(
            frame=page_layout(request, self._backend.site(), "/objections"),
            ladders=self._cases.ladders(request.translations),
            cases=paginate(cases, turn, "/ladders", size=CASES_A_PAGE),
            form=form,
            next=following,
            deed=deed,
        )
        return AdminResponse(page, status)

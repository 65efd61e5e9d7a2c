"""Objections to limits: admins answer them here, and the person reads the answer on their account page."""

from dataclasses import dataclass

from node.accounts.objections import ANSWER_CHARS_MAX, Objection
from node.admin.fields import FormView, ListPage, TypedForm, paginate
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    number_in,
    page_layout,
)
from node.app.admin import AdminService
from node.app.admin_content import fingerprint
from node.errors import CONFLICT
from node.translator import gettext_lazy

OBJECTIONS_A_PAGE = 20


@dataclass(frozen=True, slots=True)
class ObjectionsPage:
    """Unanswered objections first."""

    template = "objections.html"
    frame: PageLayout
    objections: ListPage[Objection]
    waiting: int
    notice: str
    """``answered`` or empty."""
    form: FormView
    number: int
    """The objection that the form answers; 0 for none."""
    origin: str = ""
    """Of objections that were filed at this node."""
    has_ladders: bool = False
    """Whether the rules have a ladder, or there are cases of one."""

    def form_of(self, objection: Objection) -> FormView:
        """The form of one objection; its fields have the number in their names, because labels need unique
        ids."""
        if objection.number != self.number:
            return FormView({f"text-{objection.number}": objection.answer})
        return self.form

    def is_from_elsewhere(self, objection: Objection) -> bool:
        """Whether it was filed at another node."""
        return objection.origin not in {"", self.origin}

    def replacing(self, objection: Objection) -> str:
        """What its form answers."""
        return fingerprint(objection)


class ObjectionsViews:
    """Views for objections."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._content = backend, backend.content

    def routes(self) -> tuple[Route, ...]:
        return Route("GET", "/objections", self._show), Route("POST", "/objections", self._answer)

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._page(request, notice="answered" if "answered" in request.query else "")

    async def _answer(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        number, form = number_in(request.fields, "number"), TypedForm(request.fields)
        name = f"text-{number}"
        wanted = gettext_lazy("Write an answer: the person will read it on their page.")
        status = 422
        text = form.text(name, ANSWER_CHARS_MAX, wanted=wanted)
        if not form.errors:
            refused = await self._content.answer_objection(
                number, text, request.fields.get("replacing", ""), by=request.signed
            )
            form.take((refused,) if refused else (), name)
            status = 409 if refused and refused.code == CONFLICT else status
        if form.errors:
            return self._page(request, form=form.view(), number=number, status=status)
        return AdminRedirect("/objections?answered")

    def _page(
        self,
        request: AdminRequest,
        *,
        notice: str = "",
        form: FormView | None = None,
        number: int = 0,
        status: int = 200,
    ) -> AdminResponse:
        objections = self._content.objections()
        turn = number_in(request.fields, "page") or number_in(request.query, "page")
        page = ObjectionsPage(
            frame=page_layout(request, self._backend.site(), "/objections"),
            objections=paginate(objections, turn, "/objections", size=OBJECTIONS_A_PAGE),
            waiting=sum(not objection.answer for objection in objections),
            notice=notice,
            form=form or FormView(),
            number=number,
            origin=self._content.origin,
            has_ladders=self._backend.has_ladders(),
        )
        return AdminResponse(page, status)

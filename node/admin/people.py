"""People: accounts online, search, blocking a device with a reason, and unblocking."""

from dataclasses import dataclass

from node.accounts.codes import Code, read_code
from node.admin.fields import FormView, ListPage, TypedForm, long_ago, paginate
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    not_there,
    number_in,
    page_layout,
    refused,
)
from node.app.admin import AdminService
from node.app.admin_people import AdminDeviceRow, PersonDetails, PersonRow
from node.sessions.state import BECAUSE_CHARS_MAX
from node.translator import amount_lazy, gettext_lazy, in_a_row
from node.units import AccountId, MacAddress, parse_mac, show_rate, show_volume

QUERY_CHARS_MAX = 300
"""Enough for a scanned voucher code with its URL."""
WAY_WORDS = {
    "terms": gettext_lazy("accepted the terms"),
    "voucher": gettext_lazy("voucher"),
    "passphrase": gettext_lazy("passphrase"),
    "card": gettext_lazy("membership card"),
    "introduction": gettext_lazy("a member said yes"),
}


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One account in the list."""

    row: PersonRow
    down: str
    up: str
    used_month: str
    since: str
    ways: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Accounts online, or the results of a search."""

    template = "people.html"
    frame: PageLayout
    query: FormView
    is_search: bool
    people: ListPage[PersonLine]
    blocked: int


@dataclass(frozen=True, slots=True)
class BlockedPage:
    """Blocked devices, with reasons."""

    template = "blocked.html"
    frame: PageLayout
    devices: ListPage[AdminDeviceRow]


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One account and its devices."""

    template = "person.html"
    frame: PageLayout
    person: PersonDetails
    line: PersonLine
    form: FormView
    notice: str
    """``blocked``, ``unblocked`` or empty."""
    has_ladders: bool = False
    """Whether the rules have a ladder."""

    def way(self, device: AdminDeviceRow) -> str:
        return WAY_WORDS[device.way] if device.way else ""


class PeopleViews:
    """Views for people."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._people = backend, backend.people

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/people", self._list),
            Route("POST", "/people", self._search),
            Route("GET", "/people/account", self._show),
            Route("GET", "/people/blocked", self._blocked),
            Route("POST", "/people/block", self._block),
            Route("POST", "/people/unblock", self._unblock),
        )

    async def _list(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._found(request, TypedForm({"q": request.query.get("q", "")}))

    async def _search(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """POST, because a voucher code is a secret and must not be in a URL."""
        return self._found(request, TypedForm(request.fields))

    def _found(self, request: AdminRequest, form: TypedForm) -> AdminResponse:
        query = form.line("q", QUERY_CHARS_MAX)
        found = self._people.find(query) if not form.errors else ()
        kept = "" if isinstance(read_code(query), Code) else query
        page = PeoplePage(
            frame=page_layout(request, self._backend.site(), "/people"),
            query=form.view(),
            is_search=bool(query),
            people=paginate(found, number_in(request.query, "page"), "/people", q=kept).turned(self._line),
            blocked=len(self._people.blocked()),
        )
        return AdminResponse(page, 422 if form.errors else 200)

    def _line(self, account: AccountId) -> PersonLine:
        return person_line(self._people.row(account))

    async def _blocked(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        rows = paginate(self._people.blocked(), number_in(request.query, "page"), "/people/blocked")
        return AdminResponse(BlockedPage(page_layout(request, self._backend.site(), "/people"), rows))

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._person(request, request.query.get("id", ""))

    def _person(
        self,
        request: AdminRequest,
        account: str,
        *,
        form: FormView | None = None,
        notice: str = "",
        status: int = 200,
    ) -> AdminResponse:
        person = self._people.person(account[:QUERY_CHARS_MAX], request.translations)
        if person is None:
            return not_there(
                gettext_lazy("There is no such account here."),
                gettext_lazy("Look for them by name or device."),
            )
        frame = page_layout(request, self._backend.site(), "/people")
        return AdminResponse(
            PersonPage(
                frame,
                person,
                person_line(person.row),
                form or FormView(),
                notice,
                self._backend.has_ladders(),
            ),
            status,
        )

    async def _block(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account, form = request.fields.get("account", ""), TypedForm(request.fields)
        wanted = gettext_lazy("Write a reason: the person will read it.")
        because = form.line("because", BECAUSE_CHARS_MAX, wanted=wanted)
        mac = self._mac(form)
        if not form.errors:
            wrong = await self._people.block(account, mac, because)
            form.take((wrong,) if wrong else (), "because")
        if form.errors:
            return self._person(request, account, form=form.view(), status=422)
        return self._person(request, account, notice="blocked")

    async def _unblock(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        mac = self._mac(form)
        if mac is None:
            return not_there(
                gettext_lazy("No device was chosen."), gettext_lazy("Use the button next to the device.")
            )
        wrong = await self._people.unblock(mac)
        if wrong is not None:
            return refused(wrong)
        account = request.fields.get("account", "")
        return (
            self._person(request, account, notice="unblocked")
            if account
            else AdminRedirect("/people/blocked")
        )

    def _mac(self, form: TypedForm) -> MacAddress | None:
        text = form.line("device")
        if not text:
            return None
        try:
            return parse_mac(text)
        except ValueError:
            form.refuse("device", gettext_lazy("Choose one of the devices, or all of them."))
            return None


def person_line(row: PersonRow) -> PersonLine:
    """Formats one row."""
    return PersonLine(
        row=row,
        down=amount_lazy(show_rate(row.rate.down)),
        up=amount_lazy(show_rate(row.rate.up)),
        used_month=amount_lazy(show_volume(row.used_month)),
        since="" if row.since_s is None else long_ago(row.since_s),
        ways=in_a_row(*(WAY_WORDS[way] for way in row.ways), between=", "),
    )

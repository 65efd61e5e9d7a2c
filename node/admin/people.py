"""People: accounts online, search, blocking a device with a reason, and unblocking."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.accounts.codes import Code, read_code
from node.accounts.messages import MESSAGE_CHARS_MAX, Message
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
from node.app.daily_usage import DayUse
from node.sessions.state import BECAUSE_CHARS_MAX
from node.translator import amount_lazy, gettext_lazy, in_a_row
from node.units import AccountId, MacAddress, Milliseconds, parse_mac, show_rate, show_volume

QUERY_CHARS_MAX = 300
"""Enough for a scanned voucher code with its URL."""
DEVICES_MAX = 100
PAUSES = (
    ("0", gettext_lazy("Until somebody unblocks it")),
    ("3600", gettext_lazy("For an hour")),
    ("14400", gettext_lazy("For 4 hours")),
    ("86400", gettext_lazy("For a day")),
    ("604800", gettext_lazy("For a week")),
)
"""Seconds of a block, and words."""
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
class DayLine:
    """Use of one day."""

    day: str
    total: str
    down: str
    up: str
    percent: int
    """Of the day with most."""


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One account and its devices."""

    template = "person.html"
    frame: PageLayout
    person: PersonDetails
    line: PersonLine
    form: FormView
    notice: str
    """``blocked``, ``paused``, ``unblocked``, ``extended``, ``taken back``, ``sent``, ``withdrawn`` or empty."""
    days: tuple[DayLine, ...] = ()
    """The last seven, the latest first; none without a decision of the community."""
    undo: str = ""
    """Why devices were blocked just now, and which."""
    has_ladders: bool = False
    """Whether the rules have a ladder."""
    message: Message | None = None
    """The last message to its people."""
    message_chars_max: int = MESSAGE_CHARS_MAX

    def way(self, device: AdminDeviceRow) -> str:
        return WAY_WORDS[device.way] if device.way else ""

    @property
    def could_have(self) -> tuple[str, str] | None:
        """Download and upload; None while the uplink is not shared."""
        rates = self.person.could_have
        return (
            None if rates is None else (amount_lazy(show_rate(rates.down)), amount_lazy(show_rate(rates.up)))
        )

    @property
    def bound_for(self) -> str:
        """For how long the rule has bound the account; empty without a session."""
        return "" if self.person.bound_s is None else long_ago(self.person.bound_s)

    def ends(self, device: AdminDeviceRow) -> str:
        """Time until the end of its session or block; empty for no end."""
        return "" if device.ends_s is None else long_ago(device.ends_s)

    @property
    def pauses(self) -> tuple[tuple[str, str], ...]:
        return PAUSES


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
            Route("POST", "/people/extend", self._extend),
            Route("POST", "/people/message", self._message),
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
        return await self._person(request, request.query.get("id", ""))

    async def _person(
        self,
        request: AdminRequest,
        account: str,
        *,
        form: FormView | None = None,
        notice: str = "",
        undo: str = "",
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
                day_lines(await self._people.days(person.row.account)),
                undo,
                self._backend.has_ladders(),
                self._backend.messages.of(person.row.account),
            ),
            status,
        )

    async def _block(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account, form = request.fields.get("account", ""), TypedForm(request.fields)
        wanted = gettext_lazy("Write a reason: the person will read it.")
        because = form.line("because", BECAUSE_CHARS_MAX, wanted=wanted)
        mac, before = self._mac(form), self._blocked_of(account)
        lasts_s = int(form.choice("lasts", [value for value, _ in PAUSES], "0"))
        if not form.errors:
            lasts_ms = Milliseconds(1000 * lasts_s) if lasts_s else None
            wrong = await self._people.block(account, mac, because, lasts_ms, by=request.signed)
            form.take((wrong,) if wrong else (), "because")
        if form.errors:
            return await self._person(request, account, form=form.view(), status=422)
        undo = f"{because}|{' '.join(sorted(self._blocked_of(account) - before))}"
        return await self._person(request, account, notice="paused" if lasts_s else "blocked", undo=undo)

    def _blocked_of(self, account: str) -> set[MacAddress]:
        name = AccountId(account[:QUERY_CHARS_MAX])
        return {device.mac for device in self._people.devices(name) if device.state == "blocked"}

    async def _extend(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account = request.fields.get("account", "")[:QUERY_CHARS_MAX]
        is_undo = request.fields.get("do") == "undo"
        change = self._people.take_back_extension if is_undo else self._people.extend
        wrong = await change(account, by=request.signed)
        if wrong is not None:
            return refused(wrong)
        return await self._person(request, account, notice="taken back" if is_undo else "extended")

    async def _message(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """Sends a message to the people of an account, or withdraws it."""
        account, form = request.fields.get("account", "")[:QUERY_CHARS_MAX], TypedForm(request.fields)
        if self._people.person(account) is None:
            return await self._person(request, account)  # 404
        messages = self._backend.messages
        if request.fields.get("do") == "withdraw":
            wrong = await messages.withdraw(request.signed, account, request.fields.get("shown", ""))
            return refused(wrong) if wrong else await self._person(request, account, notice="withdrawn")
        text = form.text("message", MESSAGE_CHARS_MAX, wanted=gettext_lazy("Write a few words."))
        if not form.errors:
            wrong = await messages.send(request.signed, account, text)
            form.take((wrong,) if wrong else (), "message")
        if form.errors:
            return await self._person(request, account, form=form.view(), status=422)
        return await self._person(request, account, notice="sent")

    async def _undo_block(self, request: AdminRequest) -> AdminResponse:
        """Unblocks the devices that were blocked together, except those that were blocked for another reason since."""
        account = request.fields.get("account", "")
        because, _, macs = request.fields.get("undo", "").rpartition("|")
        wanted = set(macs.split()[:DEVICES_MAX])
        for device in self._people.devices(AccountId(account[:QUERY_CHARS_MAX])):
            if device.state == "blocked" and device.mac in wanted and device.because == because:
                await self._people.unblock(device.mac, by=request.signed)
        return await self._person(request, account, notice="unblocked")

    async def _unblock(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        if "undo" in request.fields:
            return await self._undo_block(request)
        form = TypedForm(request.fields)
        mac = self._mac(form)
        if mac is None:
            return not_there(
                gettext_lazy("No device was chosen."), gettext_lazy("Use the button next to the device.")
            )
        wrong = await self._people.unblock(mac, by=request.signed)
        if wrong is not None:
            return refused(wrong)
        account = request.fields.get("account", "")
        return (
            await self._person(request, account, notice="unblocked")
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


def day_lines(days: Sequence[DayUse]) -> tuple[DayLine, ...]:
    """Formats days; each bar is relative to the day with most."""
    most = max((each.used.total for each in days), default=0)
    return tuple(
        DayLine(
            each.day,
            amount_lazy(show_volume(each.used.total)),
            amount_lazy(show_volume(each.used.down)),
            amount_lazy(show_volume(each.used.up)),
            each.used.total * 100 // most if most else 0,
        )
        for each in days
    )


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

"""Vouchers: issue, print, look up and revoke."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.accounts.appearance import WIFI_NAME_BYTES_MAX, Logo, logo_in, wifi_qr_text
from node.accounts.codes import TYPED_CHARS_MAX
from node.accounts.vouchers import (
    BATCH_MAX,
    DEVICES_MAX,
    LASTS_MAX,
    LASTS_MIN,
    NOTE_CHARS_MAX,
    Batch,
    VoucherState,
    VoucherView,
)
from node.admin.fields import FormView, ListPage, TypedForm, paginate
from node.admin.routes import (
    EVERYONE_SIGNED_IN,
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
from node.app.admin_vouchers import BatchLine, IssuedBatch, Span, VoucherOrder, batch_line, span
from node.app.issuer_grants import span_text
from node.characters import is_name
from node.config.model import SiteInfo
from node.errors import UNSTORED, Finding
from node.translator import gettext_lazy
from node.units import Milliseconds

BATCHES_A_PAGE = 20
GROUP_CHARS_MAX = 40
_UNIT_MS = {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000}
UNITS = (
    ("days", gettext_lazy("days")),
    ("hours", gettext_lazy("hours")),
    ("minutes", gettext_lazy("minutes")),
)
SIZES = (
    ("8", gettext_lazy("8 on a page, large")),
    ("12", gettext_lazy("12 on a page")),
    ("24", gettext_lazy("24 on a page, small")),
)
SLIPS_A_PAGE: Mapping[str, int] = {size: int(size) for size, _ in SIZES}
"""Sizes of a sheet of A4: two columns of four or six rows, or three columns of eight rows."""
SIZE_DEFAULT = "12"
_FRESH = {
    "count": "24",
    "lasts": "1",
    "unit": "days",
    "devices": "3",
    "group": "day-pass",
    "per_page": SIZE_DEFAULT,
}


@dataclass(frozen=True, slots=True)
class VouchersPage:
    """The order form, and every batch."""

    template = "vouchers.html"
    frame: PageLayout
    form: FormView
    idempotency_key: str
    groups: tuple[tuple[str, str], ...]
    code: FormView
    """The form to look up one voucher."""
    batches: ListPage[BatchLine]
    limits: str = ""
    """What an issuer may issue; empty for an admin."""
    is_shared: bool = False
    """Whether there are vouchers of other nodes."""
    count_max: int = BATCH_MAX
    sizes: tuple[tuple[str, str], ...] = SIZES
    units: tuple[tuple[str, str], ...] = UNITS


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One batch."""

    template = "batch.html"
    frame: PageLayout
    line: BatchLine
    revoked: int
    """Number of vouchers just revoked; -1 without a revocation."""
    restored: int
    """Number of vouchers just restored; -1 without a restoration."""
    is_printable: bool
    """By this session."""

    def count(self, state: VoucherState) -> int:
        return dict(self.line.counts)[state]


@dataclass(frozen=True, slots=True)
class VoucherPage:
    """One voucher, found by its code."""

    template = "voucher.html"
    frame: PageLayout
    voucher: VoucherView
    lasts: str
    code: str
    """As typed, so that the buttons act on the same voucher."""
    notice: str
    """``revoked``, ``restored`` or empty."""
    origin: str
    """The name of the other node that issued it; empty for this one."""

    @property
    def minutes_left(self) -> int:
        return -(-(self.voucher.seconds_left or 0) // 60)


class VouchersViews:
    """Views for vouchers, for admins and issuers."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._vouchers = backend, backend.vouchers

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/vouchers", self._show, EVERYONE_SIGNED_IN),
            Route("POST", "/vouchers", self._issue, EVERYONE_SIGNED_IN),
            Route("GET", "/vouchers/batch", self._batch, EVERYONE_SIGNED_IN),
            Route("POST", "/vouchers/batch", self._revoke_batch, EVERYONE_SIGNED_IN),
            Route("GET", "/vouchers/sheet", self._print_again, EVERYONE_SIGNED_IN),
            Route("POST", "/vouchers/code", self._voucher, EVERYONE_SIGNED_IN),
        )

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        site = self._backend.site()
        return self._page(request, FormView({**_FRESH, "lang": site.languages[0][0], "network": site.wifi}))

    async def _issue(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        site = self._backend.site()
        form = TypedForm(request.fields)
        layout = read_layout(form, site)
        idempotency_key, order = request.fields.get("ticket", ""), read_order(form)
        if form.errors:
            return self._page(request, form.view(), idempotency_key=idempotency_key, status=422)
        issued = await self._vouchers.issue(request.signed, order, request.cookie, idempotency_key)
        if isinstance(issued, tuple):
            form.take(issued, "count")
            # An issue that is not stored yet keeps its key, so that a repeated form returns it; otherwise the
            # form gets a new key.
            same = idempotency_key if any(finding.code == UNSTORED for finding in issued) else ""
            return self._page(request, form.view(), idempotency_key=same, status=422)
        return self._sheet(request, site, issued, layout, form)

    async def _print_again(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """GET, so that a reload, and another layout or language, need no form that issues."""
        site = self._backend.site()
        form, number = TypedForm(request.query), number_in(request.query, "number")
        layout = read_layout(form, site)
        found = self._vouchers.print_again(request.cookie, number)
        return (
            refused(found) if isinstance(found, Finding) else self._sheet(request, site, found, layout, form)
        )

    def _sheet(
        self,
        request: AdminRequest,
        site: SiteInfo,
        issued: IssuedBatch,
        layout: "SheetLayout",
        form: TypedForm,
    ) -> AdminResponse:
        page = SheetPage(
            frame=page_layout(request, site, "/vouchers"),
            sheet=make_sheet(issued, site, layout),
            batch=issued.batch,
            count=len(issued.codes),
            form=form.view(),
        )
        return AdminResponse(page, is_heavy=True)

    async def _batch(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._batch_page(request, number_in(request.query, "number"))

    async def _revoke_batch(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        number, back = number_in(request.fields, "number"), request.fields.get("do") == "restore"
        done = await self._vouchers.revoke_batch(request.signed, number, back=back)
        if isinstance(done, Finding):
            return refused(done)
        return self._batch_page(request, number, restored=done if back else -1, revoked=-1 if back else done)

    async def _voucher(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """POST, because codes are secrets and must not be in a URL."""
        form = TypedForm(request.fields)
        code = form.line("code", TYPED_CHARS_MAX, wanted=gettext_lazy("Write the code as printed."))
        do, notice = request.fields.get("do", ""), ""
        if do in {"revoke", "restore"} and not form.errors:
            wrong = await self._vouchers.revoke_voucher(request.signed, code, back=do == "restore")
            notice = "" if wrong else f"{do}d"
            form.take((wrong,) if wrong else (), "code")
        found = self._vouchers.find(request.signed, code) if not form.errors else None
        if isinstance(found, Finding):
            form.take((found,), "code")
        if not isinstance(found, VoucherView):
            return self._page(request, FormView(_FRESH), code=form.view(), status=422)
        frame = page_layout(request, self._backend.site(), "/vouchers")
        lasts, origin = span_text(found.batch.lasts_ms), self._vouchers.origin(found.batch)
        return AdminResponse(VoucherPage(frame, found, lasts, code, notice, origin))

    def _page(
        self,
        request: AdminRequest,
        form: FormView,
        *,
        idempotency_key: str = "",
        code: FormView | None = None,
        status: int = 200,
    ) -> AdminResponse:
        whole = paginate(
            self._vouchers.batches(request.signed),
            number_in(request.query, "page"),
            "/vouchers",
            size=BATCHES_A_PAGE,
        )
        grant = request.signed.may_issue
        page = VouchersPage(
            frame=page_layout(request, self._backend.site(), "/vouchers"),
            form=form,
            idempotency_key=idempotency_key or self._vouchers.idempotency_key(request.cookie),
            groups=groups_for(
                grant.groups if grant else self._vouchers.groups(), form, is_open=grant is None
            ),
            code=code or FormView(),
            batches=whole.turned(self._line),
            limits=grant.sentence if grant else "",
            is_shared=any(batch.origin is not None for batch in whole.rows),
        )
        return AdminResponse(page, status)

    def _batch_page(
        self, request: AdminRequest, number: int, *, revoked: int = -1, restored: int = -1
    ) -> AdminResponse:
        batch = next((each for each in self._vouchers.batches(request.signed) if each.number == number), None)
        if batch is None:
            return not_there(
                gettext_lazy("You have no batch {number}.", number=number),
                gettext_lazy("Choose one from the list of vouchers."),
            )
        frame = page_layout(request, self._backend.site(), "/vouchers")
        printable = self._vouchers.is_printable(request.cookie, number)
        return AdminResponse(BatchPage(frame, self._line(batch), revoked, restored, printable))

    def _line(self, batch: Batch) -> BatchLine:
        return batch_line(batch, self._vouchers.counts(batch.number), self._vouchers.origin(batch))


def read_order(form: TypedForm) -> VoucherOrder:
    """Parses an order; `form.errors` says what is wrong."""
    count = form.whole("count", 1, BATCH_MAX)
    other = form.line("other_group", GROUP_CHARS_MAX).lower()
    listed = form.line("group", GROUP_CHARS_MAX).lower()
    group, field = (other, "other_group") if other else (listed, "group")
    if not group:
        form.refuse(field, gettext_lazy("Write the name of the group that these people are in."))
    elif not is_name(group):
        form.refuse(field, gettext_lazy("Write small letters a-z, digits and hyphens, such as day-pass."))
    number, unit = form.whole("lasts", 1, 100_000), form.choice("unit", _UNIT_MS, "days")
    lasts = Milliseconds(number * _UNIT_MS[unit])
    if not LASTS_MIN <= lasts <= LASTS_MAX:
        form.refuse("lasts", gettext_lazy("Choose a time from 10 minutes to 400 days."))
    devices = form.whole("devices", 0, DEVICES_MAX)
    return VoucherOrder(count, group, lasts, devices, form.line("note", NOTE_CHARS_MAX))


# --- sheets for printing, each voucher with its code as text and as a QR code ---


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """How a batch is printed."""

    per_page: int
    network: str
    """Name of the Wi-Fi; empty for the community's."""
    lang: str


def read_layout(form: TypedForm, site: SiteInfo) -> SheetLayout:
    """Parses a layout; `form.errors` says what is wrong."""
    tags = [tag for tag, _ in site.languages]
    size = form.choice("per_page", tuple(SLIPS_A_PAGE), SIZE_DEFAULT)
    lang = form.choice("lang", tags, tags[0])
    network = form.line("network", WIFI_NAME_BYTES_MAX) or site.wifi
    form.values |= {"per_page": size, "lang": lang, "network": network} if not form.errors else {}
    return SheetLayout(SLIPS_A_PAGE[size], network, lang)


def groups_for(groups: Iterable[str], form: FormView, *, is_open: bool) -> tuple[tuple[str, str], ...]:
    """Groups to choose from: those of the rules or of a link; with `is_open` also that of a new form."""
    known = {*groups, *((_FRESH["group"],) if is_open else ())}
    chosen = {form.value("group")} - {""} if is_open else set()
    return tuple((group, group) for group in sorted(known | chosen))


@dataclass(frozen=True, slots=True)
class VoucherSlip:
    """One voucher on paper."""

    code: str
    address: str

    @property
    def qr_svg(self) -> str:
        """QR code of the URL, made when it is shown."""
        return qr_svg(self.address)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All pages of one batch, in the language of its users."""

    pages: tuple[tuple[VoucherSlip, ...], ...]
    per_page: int
    network: str
    passphrase: str
    """Of the Wi-Fi; empty for an open one."""
    portal: str
    """URL to type by hand, without ``http://``."""
    lasts: Span
    devices_max: int
    community: str
    lang: str
    logo: Logo | None

    @property
    def wifi_svg(self) -> str:
        """QR code that joins the Wi-Fi."""
        return qr_svg(wifi_qr_text(self.network, self.passphrase), css_class="")


@dataclass(frozen=True, slots=True)
class SheetPage:
    """The voucher codes as an admin page, for the session that issued them. Only the slips are printed."""

    template = "sheet.html"
    frame: PageLayout
    sheet: Sheet
    batch: Batch
    count: int
    form: FormView
    """Another layout of the same vouchers."""
    sizes: tuple[tuple[str, str], ...] = SIZES


@dataclass(frozen=True, slots=True)
class PrintedSheet:
    """The same as a separate document."""

    template = "sheet_alone.html"
    sheet: Sheet
    batch: Batch
    count: int


def make_sheet(issued: IssuedBatch, site: SiteInfo, layout: SheetLayout) -> Sheet:
    """Lays out `issued` on pages. Rendering a slip takes 3 ms."""
    slips = [VoucherSlip(code, f"{site.portal}/?code={code}") for code in issued.codes]
    network, size = layout.network or site.wifi, layout.per_page
    return Sheet(
        pages=tuple(tuple(slips[at : at + size]) for at in range(0, len(slips), size)),
        per_page=size,
        network=network,
        # Another Wi-Fi, as at another access point, has another password or none.
        passphrase=site.wifi_passphrase if network == site.wifi else "",
        portal=site.portal.partition("://")[2],
        lasts=span(issued.batch.lasts_ms),
        devices_max=issued.batch.devices_max,
        community=site.community,
        lang=layout.lang,
        logo=logo_in(site.logo),
    )


def qr_svg(text: str, css_class: str = "square", *, error: str = "m") -> str:
    """A QR code as SVG that fills its container; dark on light regardless of the page's colours. `error`: its error
    correction, ``l`` for long texts, whose squares would be too small."""
    # Imported only when needed: a small board prints vouchers once a week, and has little memory.
    import segno  # noqa: PLC0415

    code = segno.make(text, error=error, micro=False)
    picture = code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff", svgclass=css_class or None)
    return str(picture)

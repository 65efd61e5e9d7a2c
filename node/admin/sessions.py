"""Access: accounts and sessions of admins and issuers, new sign-in links, and the own passphrase."""

from dataclasses import dataclass, replace

from node.accounts.member_passphrases import PASSPHRASE_CHARS_MAX
from node.admin.fields import FormView, TypedForm
from node.admin.routes import (
    EVERYONE_SIGNED_IN,
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    page_layout,
)
from node.admin.vouchers import UNITS, qr_svg
from node.app.admin import AdminService
from node.app.admin_access import AdminSession, SignedIn, SignInRefused
from node.app.admin_accounts import PAIRING_DAYS, PASSPHRASE_CHARS_MIN, AdminAccount
from node.app.admin_sessions import LINK_LIFE, MARK_CHARS, NAME_CHARS_MAX, Signed, read_signed
from node.app.admin_vouchers import span
from node.app.issuer_grants import Grant, read_grant
from node.app.metrics_token import TokenState
from node.translator import as_sentence, gettext_lazy, ngettext_lazy

LIMIT_CHARS_MAX = 200
OWN_PAGE = "/passphrase"
# The first that fits: each browser also names those that it wants to be taken for.
_BROWSERS = (
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_USUAL = {
    "role": "issuer",
    "groups": ", ".join(Grant().groups),
    "lasts": str(span(Grant().lasts_max).number),
    "unit": f"{span(Grant().lasts_max).unit}s",
    "devices": str(Grant().devices_max),
    "per_day": str(Grant().per_day),
}
ROLE_WORDS = (
    ("issuer", gettext_lazy("issuer: vouchers and nothing else")),
    ("admin", gettext_lazy("admin: everything")),
)


@dataclass(frozen=True, slots=True)
class AccessPage:
    """All accounts and sessions, and the form for a new link."""

    template = "access.html"
    frame: PageLayout
    sessions: tuple[AdminSession, ...]
    accounts: tuple[AdminAccount, ...]
    form: FormView
    fingerprint: str
    """Of a self-signed certificate; empty without one."""
    metrics_token: TokenState
    metrics_url: str
    roles: tuple[tuple[str, str], ...] = ROLE_WORDS
    units: tuple[tuple[str, str], ...] = UNITS


@dataclass(frozen=True, slots=True)
class MetricsTokenPage:
    """A new token for metrics, shown once."""

    template = "metrics_token.html"
    frame: PageLayout
    token: str
    url: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class OwnPassphrasePage:
    """The form with which a person chooses the passphrase to sign in with."""

    template = "own_passphrase.html"
    frame: PageLayout
    form: FormView
    has_account: bool
    needs_current: bool
    days: int = PAIRING_DAYS
    chars_min: int = PASSPHRASE_CHARS_MIN


@dataclass(frozen=True, slots=True)
class LinkPage:
    """A new sign-in link, shown once."""

    template = "link.html"
    frame: PageLayout
    signed: Signed
    link: str
    minutes: int = LINK_LIFE // 60_000

    @property
    def qr_svg(self) -> str:
        """The QR code, made when it is shown."""
        return qr_svg(self.link)


class AccessViews:
    """Views for accounts, sessions and links."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._access = backend, backend.access

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/access", self._show),
            Route("POST", "/access", self._make),
            Route("POST", "/access/end", self._end),
            Route("POST", "/access/remove", self._remove),
            Route("POST", "/access/metrics", self._make_metrics_token),
            Route("POST", "/access/metrics/revoke", self._revoke_metrics_token),
            Route("GET", OWN_PAGE, self._own, EVERYONE_SIGNED_IN),
            Route("POST", OWN_PAGE, self._choose, EVERYONE_SIGNED_IN),
        )

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._page(request, FormView(_USUAL))

    def _page(self, request: AdminRequest, form: FormView, status: int = 200) -> AdminResponse:
        page = AccessPage(
            page_layout(request, self._backend.site(), "/access"),
            self._access.sessions(request.cookie),
            self._access.accounts(),
            form,
            self._backend.fingerprint(),
            self._backend.metrics_token.state,
            self._metrics_url(),
        )
        return AdminResponse(page, status)

    def _metrics_url(self) -> str:
        return f"{self._backend.address()}/metrics"

    async def _make_metrics_token(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        token = await self._backend.metrics_token.make(request.signed)
        frame = page_layout(request, self._backend.site(), "/access")
        return AdminResponse(MetricsTokenPage(frame, token, self._metrics_url(), self._backend.fingerprint()))

    async def _revoke_metrics_token(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        await self._backend.metrics_token.revoke(request.signed)
        return AdminRedirect("/access")

    async def _make(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        signed = read_wish(form)
        refused = None if signed is None else self._access.why_no_link(signed)
        if refused is not None:
            form.take([refused], "name")
        if signed is None or form.errors:
            return self._page(request, form.view(), 422)
        token, _ = await self._access.new_token(signed, by=request.signed)
        link = f"{request.origin}/sign-in?token={token}"
        return AdminResponse(
            LinkPage(page_layout(request, self._backend.site(), "/access"), signed, link), is_heavy=True
        )

    async def _end(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        mark = request.fields.get("mark", "")[: MARK_CHARS + 1]
        await self._access.end_session(mark, by=request.signed)
        return AdminRedirect("/access")

    async def _remove(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        name = request.fields.get("name", "")[: NAME_CHARS_MAX + 1]
        refused = await self._access.remove_account(name, by=request.signed)
        if refused is None:
            return AdminRedirect("/access")
        form = TypedForm({})
        form.take([refused], "accounts")
        return self._page(request, FormView(_USUAL, form.errors), 422)

    async def _own(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._own_page(request, FormView({"stays": "yes"}))

    def _own_page(self, request: AdminRequest, form: FormView, status: int = 200) -> AdminResponse:
        has_account = self._access.has_account(request.signed)
        page = OwnPassphrasePage(
            page_layout(request, self._backend.site(), OWN_PAGE),
            FormView({name: form.value(name) for name in ("name", "stays")}, form.errors),
            has_account,
            has_account and not self._access.is_by_link(request.cookie),
        )
        return AdminResponse(page, status)

    async def _choose(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        stays, name = form.flag("stays"), form.line("name", NAME_CHARS_MAX)
        passphrase, current = (
            request.fields.get(each, "")[: PASSPHRASE_CHARS_MAX + 1] for each in ("passphrase", "current")
        )
        if not form.errors:
            result = await self._access.set_passphrase(
                request.cookie, passphrase, current, name, request.client, stays=stays
            )
            if result is None:
                return AdminRedirect("/sign-in")
            if isinstance(result, SignedIn):
                await self._backend.signing.relock(request.signed.name, current, passphrase)
                return AdminRedirect("/", result)
            if isinstance(result, SignInRefused):
                form.refuse("current", wrong_passphrase(result.wait_s))
            else:
                form.take([result], result.code)
        return self._own_page(request, form.view(), 422)


def wrong_passphrase(wait_s: int) -> str:
    """Error for a name and passphrase that do not fit, or for too many attempts."""
    if not wait_s:
        return gettext_lazy("That name and passphrase do not belong together. Check both.")
    return ngettext_lazy(
        "Too many wrong attempts. Try again in {number} minute.",
        "Too many wrong attempts. Try again in {number} minutes.",
        -(-wait_s // 60),
    )


def browser_text(user_agent: str) -> str:
    """What a person recognizes a browser by, from its User-Agent (RFC 9110), such as ``Firefox, Android``; empty when
    it is none of the usual ones."""
    kinds = (
        next((name for mark, name in names if mark in user_agent), "") for names in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(kind for kind in kinds if kind)


def read_wish(form: TypedForm) -> Signed | None:
    """Parses the identity for a new link; None, with `form.errors`, when it is not valid."""
    role = form.choice("role", [name for name, _ in ROLE_WORDS], "issuer")
    name = form.line("name", NAME_CHARS_MAX)
    limits = {key: form.line(key, LIMIT_CHARS_MAX) for key in ("groups", "lasts", "devices", "per_day")}
    unit = form.choice("unit", [unit for unit, _ in UNITS], "days")
    limits["lasts"] = f"{limits['lasts']} {unit}" if limits["lasts"] else ""
    if form.errors:
        return None
    try:
        grant = read_grant(**limits) if role == "issuer" else None
    except ValueError as error:
        _refuse(form, next(key for key in limits if _is_wrong(key, limits[key])), error)
        return None
    try:
        return replace(read_signed(role, name), grant=grant)
    except ValueError as error:
        _refuse(form, "name", error)
        return None


def _refuse(form: TypedForm, field: str, error: ValueError) -> None:
    form.refuse(field, as_sentence(error.args[0]))


def _is_wrong(key: str, typed: str) -> bool:
    try:
        read_grant(**{**dict.fromkeys(("groups", "lasts", "devices", "per_day"), ""), key: typed})
    except ValueError:
        return True
    return False

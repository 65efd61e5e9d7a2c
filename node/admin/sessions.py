"""Access: sessions of admins and issuers, new sign-in links, and ending a session."""

from dataclasses import dataclass, replace

from node.admin.fields import FormView, TypedForm
from node.admin.routes import AdminRedirect, AdminRequest, AdminResponse, PageLayout, Route, page_layout
from node.admin.vouchers import UNITS, qr_svg
from node.app.admin import AdminService
from node.app.admin_sessions import LINK_LIFE, MARK_CHARS, NAME_CHARS_MAX, AdminSession, Signed, read_signed
from node.app.admin_vouchers import span
from node.app.issuer_grants import Grant, read_grant
from node.governance.translator import as_sentence, gettext_lazy

LIMIT_CHARS_MAX = 200
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
    """All sessions, and the form for a new link."""

    template = "access.html"
    frame: PageLayout
    sessions: tuple[AdminSession, ...]
    form: FormView
    roles: tuple[tuple[str, str], ...] = ROLE_WORDS
    units: tuple[tuple[str, str], ...] = UNITS

    def hours(self, session: AdminSession) -> int:
        """Hours until it expires, rounded up."""
        return -(-session.left // 3_600_000)


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
    """Views for sessions and links."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/access", self._show),
            Route("POST", "/access", self._make),
            Route("POST", "/access/end", self._end),
        )

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._page(request, FormView(_USUAL))

    def _page(self, request: AdminRequest, form: FormView, status: int = 200) -> AdminResponse:
        frame = page_layout(request, self._backend.site(), "/access")
        return AdminResponse(AccessPage(frame, self._backend.sessions(request.cookie), form), status)

    async def _make(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        signed = read_wish(form)
        if signed is None:
            return self._page(request, form.view(), 422)
        token = await self._backend.new_token(signed)
        link = f"{request.origin}/sign-in?token={token}"
        return AdminResponse(
            LinkPage(page_layout(request, self._backend.site(), "/access"), signed, link), is_heavy=True
        )

    async def _end(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        await self._backend.end_session(request.fields.get("mark", "")[: MARK_CHARS + 1])
        return AdminRedirect("/access")


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

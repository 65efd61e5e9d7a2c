"""Requests, responses and routes of the admin pages, and the roles that each route allows."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Literal

from node.app.admin_access import UNKNOWN_CLIENT, SignedIn, SignInClient
from node.app.admin_accounts import PAIRING_DAYS
from node.app.admin_sessions import ROLES, SESSION_LIFE, Role, Signed, csrf_token_for, label_text
from node.app.adoption_views import TrialView, WaitingView
from node.config.model import SiteInfo
from node.errors import Finding
from node.translator import ENGLISH, Translator, as_sentence, gettext_lazy
from node.web.language_choice import ENGLISH as ENGLISH_PAGES
from node.web.language_choice import Language
from node.web.rendering import SitePage

Method = Literal["GET", "POST"]
FILTERS = {"label": label_text}
"""Filters of the admin templates."""
ADMINS: frozenset[Role] = frozenset({"admin"})
EVERYONE_SIGNED_IN: frozenset[Role] = frozenset(ROLES)


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """One request of a signed-in person."""

    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    """Of the form that was sent; empty for GET."""
    cookie: str
    signed: Signed
    origin: str = ""
    """Origin in the browser's address bar: ``http://192.0.2.7:2081``."""
    translations: Translator = ENGLISH
    """In the language of the page."""
    language: Language = ENGLISH_PAGES
    client: SignInClient = UNKNOWN_CLIENT
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Fields of the form in which a file was chosen."""
    trial: TrialView | None = None
    """Rules that nobody has confirmed yet."""
    waiting: WaitingView | None = None
    """Rules that wait for their time or for approvals."""

    @property
    def csrf_token(self) -> str:
        return csrf_token_for(self.cookie)


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Layout data of every page behind the sign-in."""

    site: SiteInfo
    signed: Signed
    csrf_token: str
    """CSRF token for every form."""
    here: str
    """Path of the navigation entry that the page belongs to."""
    trial: TrialView | None = None
    """Rules that nobody has confirmed yet; None for who is no admin."""
    unapproved: WaitingView | None = None
    """Rules that more admins must approve; None for who is no admin."""

    @property
    def has_approved(self) -> bool:
        """Whether the person who reads the page has approved these rules, or proposed them."""
        return self.unapproved is not None and self.unapproved.is_approved_by(self.signed.label)


@dataclass(frozen=True, slots=True)
class LanguageSwitch:
    """The choice of language on every page."""

    offered: tuple[Language, ...]
    back: str
    """Path to return to, with its query."""
    csrf_token: str
    """CSRF token of the session; empty without one."""


@dataclass(frozen=True, slots=True)
class AdminResponse:
    """A page to render."""

    page: SitePage
    status: int = 200
    is_heavy: bool = False
    """Rendering takes long: done in a thread."""
    refresh_s: int = 0
    """Value of Refresh in seconds; 0 for none. Only at the user's request: after a reload, a screen reader
    starts at the top again."""


@dataclass(frozen=True, slots=True)
class AdminRedirect:
    """Redirect after a successful POST."""

    where: str
    """Path of an admin page, with its query."""
    signed_in: SignedIn | None = None
    """A session that replaces the present one."""


@dataclass(frozen=True, slots=True)
class AdminDownload:
    """A file for the browser to save (RFC 6266)."""

    name: str
    """In ASCII, without quotes."""
    content: IO[bytes] | Callable[[], IO[bytes]] | AsyncIterator[bytes]
    """Closed when it was sent; what makes it is called in a thread. Or its parts, which are made while they are sent."""
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class AdminPicture:
    """A picture, which the browser keeps for a while; drawn in a thread."""

    draw: Callable[[], bytes]
    media_type: str
    fresh_s: int
    """For how long it need not be asked for again."""
    is_open: bool = False
    """Whether everybody may see it, if the settings open plots."""


NOBODY = Signed("issuer")
"""For what is open to everybody: signed in as nobody, and no admin."""

Answer = AdminResponse | AdminRedirect | AdminDownload | AdminPicture
Answerer = Callable[[AdminRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path."""

    method: Method
    path: str
    answer: Answerer
    roles: frozenset[Role] = ADMINS
    """All other roles get 403."""
    is_open: bool = False
    """Whether everybody may see it, if the node's settings open plots to everybody."""


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The button behind a sign-in link, or the form for name and passphrase."""

    template = "signin.html"
    token: str = ""
    """Empty when there is nothing to redeem."""
    is_refused: bool = False
    """The link no longer works."""
    name: str = ""
    error: str = ""
    """Why signing in by name and passphrase failed."""
    days: int = PAIRING_DAYS
    hours: int = SESSION_LIFE // 3_600_000


@dataclass(frozen=True, slots=True)
class TroublePage:
    """An error page: what went wrong, and what to do."""

    template = "trouble.html"
    title: str
    message: str
    fix: str


def page_layout(request: AdminRequest, site: SiteInfo, here: str) -> PageLayout:
    """Layout data for the response to `request`."""
    if request.signed.role != "admin":
        return PageLayout(site, request.signed, request.csrf_token, here)
    unapproved = request.waiting if request.waiting is not None and request.waiting.missing else None
    return PageLayout(site, request.signed, request.csrf_token, here, request.trial, unapproved)


def not_there(message: str, fix: str) -> AdminResponse:
    """404: the number or name in the request does not exist."""
    return AdminResponse(TroublePage(gettext_lazy("Not found"), message, fix), 404)


def not_allowed() -> AdminResponse:
    """403: only admins may see or do it, and the person is signed in as something else."""
    page = TroublePage(
        gettext_lazy("Not allowed"),
        gettext_lazy("You are signed in to issue vouchers only."),
        gettext_lazy("Ask an admin to do it or to give you another link."),
    )
    return AdminResponse(page, 403)


def refused(finding: Finding) -> AdminResponse:
    """404 with the message of a finding."""
    return not_there(finding.message, as_sentence(finding.fix))


def number_in(query: Mapping[str, str], name: str) -> int:
    """An integer of at most nine digits; 0 without one."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0

"""Pages before authorization: the splash page, the wait for a sponsor, the choice of a device to
disconnect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape

from captive_portal import forms, page_notices
from captive_portal.page_notices import PageNotice, Service, paragraphs
from captive_portal.request_context import CHOICE, PageContext, PortalPage, RequestContext, Word
from node.accounts.appearance import WelcomeText
from node.accounts.notices import Notice
from node.app.views import CommunityView, DeviceView, Full, GuestView, Outage, RefusalReason, Refused
from node.governance.rules import Way
from node.lan.mdns_services import ServiceView
from node.units import MacAddress

SPLASH_TERMS_BYTES_MAX = 640
"""Longer terms have a page of their own; the first page shows the beginning."""
SPLASH_TEXTS_BYTES_MAX = 720
"""Of the terms, the sentence of welcome and what is told of an outage together: long ones cut the terms earlier."""
UNTIL_BYTES_MAX = 120
"""Of the sentence that says until when an outage may last."""
SPLASH_BYTES_MAX = 14_000
"""HTML and CSS together: fits into the initial congestion window of ten packets, and captive mini-browsers
accept it."""
FULL_DEVICES_MAX = 50
LOOK_AGAIN_S = 5


@dataclass(frozen=True, slots=True)
class Typed:
    """Values as typed, to fill the form again. Never a passphrase."""

    code: str = ""
    card: str = ""
    account: str = ""
    host: str = ""
    name: str = ""
    text: str = ""
    """Of an objection that was begun before the session ended."""


NOTHING = Typed()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one join method failed."""

    way: Way
    reason: RefusalReason
    wait_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Splash:
    """The splash page: the network, its terms, and every join method that the rules allow."""

    template = "splash.html"
    place: PageContext
    ways: tuple[Way, ...]
    terms: tuple[str, ...]
    terms_cut: bool
    terms_language: str
    terms_version: str
    token: str
    word: Word = ""
    typed: Typed = NOTHING
    failure: Failure | None = None
    welcome: WelcomeText | None = None
    """The community's sentence in the language of the page; None for that of Procomú."""
    notices: tuple[PageNotice, ...] = ()
    services: tuple[Service, ...] = ()
    is_admitted: bool = False
    secure_at: str = ""
    """https URL of the page for a passphrase or card; empty when it is this page."""
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """The device waits for a member's approval. The browser reloads the page until there is an answer."""

    template = "asking.html"
    place: PageContext
    host: str
    name: str
    sign: str
    seconds_left: int
    token: str
    is_still: bool = False
    """Without reloading: a screen reader would start each page again."""
    is_old: bool = False
    """The previous page was open for too long."""


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """The account has reached its device limit: the user chooses a device to disconnect. Credentials were
    checked already, and a passphrase is never written into a page."""

    template = "full.html"
    place: PageContext
    action: str
    hidden: tuple[tuple[str, str], ...]
    """Fields of the first attempt, to be sent again."""
    devices: tuple[DeviceView, ...]
    devices_max: int
    token: str


ACTIONS: Mapping[Way, str] = {
    "terms": "/join/terms",
    "voucher": "/join/code",
    "passphrase": "/join/passphrase",
    "card": "/join/card",
    "introduction": "/ask",
}
"""Path to which the form of each method is sent."""


def splash(
    context: RequestContext, word: Word = "", typed: Typed = NOTHING, failure: Failure | None = None
) -> Splash:
    view, language = context.community, context.page_language.language.tag
    found = page_notices.terms_text(view, language, context.words)
    welcome = page_notices.welcome_text(view, language)
    room = SPLASH_TEXTS_BYTES_MAX - (0 if welcome is None else len(welcome.text.encode()))
    room = max(0, room - outage_bytes(view.outage))
    text = paragraphs(found.text, min(SPLASH_TERMS_BYTES_MAX, room))
    return Splash(
        context.place(),
        view.ways,
        text.paragraphs,
        text.cut,
        found.language,
        view.terms_version,
        context.token(forms.JOIN),
        word,
        typed,
        failure,
        welcome,
        page_notices.short_page_notices(context.backend.notices(context.mac), language),
        page_notices.services_shortly(context.backend.services()),
        context.guest().state == "admitted",
        context.typed_at("/ways"),
        view.outage,
    )


def outage_bytes(outage: Outage | None) -> int:
    """What an admin tells of an outage takes so much of the page."""
    if outage is None:
        return 0
    return len(escape(outage.known_to).encode()) + (UNTIL_BYTES_MAX if outage.until is not None else 0)


def word_for(guest: GuestView) -> Word:
    """The message with which a device without authorization is greeted."""
    if guest.comes_back:
        return "known"
    if guest.went_unanswered:
        return "unanswered"
    if guest.state != "expired":
        return ""
    return "code-over" if guest.way == "voucher" else "expired"


def begun(context: RequestContext) -> Typed:
    """Values from the URL, as in the QR code of a voucher or card."""
    return Typed(context.query.get("code", ""), context.query.get("card", ""))


def failure(way: Way, refused: Refused) -> Failure:
    return Failure(way, refused.reason, refused.wait_minutes)


def asking(context: RequestContext, guest: GuestView) -> Asking | None:
    """None while the device has no sponsor request."""
    request = guest.asked_for
    if request is None:
        return None
    return Asking(
        context.place(),
        request.host,
        request.name,
        request.sign,
        request.seconds_left,
        context.token(forms.LEAVE),
        "still" in context.query,
    )


def make_room(context: RequestContext, way: Way, form: forms.Form, full: Full) -> MakeRoom:
    kept = ("terms", "code", "card", "account")
    hidden = [(name, form[name]) for name in kept if name in form]
    hidden += [("passphrase", "")] if "passphrase" in form else []
    return MakeRoom(
        context.place(),
        ACTIONS[way],
        tuple(hidden),
        full.devices[:FULL_DEVICES_MAX],
        full.devices_max,
        context.token(forms.JOIN),
    )


# --- cache of the splash page: rendered once, with placeholders for each device's tokens ---

SPLASHES_MAX = 64
"""Languages times messages, over http and https."""
DEVICES_MAX = 1_024
_MARK, _CHOICE = "\ue000token\ue000", CHOICE.encode()


@dataclass(frozen=True, slots=True)
class _Made:
    """One rendered page, split at its tokens, and its inputs."""

    community: CommunityView
    notices: tuple[Notice, ...]
    services: tuple[ServiceView, ...]
    pieces: tuple[bytes, ...]
    """Parts between the join tokens, up to the last one."""
    before: bytes
    """Up to the language token, if there is one."""
    after: bytes | None


class SplashCache:
    """Returns the same bytes as rendering `splash`."""

    def __init__(self, render: Callable[[PortalPage, str], bytes]) -> None:
        self._render = render
        self._made: dict[tuple[str, Word, bool], _Made] = {}
        self._minute: forms.Tokens | None = None
        self._signed: dict[MacAddress, tuple[bytes, bytes]] = {}

    def body(self, context: RequestContext, word: Word) -> bytes:
        """The page for a device without authorization and without query fields."""
        notices, services = context.backend.notices(context.mac), context.backend.services()
        key = (context.page_language.language.tag, word, context.is_secure)
        made = self._made.get(key)
        if (
            made is None
            or made.community is not context.community
            or made.notices != notices
            or made.services != services
        ):
            page = replace(splash(context, word), token=_MARK)
            made = _cut(context.community, notices, services, self._render(page, page.place.lang))
            if len(self._made) >= SPLASHES_MAX:
                self._made.clear()
            self._made[key] = made
        join, choice = self._tokens(context)
        last = made.before if made.after is None else b"%b%b%b" % (made.before, choice, made.after)
        return join.join((*made.pieces, last))

    def _tokens(self, context: RequestContext) -> tuple[bytes, bytes]:
        """A device loads the page several times: its tokens are computed once a minute."""
        if context.tokens is not self._minute or len(self._signed) >= DEVICES_MAX:
            self._minute, self._signed = context.tokens, {}
        signed = self._signed.get(context.device)
        if signed is None:
            signed = context.token(forms.JOIN).encode(), context.token(forms.LANGUAGE).encode()
            self._signed[context.device] = signed
        return signed


def _cut(
    community: CommunityView, notices: tuple[Notice, ...], services: tuple[ServiceView, ...], page: bytes
) -> _Made:
    """Splits at the tokens. The language selector is in the footer, after all join forms."""
    above, choice, after = page.partition(_CHOICE)
    *pieces, before = above.split(_MARK.encode())
    return _Made(community, notices, services, tuple(pieces), before, after if choice else None)

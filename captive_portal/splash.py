"""Pages before authorization: the splash page, the wait for a sponsor, the choice of a device to
disconnect."""

from collections.abc import Mapping
from dataclasses import dataclass

from captive_portal import forms, page_notices
from captive_portal.page_context import PageContext, paragraphs
from captive_portal.page_notices import PageNotice, Service
from captive_portal.request_context import RequestContext, Word
from node.app.views import DeviceView, Full, GuestView, Outage, RefusalReason, Refused
from node.governance.rules import Way

SPLASH_TERMS_BYTES_MAX = 640
"""Longer terms have a page of their own; the first page shows the beginning."""
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
    text = paragraphs(found.text, SPLASH_TERMS_BYTES_MAX)
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
        page_notices.short_page_notices(context.backend.notices(context.mac), language),
        page_notices.services_shortly(context.backend.services()),
        context.guest().state == "admitted",
        context.typed_at("/ways"),
        view.outage,
    )


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
    asked = guest.asked_for
    if asked is None:
        return None
    return Asking(
        context.place(),
        asked.host,
        asked.name,
        asked.sign,
        asked.seconds_left,
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

"""The pages before somebody is in: the ways to come in, the wait for a member's yes, the choice of who makes room."""

from collections.abc import Mapping
from dataclasses import dataclass

from captive_portal import forms, page_notices
from captive_portal.page_context import SENTENCE_CHARACTERS_MAX, PageContext, paragraphs
from captive_portal.page_notices import PageNotice, Service
from captive_portal.ports import DeviceView, Full, GuestView, Outage, RefusalReason, Refused
from captive_portal.request_context import RequestContext, Word
from node.governance.join_methods import Way

SPLASH_TERMS_BYTES_MAX = 640
"""Longer terms stand on a page of their own, and the first page shows their beginning."""
SPLASH_BYTES_MAX = 14_000
"""HTML and CSS together: what fits into the first ten packets, and what a mini-browser takes."""
FULL_DEVICES_MAX = 50
LOOK_AGAIN_S = 5


@dataclass(frozen=True, slots=True)
class Typed:
    """What the person wrote, so that nobody has to write it twice. Never a passphrase."""

    code: str = ""
    card: str = ""
    account: str = ""
    host: str = ""
    name: str = ""
    text: str = ""
    """Of a contest, from who was in when it was begun."""


NOTHING = Typed()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one way did not lead in."""

    way: Way
    reason: RefusalReason
    detail: str = ""
    rule: str = ""
    wait_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Splash:
    """The first page: who we are, what we ask, and every way in that the rules open."""

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
    """The page by https on which a passphrase or card may be typed; empty for this one."""
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """The device waits for a member's yes. The browser asks again by itself, until the answer is there."""

    template = "asking.html"
    place: PageContext
    host: str
    name: str
    sign: str
    seconds_left: int
    token: str
    is_still: bool = False
    """It does not: whoever has pages read aloud would hear each one begin again."""
    is_old: bool = False
    """The page before was open for too long."""


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """The account has as many devices on as it may: one of them makes room. Who they are was shown already, and a
    passphrase stands on no page of ours."""

    template = "full.html"
    place: PageContext
    action: str
    hidden: tuple[tuple[str, str], ...]
    """Fields of the first attempt, to be sent once more."""
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
"""Where the form of each way is sent."""


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
    """What a device that is not admitted should hear first."""
    if guest.comes_back:
        return "known"
    if guest.went_unanswered:
        return "unanswered"
    if guest.state != "expired":
        return ""
    return "code-over" if guest.way == "voucher" else "expired"


def begun(context: RequestContext) -> Typed:
    """What the address brought along, as the QR code of a voucher or a card does."""
    return Typed(context.query.get("code", ""), context.query.get("card", ""))


def failure(way: Way, refused: Refused) -> Failure:
    return Failure(
        way,
        refused.reason,
        refused.detail[:SENTENCE_CHARACTERS_MAX],
        refused.rule or "",
        refused.wait_minutes,
    )


def asking(context: RequestContext) -> Asking | None:
    """None while the device asks nobody."""
    asked = context.guest().asked_for
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

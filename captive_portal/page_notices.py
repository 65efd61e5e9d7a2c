"""Texts of the community, its notices and local services, prepared for a page: in one language, and cut to the size that
a page may have.

They are passed unchanged otherwise: the templates escape them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Protocol

from node.accounts.appearance import WelcomeText
from node.accounts.notices import Notice
from node.accounts.terms import TermsText
from node.app.views import CommunityView
from node.lan.mdns_services import ServiceView
from node.translator import Translator
from node.web.language_choice import lookup

SHORT_NOTICES_MAX = 2
SHORT_TEXT_BYTES_MAX, SHORT_LINES_MAX = 300, 8
"""Of a notice on the first page; the notices page shows all of it."""
SHORT_NODE_BYTES_MAX, SHORT_TOLD_TEXT_BYTES_MAX = 60, 160
"""Of the name of the node that says it; and of its text, so that such a notice takes at most as much of the page as one of
this node."""
SHORT_SERVICES_MAX = 4
NOTICES_MAX = 50
SERVICES_MAX = 60
SERVICE_NAME_BYTES_MAX = 80
SERVICE_ABOUT_BYTES_MAX = 400
_ELLIPSIS = " …"

_ADDRESS = re.compile(r"https?://[A-Za-z0-9\[][A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]{0,250}")


class Spoken(Protocol):
    """A text in one language."""

    @property
    def language(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PageNotice:
    """One notice, in one language."""

    title: str
    text: str
    language: str
    is_urgent: bool
    is_cut: bool
    last_day: str
    """ISO date, or empty."""
    node: str = ""
    """Name of the other node that says it."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service; `url` is empty when it is not a valid http or https URL."""

    name: str
    url: str
    about: str
    is_configured: bool


def in_language[T: Spoken](texts: Sequence[T], language: str) -> T:
    """The text in this language, or the first. There must be one."""
    found = lookup([text.language for text in texts], language)
    return next((text for text in texts if text.language == found), texts[0])


def terms_text(view: CommunityView, language: str, words: Translator) -> TermsText:
    """The terms in force, in this language if the community wrote them in it or uses the default terms."""
    found = in_language(view.terms_texts, language)
    translation = words.gettext(found.text)
    return found if translation == found.text else TermsText(language, translation)


def welcome_text(view: CommunityView, language: str) -> WelcomeText | None:
    """The community's sentence of welcome in this language, if it wrote one: a sentence in another language would welcome
    fewer people than the translated one of Procomú."""
    texts = view.appearance.welcome
    found = lookup([text.language for text in texts], language)
    return next((text for text in texts if text.language == found), None)


def page_notices(notices: Sequence[Notice], language: str) -> tuple[PageNotice, ...]:
    """Complete notices, for the notices page."""
    return tuple(_complete(each, language) for each in _chosen(notices, NOTICES_MAX))


def short_page_notices(notices: Sequence[Notice], language: str) -> tuple[PageNotice, ...]:
    """The most urgent and newest, shortened, for other pages."""
    return tuple(_short(_complete(each, language)) for each in _chosen(notices, SHORT_NOTICES_MAX))


def _chosen(notices: Sequence[Notice], most: int) -> list[Notice]:
    """The first ones. Those of other nodes, which may all be urgent, leave half of the places to those of this node."""
    own = sum(not each.node for each in notices)
    told, chosen = max(most // 2, most - own), []
    for each in notices:
        if each.node:
            told -= 1
        if not each.node or told >= 0:
            chosen.append(each)
    return chosen[:most]


def _complete(notice: Notice, language: str) -> PageNotice:
    text = in_language(notice.texts, language)
    return PageNotice(
        text.title,
        text.text,
        text.language,
        notice.is_urgent,
        is_cut=False,
        last_day=notice.last_day,
        node=notice.node,
    )


def _short(notice: PageNotice) -> PageNotice:
    most = SHORT_TOLD_TEXT_BYTES_MAX if notice.node else SHORT_TEXT_BYTES_MAX
    lines = notice.text.splitlines()
    text = _shortened_html("\n".join(lines[:SHORT_LINES_MAX]), most)
    return replace(
        notice,
        title=_shortened_html(notice.title, SHORT_TEXT_BYTES_MAX // 3),
        text=text,
        is_cut=len(lines) > SHORT_LINES_MAX or text.endswith(_ELLIPSIS),
        node=_shortened_html(notice.node, SHORT_NODE_BYTES_MAX),
    )


def services_shortly(found: Sequence[ServiceView]) -> tuple[Service, ...]:
    """Configured services only: a discovered one must not advertise itself where people type codes."""
    return services([service for service in found if service.is_configured], SHORT_SERVICES_MAX)


def services(found: Sequence[ServiceView], most: int = SERVICES_MAX) -> tuple[Service, ...]:
    """Configured services first. A URL that is not http or https gives no link."""
    ordered = sorted(found, key=lambda service: not service.is_configured)[:most]
    return tuple(
        Service(
            shortened(service.name, SERVICE_NAME_BYTES_MAX),
            service.url if _ADDRESS.fullmatch(service.url) else "",
            shortened(service.about, SERVICE_ABOUT_BYTES_MAX),
            service.is_configured,
        )
        for service in ordered
    )


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs of a free text, complete or cut."""

    paragraphs: tuple[str, ...] = field(default=())
    cut: bool = False


def shortened(text: str, bytes_max: int) -> str:
    """The beginning of a text with an ellipsis, cut between words where possible."""
    if len(text.encode()) <= bytes_max:
        return text
    return _cut(text.encode()[:bytes_max].decode(errors="ignore"))


def _shortened_html(text: str, bytes_max: int) -> str:
    """As `shortened`; the limit is that of the text as a template writes it, where a quotation mark takes six bytes."""
    room = bytes_max
    for at, each in enumerate(text):
        room -= len(escape(each).encode())
        if room < 0:
            return _cut(text[:at])
    return text


def _cut(text: str) -> str:
    return f"{text.rpartition(' ')[0] or text}{_ELLIPSIS}"


def paragraphs(text: str, bytes_max: int) -> Text:
    """Splits a text at blank lines; cuts between words where the language has spaces.

    The limit is in bytes of UTF-8, because a page must be small in every script.
    """
    kept: list[str] = []
    room = bytes_max
    for block in text.split("\n\n"):
        words = " ".join(block.split())
        if not words:
            continue
        if len(words.encode()) > room:
            return Text((*kept, shortened(words, room)), cut=True)
        kept.append(words)
        room -= len(words.encode())
    return Text(tuple(kept))

"""Request context: one HTTP request with its client and language, and the possible outcomes with their header fields:
no caching, and a strict Content-Security-Policy."""

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol
from urllib.parse import urlencode

from captive_portal import forms
from captive_portal.capport import CACHE_CONTROL
from captive_portal.page_notices import shortened
from node.accounts.appearance import Appearance
from node.app.account import AccountService
from node.app.views import CommunityView, GuestView
from node.governance.sentences import describe
from node.translator import ENGLISH, Translator
from node.units import MacAddress
from node.web.language_choice import ENGLISH_ONLY, Direction, Language, LanguageChooser, PageLanguage
from node.web.rendering import SitePage

Fields = tuple[tuple[str, str], ...]
"""HTTP header fields of a response."""

Word = Literal["", "expired", "code-over", "known", "unanswered", "terms-changed", "stale", "old", "out"]
"""Message at the top of the first page: what has just happened, or that the device is already known."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """Layout data that every page shares."""

    community: str
    node: str
    host: str
    contact: str
    contact_link: str
    """A ``mailto:`` or ``https:`` link; empty when the contact is plain text."""
    lang: str = "en"
    direction: Direction = "ltr"
    languages: tuple[Language, ...] = ()
    """For the language selector, with the present one; empty when there is no choice."""
    path: str = "/"
    """Target of the language selector: this page with its allowed query fields, if it can be fetched with
    GET."""
    choice: str = ""
    """`CHOICE` for a device on the LAN, whose choice is remembered; empty for other clients, which get
    links."""
    wifi: str = ""
    """Name of the Wi-Fi; empty while the community has not stated one."""
    style: str = ""
    """A style sheet with the community's accent colours; empty for Procomú's own."""
    logo: str = ""
    """Path of the community's logo; empty for Procomú's own."""
    logo_width: int = 0
    """At the height of `LOGO_HEIGHT`, in CSS pixels."""


LOGO_PATH, LOGO_HEIGHT, LOGO_WIDTH_MAX = "/logo", 44, 176
"""A wider logo is shown less high."""


class PortalPage(SitePage, Protocol):
    """A page of the portal."""

    @property
    def place(self) -> PageContext: ...


@dataclass(frozen=True, slots=True)
class PageResponse:
    """A page; `retry_s` is the value of Retry-After in seconds, 0 for none."""

    page: PortalPage
    status: int = 200
    retry_s: int = 0
    refresh_s: int = 0
    """Value of Refresh in seconds; 0 for none."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect to another page of the portal with a new GET: mini-browsers check connectivity after that."""

    path: str


@dataclass(frozen=True, slots=True)
class Download:
    """A document for programs, or a picture; with `file_name` it is saved as a file."""

    body: bytes
    content_type: str
    file_name: str = ""
    is_lasting: bool = False
    """Its URL changes with its content: browsers may keep it for a year."""


@dataclass(frozen=True, slots=True)
class SplashResponse:
    """The first page for a device without authorization, from the cache."""

    word: Word


@dataclass(frozen=True, slots=True)
class LanguageChange:
    """Redirects to `back`, or to the first page when that is no page of the portal, in this language."""

    tag: str
    back: str
    is_remembered: bool = True
    """For the device; else the language is that of one page."""


Outcome = PageResponse | Redirect | Download | SplashResponse | LanguageChange


@dataclass(frozen=True)  # no slots: the language is computed once, and only for a response that has one
class RequestContext:
    """One request of a device on the LAN, or of another client."""

    backend: AccountService
    mac: MacAddress | None
    """None for a client that is not on the LAN; it can only read public pages."""
    community: CommunityView
    tokens: forms.Tokens
    languages: LanguageChooser
    accept_language: str = ""
    """The header field of the browser."""
    path: str = "/"
    """Of the page that is requested; the first page for actions."""
    query: Mapping[str, str] = field(default_factory=dict)
    translations_for: Callable[[str], Translator] = lambda _tag: ENGLISH
    """Translations of a language tag."""
    is_secure: bool = False
    """The request came over TLS."""
    is_disputed: bool = False
    """Two devices claim the client's address; then `mac` is None."""

    @property
    def device(self) -> MacAddress:
        """The device of the client; only for pages that need one."""
        assert self.mac is not None
        return self.mac

    @cached_property
    def page_language(self) -> PageLanguage:
        community = self.community
        return self.languages.language_for(
            self.mac,
            self.accept_language,
            own=community.language,
            shown=community.languages,
            chosen=self.query.get("lang", ""),
        )

    @property
    def words(self) -> Translator:
        """Translations of the page language."""
        return self.translations_for(self.page_language.language.tag)

    def guest(self) -> GuestView:
        return self.backend.guest(self.device)

    def place(self) -> PageContext:
        brought = {name: self.query[name] for name in forms.KEPT_FIELDS if name in self.query}
        path = f"{self.path}?{urlencode(brought)}" if brought else self.path
        return page_context(self.community, self.page_language, path, choice=CHOICE if self.mac else "")

    def typed_at(self, path: str) -> str:
        """https URL of the page for a passphrase or card; empty when it is this page. Where clients trust the
        certificate, credentials that last longer than a day are not sent in clear text."""
        base = self.community.portal_url.rstrip("/")
        return "" if self.is_secure or not base else f"{base}{path}"

    def rules(self) -> tuple[str, ...]:
        """The rules in force, one sentence each, in the page language; where there are several lines, first which is this
        node's."""
        own, sentences = self.community.own_rules, describe(self.community.ruleset, self.words)
        if not own.uplinks:
            return sentences
        here = self.words.gettext("Here people use the line {name}.")
        return (here.format(name=own.uplink_name), *sentences)

    def token(self, purpose: str) -> str:
        return self.tokens.token(purpose, self.device)


LASTING = "public, max-age=31536000, immutable"
"""Value of Cache-Control (RFC 9111, RFC 8246): one year."""


def page_fields(lang: str, policy: str) -> Fields:
    """Header fields of a page in this language; `policy` is its Content-Security-Policy."""
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Language", lang),
        ("Vary", "Accept-Language"),
        ("Content-Security-Policy", policy),
        # Not "no-referrer": browsers would then send "Origin: null" with the portal's own forms.
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cache-Control", "no-store"),
    )


def document_fields(document: Download) -> Fields:
    """Header fields of a document for programs, of a picture, or of a file to save."""
    fields: Fields = (
        ("Content-Type", document.content_type),
        ("Cache-Control", LASTING if document.is_lasting else CACHE_CONTROL),
        ("X-Content-Type-Options", "nosniff"),
    )
    if not document.file_name:
        return fields
    return (*fields, ("Content-Disposition", f'attachment; filename="{document.file_name}"'))


# --- header and footer of every page ---

NAME_BYTES_MAX = 120
CONTACT_BYTES_MAX = 200
SENTENCE_CHARACTERS_MAX = 400
_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_WEB = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]*")
CHOICE = "\ue000language\ue000"
"""Placeholder for the device's language token: so pages that are the same for all clients are rendered
once."""


def page_context(
    view: CommunityView, page_language: PageLanguage = ENGLISH_ONLY, path: str = "/", *, choice: str = ""
) -> PageContext:
    contact, logo = shortened(view.contact, CONTACT_BYTES_MAX), view.logo
    return PageContext(
        shortened(view.community, NAME_BYTES_MAX),
        shortened(view.node, NAME_BYTES_MAX),
        view.portal_host,
        contact,
        contact_link(contact),
        page_language.language.tag,
        page_language.language.direction,
        page_language.offered if len(page_language.offered) > 1 else (),
        path,
        choice,
        view.appearance.wifi_name,
        view.style,
        logo_path(view.appearance),
        0 if logo is None else min(LOGO_WIDTH_MAX, round(logo.width * LOGO_HEIGHT / logo.height)),
    )


def logo_path(appearance: Appearance) -> str:
    """With a part that changes with the logo, so that browsers may keep it; empty without a logo."""
    return f"{LOGO_PATH}?v={zlib.crc32(appearance.logo.encode()):08x}" if appearance.logo else ""


def logo_at(target: str, view: CommunityView) -> Download | None:
    """The community's logo, if this is its URL."""
    is_logo = target.startswith(LOGO_PATH) and target == logo_path(view.appearance)
    if view.logo is None or not is_logo:
        return None
    return Download(view.logo.data, view.logo.content_type, is_lasting=True)


def contact_link(contact: str) -> str:
    """A link only for a valid address; everything else, also ``javascript:``, stays text."""
    if _WEB.fullmatch(contact):
        return contact
    return f"mailto:{contact}" if _MAIL.fullmatch(contact) else ""

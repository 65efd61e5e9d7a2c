"""Request context: one HTTP request with its client and language, and the possible outcomes with their header fields:
no caching, and a strict Content-Security-Policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from captive_portal import forms
from captive_portal.capport import CACHE_CONTROL
from captive_portal.page_context import CHOICE, PageContext, PortalPage, page_context
from node.app.account import AccountService
from node.app.views import CommunityView, GuestView
from node.governance.sentences import describe
from node.governance.translations import ENGLISH, Translator
from node.units import MacAddress
from node.web.language_choice import ENGLISH_ONLY, PageLanguage

Fields = tuple[tuple[str, str], ...]
"""HTTP header fields of a response."""

Word = Literal["", "expired", "code-over", "known", "unanswered", "terms-changed", "stale", "old", "out"]
"""Message at the top of the first page: what has just happened, or that the device is already known."""


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
    """A document for programs; with `file_name` it is saved as a file."""

    body: bytes
    content_type: str
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class SplashResponse:
    """The first page for a device without authorization, from the cache."""

    word: Word


@dataclass(frozen=True, slots=True)
class LanguageChange:
    """Remembers the language for the device, then redirects to `path`."""

    tag: str
    path: str


Outcome = PageResponse | Redirect | Download | SplashResponse | LanguageChange


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request of a device on the LAN, or of another client."""

    backend: AccountService
    mac: MacAddress | None
    """None for a client that is not on the LAN; it can only read public pages."""
    community: CommunityView
    tokens: forms.Tokens
    path: str = "/"
    """Of the page that is requested; the first page for actions."""
    page_language: PageLanguage = ENGLISH_ONLY
    query: Mapping[str, str] = field(default_factory=dict)
    words: Translator = ENGLISH
    """Translations of the page language."""
    is_secure: bool = False
    """The request came over TLS."""
    is_disputed: bool = False
    """Two devices claim the client's address; then `mac` is None."""

    @property
    def device(self) -> MacAddress:
        """The device of the client; only for pages that need one."""
        assert self.mac is not None
        return self.mac

    def guest(self) -> GuestView:
        return self.backend.guest(self.device)

    def place(self) -> PageContext:
        brought = {name: self.query[name] for name in ("code", "card") if name in self.query}
        path = f"{self.path}?{urlencode(brought)}" if brought else self.path
        return page_context(self.community, self.page_language, path, choice=CHOICE if self.mac else "")

    def typed_at(self, path: str) -> str:
        """https URL of the page for a passphrase or card; empty when it is this page. Where clients trust the
        certificate, credentials that last longer than a day are not sent in clear text."""
        base = self.community.portal_url.rstrip("/")
        return "" if self.is_secure or not base else f"{base}{path}"

    def rules(self) -> tuple[str, ...]:
        """The rules in force, one sentence each, in the page language."""
        return describe(self.community.ruleset, self.words)

    def token(self, purpose: str) -> str:
        return self.tokens.token(purpose, self.device)

    def judged(self, purpose: str, form: forms.Form) -> forms.Judgement:
        return self.tokens.judge(purpose, self.device, form["token"])


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
    """Header fields of a document for programs, or of a file to save."""
    fields: Fields = (
        ("Content-Type", document.content_type),
        ("Cache-Control", CACHE_CONTROL),
        ("X-Content-Type-Options", "nosniff"),
    )
    if not document.file_name:
        return fields
    return (*fields, ("Content-Disposition", f'attachment; filename="{document.file_name}"'))

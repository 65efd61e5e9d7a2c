"""One visit: who stands before the door, in which language, and what an answer to them may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from captive_portal import forms
from captive_portal.page_context import (
    CHOICE,
    ENGLISH_ONLY,
    PageContext,
    PageLanguage,
    PortalPage,
    page_context,
)
from captive_portal.ports import CommunityView, GuestView, PortalBackend
from node.governance.allowance import Allowance
from node.governance.sentences import allowance_in, describe
from node.governance.translations import ENGLISH, Translator
from node.units import MacAddress

Word = Literal["", "expired", "code-over", "known", "unanswered", "terms-changed", "stale", "old", "out"]
"""What has just happened to somebody who is to read the first page, or that the house knows the device."""


@dataclass(frozen=True, slots=True)
class PageResponse:
    """A page, and how many seconds to wait before asking again (0: nothing said)."""

    page: PortalPage
    status: int = 200
    retry_s: int = 0
    refresh_s: int = 0
    """The browser asks again by itself after this long; 0 for never."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """On to another page of ours, asked for anew: mini-browsers look whether they are online after that."""

    path: str


@dataclass(frozen=True, slots=True)
class Download:
    """A document for programs; `file_name` for one to keep."""

    body: bytes
    content_type: str
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class SplashResponse:
    """The first page as everybody who is not in sees it."""

    word: Word


@dataclass(frozen=True, slots=True)
class LanguageChange:
    """The device's person reads in this language from now on; on to `path`."""

    tag: str
    path: str


Outcome = PageResponse | Redirect | Download | SplashResponse | LanguageChange


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request, of a device on our link or of somebody elsewhere."""

    backend: PortalBackend
    mac: MacAddress | None
    """None for somebody who is not on our link, and may only read what is the same for everybody."""
    community: CommunityView
    tokens: forms.Tokens
    path: str = "/"
    """Of the page that the visit asks for; of the first page when it changes something."""
    page_language: PageLanguage = ENGLISH_ONLY
    query: Mapping[str, str] = field(default_factory=dict)
    words: Translator = ENGLISH
    """Of the tongue's language."""
    is_secure: bool = False
    """It came by https."""

    @property
    def device(self) -> MacAddress:
        """The device that asks; only for pages that are closed to whoever is elsewhere."""
        assert self.mac is not None
        return self.mac

    def guest(self) -> GuestView:
        return self.backend.guest(self.device)

    def place(self) -> PageContext:
        brought = {name: self.query[name] for name in ("code", "card") if name in self.query}
        path = f"{self.path}?{urlencode(brought)}" if brought else self.path
        return page_context(self.community, self.page_language, path, choice=CHOICE if self.mac else "")

    def typed_at(self, path: str) -> str:
        """The address by https of the page on which a passphrase or card may be typed; empty for this very page. Where
        devices trust our certificate, what opens an account for longer than a day does not go through the air as it is."""
        base = self.community.portal_url.rstrip("/")
        return "" if self.is_secure or not base else f"{base}{path}"

    def rules(self) -> tuple[str, ...]:
        """The rules in force, one sentence each, in the visit's language."""
        community = self.community
        return community.sentences if community.ruleset is None else describe(community.ruleset, self.words)

    def said(self, allowance: Allowance | None) -> Allowance | None:
        """An allowance with its reasons in the visit's language."""
        ruleset = self.community.ruleset
        if allowance is None or ruleset is None:
            return allowance
        return allowance_in(self.words, allowance, ruleset)

    def token(self, purpose: str) -> str:
        return self.tokens.token(purpose, self.device)

    def judged(self, purpose: str, form: forms.Form) -> forms.Judgement:
        return self.tokens.judge(purpose, self.device, form["token"])

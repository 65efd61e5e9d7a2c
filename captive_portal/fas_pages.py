"""The pages for people behind openNDS routers: join, wait, online."""

from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from captive_portal import forms, page_notices
from captive_portal.page_notices import paragraphs
from captive_portal.request_context import PageContext, page_context
from captive_portal.splash import FULL_DEVICES_MAX, SPLASH_TERMS_BYTES_MAX, Failure, failure, outage_bytes
from node.app.opennds_service import FasClient, FasState, FasView, OpenNdsService
from node.app.views import (
    Admitted,
    CodeTyped,
    CommunityView,
    DeviceView,
    Entry,
    Full,
    GuestView,
    Outage,
    Refused,
    TermsAccepted,
)
from node.governance.rules import Way
from node.translator import Translator
from node.units import MacAddress
from node.web.language_choice import Language, PageLanguage

WAIT_S = 6
"""One more than the poll interval of an openNDS router, unless it is set otherwise."""
WAYS: tuple[Way, ...] = ("terms", "voucher")
"""Ways to join behind a router; a passphrase or card is used on the node's own network, or over HTTPS."""

Word = Literal["", "expired", "known", "terms-changed", "stale", "old", "not-ready", "full"]


@dataclass(frozen=True, slots=True)
class FasPage:
    """One page for a person behind a router."""

    template = "fas.html"
    place: PageContext
    state: FasState
    token: str
    ways: tuple[Way, ...]
    terms: tuple[str, ...]
    terms_cut: bool
    terms_language: str
    terms_version: str
    word: Word = ""
    code: str = ""
    failure: Failure | None = None
    address: str = ""
    """Of the router, for ``go``; what the person wanted to open, for ``online``."""
    leave: str = ""
    """Where the person leaves the router."""
    is_by_itself: bool = True
    is_slowed: bool = False
    is_reported: bool = False
    is_long: bool = False
    left_bytes: int | None = None
    left_s: int | None = None
    because: str = ""
    devices: tuple[DeviceView, ...] = ()
    devices_max: int = 0
    outage: Outage | None = None
    kept: tuple[tuple[str, str], ...] = ()
    """Fields of the address, for the form that chooses a language: a link for each would repeat them."""
    languages: tuple[Language, ...] = ()


@dataclass(frozen=True, slots=True)
class FasAnswer:
    """A page with its status, or, without one, a redirect to the page itself."""

    page: FasPage | None
    status: int = 200
    refresh: str = ""
    """Value of the Refresh header."""


@dataclass(frozen=True, slots=True)
class FasContext:
    """One request of a person's browser behind a router."""

    service: OpenNdsService
    client: FasClient
    community: CommunityView
    language: PageLanguage
    words: Translator
    tokens: forms.Tokens
    path: str
    """Of the page, without its query."""
    chosen: str = ""
    """The tag of a language that the person chose on the page before."""

    @property
    def target(self) -> str:
        """Path and query of this page."""
        lang = f"&{urlencode({'lang': self.language.language.tag})}" if self.chosen else ""
        return f"{self.path}?{self.client.request.query}{lang}"

    def show(self) -> FasAnswer:
        """The page as it is now."""
        view = self.service.view(self.client)
        if view.state == "not-ready":
            return FasAnswer(self._page(view, word="not-ready"), 503, f"{WAIT_S}")
        if view.state == "blocked":
            return FasAnswer(self._page(view), 403)
        word: Word = ""
        if view.state == "join":
            word = "known" if view.guest.comes_back else "expired" if view.guest.state == "expired" else ""
        return FasAnswer(self._page(view, word=word), 200, self._refresh(view))

    def is_signed(self, body: bytes) -> bool:
        """Whether this node made the form for this device, lately."""
        form = forms.read_form(body, "terms", also=("code", "instead_of"))
        return form is not None and self.tokens.judge(forms.JOIN, self.client.mac, form["token"]) == "good"

    async def send(self, body: bytes) -> FasAnswer:
        """A form that the person sent."""
        form = forms.read_form(body, "terms", also=("code", "instead_of"))
        if form is None:
            return self._again("stale", 400)
        judged = self.tokens.judge(forms.JOIN, self.client.mac, form["token"])
        if judged != "good":
            return self._again("old" if judged == "old" else "stale", 409 if judged == "old" else 403, form)
        version = self.community.terms_version
        if form["terms"] != version:
            return self._again("terms-changed", 409, form)
        entry: Entry = CodeTyped(form["code"]) if "code" in form else TermsAccepted()
        chosen = form.get("instead_of")
        instead_of = MacAddress(chosen) if chosen else None
        done = await self.service.join(self.client, entry, version, instead_of)
        if isinstance(done, Admitted):
            return FasAnswer(None, 303)
        if isinstance(done, Full):
            return self._again("full", 409, form, full=done)
        return self._refused(form, done)

    def _refused(self, form: forms.Form, refused: Refused) -> FasAnswer:
        if refused.reason in {"trouble", "memory"}:
            return self._again("not-ready", 503, form)
        if refused.reason == "removed":
            return self.show()
        way: Way = "voucher" if "code" in form else "terms"
        status = {"too-many-guesses": 429, "way-closed": 403}.get(refused.reason, 422)
        return self._again("", status, form, failed=failure(way, refused))

    def _again(
        self,
        word: Word,
        status: int,
        form: forms.Form | None = None,
        *,
        full: Full | None = None,
        failed: Failure | None = None,
    ) -> FasAnswer:
        view = self.service.view(self.client)
        code = (form or {}).get("code", "")
        return FasAnswer(self._page(view, word=word, code=code, full=full, failed=failed), status)

    def _page(
        self,
        view: FasView,
        *,
        word: Word = "",
        code: str = "",
        full: Full | None = None,
        failed: Failure | None = None,
    ) -> FasPage:
        community, tag = self.community, self.language.language.tag
        found = page_notices.terms_text(community, tag, self.words)
        short = paragraphs(found.text, max(0, SPLASH_TERMS_BYTES_MAX - outage_bytes(community.outage)))
        request = self.client.request
        # The address of level 0 is no list of fields, but short.
        kept = (
            ()
            if self.client.level == 0
            else tuple(
                (name, value) for name, _, value in (each.partition("=") for each in request.query.split("&"))
            )
        )
        links = replace(self.language, offered=()) if kept else self.language
        return FasPage(
            page_context(community, links, f"{self.path}?{request.query}"),
            view.state,
            self.tokens.token(forms.JOIN, self.client.mac),
            tuple(way for way in community.ways if way in WAYS),
            short.paragraphs,
            short.cut,
            found.language,
            community.terms_version,
            word,
            code,
            failed,
            view.address or request.origin_url,
            f"http://{request.gateway_address}/opennds_deny/",
            view.is_by_itself,
            view.is_slowed,
            view.is_reported,
            view.is_long,
            _left(view.guest),
            view.guest.seconds_left,
            view.guest.removed_because or "",
            () if full is None else full.devices[:FULL_DEVICES_MAX],
            0 if full is None else full.devices_max,
            community.outage,
            kept,
            self.language.offered if kept and len(self.language.offered) > 1 else (),
        )

    def _refresh(self, view: FasView) -> str:
        """A navigation of its own: a form may not lead to another site, not even by a redirect."""
        if view.state == "go" and view.is_by_itself:
            return f"0;url={view.address}"
        return f"{WAIT_S};url={self.target}" if view.state == "wait" else ""


def _left(guest: GuestView) -> int | None:
    return None if guest.bytes_left is None else int(guest.bytes_left)

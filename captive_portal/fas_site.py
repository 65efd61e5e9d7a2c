"""HTTP of the Forwarding Authentication Service for openNDS routers: the persons' pages, and authmon."""

import secrets
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import web

from captive_portal import forms
from captive_portal.fas_pages import FasAnswer, FasContext
from captive_portal.request_context import page_fields
from node.app.opennds_reports import RouterReports
from node.app.opennds_service import FasClient, OpenNdsService
from node.app.views import CommunityView
from node.gateways.gateway import Gateway
from node.gateways.opennds_authmon import read_authmon
from node.gateways.opennds_client import BROWSER_BYTES, is_browser
from node.rate_limit import DeviceRateLimit
from node.web.application import cookie_of
from node.web.language_choice import LanguageChooser
from node.web.rendering import Renderer

COOKIE = "gateway_browser"
COOKIE_S = 180 * 86_400
FIELDS_MAX = 16
FORMS_AT_ONCE, FORMS_PER_S = 60, 1
"""Of people behind one gateway: each form can be a write to the disk, and a guest more. Apart from each other: people that
this node has let in before, those whose device the router itself names, and all others."""
OWN_FORMS_AT_ONCE, OWN_FORMS_PER_S = 10, 0.2
"""Of one device."""
REPORTS_AT_ONCE, REPORTS_PER_S = 120, 4
"""Of the scripts on all routers with the configuration of one gateway: each holds up to 24 clients."""
REPORT_START = b"report="
ASKS_AT_ONCE, ASKS_PER_S = 10, 0.2
"""For each address of routers that are not known."""
REFUSAL = "This address is not valid here.\n"
"""One and the same for everything: a reply tells nothing about a key."""
FORM_TYPE = "application/x-www-form-urlencoded"


class FasAccounts(Protocol):
    """`AccountService`, as far as it is needed here."""

    def community(self) -> CommunityView: ...


class FasSite:
    """Pages and authmon of all openNDS gateways. `find` gives the accepted gateway that a path names, if it may speak from
    an address; `tokens` signs forms now."""

    def __init__(
        self,
        service: OpenNdsService,
        accounts: FasAccounts,
        find: Callable[[str, str], Gateway | None],
        reports: RouterReports,
        *,
        renderer: Renderer,
        languages: LanguageChooser,
        tokens: Callable[[], forms.Tokens],
        clock: Callable[[], float],
    ) -> None:
        self._service, self._accounts, self._find = service, accounts, find
        self._renderer, self._languages, self._tokens, self._clock = renderer, languages, tokens, clock
        self._forms = DeviceRateLimit(FORMS_AT_ONCE, FORMS_PER_S)
        self._own_forms = DeviceRateLimit(OWN_FORMS_AT_ONCE, OWN_FORMS_PER_S)
        self._asks = DeviceRateLimit(ASKS_AT_ONCE, ASKS_PER_S)
        self._reports, self._reported = reports, DeviceRateLimit(REPORTS_AT_ONCE, REPORTS_PER_S)

    def routes(self) -> list[web.RouteDef]:
        """For a site's application."""
        made = []
        for path in ("/gw/{id}/fas/{level}", "/gw/{id}/fas/{level}/"):
            made += [web.get(path, self.get), web.post(path, self.post)]
        for path in ("/fas/{level}", "/fas/{level}/"):
            made.append(web.get(path, self.ask))
        return made

    async def ask(self, request: web.Request) -> web.Response:
        """A router that no admin has accepted sends a person here: an admin may see it, and it learns nothing."""
        address = request.remote or ""
        if self._asks.take(address, self._clock()):
            self._service.ask(request.raw_path.partition("?")[2], address)
        return _refused()

    async def get(self, request: web.Request) -> web.Response:
        """A person's page, or authmon of level 4."""
        gateway = self._gateway(request)
        if gateway is None:
            return _refused()
        query = request.raw_path.partition("?")[2]
        if "auth_get=" in query:
            return await self._authmon(gateway, request, query)
        client, browser = self._client(gateway, request, query)
        if client is None:
            return _refused()
        await self._service.heard(gateway, request.remote or "", client)
        context = self._context(client, request, query)
        return self._response(request, context, context.show(), browser)

    async def post(self, request: web.Request) -> web.Response:
        """A person's form, or authmon of level 3."""
        gateway = self._gateway(request)
        if gateway is None or request.headers.get("Content-Type", "").partition(";")[0] != FORM_TYPE:
            return _refused()
        body = await request.read()
        if body.startswith(b"auth_get="):
            return await self._authmon(gateway, request, body.decode("ascii", "replace"))
        if body.startswith(REPORT_START):
            return await self._report(gateway, request, body.decode("ascii", "replace"))
        query = request.raw_path.partition("?")[2]
        client, browser = self._client(gateway, request, query)
        if client is None:
            return _refused()
        context = self._context(client, request, query)
        if not self._may_send(client, is_signed=context.is_signed(body)):
            return web.Response(
                status=429, text="Too many at once. Try again.\n", headers={"Retry-After": "5"}
            )
        return self._response(request, context, await context.send(body), browser)

    def _may_send(self, client: FasClient, *, is_signed: bool) -> bool:
        """A form that was not made for this browser changes nothing, so it takes nothing from the others."""
        now, gateway = self._clock(), client.gateway.id
        if not self._own_forms.take(f"{gateway} {client.mac}", now):
            return False
        return not is_signed or self._forms.take(f"{gateway} {self._service.trust(client)}", now)

    def _gateway(self, request: web.Request) -> Gateway | None:
        address = request.remote or ""
        gateway = self._find(request.match_info["id"], address)
        if gateway is None or gateway.kind != "opennds" or request.match_info["level"] not in tuple("01234"):
            return None
        return gateway

    async def _authmon(self, gateway: Gateway, request: web.Request, query: str) -> web.Response:
        asked = read_authmon(_fields(query))
        if asked is None:
            return _refused()
        await self._service.heard(gateway, request.remote or "")
        return web.Response(text=self._service.authmon(gateway, asked), headers={"Cache-Control": "no-store"})

    async def _report(self, gateway: Gateway, request: web.Request, query: str) -> web.Response:
        """The script on the router; others cannot use up its limit, since the seal is read first."""
        report = self._reports.read(gateway, _fields(query))
        if report is None:
            return _refused()
        if not self._reported.take(gateway.id, self._clock()):
            return web.Response(status=429, text="Too many reports. Try again in a minute.\n")
        await self._service.heard(gateway, request.remote or "")
        await self._service.named(gateway, report.called, request.remote or "")
        return web.Response(text=self._reports.answer(gateway, report), headers={"Cache-Control": "no-store"})

    def _client(self, gateway: Gateway, request: web.Request, query: str) -> tuple[FasClient | None, str]:
        """The client, and the name of its browser, if that is new."""
        browser, made = cookie_of(request, COOKIE), ""
        if not is_browser(browser):
            browser = made = secrets.token_hex(BROWSER_BYTES) if request.method == "GET" else ""
        level = int(request.match_info["level"])
        return self._service.client(gateway, level, query, browser), made

    def _context(self, client: FasClient, request: web.Request, query: str) -> FasContext:
        community = self._accounts.community()
        chosen = next((value for name, value in reversed(_pairs(query)) if name == "lang"), "")
        language = self._languages.language_for(
            client.mac,
            request.headers.get("Accept-Language", ""),
            own=community.language,
            shown=community.languages,
            chosen=chosen,
        )
        words = self._renderer.translations_for(language.language.tag)
        return FasContext(
            self._service, client, community, language, words, self._tokens(), request.path, chosen
        )

    def _response(
        self, request: web.Request, context: FasContext, answer: FasAnswer, browser: str
    ) -> web.Response:
        if answer.page is None:
            headers = {"Location": context.target, "Cache-Control": "no-store"}
            return web.Response(status=answer.status, headers=headers)
        tag, style = context.language.language.tag, context.community.style
        policy = self._renderer.content_security_policy(style)
        response = web.Response(
            body=self._renderer.render(answer.page, tag),
            status=answer.status,
            headers=dict(page_fields(tag, policy)),
        )
        if answer.refresh:
            response.headers["Refresh"] = answer.refresh
        if browser:
            # Lax: the browser comes by a redirect of the router.
            response.set_cookie(
                COOKIE,
                browser,
                max_age=COOKIE_S,
                path="/gw/",
                secure=request.secure,
                httponly=True,
                samesite="Lax",
            )
        return response


def _refused() -> web.Response:
    return web.Response(status=403, text=REFUSAL, headers={"Cache-Control": "no-store"})


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return []


def _fields(query: str) -> Mapping[str, str]:
    pairs = _pairs(query)
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}

"""HTTP server of the admin pages, on a listener of its own: its routes, who may use them, and the responses."""

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from node.admin.members import MembersViews
from node.admin.notices import NoticesViews
from node.admin.objections import ObjectionsViews
from node.admin.overview import OverviewViews
from node.admin.people import PeopleViews
from node.admin.routes import (
    EVERYONE_SIGNED_IN,
    FILTERS,
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    LanguageSwitch,
    Route,
    SignInPage,
    TroublePage,
)
from node.admin.rules import RulesViews
from node.admin.sessions import AccessViews
from node.admin.terms import TermsViews
from node.admin.vouchers import VouchersViews
from node.app.admin import AdminService
from node.app.admin_sessions import SESSION_LIFE, TOKEN_CHARS_MAX, Signed, csrf_token_for, is_csrf_token
from node.errors import NodeError
from node.governance.translator import as_sentence, gettext_lazy
from node.web.application import application, cookie_of, is_same_origin, serving
from node.web.connections import Caller, ConnectionLimiter, Limits
from node.web.framing import ALLOWED, HEAD_END
from node.web.language_choice import TAG_CHARACTERS_MAX, LanguageChooser, PageLanguage, lookup
from node.web.rendering import Renderer, SitePage
from node.web.translations import SOURCE, Translations

LIMITS = Limits(
    connections=64,
    connections_per_device=16,
    at_work_per_device=16,
    head_bytes=8_190,
    # Also the HTTP library's limit: fits a rule file with three bytes for each character, as percent-encoded
    # forms have.
    body_bytes=1024 * 1024 - 1,
    buffered_bytes=4 * 1024 * 1024,
    request_s=15.0,
    answer_s=300.0,
    idle_s=30.0,
    requests=1,
)
"""One request on each connection. A device is an IPv4 address or IPv6 /64."""
FIELDS_MAX = 60
"""Enough for a notice in every language of the node."""
COOKIE = "procomu_admin"
LANGUAGE_COOKIE = "lang"
LANGUAGE_S = 400 * 86_400
"""Seconds that a choice of language is kept: the longest that browsers allow."""
SIGN_IN, SIGN_OUT, LANGUAGE = "/sign-in", "/sign-out", "/language"
ANYONE = Caller(None)
"""These pages do not know devices."""

TROUBLES = {
    413: TroublePage(
        gettext_lazy("Too large"),
        gettext_lazy("What was sent is too large."),
        gettext_lazy("Make it shorter."),
    ),
    431: TroublePage(
        gettext_lazy("Too large"),
        gettext_lazy("What was sent is too large."),
        gettext_lazy("Open the page again."),
    ),
}
NO_REQUEST = TroublePage(
    gettext_lazy("Not understood"),
    gettext_lazy("This request does not come from a browser."),
    gettext_lazy("Open the page again."),
)
"""For every other status with which a request is refused before it is parsed."""

VIEWS = (
    OverviewViews,
    PeopleViews,
    VouchersViews,
    MembersViews,
    NoticesViews,
    ObjectionsViews,
    RulesViews,
    TermsViews,
    AccessViews,
)


class AdminServer:
    """Serves admin pages on `address` and `port` (0 takes any free one). Host must be an IP address,
    ``localhost`` or one of `hosts`."""

    def __init__(
        self,
        backend: AdminService,
        *,
        address: str,
        port: int,
        hosts: frozenset[str] = frozenset(),
        translations: Mapping[str, Translations] | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.bound: tuple[str, int] | None = None
        """Address and port that it listens on, once `ready`."""
        self.ready = asyncio.Event()
        self._backend = backend
        self._address, self._port, self._hosts, self._limits = address, port, hosts, limits
        self._renderer = Renderer("node.admin", translations, FILTERS)
        self._languages = LanguageChooser(each.language for each in self._renderer.translations.values())
        self._headers = {
            "Server": "procomu",
            "Cache-Control": "no-store",
            "Content-Security-Policy": self._renderer.content_security_policy,
            "X-Content-Type-Options": "nosniff",
            # The sign-in token is in a URL; it must not leak to other sites.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        self.routes: tuple[Route, ...] = (
            *(route for views in VIEWS for route in views(backend).routes()),
            Route("POST", SIGN_OUT, self._sign_out, EVERYONE_SIGNED_IN),
        )
        """All routes that need a session."""

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the address cannot be bound."""
        async with serving(self.application()) as server:
            limiter = ConnectionLimiter(
                server,
                lambda _ends: ANYONE,
                clock=time.monotonic,
                limits=self._limits,
                refusal=self._refusal,
                is_fair=True,
            )
            try:
                listener = await asyncio.get_running_loop().create_server(limiter, self._address, self._port)
            except OSError as error:
                raise NodeError(
                    f"the admins' pages cannot use {self._address} port {self._port}: {error.strerror or error}",
                    "set [admin] address and port in node.toml to an address of this machine and a free port",
                ) from error
            self.bound = listener.sockets[0].getsockname()[:2]
            self.ready.set()
            try:
                await limiter.sweep()
            finally:
                self.ready.clear()
                listener.close()
                limiter.close()

    def application(self) -> web.Application:
        """All admin pages."""
        routes = [
            web.get(SIGN_IN, self._sign_in, allow_head=False),
            web.post(SIGN_IN, self._redeem),
            web.post(LANGUAGE, self._choose_language),
        ]
        routes += [web.route(each.method, each.path, partial(self._page_of, each)) for each in self.routes]
        return application(self, routes, self._headers)

    # --- routes ---

    async def _sign_in(self, request: web.Request) -> web.Response:
        """A button: a program that previews links must not use them up."""
        if self._signed(request) is not None:
            return _see_other("/")
        token = request.query.get("token", "")[: TOKEN_CHARS_MAX + 1]
        return self._page(request, SignInPage(token, is_refused=False), 200 if token else 401)

    async def _redeem(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        cookie = await self._backend.redeem(fields.get("token", "")[: TOKEN_CHARS_MAX + 1])
        if cookie is None:
            return self._page(request, SignInPage(token="", is_refused=True), 403)
        response = _see_other("/")
        life_s = SESSION_LIFE // 1000
        response.set_cookie(COOKIE, cookie, max_age=life_s, path="/", httponly=True, samesite="Strict")
        return response

    async def _page_of(self, route: Route, request: web.Request) -> web.Response:
        """A page or a change, for a person whose role allows it."""
        signed = self._signed(request)
        if signed is None:
            return self._page(request, SignInPage(token="", is_refused=False), 401)
        if signed.role not in route.roles:
            message = gettext_lazy("You are signed in to issue vouchers only.")
            fix = gettext_lazy("Ask an admin to do it or to give you another link.")
            return self._trouble(request, 403, gettext_lazy("Not allowed"), message, fix)
        cookie, fields = _cookie(request), await _fields(request)
        if request.method == "POST" and not is_csrf_token(cookie, fields.get("csrf_token", "")):
            return self.other_origin(request)
        # The Host header was checked before.
        origin = f"http://{request.headers.get('Host', '')}"
        translations = self._renderer.translations_for(self._language(request).language.tag)
        admin_request = AdminRequest(
            request.path, dict(request.query), fields, cookie, signed, origin, translations
        )
        response = await self._send(request, await route.answer(admin_request))
        if route.path == SIGN_OUT:
            response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    async def _sign_out(self, request: AdminRequest) -> AdminRedirect:
        await self._backend.sign_out(request.cookie)
        return AdminRedirect(SIGN_IN)

    async def _choose_language(self, request: web.Request) -> web.Response:
        """Also before signing in, when there is no session and so no token."""
        fields, cookie = await _fields(request), _cookie(request)
        is_signed_in = self._backend.who(cookie) is not None
        if is_signed_in and not is_csrf_token(cookie, fields.get("csrf_token", "")):
            return self.other_origin(request)
        response = _see_other(self._own_page(fields.get("back", "")))
        offered = [language.tag for language in self._language(request).offered]
        tag = lookup(offered, fields.get("lang", "")[: TAG_CHARACTERS_MAX + 1])
        if tag is not None:
            response.set_cookie(
                LANGUAGE_COOKIE, tag, max_age=LANGUAGE_S, path="/", httponly=True, samesite="Strict"
            )
        return response

    # --- what the application leaves to the site ---

    def is_own_host(self, request: web.Request) -> bool:
        """Only IP addresses and configured names: any other name can be DNS rebinding by another site."""
        try:
            name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
            if name == "localhost" or name in self._hosts:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def other_host(self, request: web.Request) -> web.Response:
        fix = gettext_lazy("Use the node’s address, or localhost.")
        message = gettext_lazy("These pages do not have that address.")
        return self._trouble(request, 421, gettext_lazy("Wrong address"), message, fix)

    def is_own_origin(self, request: web.Request) -> bool:
        return is_same_origin(request.headers.get("Host", ""), request.headers)

    def other_origin(self, request: web.Request) -> web.Response:
        fix = gettext_lazy("Open the page again and send the form from there.")
        message = gettext_lazy("This form does not come from these pages.")
        return self._trouble(request, 403, gettext_lazy("Not accepted"), message, fix)

    def no_page(self, request: web.Request, methods: str) -> web.Response:
        if self._signed(request) is None:
            return self._page(request, SignInPage(token="", is_refused=False), 401)
        if not methods:
            return self._trouble(
                request,
                404,
                gettext_lazy("Page not found"),
                gettext_lazy("There is no such page."),
                gettext_lazy("Go back to the overview."),
            )
        response = self._trouble(
            request,
            405,
            gettext_lazy("Not possible"),
            gettext_lazy("This page cannot be opened like this."),
            gettext_lazy("Use its buttons."),
        )
        response.headers["Allow"] = methods
        return response

    def unavailable(self, request: web.Request, error: NodeError) -> web.Response:
        title = gettext_lazy("That did not work")
        return self._trouble(request, 503, title, as_sentence(error.message), as_sentence(error.fix))

    def _refusal(self, status: int) -> bytes:
        """A complete HTTP response to data that is not a valid request."""
        body = self._renderer.render_cached(TROUBLES.get(status, NO_REQUEST), SOURCE)
        fields = {
            **self._headers,
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **({"Allow": ALLOWED} if status == 405 else {}),
        }
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{n}: {v}" for n, v in fields.items())]
        return "\r\n".join(lines).encode() + HEAD_END + body

    # --- responses ---

    def _signed(self, request: web.Request) -> Signed | None:
        return self._backend.who(_cookie(request))

    async def _send(self, request: web.Request, answer: AdminResponse | AdminRedirect) -> web.Response:
        if isinstance(answer, AdminRedirect):
            return _see_other(answer.where)
        if not answer.is_heavy:
            response = self._page(request, answer.page, answer.status)
            if answer.refresh_s:
                response.headers["Refresh"] = str(answer.refresh_s)
            return response
        body = await asyncio.to_thread(self._rendered, request, answer.page)
        return self._html(request, body, answer.status)

    def _trouble(self, request: web.Request, status: int, title: str, message: str, fix: str) -> web.Response:
        return self._page(request, TroublePage(title, message, fix), status)

    def _page(self, request: web.Request, page: SitePage, status: int = 200) -> web.Response:
        return self._html(request, self._rendered(request, page), status)

    def _rendered(self, request: web.Request, page: SitePage) -> bytes:
        chosen, cookie = self._language(request), _cookie(request)
        csrf_token = csrf_token_for(cookie) if cookie else ""
        switch = LanguageSwitch(chosen.offered, _back(request), csrf_token)
        return self._renderer.render(page, chosen.language.tag, switch=switch)

    def _html(self, request: web.Request, body: bytes, status: int) -> web.Response:
        headers = {
            "Content-Language": self._language(request).language.tag,
            "Vary": "Accept-Language, Cookie",
        }
        return web.Response(
            body=body, status=status, content_type="text/html", charset="utf-8", headers=headers
        )

    # --- language ---

    def _language(self, request: web.Request) -> PageLanguage:
        """The language that was chosen, or that the browser requests; without either that of the community."""
        chosen = cookie_of(request, LANGUAGE_COOKIE)[: TAG_CHARACTERS_MAX + 1]
        accepted = request.headers.get("Accept-Language", "")
        own = self._backend.site().languages[0][0]
        return self._languages.language_for(None, accepted, own=own, chosen=chosen)

    def _own_page(self, back: str) -> str:
        """`back`, if it is the path of a page; otherwise the path of the overview."""
        try:
            where = urlsplit(back)
            query = urlencode(parse_qsl(where.query, keep_blank_values=True, max_num_fields=FIELDS_MAX))
        except ValueError:
            return "/"
        is_page = where.path == SIGN_IN or any(
            each.path == where.path and each.method == "GET" for each in self.routes
        )
        if where.scheme or where.netloc or not is_page:
            return "/"
        return f"{where.path}?{query}" if query else where.path


async def _fields(request: web.Request) -> Mapping[str, str]:
    """Fields of a POST form; empty when the body is not a valid form."""
    # Not the library's `content_type`, which fails on other than ASCII.
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip(" \t").lower()
    if request.method != "POST" or media_type != "application/x-www-form-urlencoded":
        return {}
    body = await request.read()
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}


def _cookie(request: web.Request) -> str:
    return cookie_of(request, COOKIE)[: TOKEN_CHARS_MAX + 1]


def _back(request: web.Request) -> str:
    """Where to return to from the choice of language: the page, or after a form its entry in the navigation."""
    return request.path_qs if request.method == "GET" else f"/{request.path.split('/')[1]}"


def _see_other(where: str) -> web.Response:
    return web.Response(status=303, headers={"Location": where})

"""HTTP server of the admin pages, on a listener of its own: parses requests, calls views, renders responses.
No decisions."""

import asyncio
import ipaddress
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from node.admin.access import AccessViews
from node.admin.connections import AdminConnectionLimiter
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
from node.admin.terms import TermsViews
from node.admin.vouchers import VouchersViews
from node.app.admin import AdminService
from node.app.signin import SESSION_LIFE, TOKEN_CHARS_MAX, Signed, form_proof, is_own_form
from node.errors import NodeError
from node.framing import HEAD_END, measure
from node.governance.translations import as_sentence, gettext_lazy
from node.web.language_choice import TAG_CHARACTERS_MAX, LanguageChooser, PageLanguage, lookup
from node.web.rendering import Renderer, SitePage
from node.web.translations import SOURCE, Translations

BODY_BYTES_MAX = 1024 * 1024 - 1
"""Limit of a request body, also the HTTP library's: fits a rule file with three bytes for each character, as
percent-encoded forms have."""
FIELDS_MAX = 60
"""Enough for a notice in every language of the node."""
HEAD_BYTES_MAX, HEAD_LINES_MAX = 8_190, 64
UNFINISHED_BYTES_MAX = 4 * 1024 * 1024
"""Of all incomplete requests together; above it, the connection that holds most of them is closed."""
CONNECTIONS_MAX, CONNECTIONS_OF_ADDRESS_MAX = 64, 16
"""Above either, the connection that has been idle longest is closed."""
REQUEST_S = 15.0
"""Seconds for a complete request, from the opening of its connection."""
ANSWER_S = 30.0
"""Seconds for the client to read the response."""
COOKIE = "procomu_admin"
LANGUAGE_COOKIE = "lang"
LANGUAGE_S = 400 * 86_400
"""Seconds that a choice of language is kept: the longest that browsers allow."""
SIGN_IN, SIGN_OUT, LANGUAGE = "/sign-in", "/sign-out", "/language"


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
    ) -> None:
        self.bound: tuple[str, int] | None = None
        """Address and port that it listens on, once `ready`."""
        self.ready = asyncio.Event()
        self._backend = backend
        self._address, self._port, self._hosts = address, port, hosts
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
        self._limiter: AdminConnectionLimiter[_Connection] = AdminConnectionLimiter(
            CONNECTIONS_MAX, CONNECTIONS_OF_ADDRESS_MAX
        )
        self._by_inner: dict[int, _Connection] = {}
        self._unfinished: dict[_Connection, int] = {}
        """Bytes received of each incomplete request."""
        self.routes: tuple[Route, ...] = (
            *(route for desk in VIEWS for route in desk(backend).routes()),
            Route("POST", SIGN_OUT, self._sign_out, EVERYONE_SIGNED_IN),
        )
        """All routes that need a session."""
        self._by_place: Mapping[tuple[str, str], Route] = {
            (route.method, route.path): route for route in self.routes
        }

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the address cannot be bound."""
        server = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
        )
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(partial(self._accept, server), self._address, self._port)
        except OSError as error:
            raise NodeError(
                f"the admins' pages cannot use {self._address} port {self._port}: {error.strerror or error}",
                "set [admin] address and port in node.toml to an address of this machine and a free port",
            ) from error
        self.bound = listener.sockets[0].getsockname()[:2]
        self.ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ready.clear()
            listener.close()
            await server.shutdown(1.0)

    def _accept(self, server: web.Server) -> "_Connection":
        return _Connection(server(), self)

    def enter(self, connection: "_Connection", address: str) -> bool:
        """Whether a new connection may stay; another one may be closed for it."""
        may_stay, gone = self._limiter.enter(connection, address)
        if gone is not None:
            gone.abort()
        if may_stay:
            self._by_inner[id(connection.inner)] = connection
            asyncio.get_running_loop().call_later(REQUEST_S, connection.abort_unused)
        return may_stay

    def holds(self, connection: "_Connection", octets: int) -> None:
        """`octets` of an incomplete request are buffered; the largest one, maybe this, is closed above the
        limit."""
        self._unfinished[connection] = octets
        if sum(self._unfinished.values()) > UNFINISHED_BYTES_MAX:
            largest = max(self._unfinished, key=self._unfinished.__getitem__)
            self.leave(largest)
            largest.abort()

    def finished(self, connection: "_Connection") -> None:
        """The request is complete, or will never be."""
        self._unfinished.pop(connection, None)

    def refusal(self, status: int) -> bytes:
        """A complete HTTP response for data that is not a valid request."""
        body = self._renderer.render(TROUBLES.get(status, NO_REQUEST), SOURCE)
        fields = {
            **self._headers,
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{n}: {v}" for n, v in fields.items())]
        return "\r\n".join(lines).encode() + HEAD_END + body

    def leave(self, connection: "_Connection") -> None:
        self._limiter.leave(connection)
        self.finished(connection)
        self._by_inner.pop(id(connection.inner), None)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        connection = self._by_inner.get(id(request.protocol))
        if connection is None:  # closed meanwhile: nobody reads this
            return web.Response(status=400)
        self._limiter.begin(connection)
        try:
            return await self._answered(request)
        finally:
            self._limiter.end(connection)
            asyncio.get_running_loop().call_later(ANSWER_S, connection.abort)

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        try:
            response = await self._answer(request)
        except NodeError as trouble:
            response = self._trouble(
                request,
                503,
                gettext_lazy("That did not work"),
                as_sentence(trouble.message),
                as_sentence(trouble.mend),
            )
        response.headers.update(self._headers)
        response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if not _is_our_name(request.headers.get("Host", ""), self._hosts):
            mend = gettext_lazy("Use the node’s address, or localhost.")
            message = gettext_lazy("These pages do not have that address.")
            return self._trouble(request, 421, gettext_lazy("Wrong address"), message, mend)
        cookie = _cookie(request)
        signed = self._backend.who(cookie)
        if request.path == SIGN_IN and request.method in {"GET", "POST"}:
            return await self._sign_in(request, signed)
        if (request.method, request.path) == ("POST", LANGUAGE):
            return await self._choose_language(request)
        if signed is None:
            return self._page(request, SignInPage(token="", is_refused=False), 401)
        route = self._by_place.get((request.method, request.path))
        if route is None:
            return self._not_found(request)
        if signed.role not in route.roles:
            message = gettext_lazy("You are signed in to issue vouchers only.")
            mend = gettext_lazy("Ask an admin to do it or to give you another link.")
            return self._trouble(request, 403, gettext_lazy("Not allowed"), message, mend)
        words = self._renderer.translations_for(self._language(request).language.tag)
        asked = AdminRequest(
            request.path, dict(request.query), await _fields(request), cookie, signed, _origin(request), words
        )
        if request.method == "POST" and not (
            _is_from_here(request) and is_own_form(cookie, asked.fields.get("proof", ""))
        ):
            return self._not_from_here(request)
        response = await self._send(request, await route.answer(asked))
        if route.path == SIGN_OUT:
            response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    async def _send(self, request: web.BaseRequest, answer: AdminResponse | AdminRedirect) -> web.Response:
        if isinstance(answer, AdminRedirect):
            return _go(answer.where)
        if not answer.is_heavy:
            response = self._page(request, answer.page, answer.status)
            if answer.refresh_s:
                response.headers["Refresh"] = str(answer.refresh_s)
            return response
        body = await asyncio.to_thread(self._rendered, request, answer.page)
        return self._html(request, body, answer.status)

    async def _sign_in(self, request: web.BaseRequest, signed: Signed | None) -> web.Response:
        if request.method == "POST":
            return await self._redeem(request)
        if signed is not None:
            return _go("/")
        token = request.query.get("token", "")[: TOKEN_CHARS_MAX + 1]
        return self._page(request, SignInPage(token, is_refused=False), 200 if token else 401)

    async def _redeem(self, request: web.BaseRequest) -> web.Response:
        fields = await _fields(request)
        if not _is_from_here(request):
            return self._not_from_here(request)
        cookie = await self._backend.redeem(fields.get("token", "")[: TOKEN_CHARS_MAX + 1])
        if cookie is None:
            return self._page(request, SignInPage(token="", is_refused=True), 403)
        response = _go("/")
        life_s = SESSION_LIFE // 1000
        response.set_cookie(COOKIE, cookie, max_age=life_s, path="/", httponly=True, samesite="Strict")
        return response

    async def _sign_out(self, asked: AdminRequest) -> AdminRedirect:
        await self._backend.sign_out(asked.cookie)
        return AdminRedirect(SIGN_IN)

    def _not_found(self, request: web.BaseRequest) -> web.Response:
        known = {route.method for route in self.routes if route.path == request.path}
        if not known:
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
        response.headers["Allow"] = ", ".join(sorted(known))
        return response

    def _not_from_here(self, request: web.BaseRequest) -> web.Response:
        mend = gettext_lazy("Open the page again and send the form from there.")
        message = gettext_lazy("This form does not come from these pages.")
        return self._trouble(request, 403, gettext_lazy("Not accepted"), message, mend)

    def _trouble(
        self, request: web.BaseRequest, status: int, title: str, message: str, mend: str
    ) -> web.Response:
        return self._page(request, TroublePage(title, message, mend), status)

    def _page(self, request: web.BaseRequest, page: SitePage, status: int = 200) -> web.Response:
        return self._html(request, self._rendered(request, page), status)

    def _rendered(self, request: web.BaseRequest, page: SitePage) -> bytes:
        chosen, cookie = self._language(request), _cookie(request)
        proof = form_proof(cookie) if cookie else ""
        switch = LanguageSwitch(chosen.offered, _back(request), proof)
        return self._renderer.render(page, chosen.language.tag, switch=switch)

    def _html(self, request: web.BaseRequest, body: bytes, status: int) -> web.Response:
        headers = {
            "Content-Language": self._language(request).language.tag,
            "Vary": "Accept-Language, Cookie",
        }
        return web.Response(
            body=body, status=status, content_type="text/html", charset="utf-8", headers=headers
        )

    # --- language ---

    def _language(self, request: web.BaseRequest) -> PageLanguage:
        """The language that was chosen, or that the browser requests; without either that of the community."""
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")[: TAG_CHARACTERS_MAX + 1]
        accepted = request.headers.get("Accept-Language", "")
        own = self._backend.site().languages[0][0]
        return self._languages.language_for(None, accepted, own=own, asked=chosen)

    async def _choose_language(self, request: web.BaseRequest) -> web.Response:
        """Also before signing in, when there is no session and so no token."""
        fields, cookie = await _fields(request), _cookie(request)
        is_signed_in = self._backend.who(cookie) is not None
        if not _is_from_here(request) or (is_signed_in and not is_own_form(cookie, fields.get("proof", ""))):
            return self._not_from_here(request)
        response = _go(self._own_page(fields.get("back", "")))
        offered = [language.tag for language in self._language(request).offered]
        tag = lookup(offered, fields.get("lang", "")[: TAG_CHARACTERS_MAX + 1])
        if tag is not None:
            response.set_cookie(
                LANGUAGE_COOKIE, tag, max_age=LANGUAGE_S, path="/", httponly=True, samesite="Strict"
            )
        return response

    def _own_page(self, back: str) -> str:
        """`back`, if it is the path of a page; otherwise the path of the overview."""
        try:
            where = urlsplit(back)
            query = urlencode(parse_qsl(where.query, keep_blank_values=True, max_num_fields=FIELDS_MAX))
        except ValueError:
            return "/"
        is_page = where.path == SIGN_IN or ("GET", where.path) in self._by_place
        if where.scheme or where.netloc or not is_page:
            return "/"
        return f"{where.path}?{query}" if query else where.path


class _Connection(asyncio.Protocol):
    """One request and its response, counted before the HTTP library sees it. The library gets only a complete
    request and nothing after it: it would buffer later data without a limit, and wait without end for missing
    data."""

    def __init__(self, inner: web.RequestHandler, admin_server: AdminServer) -> None:
        self.inner = inner
        self._admin_server = admin_server
        self._transport: asyncio.Transport | None = None
        self._stays = False
        self._buffer = bytearray()
        self._whole = 0
        """Octets of the request including its body; 0 until its head is complete."""
        self._is_deaf = False
        """Further data is ignored: the request is complete or refused."""
        self._has_asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._stays = peer is not None and self._admin_server.enter(self, peer[0])
        if self._stays:
            self.inner.connection_made(transport)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._stays or self._is_deaf:
            return
        self._buffer += data
        status = 0 if self._whole else self._measure()
        if status:
            self._refuse(status)
        elif not self._whole or len(self._buffer) < self._whole:
            self._admin_server.holds(self, len(self._buffer))
        else:
            self._pass_on()

    def _measure(self) -> int:
        """Measures the request head: the status of a refusal; 0 when the head is valid or incomplete."""
        end = self._buffer.find(HEAD_END, 0, HEAD_BYTES_MAX + len(HEAD_END))
        if end < 0:
            return 431 if len(self._buffer) > HEAD_BYTES_MAX else 0
        head = bytes(self._buffer[:end])
        status, octets = measure(head, lines_max=HEAD_LINES_MAX, body_bytes_max=BODY_BYTES_MAX)
        self._whole = end + len(HEAD_END) + octets
        return status

    def _pass_on(self) -> None:
        assert self._transport is not None
        self._is_deaf = self._has_asked = True
        self._transport.pause_reading()
        self._admin_server.finished(self)
        request = bytes(self._buffer[: self._whole])
        self._buffer.clear()
        self.inner.data_received(request)

    def _refuse(self, status: int) -> None:
        """Sends an error response; further data is discarded, so that the client reads the response before
        the connection ends."""
        assert self._transport is not None
        self._is_deaf = True
        self._admin_server.finished(self)
        self._buffer.clear()
        self._transport.write(self._admin_server.refusal(status))
        self._transport.write_eof()

    def eof_received(self) -> None:
        if self._stays:
            self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stays:
            self._admin_server.leave(self)
            self.inner.connection_lost(exc)

    def abort(self) -> None:
        self._is_deaf = True
        self._buffer.clear()
        if self._transport is not None:
            self._transport.abort()

    def abort_unused(self) -> None:
        """Closes unless a request was passed on."""
        if not self._has_asked:
            self.abort()


async def _fields(request: web.BaseRequest) -> Mapping[str, str]:
    """Fields of a POST form; empty when the body is not a valid form."""
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        return {}
    body = await request.read()
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}


def _is_our_name(host: str, names: frozenset[str]) -> bool:
    """Only IP addresses and configured names: any other name can be DNS rebinding by another site."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name in names:
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _origin(request: web.BaseRequest) -> str:
    """Origin of these pages; the Host header was checked before."""
    return f"http://{request.headers.get('Host', '')}"


def _is_from_here(request: web.BaseRequest) -> bool:
    """Same-origin check with the browser's headers, if any; other ports of the same host count as another
    site."""
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return False
    return origin is None or origin.partition("://")[2] == request.headers.get("Host")


def _cookie(request: web.BaseRequest) -> str:
    return request.cookies.get(COOKIE, "")[: TOKEN_CHARS_MAX + 1]


def _back(request: web.BaseRequest) -> str:
    """Where to return to from the choice of language: the page, or after a form its entry in the navigation."""
    return request.path_qs if request.method == "GET" else f"/{request.path.split('/')[1]}"


def _go(where: str) -> web.Response:
    return web.Response(status=303, headers={"Location": where})

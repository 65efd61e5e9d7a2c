"""HTTP server of the portal: identifies the client and the Host, and routes to a page or an API answer. No
decisions."""

import asyncio
import logging
import os
import resource
import socket
import time
from asyncio.trsock import TransportSocket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

from aiohttp import web
from multidict import CIMultiDict

from captive_portal import capport, forms, info_pages, probes
from captive_portal.actions import ACTIONS, run_action
from captive_portal.callers import DISPUTED, ELSEWHERE, Caller, Callers
from captive_portal.connections import Connection, ConnectionLimiter, FastAnswer
from captive_portal.fast_path import FastPath, fast_request
from captive_portal.headers import SERVER, document_fields, page_fields
from captive_portal.limits import Limits
from captive_portal.page_context import CHOICE, PortalPage
from captive_portal.request_context import (
    Download,
    LanguageChange,
    Outcome,
    PageResponse,
    Redirect,
    RequestContext,
    SplashResponse,
)
from captive_portal.splash import word_for
from captive_portal.splash_cache import SplashCache
from captive_portal.views import FOR_ALL, FOR_DEVICES
from node.app.account import AccountService
from node.app.views import CommunityView
from node.errors import NodeError
from node.rate_limit import DeviceRateLimit
from node.units import MacAddress
from node.web.language_choice import LanguageChooser
from node.web.rendering import Renderer
from node.web.translations import FOLDER, read_catalogues

CAPPORT_PATH = capport.API_PATH
"""Captive portal API (RFC 8908)."""
ADDRESSES = frozenset({CAPPORT_PATH, *FOR_ALL, *FOR_DEVICES, *ACTIONS})
"""All paths that the portal serves under its own host names."""
BACKLOG = 1_024
TAKEN_AT_ONCE = 16
"""Connections accepted in one turn of the event loop: a thousand at once must not delay open connections."""
FILES_WANTED = 16_384
CHANGES_AT_ONCE, CHANGES_PER_S = 120, 1
"""Per device, in requests: each change is one write to flash or disk."""

log = logging.getLogger(__name__)

_NO_QUERY: Mapping[str, str] = {}


def _since_boot() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class PortalRequest:
    """One request for a page of the portal. `mac` is None when the client is not on the LAN."""

    request: web.BaseRequest
    host: str
    mac: MacAddress | None
    community: CommunityView
    query: Mapping[str, str]


class Portal:
    """Serves the portal's pages and redirects captured requests, on `port`, until cancelled.

    `secret` (16 bytes or more) signs the form tokens; keep it over restarts so that open pages stay valid.
    Token age is measured with `since_boot` (milliseconds), within the boot named `boot`. The server listens
    on `addresses`, or on all of IPv4 and IPv6 if empty. A Host header is the portal's own when it names one of
    them, the portal's host name or the local address of the connection. `public_port` is the port that clients
    connect to: redirects use it.
    """

    def __init__(
        self,
        backend: AccountService,
        callers: Callers,
        *,
        port: int,
        secret: bytes,
        boot: str = "",
        since_boot: Callable[[], int] = _since_boot,
        addresses: Sequence[str] = (),
        public_port: int = 80,
        limits: Limits | None = None,
        connections_max: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        renderer: Renderer | None = None,
    ) -> None:
        if len(secret) < forms.SECRET_BYTES_MIN:
            raise ValueError(f"the portal's secret needs {forms.SECRET_BYTES_MIN} bytes or more")
        self.bound: tuple[tuple[str, int], ...] = ()
        """Addresses and ports that it listens on, once `ready`."""
        self.ready = asyncio.Event()
        self._backend = backend
        self._callers = callers
        self._port = port
        self._since_boot = since_boot
        self._made_tokens = forms.Tokens(secret, forms.boot_name(boot), 0)
        self._addresses = tuple(addresses)
        self._public_port = public_port
        self._limits = limits or Limits()
        self._connections_max = connections_max
        self._clock = clock
        self._renderer = renderer or portal_renderer()
        self.translations = self._renderer.translations
        """By language tag."""
        self._languages = LanguageChooser(each.language for each in self.translations.values())
        self._splash_cache = SplashCache(self._renderer.render)
        self._fields: dict[str, tuple[tuple[str, str], ...]] = {}
        self._redirect: tuple[str, probes.ProbeAnswer] = ("", probes.before_admission("/"))
        self._heads = FastPath()
        self._rate_limit = DeviceRateLimit(CHANGES_AT_ONCE, CHANGES_PER_S)
        self._date = (0, b"")
        self._let_go: Callable[[str], None] = lambda _device: None

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the port cannot be bound."""
        _lift_file_limit()
        community = self._backend.community()
        for tag in self._languages.lacking(community.language, *community.languages):
            log.warning("pages cannot be in %r: there is no %s.po (see captive_portal/README.md)", tag, tag)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self.handle(request, limiter)

        server = web.Server(handle, access_log=None, auto_decompress=False)
        limiter = ConnectionLimiter(
            server,
            self._callers.caller,
            clock=self._clock,
            limits=self._limits,
            connections_max=self._connections_max,
            quick=self._fast_answer,
        )
        self._let_go = limiter.close_unused
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(
                limiter, self._addresses or None, self._port, backlog=TAKEN_AT_ONCE, reuse_address=True
            )
        except OSError as error:
            raise NodeError(
                f"the portal cannot listen on port {self._port}: {error.strerror or error}",
                "see who has it with: ss -ltnp; or choose another port in node.toml",
            ) from error
        for entry in listener.sockets:
            _set_backlog(entry, BACKLOG)
        self.bound = tuple(entry.getsockname()[:2] for entry in listener.sockets)
        self.ready.set()
        try:
            await limiter.sweep()
        finally:
            self.ready.clear()
            listener.close()
            limiter.close()
            await server.shutdown(1.0)

    async def handle(self, request: web.BaseRequest, limiter: ConnectionLimiter) -> web.StreamResponse:
        """Request handler for every listener of the portal, with or without TLS."""
        connection = limiter.connection_of(request.protocol)
        try:
            caller = self._caller(connection) if connection else ELSEWHERE
            response = await self._answer(request, caller)
        finally:
            must_close = limiter.answered(request.protocol)
        # A disputed device is looked up again on its next connection.
        if must_close or caller.is_disputed:
            response.force_close()
        return response

    def _caller(self, connection: Connection) -> Caller:
        """Never from a header: a client could claim to be another device."""
        caller, transport = connection.caller, connection.transport
        if caller is None or transport is None:
            return ELSEWHERE
        if caller.device is None:
            return caller
        address = transport.get_extra_info("peername")[0]
        return DISPUTED if self._callers.is_disputed(address, caller.device) else caller

    async def _answer(self, request: web.BaseRequest, caller: Caller) -> web.Response:
        transport = request.transport
        if transport is None:  # the client has disconnected: nobody reads this
            return web.Response(status=400)
        mac = caller.device
        host, target = _wanted(request.raw_path, request.headers.get("Host", ""))
        community = self._backend.community()
        if host is None or not self._is_ours(host, community, transport):
            return self._foreign(request, host, target, mac, community)
        path, _, query = target.partition("?")
        asked = PortalRequest(request, host, mac, community, forms.read_query(query))
        if caller.is_disputed and path not in FOR_ALL:
            return self._page(info_pages.Disputed(self._context(asked, "/").place()), None, 403)
        if request.method == "POST":
            if path in ACTIONS:
                return await self._change(path, asked)
        elif path == CAPPORT_PATH:
            return await self._capport(asked)
        elif path in FOR_ALL or path in FOR_DEVICES:
            return await self._read(path, asked)
        return self._no_such(path, self._context(asked, "/"))

    def _fast_answer(self, head: bytes, connection: Connection) -> FastAnswer | None:
        """Answers probes and the first page like `_answer`, without the HTTP library; None leaves it to
        `_answer`."""
        asked, transport = fast_request(head), connection.transport
        mac = self._caller(connection).device if asked else None
        if asked is None or mac is None or transport is None:
            return None
        guest, community = self._backend.guest(mac), self._backend.community()
        if guest.state not in {"waiting", "expired"}:
            return None
        host = probes.normal_host(asked.host)
        if host is None or not self._is_ours(host, community, transport):
            sent = self._redirect_to(self._portal_url(community))
            return FastAnswer(
                self._heads.answer(sent.status, (*sent.headers, SERVER), sent.body, self._now()), closes=True
            )
        if asked.target != "/" or guest.asked_for is not None:
            return None
        context = self._context_of(mac, community, "/", asked.accept_language)
        fields = self._fields_in(context.page_language.language.tag)
        body = self._splash_cache.body(context, word_for(guest))
        return FastAnswer(self._heads.answer(200, fields, body, self._now()))

    def _no_such(self, path: str, context: RequestContext) -> web.Response:
        """404 for an unknown path, 405 for a known one with the wrong method."""
        if path in ACTIONS:
            return self._page(info_pages.WrongWay(context.place()), context.mac, 405, ("Allow", "POST"))
        if path in ADDRESSES:
            return self._page(info_pages.WrongWay(context.place()), context.mac, 405, ("Allow", "GET, HEAD"))
        return self._page(info_pages.NotFound(context.place()), context.mac, 404)

    # --- requests for other hosts, redirected here by the packet filter ---

    def _foreign(
        self,
        request: web.BaseRequest,
        host: str | None,
        target: str,
        mac: MacAddress | None,
        community: CommunityView,
    ) -> web.Response:
        if mac is not None and self._backend.guest(mac).state == "admitted":
            agent = request.headers.get("User-Agent", "")
            probe = probes.recognise(request.method, host, target, agent)
            if probe is not None:
                return _send(probe.open_answer)
        return _send(self._redirect_to(self._portal_url(community)))

    def _redirect_to(self, url: str) -> probes.ProbeAnswer:
        if self._redirect[0] != url:
            self._redirect = (url, probes.before_admission(url))
        return self._redirect[1]

    def _is_ours(self, host: str, community: CommunityView, transport: asyncio.Transport) -> bool:
        if host in self._addresses or host == probes.normal_host(community.portal_host):
            return True
        return host == probes.normal_host(_bracketed(transport.get_extra_info("sockname")[0]))

    def _portal_url(self, community: CommunityView, path: str = "/") -> str:
        port = "" if self._public_port == 80 else f":{self._public_port}"
        return f"http://{_bracketed(community.portal_host)}{port}{path}"

    # --- the portal's own pages ---

    async def _capport(self, asked: PortalRequest) -> web.Response:
        if asked.mac is None:
            return self._page(info_pages.Elsewhere(self._context(asked, "/").place()), None, 403)
        headers = [("Cache-Control", capport.CACHE_CONTROL), ("Vary", "Accept"), SERVER]
        community = asked.community
        base = community.portal_url.rstrip("/") or self._portal_url(community, "")
        if not capport.wants_document(asked.request.headers.get("Accept")):
            return web.Response(status=302, headers=[("Location", f"{base}/"), *headers])
        body = capport.document(
            self._backend.guest(asked.mac),
            portal_url=f"{base}/",
            venue_url=f"{base}/network",
            is_open=bool(community.ways),
        )
        return web.Response(body=body, headers=[("Content-Type", capport.CONTENT_TYPE), *headers])

    async def _read(self, path: str, asked: PortalRequest) -> web.Response:
        context = self._context(asked, path)
        reader = FOR_ALL.get(path)
        if reader is None:
            reader = FOR_DEVICES[path]
            if context.mac is None:
                return self._page(info_pages.Elsewhere(context.place()), None, 200 if path == "/" else 403)
            if context.guest().state == "admitted":
                self._let_go(context.mac)
        return await self._do(context, reader(context))

    async def _change(self, path: str, asked: PortalRequest) -> web.Response:
        """State-changing request: POST only, same origin, with a token of this device."""
        context, headers = self._context(asked, "/"), asked.request.headers
        if not forms.is_same_origin(asked.host, headers.get("Origin"), headers.get("Sec-Fetch-Site")):
            return self._page(info_pages.WrongWay(context.place()), context.mac, 403)
        if context.mac is None:
            return self._page(info_pages.Elsewhere(context.place()), None, 403)
        if not self._rate_limit.take(context.mac, self._clock()):
            return self._page(
                info_pages.Busy(context.place()), context.mac, 429, ("Retry-After", str(info_pages.RETRY_S))
            )
        return await self._do(context, run_action(context, path, await asked.request.read()))

    def _context(self, asked: PortalRequest, path: str) -> RequestContext:
        headers = asked.request.headers
        context = self._context_of(
            asked.mac, asked.community, path, headers.get("Accept-Language", ""), asked.query
        )
        return replace(context, is_secure=asked.request.secure)

    def _context_of(
        self,
        mac: MacAddress | None,
        community: CommunityView,
        path: str,
        accept: str,
        query: Mapping[str, str] = _NO_QUERY,
    ) -> RequestContext:
        page_language = self._languages.language_for(
            mac, accept, own=community.language, shown=community.languages, asked=query.get("lang", "")
        )
        words = self._renderer.translations_for(page_language.language.tag)
        return RequestContext(
            self._backend, mac, community, self._tokens(), path, page_language, query, words
        )

    async def _do(self, context: RequestContext, doing: Awaitable[Outcome]) -> web.Response:
        try:
            outcome = await doing
        except NodeError:
            # The supervisor logs the cause where it occurred; the user only needs to try again.
            outcome = PageResponse(info_pages.Busy(context.place()), 503, info_pages.RETRY_S)
        match outcome:
            case SplashResponse(word):
                return self._send_page(
                    self._splash_cache.body(context, word), context.page_language.language.tag
                )
            case Redirect(path):
                return _see_other(path)
            case LanguageChange(tag, path):
                self._languages.choose(context.device, tag)
                return _see_other(path)
            case Download():
                return _give(outcome)
            case PageResponse(page, status, retry_s, refresh_s):
                more = [("Retry-After", str(retry_s))] if retry_s else []
                more += [("Refresh", str(refresh_s))] if refresh_s else []
                return self._page(page, context.mac, status, *more)

    # --- rendering ---

    def _tokens(self) -> forms.Tokens:
        """Token signer for the current minute since boot."""
        minute = self._since_boot() // 60_000
        if minute != self._made_tokens.minute:
            self._made_tokens = replace(self._made_tokens, minute=minute)
        return self._made_tokens

    def _page(
        self, page: PortalPage, mac: MacAddress | None, status: int = 200, *more: tuple[str, str]
    ) -> web.Response:
        """Response for the device `mac`; None for a client that is not on the LAN."""
        is_for_all = isinstance(page, info_pages.FOR_ALL)
        render = self._renderer.render_cached if is_for_all else self._renderer.render
        body = render(page, page.place.lang)
        if mac is not None:
            body = body.replace(CHOICE.encode(), self._tokens().token(forms.LANGUAGE, mac).encode())
        return self._send_page(body, page.place.lang, status, *more)

    def _send_page(self, body: bytes, lang: str, status: int = 200, *more: tuple[str, str]) -> web.Response:
        headers = CIMultiDict(self._fields_in(lang))
        headers.extend(more)
        return web.Response(status=status, headers=headers, body=body)

    def _fields_in(self, lang: str) -> tuple[tuple[str, str], ...]:
        """Header fields of every page in this language, cached."""
        fields = self._fields.get(lang)
        if fields is None:
            fields = self._fields[lang] = page_fields(lang, self._renderer.content_security_policy)
        return fields

    def _now(self) -> bytes:
        """Value of the ``Date`` field, cached for one second."""
        second = int(self._clock())
        if self._date[0] != second:
            self._date = second, formatdate(usegmt=True).encode()
        return self._date[1]


def portal_renderer(languages: Path = FOLDER) -> Renderer:
    """The portal's templates, in the languages of a folder of catalogues. Unusable files are logged."""
    catalogues = read_catalogues(languages)
    for problem in catalogues.problems:
        log.warning("%s", problem)
    renderer = Renderer("captive_portal", catalogues.translations)
    renderer.load()
    return renderer


def _give(document: Download) -> web.Response:
    return web.Response(body=document.body, headers=document_fields(document))


def _send(answer: probes.ProbeAnswer) -> web.Response:
    response = web.Response(status=answer.status, headers=[*answer.headers, SERVER], body=answer.body)
    response.force_close()
    return response


def _see_other(path: str) -> web.Response:
    return web.Response(status=303, headers=[("Location", path), ("Cache-Control", "no-store"), SERVER])


def _wanted(raw_path: str, host_header: str) -> tuple[str | None, str]:
    """Host and target of a request line; an absolute target ("GET http://host/path") carries its own host."""
    if raw_path.startswith("/"):
        return probes.normal_host(host_header), raw_path
    scheme, mark, rest = raw_path.partition("://")
    if not mark or scheme.lower() not in {"http", "https"}:
        return None, raw_path
    authority, slash, path = rest.partition("/")
    return probes.normal_host(authority), slash + path


def _bracketed(host: str) -> str:
    bare = host.partition("%")[0]
    return f"[{bare}]" if ":" in bare and not bare.startswith("[") else bare


def _set_backlog(listener: socket.socket | TransportSocket, backlog: int) -> None:
    """Sets the listen backlog. asyncio uses one number for the backlog and for connections accepted in one
    turn of the loop."""
    with socket.socket(fileno=os.dup(listener.fileno())) as same:
        same.listen(backlog)


def _lift_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_WANTED and soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_WANTED, hard), hard))

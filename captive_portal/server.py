"""HTTP server of the portal: its routes, the device of each client, and the responses. No decisions about limits."""

import asyncio
import logging
import os
import resource
import socket
import time
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from pathlib import Path

from aiohttp import web
from multidict import CIMultiDict

from captive_portal import capport, forms, info_pages, probes, responsiveness
from captive_portal.actions import ACTIONS, run_action
from captive_portal.callers import DISPUTED, ELSEWHERE, Callers
from captive_portal.fast_path import FastPath, fast_request
from captive_portal.request_context import (
    CHOICE,
    LOGO_PATH,
    Download,
    Fields,
    LanguageChange,
    Outcome,
    PageResponse,
    PortalPage,
    Redirect,
    RequestContext,
    SplashResponse,
    document_fields,
    logo_at,
    page_fields,
)
from captive_portal.responsiveness import ResponsivenessTests, Transfer
from captive_portal.splash import SplashCache, word_for
from captive_portal.views import FOR_ALL, FOR_DEVICES, View, own_page
from node.app.account import AccountService
from node.app.views import CommunityView
from node.errors import NodeError
from node.rate_limit import DeviceRateLimit
from node.web.application import application, connection_of, is_same_origin, normal_host, serving
from node.web.connections import Caller, Connection, ConnectionLimiter, FastAnswer, Limits, StreamOpener
from node.web.language_choice import LanguageChooser
from node.web.rendering import Renderer
from node.web.translations import FOLDER, read_catalogues

CAPPORT_PATH = capport.API_PATH
"""Captive portal API (RFC 8908)."""
TEST_PATHS = (
    responsiveness.CONFIG_PATH,
    responsiveness.SMALL_PATH,
    responsiveness.LARGE_PATH,
    responsiveness.UPLOAD_PATH,
)
ADDRESSES = frozenset({CAPPORT_PATH, LOGO_PATH, *TEST_PATHS, *FOR_ALL, *FOR_DEVICES, *ACTIONS})
"""All paths that the portal serves under its own host names."""
BACKLOG = 1_024
TAKEN_AT_ONCE = 16
"""Connections accepted in one turn of the event loop: a thousand at once must not delay open connections."""
FILES_WANTED = 16_384
CHANGES_AT_ONCE, CHANGES_PER_S = 120, 1
"""Per device, in requests: each change is one write to flash or disk."""

FIELDS_MAX = 64
"""Languages times accent colours whose header fields are cached."""

HEADERS = {"Server": "procomu"}
"""Of every response."""
NO_QUERY: Mapping[str, str] = {}

log = logging.getLogger(__name__)


def _since_boot() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


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
        self._renderer = self.renderer = renderer or portal_renderer()
        self.translations = self._renderer.translations
        """By language tag."""
        self._languages = LanguageChooser(each.language for each in self.translations.values())
        self._splash_cache = SplashCache(self._renderer.render)
        self._page_fields: dict[tuple[str, str], Fields] = {}
        self._made_redirect: tuple[str, probes.ProbeAnswer] = ("", probes.before_admission("/"))
        self._heads = FastPath()
        self._date = (0, b"")
        self._rate_limit = DeviceRateLimit(CHANGES_AT_ONCE, CHANGES_PER_S)
        self._tests = ResponsivenessTests()
        self._close_unused: Callable[[str], None] = lambda _device: None

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the port cannot be bound."""
        _lift_file_limit()
        community = self._backend.community()
        for tag in self._languages.lacking(community.language, *community.languages):
            log.warning("pages cannot be in %r: there is no %s.po (see captive_portal/README.md)", tag, tag)
        async with serving(self.application()) as server:
            limiter = ConnectionLimiter(
                server,
                self._callers.caller,
                clock=self._clock,
                limits=self._limits,
                connections_max=self._connections_max,
                fast_path=self._fast_answer,
                streams=self.streams,
            )
            self._close_unused = limiter.close_unused
            listener = await self._listen(limiter)
            try:
                await limiter.sweep()
            finally:
                self.ready.clear()
                listener.close()
                limiter.close()

    async def _listen(self, limiter: ConnectionLimiter) -> asyncio.Server:
        try:
            listener = await asyncio.get_running_loop().create_server(
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
        return listener

    def application(self) -> web.Application:
        """All pages of the portal, for one of its listeners, with or without TLS."""
        routes = [web.get(CAPPORT_PATH, self._capport), web.get(LOGO_PATH, self._logo)]
        routes += [web.get(path, partial(self._public_page, path, view)) for path, view in FOR_ALL.items()]
        routes += [
            web.get(path, partial(self._device_page, path, view)) for path, view in FOR_DEVICES.items()
        ]
        routes += [web.post(path, partial(self._action, path)) for path in ACTIONS]
        routes += [web.get(path, self._test) for path in TEST_PATHS[:3]]
        routes += [web.post(responsiveness.UPLOAD_PATH, self._test)]
        return application(self, routes, HEADERS)

    # --- routes ---

    async def _capport(self, request: web.Request) -> web.Response:
        """The captive portal API for programs; browsers are redirected to the first page."""
        context = self._context(request)
        if context.mac is None:
            return self._no_device(context, 403)
        headers = {"Cache-Control": capport.CACHE_CONTROL, "Vary": "Accept"}
        community = context.community
        base = community.portal_url.rstrip("/") or self._portal_url(community, "")
        if not capport.wants_document(request.headers.get("Accept")):
            return web.Response(status=302, headers={"Location": f"{base}/", **headers})
        body = capport.document(
            context.guest(),
            portal_url=f"{base}/",
            venue_url=f"{base}/network",
            is_open=bool(community.ways),
        )
        return web.Response(body=body, headers={"Content-Type": capport.CONTENT_TYPE, **headers})

    async def _logo(self, request: web.Request) -> web.Response:
        """The community's logo, for every client. Under the URL of another logo, as on a page that is older than this one,
        it is not kept."""
        community = self._backend.community()
        if community.logo is None:
            return self.no_page(request, "")
        picture = logo_at(request.path_qs, community)
        return self._response(
            self._context(request),
            picture or Download(community.logo.data, community.logo.content_type),
        )

    async def _public_page(self, path: str, view: View, request: web.Request) -> web.Response:
        context = self._context(request, path)
        return self._response(context, await view(context))

    async def _device_page(self, path: str, view: View, request: web.Request) -> web.Response:
        context = self._context(request, path)
        if context.mac is None:
            return self._no_device(context, 200 if path == "/" else 403)
        if self._backend.is_admitted(context.mac):
            self._close_unused(context.mac)
        return self._response(context, await view(context))

    async def _action(self, path: str, request: web.Request) -> web.Response:
        """State-changing request: POST only, same origin, with a token of this device."""
        context = self._context(request)
        if context.mac is None:
            return self._no_device(context, 403)
        if not self._rate_limit.take(context.mac, self._clock()):
            return self._page(context, info_pages.Busy(context.place()), 429, info_pages.RETRY_S)
        return self._response(context, await run_action(context, path, await request.read()))

    # --- the responsiveness test ---

    async def _test(self, request: web.Request) -> web.Response:
        """For admitted devices: the configuration, and the small download. The transfers of other devices come here too."""
        context = self._context(request)
        if context.mac is None:
            return self._no_device(context, 403)
        if not self._backend.is_admitted(context.mac):
            return self._response(context, Redirect("/"))
        headers = {"Cache-Control": "no-store"}
        later = self._tests.take(context.mac, self._clock())
        if later is not None:
            headers["Retry-After"] = str(later.retry_s)
            return web.Response(status=503, text=f"{later.reason}\n", headers=headers)
        if request.path == responsiveness.CONFIG_PATH:
            origin = f"{'https' if request.secure else 'http'}://{_authority(request)}"
            body = responsiveness.document(origin)
            return web.Response(body=body, headers={"Content-Type": "application/json", **headers})
        if request.path == responsiveness.LARGE_PATH and request.method == "HEAD":
            return web.Response(headers={"Content-Length": str(responsiveness.LARGE_BYTES), **headers})
        if request.path != responsiveness.SMALL_PATH:  # a transfer that another site began, or with an error
            return self.other_origin(request)
        return web.Response(
            body=responsiveness.SMALL, content_type="application/octet-stream", headers=headers
        )

    @property
    def streams(self) -> StreamOpener:
        """For the listeners of both ports."""
        return StreamOpener(responsiveness.TRANSFERS, self._open_transfer)

    def _open_transfer(self, head: bytes, connection: Connection) -> Transfer | bytes | None:
        """The large download or an upload of an admitted device; a refusal while it may not test. None for any other
        request, which the application answers."""
        request, transport = responsiveness.transfer_request(head), connection.transport
        if request is None or transport is None:
            return None
        try:
            device = self._caller(connection).device
        except NodeError:
            return None
        host = normal_host(request.host)
        if (
            device is None
            or not self._backend.is_admitted(device)
            or not self._is_own(host, self._backend.community(), transport)
            or not is_same_origin(host or "", request.headers, normal_host=normal_host)
        ):
            return None
        later = self._tests.begin_transfer(device, self._clock())
        if later is not None:
            return responsiveness.refusal(later)
        return Transfer(self._tests, device, request, connection, self._clock)

    # --- the fast path ---

    def _fast_answer(self, head: bytes, connection: Connection) -> FastAnswer | None:
        """Answers probes and the first page like the application, without the HTTP library; None leaves it to the
        application."""
        request, transport = fast_request(head), connection.transport
        if request is None or transport is None:
            return None
        try:
            caller = self._caller(connection)
        except NodeError:
            return None
        guest = None if caller.device is None else self._backend.guest(caller.device)
        if guest is None or guest.state not in {"waiting", "expired"}:
            return None
        community = self._backend.community()
        if not self._is_own(normal_host(request.host), community, transport):
            sent = self._redirect(community)
            fields = (*sent.headers, *HEADERS.items())
            return FastAnswer(self._heads.answer(sent.status, fields, sent.body, self._now()), closes=True)
        picture = logo_at(request.target, community)
        if picture is not None:
            fields = (*document_fields(picture), *HEADERS.items())
            return FastAnswer(self._heads.answer(200, fields, picture.body, self._now()))
        if request.target != "/" or guest.asked_for is not None:
            return None
        context = self._context_of(caller, community, request.accept_language)
        body = self._splash_cache.body(context, word_for(guest))
        fields = self._fields(context.page_language.language.tag, community.style)
        return FastAnswer(self._heads.answer(200, fields, body, self._now()))

    def _now(self) -> bytes:
        """Value of the ``Date`` field, cached for one second."""
        second = int(self._clock())
        if self._date[0] != second:
            self._date = second, formatdate(usegmt=True).encode()
        return self._date[1]

    # --- what the application leaves to the site ---

    def is_own_host(self, request: web.Request) -> bool:
        """Whether Host names the portal; all other requests were redirected here by the packet filter."""
        assert request.transport is not None
        return self._is_own(_wanted(request)[0], self._backend.community(), request.transport)

    def _is_own(self, host: str | None, community: CommunityView, transport: asyncio.Transport) -> bool:
        if host in self._addresses or (host and host == normal_host(community.portal_host)):
            return True
        return host == normal_host(_bracketed(transport.get_extra_info("sockname")[0]))

    def other_host(self, request: web.Request) -> web.Response:
        """Redirects to the portal. Once its device is admitted, a probe gets the response of the open Internet."""
        mac = self._caller(connection_of(request)).device
        if mac is not None and self._backend.is_admitted(mac):
            host, target = _wanted(request)
            agent = request.headers.get("User-Agent", "")
            probe = probes.recognise(request.method, host, target, agent)
            if probe is not None:
                return _probe_response(probe.open_answer)
        return _probe_response(self._redirect(self._backend.community()))

    def _redirect(self, community: CommunityView) -> probes.ProbeAnswer:
        url = self._portal_url(community)
        if self._made_redirect[0] != url:
            self._made_redirect = (url, probes.before_admission(url))
        return self._made_redirect[1]

    def is_own_origin(self, request: web.Request) -> bool:
        host, _ = _wanted(request)
        # Some mini-browsers send "Origin: null" with every form.
        return is_same_origin(host or "", request.headers, normal_host=normal_host, allows_null=True)

    def other_origin(self, request: web.Request) -> web.Response:
        context = self._context(request)
        return self._page(context, info_pages.WrongWay(context.place()), 403)

    def no_page(self, request: web.Request, methods: str) -> web.Response:
        context = self._context(request)
        if not methods:
            return self._page(context, info_pages.NotFound(context.place()), 404)
        response = self._page(context, info_pages.WrongWay(context.place()), 405)
        response.headers["Allow"] = methods
        return response

    def unavailable(self, request: web.Request, _error: NodeError) -> web.Response:
        """The user only needs to try again; the cause is logged where it occurred. If the device cannot be looked up, the
        page is that of no device."""
        try:
            context = self._context(request)
        except NodeError:
            accept = request.headers.get("Accept-Language", "")
            context = self._context_of(ELSEWHERE, self._backend.community(), accept)
        return self._page(context, info_pages.Busy(context.place()), 503, info_pages.RETRY_S)

    # --- the client and its responses ---

    def _caller(self, connection: Connection | None) -> Caller:
        """Never from a header: a client could claim to be another device."""
        if connection is None or connection.caller is None or connection.transport is None:
            return ELSEWHERE
        caller = connection.caller
        if caller.device is not None:
            address = connection.transport.get_extra_info("peername")[0]
            if self._callers.is_disputed(address, caller.device):
                caller = DISPUTED
        # A disputed device is looked up again on its next connection.
        connection.is_last |= caller.is_disputed
        return caller

    def _context(self, request: web.Request, path: str = "/") -> RequestContext:
        query = request.raw_path.partition("?")[2]
        return self._context_of(
            self._caller(connection_of(request)),
            self._backend.community(),
            request.headers.get("Accept-Language", ""),
            path,
            forms.read_query(query) if query else NO_QUERY,
            is_secure=request.secure,
        )

    def _context_of(
        self,
        caller: Caller,
        community: CommunityView,
        accept: str,
        path: str = "/",
        query: Mapping[str, str] = NO_QUERY,
        *,
        is_secure: bool = False,
    ) -> RequestContext:
        return RequestContext(
            self._backend,
            caller.device,
            community,
            self._tokens(),
            self._languages,
            accept,
            path,
            query,
            self._renderer.translations_for,
            is_secure,
            caller.is_disputed,
        )

    def _no_device(self, context: RequestContext, status: int) -> web.Response:
        """For a client that is not on the LAN, or whose address two devices claim."""
        if context.is_disputed:
            return self._page(context, info_pages.Disputed(context.place()), 403)
        return self._page(context, info_pages.Elsewhere(context.place()), status)

    def _response(self, context: RequestContext, outcome: Outcome) -> web.Response:
        match outcome:
            case SplashResponse(word):
                lang = context.page_language.language.tag
                return web.Response(
                    body=self._splash_cache.body(context, word),
                    headers=CIMultiDict(self._fields(lang, context.community.style)),
                )
            case Redirect(path):
                return web.Response(status=303, headers=[("Location", path), ("Cache-Control", "no-store")])
            case LanguageChange():
                return self._response(context, Redirect(self._language_path(context, outcome)))
            case Download():
                return web.Response(body=outcome.body, headers=document_fields(outcome))
            case PageResponse(page, status, retry_s, refresh_s):
                return self._page(context, page, status, retry_s, refresh_s)

    def _language_path(self, context: RequestContext, language: LanguageChange) -> str:
        """Changes the language, and returns the path to redirect to."""
        path = own_page(language.back)
        if not language.is_remembered:
            return f"{path}{'&' if '?' in path else '?'}lang={language.tag}"
        self._languages.choose(context.device, language.tag)
        return path

    def _page(
        self, context: RequestContext, page: PortalPage, status: int, retry_s: int = 0, refresh_s: int = 0
    ) -> web.Response:
        is_for_all = isinstance(page, info_pages.FOR_ALL)
        render = self._renderer.render_cached if is_for_all else self._renderer.render
        body = render(page, page.place.lang)
        if context.mac is not None:
            body = body.replace(CHOICE.encode(), self._tokens().token(forms.LANGUAGE, context.mac).encode())
        headers = CIMultiDict(self._fields(page.place.lang, page.place.style))
        if retry_s:
            headers["Retry-After"] = str(retry_s)
        if refresh_s:
            headers["Refresh"] = str(refresh_s)
        return web.Response(status=status, headers=headers, body=body)

    def _fields(self, lang: str, style: str) -> Fields:
        """Header fields of every page in this language and with this style sheet, cached."""
        fields = self._page_fields.get((lang, style))
        if fields is None:
            policy = self._renderer.content_security_policy(style)
            fields = (*page_fields(lang, policy), *HEADERS.items())
            if len(self._page_fields) >= FIELDS_MAX:
                self._page_fields.clear()
            self._page_fields[lang, style] = fields
        return fields

    def _portal_url(self, community: CommunityView, path: str = "/") -> str:
        port = "" if self._public_port == 80 else f":{self._public_port}"
        return f"http://{_bracketed(community.portal_host)}{port}{path}"

    def sign_with(self, secret: bytes, former: Sequence[bytes] = ()) -> None:
        """Form tokens are signed with this secret from now on. A page with a token of a `former` one is shown again."""
        self._made_tokens = replace(self._made_tokens, secret=secret, former=tuple(former))

    def _tokens(self) -> forms.Tokens:
        """Token signer for the current minute since boot."""
        minute = self._since_boot() // 60_000
        if minute != self._made_tokens.minute:
            self._made_tokens = replace(self._made_tokens, minute=minute)
        return self._made_tokens


def portal_renderer(languages: Path = FOLDER) -> Renderer:
    """The portal's templates, in the languages of a folder of catalogues. Unusable files are logged."""
    catalogues = read_catalogues(languages)
    for problem in catalogues.problems:
        log.warning("%s", problem)
    renderer = Renderer("captive_portal", catalogues.translations)
    renderer.load()
    return renderer


def _probe_response(answer: probes.ProbeAnswer) -> web.Response:
    response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    response.force_close()
    return response


def _authority(request: web.Request) -> str:
    """Host and port of a request that `_wanted` accepts, as the client wrote them."""
    if request.raw_path.startswith("/"):
        return request.headers.get("Host", "").strip().lower()
    return request.raw_path.partition("://")[2].partition("/")[0].lower()


def _wanted(request: web.Request) -> tuple[str | None, str]:
    """Host and target of a request; an absolute target ("GET http://host/path") carries its own host."""
    raw_path = request.raw_path
    if raw_path.startswith("/"):
        return normal_host(request.headers.get("Host", "")), raw_path
    scheme, mark, rest = raw_path.partition("://")
    if not mark or scheme.lower() not in {"http", "https"}:
        return None, raw_path
    authority, slash, path = rest.partition("/")
    return normal_host(authority), slash + path


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

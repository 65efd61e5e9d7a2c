"""HTTP server for gateways and for the people behind them: WiFiDog v1 in both dialects, and the welcome pages."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from captive_portal import forms, info_pages
from captive_portal.callers import ELSEWHERE
from captive_portal.gateway_pages import (
    GatewayUnknown,
    form_device,
    gateway_online,
    gateway_welcome,
)
from captive_portal.request_context import (
    LOGO_PATH,
    PageResponse,
    PortalPage,
    RequestContext,
    document_fields,
    logo_at,
    page_fields,
)
from captive_portal.views import FOR_ALL, View
from node.app.account import AccountService
from node.app.gateway_service import GatewayService, GatewayVerdict
from node.app.views import CodeTyped, TermsAccepted
from node.config import ListenAddress
from node.errors import NodeError
from node.gateways.gateway import Gateway, GatewayKind
from node.gateways.opennds_config import SCRIPTS_PATH
from node.gateways.wifidog_reply import PONG, AuthCode, auth_reply, counters_reply, return_url
from node.gateways.wifidog_request import (
    BODY_BYTES_MAX,
    CLIENTS_MAX,
    UnreadableRequest,
    WifidogAuth,
    WifidogLogin,
    WifidogReport,
    read_auth,
    read_counters,
    read_login,
    read_ping,
    read_query,
)
from node.rate_limit import DeviceRateLimit
from node.web.application import application, connection_of, is_same_origin, normal_host, serving
from node.web.connections import Connection, ConnectionLimiter, FastAnswer, Limits
from node.web.language_choice import LanguageChooser
from node.web.rendering import Renderer
from node.web.router_scripts import ROUTER_SCRIPTS, router_script

LIMITS = Limits(
    connections=2_048,
    connections_per_device=128,
    at_work_per_device=16,
    body_bytes=BODY_BYTES_MAX,
    head_bytes=8_000,
)
"""Many people come from one address: that of their gateway's router."""
HEADERS = {"Server": "procomu"}
BACKLOG = 128
CHECKS_AT_ONCE, CHECKS_PER_S = 400, 40
"""For each gateway: 2,400 people in one check interval."""
CLIENTS_AT_ONCE, CLIENTS_PER_S = 4 * CLIENTS_MAX, CHECKS_PER_S
"""For each gateway: clients in bodies with counters. Each costs as much as a check."""
ASKS_AT_ONCE, ASKS_PER_S = 10, 0.2
"""For each address of routers that are not known."""
FORMS_AT_ONCE, FORMS_PER_S = 60, 2
"""For each address: forms of all people behind one router."""
COUNTED_AT_ONCE = 32
"""Clients of one body, between which the node does nothing else: a few milliseconds."""
VISITS_MAX = 4_096
PREFIXES = ("", "/wifidog")
MESSAGES = ("gw_message.php", "gw_message", "messages")

_COUNTERS = re.compile(
    rb"GET /gw/(?:(?P<id>[0-9a-f]{8})/)?(?P<secret>[a-z2-7]{26})(?:/wifidog)?/auth/?"
    rb"\?(?P<query>[^ \r\n]*stage=counters[^ \r\n]*) HTTP/1\.[01]\r\n"
)
"""`counters_v2` has a body, and another method."""
_FAST_HEAD = (
    b"HTTP/1.0 200 OK\r\nServer: procomu\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: "
)

log = logging.getLogger(__name__)

type Naming = Callable[[Mapping[str, str]], tuple[GatewayKind, str]]
type Answering = Callable[[web.Request, Gateway, Mapping[str, str], str], Awaitable[web.Response]]
type Showing = Callable[[web.Request, Gateway, RequestContext], Awaitable[web.Response]]


class GatewayServer:
    """Serves gateways on one address, until cancelled. `secret` signs forms; their age is measured with `since_boot`."""

    def __init__(
        self,
        gateways: GatewayService,
        backend: AccountService,
        listen: ListenAddress,
        *,
        secret: bytes,
        boot: str,
        since_boot: Callable[[], int],
        clock: Callable[[], float],
        renderer: Renderer,
        limits: Limits = LIMITS,
    ) -> None:
        self.bound: tuple[str, int] = (listen.address, listen.port)
        self.ready = asyncio.Event()
        self._gateways, self._registry, self._backend = gateways, gateways.registry, backend
        self._listen_at, self._limits, self._clock = listen, limits, clock
        self._secret, self._boot, self._since_boot = secret, forms.boot_name(boot), since_boot
        self.renderer = renderer
        self.languages = LanguageChooser(each.language for each in renderer.translations.values())
        self._checks = DeviceRateLimit(CHECKS_AT_ONCE, CHECKS_PER_S)
        self._clients = DeviceRateLimit(CLIENTS_AT_ONCE, CLIENTS_PER_S)
        self._asks = DeviceRateLimit(ASKS_AT_ONCE, ASKS_PER_S)
        self._forms = DeviceRateLimit(FORMS_AT_ONCE, FORMS_PER_S)
        self.more_routes: list[web.RouteDef] = []
        """Of other protocols on the same listener."""
        self._visits: dict[str, tuple[str, str]] = {}
        """By token: the gateway, and the query with which it sent the person here."""

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the port cannot be bound, or the database cannot be read."""
        await self._gateways.recall()
        async with serving(self.application()) as server:
            limiter = ConnectionLimiter(
                server,
                lambda _ends: ELSEWHERE,
                clock=self._clock,
                limits=self._limits,
                fast_path=self._fast_answer,
            )
            listener = await self._listen(limiter)
            try:
                await limiter.sweep()
            finally:
                self.ready.clear()
                listener.close()
                limiter.close()

    async def _listen(self, limiter: ConnectionLimiter) -> asyncio.Server:
        address, port = self._listen_at.address, self._listen_at.port
        try:
            listener = await asyncio.get_running_loop().create_server(
                limiter, address, port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise NodeError(
                f"gateways cannot be served on {address} port {port}: {error.strerror or error}",
                "choose another address or port for gateways.listen in node.toml",
            ) from error
        self.bound = listener.sockets[0].getsockname()[:2]
        self.ready.set()
        return listener

    def application(self) -> web.Application:
        """What gateways ask, and the pages of the people behind them."""
        routes = [web.get(path, partial(self._public_page, path, view)) for path, view in FOR_ALL.items()]
        routes.append(web.get("/", partial(self._public_page, "/", FOR_ALL["/network"])))
        routes.append(web.get(LOGO_PATH, self._logo))
        routes += [web.get(f"{SCRIPTS_PATH}{name}", partial(_script, name)) for name in ROUTER_SCRIPTS]
        routes += self.more_routes
        routes.append(web.post("/gw/{id}/join", partial(self._known, self._join)))
        for prefix in PREFIXES:
            for slash in ("", "/"):
                routes += self._routes_of(prefix, slash)
        for slash in ("", "/"):
            routes += self._spoken_routes("/gw/{gateway}/{id}", slash)
        return application(self, routes, HEADERS)

    def _spoken_routes(self, base: str, slash: str) -> list[web.RouteDef]:
        """What a gateway asks with its secret, which is the last part of `base`, or before a prefix."""
        return [
            web.get(f"{base}/ping{slash}", partial(self._spoken, self._ping)),
            web.get(f"{base}/auth{slash}", partial(self._spoken, self._auth)),
            web.post(f"{base}/auth{slash}", partial(self._spoken, self._counters)),
        ]

    def _routes_of(self, prefix: str, slash: str) -> list[web.RouteDef]:
        own, plain = f"/gw/{{id}}{prefix}", prefix
        pages = {"login": self._login, "portal": self._portal} | dict.fromkeys(MESSAGES, self._message)
        return [
            *self._spoken_routes(own, slash),
            *(web.get(f"{own}/{name}{slash}", partial(self._known, page)) for name, page in pages.items()),
            web.get(f"{plain}/ping{slash}", self._ask),
            web.get(f"{plain}/auth{slash}", self._ask),
            web.get(f"{plain}/login{slash}", self._stranger),
        ]

    # --- what gateways ask ----------------------------------------------------------------------

    async def _spoken(self, handle: Answering, request: web.Request) -> web.Response:
        """With the secret of an accepted gateway. Without it nothing is said, and everything gets the same response."""
        address = _address_of(request)
        gateway = self._registry.find(request.match_info["id"], address)
        if gateway is None or request.match_info.get("gateway", gateway.id) != gateway.id:
            return _nothing()
        if not self._checks.take(gateway.id, self._clock()):
            return _reply(auth_reply(AuthCode.ERROR, "too many requests"))
        try:
            return await handle(request, gateway, read_query(_query_of(request)), address)
        except UnreadableRequest as unreadable:
            return _reply(auth_reply(AuthCode.ERROR, str(unreadable)), 400)

    def _fast_answer(self, head: bytes, connection: Connection) -> FastAnswer | None:
        """Counters of a gateway that has spoken before, answered without the HTTP library: 10,000 people are 167 such checks
        a second. None leaves a request to the application, which gives the same answer."""
        asked = _COUNTERS.match(head)
        if asked is None or connection.transport is None or not head.isascii():
            return None
        address = str(connection.transport.get_extra_info("peername")[0])
        gateway = self._registry.find(asked["secret"].decode(), address)
        if gateway is None or (asked["id"] or gateway.id.encode()) != gateway.id.encode():
            return None
        try:
            said = read_auth(read_query(asked["query"].decode()))
        except UnreadableRequest:
            return None
        is_known = self._registry.speaks(gateway, said.kind, said.device_id or said.called, address)
        if said.stage != "counters" or not is_known or not self._checks.take(gateway.id, self._clock()):
            return None
        verdict = self._gateways.count(gateway, said.mac, said.token, said.counted)
        body = auth_reply(code_of(verdict), verdict.reason)
        return FastAnswer(b"%b%d\r\n\r\n%b" % (_FAST_HEAD, len(body), body), closes=True)

    async def _ping(
        self, _request: web.Request, gateway: Gateway, fields: Mapping[str, str], address: str
    ) -> web.Response:
        ping = read_ping(fields)
        if await self._registry.spoke(gateway, ping.kind, ping.called, address) is None:
            return _nothing()
        self._registry.heartbeat(gateway, ping.uptime_s, ping.online)
        return _reply(PONG)

    async def _auth(
        self, _request: web.Request, gateway: Gateway, fields: Mapping[str, str], address: str
    ) -> web.Response:
        asked = read_auth(fields)
        called = asked.device_id or asked.called
        if await self._registry.spoke(gateway, asked.kind, called, address) is None:
            return _nothing()
        verdict = await self._decide(gateway, asked)
        code = code_of(verdict)
        if asked.stage == "logout" and verdict.is_certain:
            code = AuthCode.DENIED  # apfree-wifidog forgets the client only then
        return _reply(auth_reply(code, verdict.reason))

    async def _decide(self, gateway: Gateway, asked: WifidogAuth) -> GatewayVerdict:
        match asked.stage:
            case "login":
                return await self._gateways.login(gateway, asked.mac, asked.token)
            case "counters":
                return self._gateways.count(gateway, asked.mac, asked.token, asked.counted)
            case "logout":
                return await self._gateways.logout(gateway, asked.mac, asked.token, asked.counted)

    async def _counters(
        self, request: web.Request, gateway: Gateway, fields: Mapping[str, str], address: str
    ) -> web.Response:
        if fields.get("stage") != "counters_v2":
            raise UnreadableRequest("the stage of a body is counters_v2")
        said = read_counters(await request.read())
        if not said.device_id:
            raise UnreadableRequest("the router does not say its name")
        if await self._registry.spoke(gateway, "apfree", said.device_id, address) is None:
            return _nothing()
        clients = sum(len(report.clients) for report in said.reports)
        if not self._clients.take(gateway.id, self._clock(), clients):
            return _reply(auth_reply(AuthCode.ERROR, "too many clients"))
        results = [(report.called, await self._counted(gateway, report)) for report in said.reports]
        return _reply(counters_reply(results), content_type="application/json")

    async def _counted(self, gateway: Gateway, report: WifidogReport) -> list[tuple[int | str, AuthCode]]:
        """One decision for each client. Others are served between them: a body can have a thousand."""
        decided = []
        for each in report.clients:
            verdict = self._gateways.count(gateway, each.mac, each.token, each.counted)
            decided.append((each.id, code_of(verdict)))
            if len(decided) % COUNTED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return decided

    async def _ask(self, request: web.Request) -> web.Response:
        """A router without a secret: an admin may see it, and it learns nothing."""
        self._asked(request, "ping" if "/ping" in request.path else "auth")
        return _nothing()

    def _asked(self, request: web.Request, what: str) -> None:
        address = _address_of(request)
        if not self._asks.take(address, self._clock()):
            return
        try:
            fields = read_query(_query_of(request))
            kind, called = _STRANGERS[what](fields)
        except UnreadableRequest:
            return
        self._registry.ask(kind, called, address)

    # --- pages of people ------------------------------------------------------------------------

    def known(self, name: str, address: str) -> Gateway | None:
        """The accepted gateway with this id, which is no secret, or this secret, if it may speak from this address."""
        gateway = self._registry.get(name)
        if gateway is None or gateway.phase != "accepted" or not gateway.may_speak_from(address):
            return self._registry.find(name, address)
        return gateway

    async def _known(self, handle: Showing, request: web.Request) -> web.Response:
        """Pages are under the id of a gateway, which is no secret; under its secret too, for routers with one path only."""
        gateway = self.known(request.match_info["id"], _address_of(request))
        context = self._context(request)
        if gateway is None:
            return self._page(GatewayUnknown(context.place()), 403)
        try:
            return await handle(request, gateway, context)
        except UnreadableRequest:
            return self._page(info_pages.WrongWay(context.place()), 400)

    async def _stranger(self, request: web.Request) -> web.Response:
        """A person behind a router that was not accepted."""
        self._asked(request, "login")
        context = self._context(request)
        return self._page(GatewayUnknown(context.place()), 403)

    async def _login(self, request: web.Request, gateway: Gateway, context: RequestContext) -> web.Response:
        back = _without_language(_query_of(request))
        login = read_login(read_query(back))
        if not _is_of(gateway, login):
            return self._page(GatewayUnknown(context.place()), 403)
        page = gateway_welcome(context, gateway, _address_of(request), back)
        return self._page(page, 200, form_to=_origin_of(login))

    async def _join(self, request: web.Request, gateway: Gateway, context: RequestContext) -> web.Response:
        address = _address_of(request)
        form = forms.read_form(await request.read(), "gateway", "terms", also=("code",))
        if form is None:
            raise UnreadableRequest("the form is not complete")
        login = read_login(read_query(form["gateway"]))
        if not _is_of(gateway, login):
            return self._page(GatewayUnknown(context.place()), 403)
        if not self._forms.take(address, self._clock()):
            return self._page(info_pages.Busy(context.place()), 429, info_pages.RETRY_S)
        code = form.get("code", "")
        show = partial(gateway_welcome, context, gateway, address, form["gateway"], code=code)
        shown = partial(self._page, form_to=_origin_of(login))
        judged = self.form_tokens().judge(forms.JOIN, form_device(gateway, address), form["token"])
        if judged != "good":
            return shown(show(word="old" if judged == "old" else "stale"), 409)
        if form["terms"] != context.community.terms_version:
            return shown(show(word="terms-changed"), 409)
        entry = CodeTyped(code) if code.strip() else TermsAccepted()
        token = self._gateways.begin(gateway, login.mac, entry, form["terms"])
        self._visits[token] = gateway.id, form["gateway"]
        if len(self._visits) > VISITS_MAX:
            del self._visits[next(iter(self._visits))]
        headers = {"Location": return_url(login, token), "Cache-Control": "no-store"}
        return web.Response(status=303, headers=headers)

    async def _portal(self, request: web.Request, gateway: Gateway, context: RequestContext) -> web.Response:
        """After the gateway has let the device pass. What is personal is shown to the bearer of the token only."""
        mac = self._gateways.device_of(gateway, read_query(_query_of(request)).get("token", ""))
        guest = None if mac is None else self._backend.guest(mac)
        verdict = None if mac is None else self._gateways.verdict(mac)
        return self._page(gateway_online(context, gateway, guest, verdict), 200)

    async def _message(self, request: web.Request, gateway: Gateway, context: RequestContext) -> web.Response:
        """After the gateway has turned the device away."""
        token = read_query(_query_of(request)).get("token", "")
        verdict, visit = self._gateways.reason(token), self._visits.get(token)
        if visit is None or visit[0] != gateway.id:
            page = gateway_online(context, gateway, None, verdict or GatewayVerdict("ended"))
            return self._page(page, 200)
        login = read_login(read_query(visit[1]))
        shown = gateway_welcome(context, gateway, _address_of(request), visit[1], verdict=verdict)
        return self._page(shown, 200, form_to=_origin_of(login))

    async def _public_page(self, path: str, view: View, request: web.Request) -> web.Response:
        context = self._context(request, path)
        outcome = await view(context)
        assert isinstance(outcome, PageResponse)
        return self._page(outcome.page, outcome.status)

    async def _logo(self, request: web.Request) -> web.Response:
        """The community's logo, which browsers keep under its own address."""
        picture = logo_at(request.path_qs, self._backend.community())
        if picture is None:
            return _nothing()
        return web.Response(body=picture.body, headers=dict(document_fields(picture)))

    # --- what the application leaves to the site ---

    def is_own_host(self, _request: web.Request) -> bool:
        """Gateways call it as they are configured."""
        return True

    def other_host(self, request: web.Request) -> web.Response:
        return self.no_page(request, "")

    def is_own_origin(self, request: web.Request) -> bool:
        host = normal_host(request.headers.get("Host", ""))
        return is_same_origin(host or "", request.headers, normal_host=normal_host, allows_null=True)

    def other_origin(self, request: web.Request) -> web.Response:
        context = self._context(request)
        return self._page(info_pages.WrongWay(context.place()), 403)

    def no_page(self, _request: web.Request, methods: str) -> web.Response:
        response = _nothing(405 if methods else 404)
        if methods:
            response.headers["Allow"] = methods
        return response

    def unavailable(self, _request: web.Request, _error: NodeError) -> web.Response:
        """Without ``Pong`` and ``Auth:``: the gateway leaves everything as it is, and asks again."""
        return web.Response(status=503, text="busy\n", headers={"Retry-After": str(info_pages.RETRY_S)})

    # --- the client and its responses ---

    def form_tokens(self) -> forms.Tokens:
        """Signs and checks forms now."""
        return forms.Tokens(self._secret, self._boot, self._since_boot() // 60_000)

    def _context(self, request: web.Request, path: str = "") -> RequestContext:
        query = _query_of(request)
        return RequestContext(
            self._backend,
            None,
            self._backend.community(),
            self.form_tokens(),
            self.languages,
            request.headers.get("Accept-Language", ""),
            path or _own_path(request),
            forms.read_query(query) if path else _language_of(query),
            self.renderer.translations_for,
        )

    def _page(
        self,
        page: PortalPage,
        status: int,
        retry_s: int = 0,
        *,
        form_to: str = "",
    ) -> web.Response:
        """`form_to`: origin to which a form of the page may lead, after this server."""
        place = page.place
        policy = self.renderer.content_security_policy(place.style)
        if form_to:
            policy = policy.replace("form-action 'self'", f"form-action 'self' {form_to}")
        headers = dict(page_fields(place.lang, policy))
        if retry_s:
            headers["Retry-After"] = str(retry_s)
        return web.Response(status=status, headers=headers, body=self.renderer.render(page, place.lang))


def _pinging(fields: Mapping[str, str]) -> tuple[GatewayKind, str]:
    ping = read_ping(fields)
    return ping.kind, ping.called


def _naming(read: Callable[[Mapping[str, str]], WifidogAuth | WifidogLogin]) -> Naming:
    def named(fields: Mapping[str, str]) -> tuple[GatewayKind, str]:
        said = read(fields)
        return said.kind, said.device_id or said.called

    return named


_STRANGERS: Mapping[str, Naming] = {
    "ping": _pinging,
    "auth": _naming(read_auth),
    "login": _naming(read_login),
}
"""How a router that is not known calls itself, by what it asks."""


def code_of(verdict: GatewayVerdict) -> AuthCode:
    """What the gateway is told. While the node has not read its database, everything stays as it is."""
    if verdict.may_pass:
        return AuthCode.ALLOWED
    return AuthCode.DENIED if verdict.is_certain else AuthCode.ERROR


def _is_of(gateway: Gateway, login: WifidogLogin) -> bool:
    """Whether the router that sent the person is the one that speaks with the secret, as far as it says."""
    return gateway.called in {"", login.device_id or login.called}


def _origin_of(login: WifidogLogin) -> str:
    host = f"[{login.address}]" if ":" in login.address else login.address
    return f"http://{host}:{login.port}"


def _query_of(request: web.Request) -> str:
    return request.raw_path.partition("?")[2]


def _language_of(query: str) -> Mapping[str, str]:
    return {name: value for name, value in forms.read_query(query).items() if name == "lang"}


def _without_language(query: str) -> str:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=forms.FIELDS_MAX * 8, errors="strict")
    except ValueError:
        return query
    return urlencode([(name, value) for name, value in pairs if name != "lang"])


def _own_path(request: web.Request) -> str:
    query = _without_language(_query_of(request))
    return f"{request.path}?{query}" if query else request.path


def _address_of(request: web.Request) -> str:
    """Never from a header."""
    connection = connection_of(request)
    peer = connection.transport.get_extra_info("peername") if connection and connection.transport else None
    return str(peer[0]) if peer else ""


def _reply(body: bytes, status: int = 200, content_type: str = "text/plain") -> web.Response:
    """Closed at once: the gateway reads until the end of the connection."""
    response = web.Response(status=status, body=body, content_type=content_type)
    response.force_close()
    return response


async def _script(name: str, _request: web.Request) -> web.Response:
    """For a router; it holds no secret."""
    response = web.Response(body=await asyncio.to_thread(router_script, name), content_type="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _nothing(status: int = 404) -> web.Response:
    """The same for a wrong secret, an unknown router and a path that does not exist."""
    return _reply(b"nothing here\n", status)

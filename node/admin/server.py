"""HTTP server of the admin pages, on a listener of its own: its routes, who may use them, and the responses."""

import asyncio
import hashlib
import ipaddress
import math
import time
from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from node.accounts.member_passphrases import PASSPHRASE_CHARS_MAX
from node.admin.appearance import AppearanceViews
from node.admin.backups import BackupsViews
from node.admin.events import EventsViews
from node.admin.file_sharing import FileSharingViews
from node.admin.gateways import GatewaysViews
from node.admin.history import HistoryViews
from node.admin.ladders import LadderViews
from node.admin.members import MembersViews
from node.admin.metrics_endpoint import PATH as METRICS
from node.admin.metrics_endpoint import MetricsEndpoint
from node.admin.network import NetworkViews
from node.admin.node_forms import NodeFormViews
from node.admin.nodes import NodesViews
from node.admin.notices import NoticesViews
from node.admin.objections import ObjectionsViews
from node.admin.overview import OverviewViews
from node.admin.people import PeopleViews
from node.admin.routes import (
    EVERYONE_SIGNED_IN,
    FILTERS,
    NOBODY,
    AdminDownload,
    AdminPicture,
    AdminRedirect,
    AdminRequest,
    Answer,
    LanguageSwitch,
    Route,
    SignInPage,
    TroublePage,
    not_allowed,
)
from node.admin.rule_history import RuleHistoryViews
from node.admin.rules import RulesViews
from node.admin.sessions import OWN_PAGE, AccessViews, browser_text, wrong_passphrase
from node.admin.tables import TablesViews
from node.admin.terms import TermsViews
from node.admin.vouchers import VouchersViews
from node.app.admin import AdminService
from node.app.admin_access import SignedIn, SignInClient, SignInRefused
from node.app.admin_sessions import (
    NAME_CHARS_MAX,
    SESSION_LIFE,
    TOKEN_CHARS_MAX,
    Signed,
    csrf_token_for,
    is_csrf_token,
)
from node.app.metrics import MetricsService
from node.errors import NodeError
from node.plots.plot import ALONE_STYLE, STYLE
from node.rate_limit import DeviceRateLimit
from node.translator import as_sentence, gettext_lazy
from node.web.application import application, connection_of, cookie_of, is_same_origin, serving
from node.web.connections import Caller, ConnectionLimiter, Limits
from node.web.form_site import (
    FIELDS_MAX,
    choose_language,
    form_fields,
    html,
    media_type,
    page_language,
    refusal_bytes,
    see_other,
    set_cookie,
    site_headers,
)
from node.web.language_choice import LanguageChooser, PageLanguage
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
COOKIE, SECURE_COOKIE = "procomu_admin", "__Host-procomu_admin"
"""Of the session; the second by https."""
KNOWN_COOKIE = "procomu_known"
"""Shows that somebody has signed in with this browser before; it signs nobody in."""
LONGEST_S = 400 * 86_400
"""The longest that browsers keep a cookie."""
USER_AGENT_CHARS_MAX = 300
SIGN_IN, SIGN_OUT, LANGUAGE = "/sign-in", "/sign-out", "/language"
OPEN_AT_ONCE, OPEN_PER_S = 30, 0.5
"""Pictures that one device may have without a sign-in: a board with all of them, again and again."""
ANYONE = Caller(None)
"""These pages do not know devices."""

TROUBLES = {
    413: TroublePage(
        gettext_lazy("Too large"),
        gettext_lazy("What was sent is too large."),
        gettext_lazy("Make it shorter, or choose a smaller file."),
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
    NodesViews,
    NodeFormViews,
    NetworkViews,
    GatewaysViews,
    HistoryViews,
    NoticesViews,
    ObjectionsViews,
    LadderViews,
    RulesViews,
    RuleHistoryViews,
    FileSharingViews,
    TermsViews,
    AppearanceViews,
    BackupsViews,
    EventsViews,
    TablesViews,
    AccessViews,
)


class AdminServer:
    """Serves admin pages on `address` and `port` (0 takes any free one). Host must be an IP address,
    ``localhost``, or by https one of `hosts`."""

    def __init__(
        self,
        backend: AdminService,
        *,
        address: str,
        port: int,
        hosts: frozenset[str] = frozenset(),
        translations: Mapping[str, Translations] | None = None,
        limits: Limits = LIMITS,
        metrics: MetricsService | None = None,
    ) -> None:
        self.bound: tuple[str, int] | None = None
        """Address and port that it listens on, once `ready`."""
        self.ready = asyncio.Event()
        self._backend, self._access = backend, backend.access
        self._address, self._port, self._hosts, self._limits = address, port, hosts, limits
        self._metrics = metrics
        self._drawing = asyncio.Lock()
        """One picture at a time: they may be open to everybody, and drawing takes the processor."""
        self._open_pace = DeviceRateLimit(OPEN_AT_ONCE, OPEN_PER_S)
        self._renderer = Renderer("node.admin", translations, FILTERS)
        self._languages = LanguageChooser(each.language for each in self._renderer.translations.values())
        self._headers = {
            **site_headers(self._renderer.content_security_policy(STYLE, ALONE_STYLE)),
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
                refusal=self.refusal,
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
            web.post(SIGN_IN, self._begin),
            web.post(LANGUAGE, self._choose_language),
        ]
        if self._metrics is not None:
            endpoint = MetricsEndpoint(self._backend.metrics_token, self._metrics.text)
            routes.append(web.get(METRICS, endpoint.answer, allow_head=False))
        routes += [web.route(each.method, each.path, partial(self._page_of, each)) for each in self.routes]
        return application(self, routes, self._headers)

    # --- routes ---

    async def _sign_in(self, request: web.Request) -> web.Response:
        """A button: a program that previews links must not use them up."""
        if self._signed(request) is not None:
            return see_other("/")
        token = request.query.get("token", "")[: TOKEN_CHARS_MAX + 1]
        return self._page(request, SignInPage(token), 200)

    async def _begin(self, request: web.Request) -> web.Response:
        """Signs in, by the token of a link or by name and passphrase."""
        fields = await form_fields(request)
        if "token" in fields:
            signed_in = await self._access.redeem(fields["token"][: TOKEN_CHARS_MAX + 1])
            if signed_in is None:
                return self._page(request, SignInPage(is_refused=True), 403)
            signed = self._access.who(signed_in.cookie)
            has_account = signed is None or self._access.has_account(signed)
            return self._with_session(request, signed_in, "/" if has_account else OWN_PAGE)
        name = fields.get("name", "")[:NAME_CHARS_MAX]
        result = await self._access.sign_in(
            name,
            fields.get("passphrase", "")[: PASSPHRASE_CHARS_MAX + 1],
            _client(request),
            stays="stays" in fields,
        )
        if isinstance(result, SignInRefused):
            page = SignInPage(name=name, error=wrong_passphrase(result.wait_s))
            response = self._page(request, page, 429 if result.wait_s else 403)
            if result.wait_s:
                response.headers["Retry-After"] = str(result.wait_s)
            return response
        return self._with_session(request, result, "/")

    def _with_session(self, request: web.Request, signed_in: SignedIn, where: str) -> web.Response:
        response = see_other(where)
        life_s = signed_in.days * 86_400 or SESSION_LIFE // 1000
        set_cookie(request, response, _cookie_name(request), signed_in.cookie, life_s)
        if signed_in.known:
            set_cookie(request, response, KNOWN_COOKIE, signed_in.known, LONGEST_S)
        return response

    async def _page_of(self, route: Route, request: web.Request) -> web.Response:
        """A page or a change, for a person whose role allows it."""
        signed = self._signed(request)
        if route.is_open and self._backend.history.is_open:
            if signed is None and not self._open_pace.take(_client(request).network, time.monotonic()):
                return self._too_many(request)
            signed = signed or NOBODY
        elif signed is None:
            return self._page(request, SignInPage(), 401)
        elif signed.role not in route.roles:
            return await self._send(request, not_allowed())
        cookie, (fields, files) = _cookie(request), await _form(request)
        if request.method == "POST" and not is_csrf_token(cookie, fields.get("csrf_token", "")):
            return self.other_origin(request)
        await self._access.used(cookie)
        # The Host header was checked before.
        origin = f"{request.scheme}://{request.headers.get('Host', '')}"
        language = self._language(request, request.query.get("lang", "") if route.is_open else "")
        translations = self._renderer.translations_for(language.language.tag)
        admin_request = AdminRequest(
            request.path,
            dict(request.query),
            fields,
            cookie,
            signed,
            origin,
            translations,
            language.language,
            _client(request),
            files,
            self._backend.adoption.trial(),
            self._backend.adoption.waiting(),
        )
        response = await self._send(request, await route.answer(admin_request))
        if request.method == "POST":
            self._backend.vouchers.drop_codes()
        if route.path == SIGN_OUT:
            response.del_cookie(
                _cookie_name(request), path="/", secure=request.secure, httponly=True, samesite="Strict"
            )
        return response

    async def _sign_out(self, request: AdminRequest) -> AdminRedirect:
        await self._access.sign_out(request.cookie)
        return AdminRedirect(SIGN_IN)

    async def _choose_language(self, request: web.Request) -> web.Response:
        """Also before signing in, when there is no session and so no token."""
        fields, cookie = await form_fields(request), _cookie(request)
        is_signed_in = self._access.who(cookie) is not None
        if is_signed_in and not is_csrf_token(cookie, fields.get("csrf_token", "")):
            return self.other_origin(request)
        response = see_other(self._own_page(fields.get("back", "")))
        choose_language(request, response, fields.get("lang", ""), self._language(request), LONGEST_S)
        return response

    # --- what the application leaves to the site ---

    def is_own_host(self, request: web.Request) -> bool:
        """Only IP addresses and configured names: any other name can be DNS rebinding by another site."""
        try:
            name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
            # By http another machine could give the portal's name an address of its own.
            if name == "localhost" or (name in self._hosts and request.secure):
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
            return self._page(request, SignInPage(), 401)
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

    def refusal(self, status: int) -> bytes:
        """A complete HTTP response to data that is not a valid request."""
        body = self._renderer.render_cached(TROUBLES.get(status, NO_REQUEST), SOURCE)
        return refusal_bytes(status, self._headers, body)

    # --- responses ---

    def _signed(self, request: web.Request) -> Signed | None:
        return self._access.who(_cookie(request))

    async def _send(self, request: web.Request, answer: Answer) -> web.Response:
        if isinstance(answer, AdminDownload):
            headers = {"Content-Disposition": f'attachment; filename="{answer.name}"'}
            content = await asyncio.to_thread(answer.content) if callable(answer.content) else answer.content
            return web.Response(body=content, content_type=answer.media_type, headers=headers)
        if isinstance(answer, AdminRedirect):
            if answer.signed_in is not None:
                return self._with_session(request, answer.signed_in, answer.where)
            return see_other(answer.where)
        if isinstance(answer, AdminPicture):
            return await self._send_picture(request, answer)
        drawn = partial(self._rendered, request, answer.page)
        body = await asyncio.to_thread(drawn) if answer.is_heavy else drawn()
        response = html(body, self._language(request).language.tag, answer.status)
        if answer.refresh_s:
            response.headers["Refresh"] = str(answer.refresh_s)
        return response

    async def _send_picture(self, request: web.Request, picture: AdminPicture) -> web.Response:
        """Only once to a browser that has it already (RFC 9110 section 13.1.2)."""
        async with self._drawing:
            drawn = await asyncio.to_thread(picture.draw)
        tag = hashlib.sha256(drawn).hexdigest()[:32]
        scope = "public" if picture.is_open and self._backend.history.is_open else "private"
        headers = {
            "Cache-Control": f"{scope}, max-age={picture.fresh_s}",
            "ETag": f'"{tag}"',
            "Vary": "Accept-Language, Cookie",
        }
        if any(each.value == tag for each in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=drawn, content_type=picture.media_type, charset="utf-8", headers=headers)

    def _too_many(self, request: web.Request) -> web.Response:
        response = self._trouble(
            request,
            429,
            gettext_lazy("Too many pictures"),
            gettext_lazy("This device asked for more pictures than it may without a sign-in."),
            gettext_lazy("Wait a moment, or sign in."),
        )
        response.headers["Retry-After"] = str(math.ceil(1 / OPEN_PER_S))
        return response

    def _trouble(self, request: web.Request, status: int, title: str, message: str, fix: str) -> web.Response:
        return self._page(request, TroublePage(title, message, fix), status)

    def _page(self, request: web.Request, page: SitePage, status: int = 200) -> web.Response:
        return html(self._rendered(request, page), self._language(request).language.tag, status)

    def _rendered(self, request: web.Request, page: SitePage) -> bytes:
        chosen, cookie = self._language(request), _cookie(request)
        csrf_token = csrf_token_for(cookie) if cookie else ""
        switch = LanguageSwitch(chosen.offered, _back(request), csrf_token)
        return self._renderer.render(page, chosen.language.tag, switch=switch)

    # --- language ---

    def _language(self, request: web.Request, typed: str = "") -> PageLanguage:
        """`typed`: a language that the address names, which is taken if there is such a one."""
        own = self._backend.site().languages[0][0]
        return (
            self._languages.language_for(None, typed, own=own)
            if typed
            else page_language(request, self._languages, own)
        )

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


async def _form(request: web.Request) -> tuple[Mapping[str, str], Mapping[str, bytes]]:
    """Fields of a POST form, and those in which a file was chosen; both empty when the body is not a valid form."""
    if request.method != "POST" or media_type(request) != "multipart/form-data":
        return await form_fields(request), {}
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    try:
        # The whole body is here already, within the limit of `LIMITS`.
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if not isinstance(part, BodyPartReader) or len(fields) + len(files) >= FIELDS_MAX:
                return {}, {}
            content = bytes(await part.read())
            if part.filename is None:
                fields[part.name or ""] = content.decode()
            elif content:
                files[part.name or ""] = content
    except (ValueError, HttpProcessingError):
        return {}, {}
    return fields, files


def _cookie(request: web.Request) -> str:
    return cookie_of(request, _cookie_name(request))[: TOKEN_CHARS_MAX + 1]


def _cookie_name(request: web.Request) -> str:
    return SECURE_COOKIE if request.secure else COOKIE


def _client(request: web.Request) -> SignInClient:
    """Counted as its device, which it cannot choose, or as its network where the device is unknown."""
    connection = connection_of(request)
    return SignInClient(
        connection.party if connection is not None else "",
        cookie_of(request, KNOWN_COOKIE),
        browser_text(request.headers.get("User-Agent", "")[:USER_AGENT_CHARS_MAX]),
    )


def _back(request: web.Request) -> str:
    """Where to return to from the choice of language: the page, or after a form its entry in the navigation."""
    return request.path_qs if request.method == "GET" else f"/{request.path.split('/')[1]}"

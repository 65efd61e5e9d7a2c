"""The portal's HTTP edge: who is asking, for which host, and which page or answer that is. No decisions."""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict

from captive_portal import capport, forms, pages, probes, status
from captive_portal.connections import Doorway, Limits
from captive_portal.place import Page, place
from captive_portal.ports import CommunityView, GuestView, House, Neighbours, Refused, TermsAccepted
from captive_portal.render import Renderer
from node.errors import NodeError
from node.units import MacAddress

CAPPORT_PATH = "/captive-portal"
"""The captive portal API of RFC 8908."""
STATUS_PATH = "/status.json"
"""My page for people's own tools."""
BACKLOG = 1_024
FILES_WANTED = 8_192

_SERVER = ("Server", "procomu")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page of ours, from a device on our link (or from elsewhere: no `mac`)."""

    request: web.BaseRequest
    host: str
    mac: MacAddress | None


Answerer = Callable[[Asked], Awaitable[web.Response]]


class Portal:
    """Serves people on `port` until cancelled: everything that is captured, and its own pages.

    `secret` (16 bytes or more) makes the forms' tokens; keep it over restarts so that open pages stay valid.
    `addresses` to listen on, all of both families when empty; Host headers that name one of them are ours, as
    are the portal's own name and the address that a connection came to. `public_port` is the port that people
    use: redirects to the portal name it.
    """

    def __init__(
        self,
        house: House,
        neighbours: Neighbours,
        *,
        port: int,
        secret: bytes,
        addresses: Sequence[str] = (),
        public_port: int = 80,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(secret) < forms.SECRET_BYTES_MIN:
            raise ValueError(f"the portal's secret needs {forms.SECRET_BYTES_MIN} bytes or more")
        self.bound: tuple[tuple[str, int], ...] = ()
        """Addresses and ports that it listens on, once `ready`."""
        self.ready = asyncio.Event()
        self._house = house
        self._neighbours = neighbours
        self._port = port
        self._secret = secret
        self._addresses = tuple(addresses)
        self._public_port = public_port
        self._limits = limits or Limits()
        self._clock = clock
        self._renderer = Renderer()
        self._headers = self._page_headers()
        self._redirect: tuple[str, probes.Answer] = ("", probes.before_admission("/"))
        self._gets: Mapping[str, Answerer] = {
            "/": self._home,
            "/me": self._me,
            "/network": self._network,
            "/terms": self._terms,
            CAPPORT_PATH: self._capport,
            STATUS_PATH: self._status,
        }
        self._posts: Mapping[str, Answerer] = {"/join": self._join, "/leave": self._leave}

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the port cannot be had."""
        _lift_file_limit()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, doorway)

        server = web.Server(handle, access_log=None, auto_decompress=False)
        doorway = Doorway(server, self._neighbours.mac_of, clock=self._clock, limits=self._limits)
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(
                doorway, self._addresses or None, self._port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise NodeError(
                f"the portal cannot listen on port {self._port}: {error.strerror or error}",
                "see who has it with: ss -ltnp; or choose another port in node.toml",
            ) from error
        self.bound = tuple(entry.getsockname()[:2] for entry in listener.sockets)
        self.ready.set()
        try:
            await doorway.sweep()
        finally:
            self.ready.clear()
            listener.close()
            doorway.close()
            await server.shutdown(1.0)

    async def _handle(self, request: web.BaseRequest, doorway: Doorway) -> web.StreamResponse:
        try:
            response = await self._answer(request)
        finally:
            must_close = doorway.answered(request.protocol)
        if must_close:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        transport = request.transport
        if transport is None:  # hung up already: nobody reads this
            return web.Response(status=400)
        # The peer of the socket, never a header: who could name himself could name others.
        mac = self._neighbours.mac_of(transport.get_extra_info("peername")[0])
        host, target = _wanted(request.raw_path, request.headers.get("Host", ""))
        community = self._house.community()
        if host is None or not self._is_ours(host, community, transport):
            return self._foreign(request, host, target, mac, community)
        path = target.partition("?")[0]
        asked = Asked(request, host, mac)
        if request.method == "POST":
            return await self._post(path, asked)
        page = self._gets.get(path)
        if page is not None:
            return await page(asked)
        if path in self._posts:
            return self._page(pages.WrongWay(place(community)), 405, ("Allow", "POST"))
        return self._page(pages.NotFound(place(community)), 404)

    # --- questions for other hosts, which the kernel sent to us ---

    def _foreign(
        self,
        request: web.BaseRequest,
        host: str | None,
        target: str,
        mac: MacAddress | None,
        community: CommunityView,
    ) -> web.Response:
        if mac is not None and self._house.guest(mac).state == "admitted":
            agent = request.headers.get("User-Agent", "")
            probe = probes.recognise(request.method, host, target, agent)
            if probe is not None:
                return _send(probe.open_answer)
        url = self._portal_url(community)
        if self._redirect[0] != url:
            self._redirect = (url, probes.before_admission(url))
        return _send(self._redirect[1])

    def _is_ours(self, host: str, community: CommunityView, transport: asyncio.Transport) -> bool:
        if host in self._addresses or host == probes.normal_host(community.portal_host):
            return True
        return host == probes.normal_host(_bracketed(transport.get_extra_info("sockname")[0]))

    def _portal_url(self, community: CommunityView, path: str = "/") -> str:
        port = "" if self._public_port == 80 else f":{self._public_port}"
        return f"http://{_bracketed(community.portal_host)}{port}{path}"

    # --- our own pages ---

    async def _home(self, asked: Asked) -> web.Response:
        community = self._house.community()
        if asked.mac is None:
            return self._page(pages.Elsewhere(place(community)))
        guest = self._house.guest(asked.mac)
        if guest.state == "admitted":
            return self._my_page(asked.mac, guest, community)
        if guest.state == "removed":
            return self._page(pages.removed(community, guest), 403)
        return self._splash(asked.mac, community, "expired" if guest.state == "expired" else "")

    async def _me(self, asked: Asked) -> web.Response:
        community = self._house.community()
        guest = self._house.guest(asked.mac) if asked.mac else None
        if asked.mac is None or guest is None or guest.state != "admitted":
            return _see_other("/")
        return self._my_page(asked.mac, guest, community)

    async def _network(self, _asked: Asked) -> web.Response:
        return self._page(pages.our_network(self._house.community()))

    async def _terms(self, _asked: Asked) -> web.Response:
        return self._page(pages.terms(self._house.community()))

    async def _capport(self, asked: Asked) -> web.Response:
        community = self._house.community()
        if asked.mac is None:
            return self._page(pages.Elsewhere(place(community)), 403)
        headers = [("Cache-Control", capport.CACHE_CONTROL), ("Vary", "Accept"), _SERVER]
        portal_url = self._portal_url(community)
        if not capport.wants_document(asked.request.headers.get("Accept")):
            return web.Response(status=302, headers=[("Location", portal_url), *headers])
        body = capport.document(
            self._house.guest(asked.mac),
            portal_url=portal_url,
            venue_url=self._portal_url(community, "/network"),
        )
        return web.Response(body=body, headers=[("Content-Type", capport.CONTENT_TYPE), *headers])

    async def _status(self, asked: Asked) -> web.Response:
        if asked.mac is None:
            return self._page(pages.Elsewhere(place(self._house.community())), 403)
        headers = [("Content-Type", status.CONTENT_TYPE), ("Cache-Control", capport.CACHE_CONTROL), _SERVER]
        return web.Response(body=status.document(self._house.guest(asked.mac)), headers=headers)

    # --- what changes something: by POST, with a token of this device ---

    async def _post(self, path: str, asked: Asked) -> web.Response:
        community = self._house.community()
        change = self._posts.get(path)
        if change is None:
            known = path in self._gets
            page = pages.WrongWay(place(community)) if known else pages.NotFound(place(community))
            return self._page(page, 405 if known else 404, *([("Allow", "GET, HEAD")] if known else []))
        headers = asked.request.headers
        if not forms.is_same_origin(asked.host, headers.get("Origin"), headers.get("Sec-Fetch-Site")):
            return self._page(pages.WrongWay(place(community)), 403)
        if asked.mac is None:
            return self._page(pages.Elsewhere(place(community)), 403)
        try:
            return await change(asked)
        except NodeError:
            # The supervisor's log has the cause from where it arose; the person needs only "try again".
            return self._page(pages.Busy(place(community)), 503, ("Retry-After", "5"))

    async def _join(self, asked: Asked) -> web.Response:
        community = self._house.community()
        form = forms.read_form(await asked.request.read())
        assert asked.mac is not None
        if form is None:
            return self._page(pages.WrongWay(place(community)), 400)
        if not forms.is_token(self._secret, forms.JOIN, asked.mac, form.token):
            return self._splash(asked.mac, community, "stale", 403)
        if form.terms_version != community.terms_version:
            return self._splash(asked.mac, community, "terms-changed", 409)
        answer = await self._house.admit(asked.mac, TermsAccepted(), form.terms_version)
        if isinstance(answer, Refused):
            return self._page(pages.refused(community, answer.detail, answer.rule), 403)
        return _see_other("/me")

    async def _leave(self, asked: Asked) -> web.Response:
        form = forms.read_form(await asked.request.read())
        assert asked.mac is not None
        if form is None or not forms.is_token(self._secret, forms.LEAVE, asked.mac, form.token):
            refusal = 400 if form is None else 403
            return self._page(pages.WrongWay(place(self._house.community())), refusal)
        await self._house.leave(asked.mac)
        return _see_other("/")

    # --- rendering ---

    def _splash(
        self, mac: MacAddress, community: CommunityView, notice: pages.Notice, code: int = 200
    ) -> web.Response:
        # Rendered once for all devices, with a mark where each one's token goes.
        body = self._renderer.render(pages.splash(community, _MARK, notice))
        token = forms.token_for(self._secret, forms.JOIN, mac)
        return self._send_page(body.replace(_MARK_BYTES, token.encode(), 1), code)

    def _my_page(self, mac: MacAddress, guest: GuestView, community: CommunityView) -> web.Response:
        token = forms.token_for(self._secret, forms.LEAVE, mac)
        return self._page(pages.my_page(community, guest, token))

    def _page(self, page: Page, code: int = 200, *more: tuple[str, str]) -> web.Response:
        return self._send_page(self._renderer.render(page), code, *more)

    def _send_page(self, body: bytes, code: int, *more: tuple[str, str]) -> web.Response:
        headers = self._headers.copy()
        headers.extend(more)
        return web.Response(status=code, headers=headers, body=body)

    def _page_headers(self) -> CIMultiDict[str]:
        policy = (
            f"default-src 'none'; style-src {self._renderer.style_source}; img-src data:; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        return CIMultiDict(
            [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Language", "en"),
                ("Content-Security-Policy", policy),
                # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
                ("Referrer-Policy", "same-origin"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "DENY"),
                ("Cache-Control", "no-store"),
                _SERVER,
            ]
        )


_MARK = "\ue000here\ue000"
_MARK_BYTES = _MARK.encode()


def _send(answer: probes.Answer) -> web.Response:
    response = web.Response(status=answer.status, headers=[*answer.headers, _SERVER], body=answer.body)
    response.force_close()
    return response


def _see_other(path: str) -> web.Response:
    return web.Response(status=303, headers=[("Location", path), ("Cache-Control", "no-store"), _SERVER])


def _wanted(raw_path: str, host_header: str) -> tuple[str | None, str]:
    """Host and target of a request line; an absolute target ("GET http://host/path") names its own host."""
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


def _lift_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_WANTED and soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_WANTED, hard), hard))

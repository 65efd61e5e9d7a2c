"""The portal's HTTP edge: who is asking, for which host, and which page or answer that is. No decisions."""

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

from aiohttp import web
from multidict import CIMultiDict

from captive_portal import capport, forms, pages, probes
from captive_portal.callers import DISPUTED, ELSEWHERE, Caller
from captive_portal.changes import CHANGES, change
from captive_portal.connections import Connection, Doorway, Quick
from captive_portal.framing import Limits
from captive_portal.headers import SERVER, document_fields, page_fields
from captive_portal.pace import Pace
from captive_portal.place import CHOICE, Page
from captive_portal.ports import Callers, CommunityView, House
from captive_portal.quick import Heads, plain
from captive_portal.reading import FOR_ALL, FOR_DEVICES
from captive_portal.render import Renderer
from captive_portal.splashes import Splashes
from captive_portal.tongues import Tongues
from captive_portal.visit import Give, Go, Outcome, Show, Speak, Visit, Welcome
from captive_portal.welcome import word_for
from node.errors import NodeError
from node.units import MacAddress

CAPPORT_PATH = capport.API_PATH
"""The captive portal API of RFC 8908."""
ADDRESSES = frozenset({CAPPORT_PATH, *FOR_ALL, *FOR_DEVICES, *CHANGES})
"""Everything that is answered under our own name."""
BACKLOG = 1_024
TAKEN_AT_ONCE = 16
"""New connections in one turn of the loop: a thousand that come together must not hold up who is being served."""
FILES_WANTED = 16_384
CHANGES_AT_ONCE, CHANGES_PER_S = 120, 1
"""Of one device: each change is written to the disk, which is not made for thousands."""

log = logging.getLogger(__name__)

_NO_QUERY: Mapping[str, str] = {}


def _since_boot() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page of ours, from a device on our link (or from elsewhere: no `mac`)."""

    request: web.BaseRequest
    host: str
    mac: MacAddress | None
    community: CommunityView
    query: Mapping[str, str]


class Portal:
    """Serves people on `port` until cancelled: everything that is captured, and its own pages.

    `secret` (16 bytes or more) makes the forms' tokens; keep it over restarts so that open pages stay valid. Their age is
    told by `since_boot` (milliseconds) of the boot whose id is `boot`.
    `addresses` to listen on, all of both families when empty; Host headers that name one of them are ours, as
    are the portal's own name and the address that a connection came to. `public_port` is the port that people
    use: redirects to the portal name it.
    """

    def __init__(
        self,
        house: House,
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
        self._house = house
        self._callers = callers
        self._port = port
        self._since_boot = since_boot
        self._made_tokens = forms.Tokens(secret, forms.boot_name(boot), 0)
        self._addresses = tuple(addresses)
        self._public_port = public_port
        self._limits = limits or Limits()
        self._connections_max = connections_max
        self._clock = clock
        self._renderer = renderer or Renderer()
        self.words = self._renderer.words
        """Every language that pages can be in, by its tag."""
        self._tongues = Tongues(self.words.values())
        self._splashes = Splashes(self._renderer.render_once)
        self._fields: dict[str, tuple[tuple[str, str], ...]] = {}
        self._redirect: tuple[str, probes.Answer] = ("", probes.before_admission("/"))
        self._heads = Heads()
        self._pace = Pace(CHANGES_AT_ONCE, CHANGES_PER_S)
        self._date = (0, b"")
        self._let_go: Callable[[str], None] = lambda _device: None

    async def run(self) -> None:
        """Listens until cancelled. Raises NodeError when the port cannot be had."""
        _lift_file_limit()
        community = self._house.community()
        for tag in self._tongues.lacking(community.language, *community.languages):
            log.warning("pages cannot be in %r: there is no %s.po (see captive_portal/README.md)", tag, tag)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self.handle(request, doorway)

        server = web.Server(handle, access_log=None, auto_decompress=False)
        doorway = Doorway(
            server,
            self._callers.caller,
            clock=self._clock,
            limits=self._limits,
            connections_max=self._connections_max,
            quick=self._quick,
        )
        self._let_go = doorway.let_go
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(
                doorway, self._addresses or None, self._port, backlog=TAKEN_AT_ONCE, reuse_address=True
            )
        except OSError as error:
            raise NodeError(
                f"the portal cannot listen on port {self._port}: {error.strerror or error}",
                "see who has it with: ss -ltnp; or choose another port in node.toml",
            ) from error
        for entry in listener.sockets:
            _let_wait(entry, BACKLOG)
        self.bound = tuple(entry.getsockname()[:2] for entry in listener.sockets)
        self.ready.set()
        try:
            await doorway.sweep()
        finally:
            self.ready.clear()
            listener.close()
            doorway.close()
            await server.shutdown(1.0)

    async def handle(self, request: web.BaseRequest, doorway: Doorway) -> web.StreamResponse:
        """For every listener of the portal, with TLS or without."""
        connection = doorway.connection_of(request.protocol)
        try:
            caller = self._caller(connection) if connection else ELSEWHERE
            response = await self._answer(request, caller)
        finally:
            must_close = doorway.answered(request.protocol)
        # Whoever is disputed is asked about anew with the next connection.
        if must_close or caller.is_disputed:
            response.force_close()
        return response

    def _caller(self, connection: Connection) -> Caller:
        """Never by a header: who could name himself could name others."""
        caller, transport = connection.caller, connection.transport
        if caller is None or transport is None:
            return ELSEWHERE
        if caller.device is None:
            return caller
        address = transport.get_extra_info("peername")[0]
        return DISPUTED if self._callers.is_disputed(address, caller.device) else caller

    async def _answer(self, request: web.BaseRequest, caller: Caller) -> web.Response:
        transport = request.transport
        if transport is None:  # hung up already: nobody reads this
            return web.Response(status=400)
        mac = caller.device
        host, target = _wanted(request.raw_path, request.headers.get("Host", ""))
        community = self._house.community()
        if host is None or not self._is_ours(host, community, transport):
            return self._foreign(request, host, target, mac, community)
        path, _, query = target.partition("?")
        asked = Asked(request, host, mac, community, forms.read_query(query))
        if caller.is_disputed and path not in FOR_ALL:
            return self._page(pages.Disputed(self._visit(asked, "/").place()), None, 403)
        if request.method == "POST":
            if path in CHANGES:
                return await self._change(path, asked)
        elif path == CAPPORT_PATH:
            return await self._capport(asked)
        elif path in FOR_ALL or path in FOR_DEVICES:
            return await self._read(path, asked)
        return self._no_such(path, self._visit(asked, "/"))

    def _quick(self, head: bytes, connection: Connection) -> Quick | None:
        """The same answer as `_answer` gives, for what phones and people who come in ask most."""
        asked, transport = plain(head), connection.transport
        mac = self._caller(connection).device if asked else None
        if asked is None or mac is None or transport is None:
            return None
        guest, community = self._house.guest(mac), self._house.community()
        if guest.state not in {"waiting", "expired"}:
            return None
        host = probes.normal_host(asked.host)
        if host is None or not self._is_ours(host, community, transport):
            sent = self._redirect_to(self._portal_url(community))
            return Quick(
                self._heads.answer(sent.status, (*sent.headers, SERVER), sent.body, self._now()), closes=True
            )
        if asked.target != "/" or guest.asked_for is not None:
            return None
        visit = self._visit_of(mac, community, "/", asked.accept_language)
        fields = self._fields_in(visit.tongue.language.tag)
        body = self._splashes.body(visit, word_for(guest))
        return Quick(self._heads.answer(200, fields, body, self._now()))

    def _no_such(self, path: str, visit: Visit) -> web.Response:
        """No such address, or not for this method."""
        if path in CHANGES:
            return self._page(pages.WrongWay(visit.place()), visit.mac, 405, ("Allow", "POST"))
        if path in ADDRESSES:
            return self._page(pages.WrongWay(visit.place()), visit.mac, 405, ("Allow", "GET, HEAD"))
        return self._page(pages.NotFound(visit.place()), visit.mac, 404)

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
        return _send(self._redirect_to(self._portal_url(community)))

    def _redirect_to(self, url: str) -> probes.Answer:
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

    # --- our own pages ---

    async def _capport(self, asked: Asked) -> web.Response:
        if asked.mac is None:
            return self._page(pages.Elsewhere(self._visit(asked, "/").place()), None, 403)
        headers = [("Cache-Control", capport.CACHE_CONTROL), ("Vary", "Accept"), SERVER]
        community = asked.community
        base = community.portal_url.rstrip("/") or self._portal_url(community, "")
        if not capport.wants_document(asked.request.headers.get("Accept")):
            return web.Response(status=302, headers=[("Location", f"{base}/"), *headers])
        body = capport.document(
            self._house.guest(asked.mac),
            portal_url=f"{base}/",
            venue_url=f"{base}/network",
            is_open=bool(community.ways),
        )
        return web.Response(body=body, headers=[("Content-Type", capport.CONTENT_TYPE), *headers])

    async def _read(self, path: str, asked: Asked) -> web.Response:
        visit = self._visit(asked, path)
        reader = FOR_ALL.get(path)
        if reader is None:
            reader = FOR_DEVICES[path]
            if visit.mac is None:
                return self._page(pages.Elsewhere(visit.place()), None, 200 if path == "/" else 403)
            if visit.guest().state == "admitted":
                self._let_go(visit.mac)
        return await self._do(visit, reader(visit))

    async def _change(self, path: str, asked: Asked) -> web.Response:
        """What changes something: by POST, from our own page, with a token of this device."""
        visit, headers = self._visit(asked, "/"), asked.request.headers
        if not forms.is_same_origin(asked.host, headers.get("Origin"), headers.get("Sec-Fetch-Site")):
            return self._page(pages.WrongWay(visit.place()), visit.mac, 403)
        if visit.mac is None:
            return self._page(pages.Elsewhere(visit.place()), None, 403)
        if not self._pace.may(visit.mac, self._clock()):
            return self._page(pages.Busy(visit.place()), visit.mac, 429, ("Retry-After", str(pages.RETRY_S)))
        return await self._do(visit, change(visit, path, await asked.request.read()))

    def _visit(self, asked: Asked, path: str) -> Visit:
        headers = asked.request.headers
        visit = self._visit_of(
            asked.mac, asked.community, path, headers.get("Accept-Language", ""), asked.query
        )
        return replace(visit, is_secure=asked.request.secure)

    def _visit_of(
        self,
        mac: MacAddress | None,
        community: CommunityView,
        path: str,
        accept: str,
        query: Mapping[str, str] = _NO_QUERY,
    ) -> Visit:
        tongue = self._tongues.tongue(
            mac, accept, own=community.language, shown=community.languages, asked=query.get("lang", "")
        )
        words = self._renderer.words_for(tongue.language.tag)
        return Visit(self._house, mac, community, self._tokens(), path, tongue, query, words)

    async def _do(self, visit: Visit, doing: Awaitable[Outcome]) -> web.Response:
        try:
            outcome = await doing
        except NodeError:
            # The supervisor's log has the cause from where it arose; the person needs only "try again".
            outcome = Show(pages.Busy(visit.place()), 503, pages.RETRY_S)
        match outcome:
            case Welcome(word):
                return self._send_page(self._splashes.body(visit, word), visit.tongue.language.tag)
            case Go(path):
                return _see_other(path)
            case Speak(tag, path):
                self._tongues.choose(visit.device, tag)
                return _see_other(path)
            case Give():
                return _give(outcome)
            case Show(page, status, retry_s, refresh_s):
                more = [("Retry-After", str(retry_s))] if retry_s else []
                more += [("Refresh", str(refresh_s))] if refresh_s else []
                return self._page(page, visit.mac, status, *more)

    # --- rendering ---

    def _tokens(self) -> forms.Tokens:
        """Of this minute."""
        minute = self._since_boot() // 60_000
        if minute != self._made_tokens.minute:
            self._made_tokens = replace(self._made_tokens, minute=minute)
        return self._made_tokens

    def _page(
        self, page: Page, mac: MacAddress | None, status: int = 200, *more: tuple[str, str]
    ) -> web.Response:
        """For the device `mac`, or for somebody elsewhere."""
        render = self._renderer.render if isinstance(page, pages.FOR_ALL) else self._renderer.render_once
        body = render(page)
        if mac is not None:
            body = body.replace(CHOICE.encode(), self._tokens().token(forms.LANGUAGE, mac).encode())
        return self._send_page(body, page.place.lang, status, *more)

    def _send_page(self, body: bytes, lang: str, status: int = 200, *more: tuple[str, str]) -> web.Response:
        headers = CIMultiDict(self._fields_in(lang))
        headers.extend(more)
        return web.Response(status=status, headers=headers, body=body)

    def _fields_in(self, lang: str) -> tuple[tuple[str, str], ...]:
        """Of every page in this language, made once."""
        fields = self._fields.get(lang)
        if fields is None:
            fields = self._fields[lang] = page_fields(lang, self._renderer.style_source)
        return fields

    def _now(self) -> bytes:
        """For the field ``Date``, made once a second."""
        second = int(self._clock())
        if self._date[0] != second:
            self._date = second, formatdate(usegmt=True).encode()
        return self._date[1]


def _give(document: Give) -> web.Response:
    return web.Response(body=document.body, headers=document_fields(document))


def _send(answer: probes.Answer) -> web.Response:
    response = web.Response(status=answer.status, headers=[*answer.headers, SERVER], body=answer.body)
    response.force_close()
    return response


def _see_other(path: str) -> web.Response:
    return web.Response(status=303, headers=[("Location", path), ("Cache-Control", "no-store"), SERVER])


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


def _let_wait(listener: socket.socket | TransportSocket, backlog: int) -> None:
    """So many new connections may wait in the kernel; asyncio takes as many at once as it was told to let wait."""
    with socket.socket(fileno=os.dup(listener.fileno())) as same:
        same.listen(backlog)


def _lift_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_WANTED and soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_WANTED, hard), hard))

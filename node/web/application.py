"""The HTTP application of a site: its routes, and what each request passes before it reaches one of them."""

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from node.errors import NodeError
from node.web.connections import Connection

SHUTDOWN_S = 1.0
"""For the requests in progress when a site stops; then they are cancelled."""
HOST_CHARACTERS_MAX = 255
HOSTS_REMEMBERED = 1_024
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_PORT = re.compile(r"\d{1,5}")
_COOKIE = re.compile(r"[A-Za-z0-9_-]*")
_RUNNING: web.AppKey[set[asyncio.Task[object]]] = web.AppKey("running", set)
"""Tasks of the requests in progress. The library forgets them when their connections close."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebSite(Protocol):
    """Decisions and pages that differ between the sites."""

    def is_own_host(self, request: web.Request) -> bool:
        """Whether the request is for a name or address of this site."""

    def other_host(self, request: web.Request) -> web.Response:
        """For a request to any other host."""

    def is_own_origin(self, request: web.Request) -> bool:
        """Whether a form may come from a page of this site, as far as the browser's headers say."""

    def other_origin(self, request: web.Request) -> web.Response:
        """For a form of another site."""

    def no_page(self, request: web.Request, methods: str) -> web.Response:
        """404; 405 for a path that has other `methods`, which are the value of Allow."""

    def unavailable(self, request: web.Request, error: NodeError, /) -> web.Response:
        """503: the node cannot do it now."""


def application(site: WebSite, routes: Iterable[web.RouteDef], headers: Mapping[str, str]) -> web.Application:
    """The site as an aiohttp application, for the connections of a `ConnectionLimiter`. `headers` are those of every
    response that does not set them itself."""

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection, task = connection_of(request), asyncio.current_task()
        assert task is not None
        if connection is None:  # the client has disconnected: nobody reads this
            return web.Response(status=400)
        made[_RUNNING].add(task)
        try:
            response = await _answer(site, request, handler)
        finally:
            made[_RUNNING].discard(task)
            is_last = connection.answered()
        if is_last:
            response.force_close()
        return response

    async def complete(_request: web.Request, response: web.StreamResponse) -> None:
        """Also for an error page of the library, after a mistake in a handler."""
        for name, value in headers.items():
            if response.headers.get(name, SERVER_SOFTWARE) == SERVER_SOFTWARE:
                response.headers[name] = value

    made = web.Application(middlewares=[serve])
    made[_RUNNING] = set()
    made.on_response_prepare.append(complete)
    made.add_routes(routes)
    return made


def connection_of(request: web.BaseRequest) -> Connection | None:
    """The connection on which a request came; None when it is closed."""
    if request.transport is None:
        return None
    connection = request.transport.get_protocol()
    assert isinstance(connection, Connection)
    return connection


def cookie_of(request: web.BaseRequest, name: str) -> str:
    """Value of a cookie that this node has set: letters, digits, ``-`` and ``_``. Empty without one; cookies of other
    services on the same host can have any form."""
    found = ""
    for each in request.headers.get("Cookie", "").split(";"):
        key, _, value = each.strip(" \t").partition("=")
        if key == name and _COOKIE.fullmatch(value):
            found = value  # the last one has the shortest path, as this node's own
    return found


async def _answer(site: WebSite, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if not site.is_own_host(request):
            return site.other_host(request)
        missing = request.match_info.http_exception
        if missing is not None:
            return site.no_page(request, missing.headers.get("Allow", "").replace(",", ", "))
        if request.method == "POST" and not site.is_own_origin(request):
            return site.other_origin(request)
        return await handler(request)
    except NodeError as error:
        return site.unavailable(request, error)


def normal_host(header: str) -> str | None:
    """A Host header without port, trailing dot, brackets and capitals; None when it is not a valid host.

    IPv6 literals come back in their shortest form, IPv4-mapped ones as IPv4.
    """
    return None if len(header) > HOST_CHARACTERS_MAX else _normal_host(header)


@lru_cache(maxsize=HOSTS_REMEMBERED)
def _normal_host(header: str) -> str | None:
    name, port = _split_port(header.strip().lower())
    if name is None or (port and not _PORT.fullmatch(port)):
        return None
    name = name.removesuffix(".")
    literal = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = ipaddress.ip_address(literal)
    except ValueError:
        return name if _NAME.fullmatch(name) else None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _split_port(host: str) -> tuple[str | None, str]:
    if host.startswith("["):
        literal, bracket, rest = host.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None, ""
        return literal + bracket, rest[1:]
    name, _, port = host.partition(":")
    return name, port


def is_same_origin(
    host: str,
    headers: Mapping[str, str],
    *,
    normal_host: Callable[[str], str | None] = str,
    allows_null: bool = False,
) -> bool:
    """Whether the browser's headers, if any, allow that a form came from a page of `host`.

    `normal_host` makes the host of Origin comparable; if it leaves the port, another port is another site. With
    `allows_null`, ``Origin: null`` proves nothing, and the token of the form alone is the proof.
    """
    if headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return False
    origin = headers.get("Origin")
    if origin is None or (allows_null and origin == "null"):
        return True
    try:
        return normal_host(urlsplit(origin).netloc) == host
    except ValueError:
        return False


@asynccontextmanager
async def serving(made: web.Application) -> AsyncIterator[web.Server]:
    """The protocol factory for the connections of an application, until the block ends. Then none of its handlers runs
    any more."""
    runner = web.AppRunner(made, access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    assert runner.server is not None
    try:
        yield runner.server
    finally:
        await runner.cleanup()
        left = made[_RUNNING].copy()
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

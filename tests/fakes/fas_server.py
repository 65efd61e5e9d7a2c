"""The pages and authmon for openNDS routers on a real socket, with or without TLS."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from captive_portal import forms
from captive_portal.callers import ELSEWHERE
from captive_portal.fas_site import FasSite
from captive_portal.server import portal_renderer
from node.errors import NodeError
from node.gateways.gateway import Gateway
from node.web.application import application, serving
from node.web.connections import ConnectionLimiter, Limits
from node.web.language_choice import LanguageChooser
from tests.fakes.fas_fixture import FasFixture

RENDERER = portal_renderer()
NO_PAGE = "nothing here\n"


class BareSite:
    """Without a page of its own: every host is its own, and all else is refused."""

    def is_own_host(self, request: web.Request) -> bool:
        return True

    def other_host(self, request: web.Request) -> web.Response:
        return web.Response(status=404, text=NO_PAGE)

    def is_own_origin(self, request: web.Request) -> bool:
        return True

    def other_origin(self, request: web.Request) -> web.Response:
        return web.Response(status=403, text=NO_PAGE)

    def no_page(self, request: web.Request, methods: str) -> web.Response:
        return web.Response(status=405 if methods else 404, text=NO_PAGE)

    def unavailable(self, request: web.Request, error: NodeError, /) -> web.Response:
        return web.Response(status=503, text="busy\n")


def fas_site(at: FasFixture) -> FasSite:
    registry = at.people.registry

    def find(name: str, address: str) -> Gateway | None:
        gateway = registry.get(name)
        is_open = gateway is not None and gateway.phase == "accepted" and gateway.may_speak_from(address)
        return gateway if is_open else None

    return FasSite(
        at.service,
        at.run.portal,
        find,
        at.reports,
        renderer=RENDERER,
        languages=LanguageChooser(each.language for each in RENDERER.translations.values()),
        tokens=lambda: forms.Tokens(b"s" * 32, "0000", int(time.monotonic() / 60)),
        clock=time.monotonic,
    )


@asynccontextmanager
async def fas_server(
    at: FasFixture, listening: socket.socket | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Its port, until the block ends; without a socket on the loopback."""
    made = application(BareSite(), fas_site(at).routes(), {"Server": "procomu"})
    limits = Limits(connections_per_device=1_000, at_work_per_device=64)
    async with serving(made) as server:
        limiter = ConnectionLimiter(server, lambda _ends: ELSEWHERE, clock=time.monotonic, limits=limits)
        sock = listening or socket.create_server(("127.0.0.1", 0))
        listener = await asyncio.get_running_loop().create_server(limiter, sock=sock, ssl=tls)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            limiter.close()

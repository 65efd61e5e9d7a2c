"""Captive portal probes of every operating system through a session: captive, authorized, expired, blocked."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from node.web.application import normal_host
from tests.contracts.portal_client import HOST, PortalReply, parse
from tests.fakes.portal_server import PortalServer, open_portal_server
from tests.fakes.use_cases import ANA

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "probes.json").read_text())["probes"]
PORTAL_URL = f"http://{HOST}/"
LINES = tuple(itertools.product(("GET", "HEAD"), ("1.0", "1.1")))


def spellings(host: str) -> Iterator[str]:
    """The same host as other systems spell it."""
    bare = normal_host(host)
    assert bare is not None
    return itertools.cycle((host, bare.upper(), f"{bare}.", f"{bare}:80", f"{bare.title()}.:80"))


async def ask(server: PortalServer, vector: dict, host: str, method: str, version: str) -> PortalReply:
    """Everything received until the portal closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    agent = f"User-Agent: {vector['user_agent']}\r\n" if "user_agent" in vector else ""
    writer.write(f"{method} {vector['target']} HTTP/{version}\r\nHost: {host}\r\n{agent}\r\n".encode())
    async with asyncio.timeout(3):
        raw = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return parse(raw)


async def test_every_systems_sign_in_window_opens_closes_and_opens_again() -> None:
    """One server for all, because starting one takes longer than a hundred probes."""
    async with open_portal_server() as server:
        for vector in VECTORS:
            await lives_through(server, vector)


async def lives_through(server: PortalServer, vector: dict) -> None:
    hosts, app = spellings(vector["host"]), server.app
    await is_captured(server, vector, hosts)
    await app.join(ANA)
    await is_online(server, vector, hosts)
    await app.expire(ANA)
    await is_captured(server, vector, hosts)
    await app.block(ANA, "too loud")
    await is_captured(server, vector, hosts)
    await app.loop.unblock(ANA)


async def is_captured(server: PortalServer, vector: dict, hosts: Iterator[str]) -> None:
    for method, version in LINES:
        reply = await ask(server, vector, next(hosts), method, version)
        assert (vector["host"], 302, PORTAL_URL, "no-store") == (
            vector["host"],
            reply.status,
            reply.headers["location"],
            reply.headers["cache-control"],
        )
        # Android takes a page of four octets or fewer for a broken network, and opens no sign-in window.
        assert ("" == reply.body) if method == "HEAD" else (4 < len(reply.body) < 1_000)


async def is_online(server: PortalServer, vector: dict, hosts: Iterator[str]) -> None:
    for method, version in LINES:
        reply = await ask(server, vector, next(hosts), method, version)
        assert (vector["host"], vector["status"], "no-store") == (
            vector["host"],
            reply.status,
            reply.headers["cache-control"],
        )
        assert ("" if method == "HEAD" else vector["body"]) == reply.body
        assert {k.lower(): v for k, v in vector.get("headers", {}).items()}.items() <= reply.headers.items()

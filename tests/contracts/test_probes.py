"""Every system's question through a device's whole life at the door: captured, let in, at its session's end, removed."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from captive_portal import guests
from captive_portal.probes import normal_host
from tests.contracts.portal_client import HOST, Reply, parse
from tests.fakes.front_door import ANA, FrontDoor, open_door
from tests.fakes.house import FOUR_HOURS

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "probes.json").read_text())["probes"]
PORTAL_URL = f"http://{HOST}/"
LINES = tuple(itertools.product(("GET", "HEAD"), ("1.0", "1.1")))


def spellings(host: str) -> Iterator[str]:
    """The same host as other systems write it."""
    bare = normal_host(host)
    assert bare is not None
    return itertools.cycle((host, bare.upper(), f"{bare}.", f"{bare}:80", f"{bare.title()}.:80"))


async def ask(door: FrontDoor, vector: dict, host: str, method: str, version: str) -> Reply:
    """The answer up to the end of the connection, which must be the door's doing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    agent = f"User-Agent: {vector['user_agent']}\r\n" if "user_agent" in vector else ""
    writer.write(f"{method} {vector['target']} HTTP/{version}\r\nHost: {host}\r\n{agent}\r\n".encode())
    async with asyncio.timeout(3):
        raw = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return parse(raw)


async def test_every_systems_sheet_opens_closes_and_opens_again() -> None:
    """One door for all, for making one takes longer than a hundred questions."""
    async with open_door() as door:
        for vector in VECTORS:
            door.house.states.clear()
            await lives_through(door, vector)


async def lives_through(door: FrontDoor, vector: dict) -> None:
    hosts, house = spellings(vector["host"]), door.house
    await is_captured(door, vector, hosts)
    house.happens(ANA, guests.TermsAccepted("3", FOUR_HOURS))
    await is_online(door, vector, hosts)
    house.now += FOUR_HOURS + 1
    house.happens(ANA, guests.TimedOut())
    assert isinstance(house.states[ANA], guests.Expired)
    await is_captured(door, vector, hosts)
    house.happens(ANA, guests.RemovedByAdmin("too loud"))
    await is_captured(door, vector, hosts)


async def is_captured(door: FrontDoor, vector: dict, hosts: Iterator[str]) -> None:
    for method, version in LINES:
        reply = await ask(door, vector, next(hosts), method, version)
        assert (vector["host"], 302, PORTAL_URL, "no-store") == (
            vector["host"],
            reply.status,
            reply.headers["location"],
            reply.headers["cache-control"],
        )
        # Android takes a page of four octets or fewer for a broken network, and shows no sign-in.
        assert ("" == reply.body) if method == "HEAD" else (4 < len(reply.body) < 1_000)


async def is_online(door: FrontDoor, vector: dict, hosts: Iterator[str]) -> None:
    for method, version in LINES:
        reply = await ask(door, vector, next(hosts), method, version)
        assert (vector["host"], vector["status"], "no-store") == (
            vector["host"],
            reply.status,
            reply.headers["cache-control"],
        )
        assert ("" if method == "HEAD" else vector["body"]) == reply.body
        assert {k.lower(): v for k, v in vector.get("headers", {}).items()}.items() <= reply.headers.items()

"""What a device does: request pages, follow the portal, accept, download, upload, try to bypass the portal.

Runs in the device's namespace (``python -m tests.lab.person``) and uses the standard library only. Each line of the
standard input is a task as JSON with an ``id``; each line of the output is an event or, at the end, its result.
"""

import asyncio
import contextlib
import itertools
import json
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.lab.wire import ClientDevice, HttpReply, PageForm, device_socket, family_of, forms

PROBE_URL = "http://connectivitycheck.gstatic.com/generate_204"
ECHO_PORT = 7
SAMPLE_S = 0.1
Say = Callable[..., None]


def read_ip_bytes(interface: str) -> tuple[int, int]:
    """Bytes at the IP layer (received, sent) of an interface: the link's counters minus the Ethernet headers."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == interface:
            fields = [int(word) for word in rest.split()]
            return fields[0] - 14 * fields[1], fields[8] - 14 * fields[9]
    return 0, 0


async def knock(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """Sends the system's probe and returns whether the portal answered instead of the Internet."""
    device = _device(wish)
    started = time.monotonic()
    reply = await device.request(wish.get("url", PROBE_URL))
    return {
        "status": reply.status,
        "location": reply.headers.get("location", ""),
        "captured": reply.status in {302, 303, 307} and not reply.is_from_the_internet,
        "online": reply.is_from_the_internet,
        "ms": _ms_since(started),
        "body": reply.body[:20000],
        "headers": reply.headers,
    }


async def accept(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """The whole admission of a guest without scripts: probe, redirect, page, form; and the first packet."""
    device = _device(wish)
    probe = wish.get("url", PROBE_URL)
    url, page = await device.follow(probe, await device.request(probe))
    form = _acceptance(page)
    if form is None:
        raise ValueError(f"no form to accept at {url}: {page.status} {page.body[:300]}")
    say(event="page", url=url, bytes=len(page.body))
    goal = urljoin(url, form.action)
    first = FirstPacket(wish, device)
    async with asyncio.TaskGroup() as group:
        await first.begin(group)
        started = time.monotonic()
        reply = await device.request(goal, form.fields)
        answered_ms = _ms_since(started)
        opened = await first.wait(3.0)
    landing_url, landing = await device.follow(goal, reply)
    return {
        "status": reply.status,
        "location": reply.headers.get("location", ""),
        "answered_ms": answered_ms,
        "first_packet_ms": round((opened - started) * 1000, 3) if opened else None,
        "landing": landing_url,
        "landing_status": landing.status,
        "landing_body": landing.body[:20000],
    }


async def reach(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """Small datagrams until one comes back: how long that took; None: longer than ``seconds``."""
    first = FirstPacket(wish, _device(wish))
    async with asyncio.TaskGroup() as group:
        started = time.monotonic()
        await first.begin(group)
        came = await first.wait(wish.get("seconds", 10.0))
    return {"ms": round((came - started) * 1000, 3) if came else None}


class FirstPacket:
    """Sends a small datagram every 2 ms until one comes back."""

    def __init__(self, wish: dict[str, Any], device: ClientDevice) -> None:
        self._far = wish["far"]
        self._device = device
        self._came: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, group: asyncio.TaskGroup) -> None:
        self._task = group.create_task(self._send())
        await asyncio.sleep(0.02)

    async def wait(self, seconds: float) -> float | None:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._came)
        except TimeoutError:
            return None
        finally:
            assert self._task is not None
            self._task.cancel()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        sock = device_socket(family_of(self._far), socket.SOCK_DGRAM, self._device.interface)

        def arrived() -> None:
            with contextlib.suppress(OSError):
                sock.recv(100)
                if not self._came.done():
                    self._came.set_result(time.monotonic())

        loop.add_reader(sock, arrived)
        try:
            while not self._came.done():
                with contextlib.suppress(OSError):
                    sock.sendto(b"hello", (self._far, ECHO_PORT))
                await asyncio.sleep(0.002)
        finally:
            loop.remove_reader(sock)
            sock.close()


async def download(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """Downloads at full rate for ``seconds`` in ``flows`` connections; IP-layer rates every 100 ms."""
    return await _transfer(wish, say, _pull)


async def upload(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """Uploads at full rate for ``seconds`` in ``flows`` connections."""
    return await _transfer(wish, say, _push)


async def _transfer(
    wish: dict[str, Any],
    say: Say,
    flow: Callable[[dict[str, Any], ClientDevice, dict[str, float], float], Awaitable[None]],
) -> dict[str, Any]:
    device = _device(wish)
    link = wish.get("interface") or "eth0"
    began = time.monotonic()
    ends = began + wish.get("seconds", 5)
    tally: dict[str, float] = {"bytes": 0, "last": 0.0, "gap": 0.0, "failed": 0}
    # TCP slow start has gaps of its own, so gaps before this moment do not count.
    tally["gap_from"] = began + wish.get("gap_from", 0.0)
    samples: list[tuple[float, int, int]] = [(0.0, *read_ip_bytes(link))]
    async with asyncio.TaskGroup() as group:
        flows = [group.create_task(flow(wish, device, tally, ends)) for _ in range(wish.get("flows", 1))]
        while not all(task.done() for task in flows):
            await asyncio.sleep(SAMPLE_S)
            received, sent = read_ip_bytes(link)
            samples.append((round(time.monotonic() - began, 4), received, sent))
            say(event="rate", t=samples[-1][0], down=received - samples[-2][1], up=sent - samples[-2][2])
    return {
        "bytes": int(tally["bytes"]),
        "seconds": round(time.monotonic() - began, 4),
        "gap_ms": round(tally["gap"] * 1000, 2),
        "failed": int(tally["failed"]),
        "samples": samples,
    }


def _note(tally: dict[str, float], count: int) -> None:
    now = time.monotonic()
    if tally["last"] and now >= tally["gap_from"]:
        tally["gap"] = max(tally["gap"], now - tally["last"])
    tally["last"] = now
    tally["bytes"] += count


async def _pull(wish: dict[str, Any], device: ClientDevice, tally: dict[str, float], ends: float) -> None:
    loop = asyncio.get_running_loop()
    size = wish.get("bytes", 10**12)
    try:
        with contextlib.closing(await device.connected(wish["far"], 80)) as sock:
            request = f"GET /large?bytes={size} HTTP/1.1\r\nHost: far\r\nConnection: close\r\n\r\n"
            await loop.sock_sendall(sock, request.encode())
            async with asyncio.timeout_at(loop.time() + ends - time.monotonic()):
                while block := await loop.sock_recv(sock, 65536):
                    _note(tally, len(block))
    except TimeoutError:
        # A flow that was silent until the end has a gap too.
        if tally["last"]:
            tally["gap"] = max(tally["gap"], time.monotonic() - tally["last"])
    except OSError as error:
        tally["failed"] += 1
        print(f"download: {error}", file=sys.stderr, flush=True)


async def _push(wish: dict[str, Any], device: ClientDevice, tally: dict[str, float], ends: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        with contextlib.closing(await device.connected(wish["far"], 80)) as sock:
            head = f"POST /upload HTTP/1.1\r\nHost: far\r\nContent-Length: {10**12}\r\n\r\n"
            await loop.sock_sendall(sock, head.encode())
            block = bytes(16384)
            async with asyncio.timeout_at(loop.time() + ends - time.monotonic()):
                while True:
                    await loop.sock_sendall(sock, block)
                    _note(tally, len(block))
    except TimeoutError:
        return
    except OSError as error:
        tally["failed"] += 1
        print(f"upload: {error}", file=sys.stderr, flush=True)


async def leak(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """Tries every way around the portal each ``every`` seconds: connections, datagrams, echo requests."""
    tries = 0
    ends = time.monotonic() + wish.get("seconds", 1)
    opened = 0
    while time.monotonic() < ends:
        for far in wish["fars"]:
            tries += _send_once(far, wish.get("interface"))
            opened += await _try_tcp(far, wish.get("interface"))
        await asyncio.sleep(wish.get("every", 0.02))
    return {"tries": tries, "opened": opened}


def _send_once(far: str, interface: str | None) -> int:
    family = family_of(far)
    ping_protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    sent = 0
    for port in (ECHO_PORT, 443, 51820):
        with contextlib.suppress(OSError), device_socket(family, socket.SOCK_DGRAM, interface) as sock:
            sock.sendto(b"leak", (far, port))
            sent += 1
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_RAW, ping_protocol) as sock:
        if interface:
            sock.setsockopt(socket.SOL_SOCKET, 25, interface.encode() + b"\0")
        sock.sendto(_echo_request(family), (far, 0))
        sent += 1
    return sent


async def _try_tcp(far: str, interface: str | None) -> int:
    opened = 0
    for port in (443, 22):
        with device_socket(family_of(far), socket.SOCK_STREAM, interface) as sock:
            try:
                async with asyncio.timeout(0.05):
                    await asyncio.get_running_loop().sock_connect(sock, (far, port))
                opened += 1
            except (OSError, TimeoutError):
                continue
    return opened


def _echo_request(family: int) -> bytes:
    kind = 128 if family == socket.AF_INET6 else 8
    body = struct.pack("!BBHHH", kind, 0, 0, 1, 1) + b"procomu!"
    total = sum(struct.unpack("!8H", body))
    total = (total & 0xFFFF) + (total >> 16)
    return body[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + body[4:]


async def echo(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """A datagram every 5 ms for ``seconds``, like a call: how many came back, and the longest gap."""
    far, loop = wish["far"], asyncio.get_running_loop()
    came: list[float] = []
    sock = device_socket(family_of(far), socket.SOCK_DGRAM, wish.get("interface"))

    def arrived() -> None:
        with contextlib.suppress(OSError):
            sock.recv(200)
            came.append(time.monotonic())

    loop.add_reader(sock, arrived)
    sent, ends = 0, time.monotonic() + wish.get("seconds", 1)
    try:
        while time.monotonic() < ends:
            with contextlib.suppress(OSError):
                sock.sendto(b"x" * 160, (far, ECHO_PORT))
            sent += 1
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
    finally:
        loop.remove_reader(sock)
        sock.close()
    gaps = [later - earlier for earlier, later in itertools.pairwise(came)]
    return {"sent": sent, "came": len(came), "gap_ms": round(max(gaps, default=0) * 1000, 2)}


async def press(wish: dict[str, Any], say: Say) -> dict[str, Any]:
    """Opens a page of the portal, fills in ``fields`` and sends the form whose action ends in ``ends``."""
    device = _device(wish)
    page = await device.request(wish["url"])
    for form in forms(page.body):
        goal = urljoin(wish["url"], form.action)
        if urlsplit(goal).path.endswith(wish["ends"]):
            reply = await device.request(goal, form.fields | wish.get("fields", {}))
            return {
                "status": reply.status,
                "location": reply.headers.get("location", ""),
                "body": reply.body[:20000],
            }
    raise ValueError(f"no form ending in {wish['ends']} on {wish['url']}: {page.status} {page.body[:300]}")


def _acceptance(page: HttpReply) -> PageForm | None:
    """The form that accepts the terms: the one with that action, or the first."""
    found = forms(page.body)
    return next((form for form in found if "join" in form.action), found[0] if found else None)


def _device(wish: dict[str, Any]) -> ClientDevice:
    return ClientDevice(wish["resolver"], wish.get("v6", False), wish.get("interface"))


def _ms_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 3)


WISHES: dict[str, Callable[[dict[str, Any], Say], Awaitable[dict[str, Any]]]] = {
    wish.__name__: wish for wish in (knock, accept, reach, download, upload, leak, echo, press)
}


async def fulfil(wish: dict[str, Any]) -> None:
    def say(**more: Any) -> None:
        print(json.dumps({"id": wish["id"], **more}), flush=True)

    try:
        say(result=await WISHES[wish["do"]](wish, say))
    except* (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError) as errors:
        said = "; ".join(f"{type(error).__name__}: {error}" for error in errors.exceptions)
        say(error=said)


async def live() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1_000_000)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(fulfil(json.loads(line)))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(live())

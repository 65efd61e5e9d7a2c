"""Concurrent requests of many clients, each from an address of its own; standard library only.

``python -m tests.bench.load`` in the clients' namespace. Each line of the standard input is a job as JSON, each line of
the output its result. Jobs: ``press`` (the same request repeatedly), ``greed`` (endless downloads), ``locate`` (the
target of the redirect), ``fetch`` (one complete page), ``flows`` (the complete admission of each client), ``join`` (the
same with a code, arriving over a period), ``first`` (from the last click to the first packet, one client at a time),
``slowloris`` (connections that only occupy slots).
"""

import asyncio
import contextlib
import itertools
import json
import re
import select
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.bench.bulk_load import BulkLoad
from tests.bench.figures import quantile
from tests.bench.slowloris import Slowloris
from tests.lab import PATIENCE
from tests.lab.wire import PageForm, forms

PATIENCE_S = 20.0 * PATIENCE
ECHO_PORT = 7
FIRST_PORT, LAST_PORT = 10_000, 65_000
_GET_FORM = re.compile(r" method=\"?get\"?", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


_last_port: dict[str, int] = {}


@dataclass(slots=True)
class Visitor:
    """One connection after the other (or one for many requests, if the server keeps it alive)."""

    address: str
    sock: socket.socket | None = None
    began: float = 0.0
    got: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class LoadTally:
    times: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def failed(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1


@dataclass(frozen=True, slots=True)
class Pressed:
    """Result of `press`: responses per second, and latencies of those that came (None if none came)."""

    per_s: float
    p50_ms: float | None
    p99_ms: float | None
    answered: int
    errors: int
    what: dict[str, int]


class Press:
    """`wanted` is a prefix of the status line of a success, such as ``HTTP/1.1 302``. `connections` at once, by default
    one for each address; each new one uses the next address. Ends after `seconds`, or after `most` responses."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._to, self._request = (job["to"], int(job["port"])), job["request"].encode()
        self._wanted = tuple(job["wanted"])
        self._seconds, self._most = float(job["seconds"]), job.get("most", sys.maxsize)
        self._epoll = select.epoll()
        self._turns = itertools.cycle(job["addresses"])
        self._visitors = [Visitor("") for _ in range(job.get("connections", len(job["addresses"])))]
        self._by_handle: dict[int, Visitor] = {}
        self.tally = LoadTally()

    def run(self) -> dict[str, Any]:
        began = looked = time.monotonic()
        for visitor in self._visitors:
            self._connect(visitor)
        while (now := time.monotonic()) < began + self._seconds and len(self.tally.times) < self._most:
            for handle, event in self._epoll.poll(0.05):
                self._happened(self._by_handle[handle], event)
            if now - looked > 0.5:
                looked = now
                self._lose_patience(now)
        for visitor in self._visitors:
            self._hang_up(visitor)
        return self._result(now - began)

    def _result(self, seconds: float) -> dict[str, Any]:
        times = [1000 * t for t in self.tally.times]
        return asdict(
            Pressed(
                round(len(times) / seconds, 1),
                round(quantile(times, 0.5), 2) if times else None,
                round(quantile(times, 0.99), 2) if times else None,
                len(times),
                sum(self.tally.errors.values()),
                self.tally.errors,
            )
        )

    def _connect(self, visitor: Visitor) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        # The last packet of the handshake is sent with the request: as two packets, on two cores, they can be reordered
        # on a virtual link, which does not happen on a real card, and the kernel resets the connection.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        visitor.address = next(self._turns)
        # A recently used port may still have an entry in connection tracking.
        port = _last_port.get(visitor.address, LAST_PORT) + 1
        port = _last_port[visitor.address] = port if port <= LAST_PORT else FIRST_PORT
        sock.bind((visitor.address, port))
        visitor.sock, visitor.began = sock, time.monotonic()
        visitor.got.clear()
        sock.connect_ex(self._to)
        self._by_handle[sock.fileno()] = visitor
        self._epoll.register(sock, select.EPOLLOUT)

    def _hang_up(self, visitor: Visitor) -> None:
        if visitor.sock is not None:
            self._by_handle.pop(visitor.sock.fileno())
            visitor.sock.close()
            visitor.sock = None

    def _happened(self, visitor: Visitor, event: int) -> None:
        sock = visitor.sock
        assert sock is not None
        try:
            if event & select.EPOLLOUT:
                self._epoll.modify(sock, select.EPOLLIN)
                sock.send(self._request)
                return
            block = sock.recv(65536)
        except OSError as error:
            self._again(visitor, type(error).__name__)
            return
        visitor.got += block
        if self._is_whole(visitor.got) or (not block and b"\r\n\r\n" in visitor.got):
            self._answered(visitor, keeps=bool(block) and not _CLOSES.search(visitor.got))
        elif not block:
            self._again(visitor, "hung up without an answer")

    @staticmethod
    def _is_whole(got: bytearray) -> bool:
        end = got.find(b"\r\n\r\n")
        length = _LENGTH.search(got, 0, end) if end >= 0 else None
        return length is not None and len(got) >= end + 4 + int(length[1])

    def _answered(self, visitor: Visitor, *, keeps: bool) -> None:
        now = time.monotonic()
        if visitor.got.startswith(tuple(wanted.encode() for wanted in self._wanted)):
            self.tally.times.append(now - visitor.began)
        else:
            self.tally.failed(visitor.got[:12].decode("latin-1"))
        if not keeps:
            self._hang_up(visitor)
            self._connect(visitor)
            return
        visitor.began = now
        visitor.got.clear()
        assert visitor.sock is not None
        visitor.sock.send(self._request)

    def _again(self, visitor: Visitor, failure: str) -> None:
        self.tally.failed(failure)
        self._hang_up(visitor)
        self._connect(visitor)

    def _lose_patience(self, now: float) -> None:
        for visitor in self._visitors:
            if now - visitor.began > PATIENCE_S:
                self._again(visitor, "no answer in time")


@dataclass(frozen=True, slots=True)
class LoadAnswer:
    status: int
    headers: dict[str, str]
    body: str


async def ask(
    address: str, to: tuple[str, int], url: str, fields: dict[str, str] | None = None
) -> LoadAnswer:
    """One request on one connection, from `address` to `to`, regardless of the host in the URL."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
    body = urlencode(fields).encode() if fields is not None else b""
    head = f"{'GET' if fields is None else 'POST'} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    if fields is not None:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(*to, local_addr=(address, 0))
        try:
            writer.write(f"{head}\r\n".encode() + body)
            whole = await reader.read(-1)
        finally:
            writer.close()
    start, _, rest = whole.partition(b"\r\n\r\n")
    first, *lines = start.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return LoadAnswer(int(first.split()[1]), headers, rest.decode(errors="replace"))


NO_ANSWER = (OSError, TimeoutError, ValueError, IndexError)
"""Exceptions of a request without a response, or with a malformed one."""
Way = tuple[str, str, dict[str, str]]
"""Address of the client, action of its form, and the form's fields."""


class Ways:
    """The admission of each client: probe, page, form. `accept` is timed; what comes before is not."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._far, self._portal = (job["far"], 80), (job["to"], int(job["port"]))
        self._probe, self._wants = job["probe"], job.get("action", "join")
        self._at_once = asyncio.Semaphore(int(job["at_once"]))
        self._addresses = job["addresses"]

    async def run(self) -> dict[str, Any]:
        async with asyncio.TaskGroup() as group:
            looking = [group.create_task(self._look(address)) for address in self._addresses]
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            found = [task.result() for task in looking]
            accepting = [group.create_task(self._accept(*each)) for each in found if each is not None]
        answers = [task.result() for task in accepting]
        return {
            "seconds": round(time.monotonic() - began, 3),
            "let_in": sum(answer is not None and answer.status == 303 for answer in answers),
            "first_refusal": first_refusal(answers),
        }

    async def _look(self, address: str) -> Way | None:
        """None if the client got no form."""
        try:
            async with self._at_once:
                redirect = await ask(address, self._far, self._probe)
                url = redirect.headers.get("location", "")
                page = await ask(address, self._portal, url)
        except NO_ANSWER:
            return None
        form = next((form for form in forms(page.body) if self._wants in form.action), None)
        return (address, urljoin(url, form.action), form.fields) if form is not None else None

    async def _accept(self, address: str, goal: str, fields: dict[str, str]) -> LoadAnswer | None:
        try:
            async with self._at_once:
                return await ask(address, self._portal, goal, fields)
        except NO_ANSWER:
            return None


def first_refusal(answers: Sequence[LoadAnswer | None]) -> str:
    """The response of the first client that was refused; empty if all were admitted."""
    refused = (answer for answer in answers if answer is None or answer.status != 303)
    return next((f"{a.status} {a.body[:300]}" if a is not None else "no answer" for a in refused), "")


class Arrivals(Ways):
    """Clients that arrive evenly over `seconds`, each with a code of its own, regardless of the node's speed: an open
    load. Timed from the click to the response; filling in the form is not timed."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(job)
        self._codes, self._seconds, self._field = job["codes"], float(job["seconds"]), job["field"]

    async def run(self) -> dict[str, Any]:
        async with asyncio.TaskGroup() as group:
            looking = [group.create_task(self._look(address)) for address in self._addresses]
        ways = [task.result() for task in looking]
        began, pause = asyncio.get_running_loop().time() + 0.2, self._seconds / len(ways)
        async with asyncio.TaskGroup() as group:
            coming = [
                group.create_task(self._come(way, code, began + number * pause))
                for number, (way, code) in enumerate(zip(ways, self._codes, strict=True))
            ]
        results = [task.result() for task in coming]
        return {
            "ms": [
                round(ms, 1) if answer is not None and answer.status == 303 else None
                for ms, answer in results
            ],
            "seconds": round(asyncio.get_running_loop().time() - began, 2),
            "first_refusal": first_refusal([answer for _, answer in results]),
        }

    async def _come(self, way: Way | None, code: str, at: float) -> tuple[float, LoadAnswer | None]:
        if way is None:
            return 0.0, None
        address, goal, fields = way
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, at - loop.time()))
        began = loop.time()
        try:
            answer = await ask(address, self._portal, goal, fields | {self._field: code})
        except NO_ANSWER:
            return 0.0, None
        return 1000 * (loop.time() - began), answer


def next_form(url: str, page: LoadAnswer) -> PageForm:
    """The first form of a page. Raises ValueError."""
    form = next(iter(forms(_GET_FORM.sub(' method="post"', page.body))), None)
    if form is None:
        raise ValueError(f"no form at {url}: {page.status} {page.body[:100]}")
    return form


class FirstPacketTimer:
    """From the last click of a client's admission to the first datagram that comes back from the Internet."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._far, self._portal = job["far"], (job["to"], int(job["port"]))
        self._probe, self._clicks = job["probe"], int(job["clicks"])
        self._addresses = job["addresses"]

    async def run(self) -> dict[str, Any]:
        return {"ms": [await self._one(address) for address in self._addresses]}

    async def _one(self, address: str) -> float | None:
        """Milliseconds; None if a response or the datagram is missing."""
        try:
            return await self._whole_way(address)
        except NO_ANSWER:
            return None

    async def _whole_way(self, address: str) -> float | None:
        redirect = await ask(address, (self._far, 80), self._probe)
        url = redirect.headers.get("location", "")
        page = await ask(address, self._portal, url)
        for _ in range(self._clicks - 1):
            url, page = await self._click(address, url, page)
        next_form(url, page)
        came = asyncio.get_running_loop().create_future()
        sending = asyncio.create_task(self._send(address, came))  # noqa: TID251
        await asyncio.sleep(0.02)
        began = time.monotonic()
        clicking = asyncio.create_task(self._click(address, url, page))  # noqa: TID251
        try:
            async with asyncio.timeout(PATIENCE_S):
                return round(1000 * (await came - began), 2)
        except TimeoutError:
            return None
        finally:
            sending.cancel()
            await asyncio.wait({clicking}, timeout=PATIENCE_S)

    async def _click(self, address: str, url: str, page: LoadAnswer) -> tuple[str, LoadAnswer]:
        form = next_form(url, page)
        goal = urljoin(url, form.action)
        if _GET_FORM.search(page.body):
            goal += f"?{urlencode(form.fields)}"
            return goal, await ask(address, self._portal, goal)
        return goal, await ask(address, self._portal, goal, form.fields)

    async def _send(self, address: str, came: "asyncio.Future[float]") -> None:
        """Sends a small datagram every 2 ms until one comes back."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind((address, 0))
            while not came.done():
                with contextlib.suppress(OSError):
                    sock.sendto(b"hello", (self._far, ECHO_PORT))
                await asyncio.sleep(0.002)
                with contextlib.suppress(OSError):
                    sock.recv(100)
                    came.set_result(loop.time())


async def locate(job: dict[str, Any]) -> dict[str, Any]:
    """The redirect target of the first client's request for the Internet."""
    try:
        async with asyncio.timeout(float(job.get("patience", PATIENCE_S))):
            answer = await ask(job["addresses"][0], (job["far"], 80), job["probe"])
    except NO_ANSWER:
        return {"status": 0, "location": ""}
    return {"status": answer.status, "location": answer.headers.get("location", "")}


async def fetch(job: dict[str, Any]) -> dict[str, Any]:
    """One page as the first client receives it."""
    answer = await ask(job["addresses"][0], (job["to"], int(job["port"])), job["url"])
    return {"status": answer.status, "headers": answer.headers, "body": answer.body}


async def join(job: dict[str, Any]) -> dict[str, Any]:
    return await Arrivals(job).run()


async def flows(job: dict[str, Any]) -> dict[str, Any]:
    return await Ways(job).run()


async def first(job: dict[str, Any]) -> dict[str, Any]:
    return await FirstPacketTimer(job).run()


JOBS: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "locate": locate,
    "fetch": fetch,
    "join": join,
    "flows": flows,
    "first": first,
}


AT_ONCE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "press": lambda job: Press(job).run(),
    "greed": lambda job: BulkLoad(job).run(),
    "slowloris": lambda job: Slowloris(job).run(),
}


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        result = AT_ONCE[job["do"]](job) if job["do"] in AT_ONCE else asyncio.run(JOBS[job["do"]](job))
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

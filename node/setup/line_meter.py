"""Measures the download of the line that is up now: loads a large file, by several connections, from the server that this
machine has its packages from."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import ClientError, ClientResponse, ClientSession

from node.errors import NodeError
from node.setup.line_speed import FILE_BYTES_MIN, LineSpeed, is_own_network, line_speed, mirror_files
from node.setup.network_layout import NetworkFacts
from node.translator import gettext_lazy
from node.units import MEGA, Bytes, Milliseconds

APT_FOLDER = Path("/etc/apt")
SOURCE_BYTES_MAX = 100_000
"""Longer files of apt's sources are not read."""
MEASURE_S = 12
FIND_S = 5
"""Of the whole time: within it a server with the file must be found."""
LOADED_BYTES_MAX = 50 * MEGA
CONNECTIONS = 6
CHUNK_BYTES = 2 * MEGA
"""Of each request."""
LOOK_BYTES = 1_024
"""Of the first request, which only looks whether the file is there."""
REDIRECTS_MAX = 3
FAILURES_MAX = 6
"""With more requests that fail, the measurement ends."""
NAME_S, CONNECT_S, SILENCE_S = 3, 3, 4
READ_EVERY_S = 0.02
"""Often enough for a line that needs a fifth of a second for everything."""
_GZIP = b"\x1f\x8b"
_HOST = re.compile(r"[\w.:-]{1,253}", re.ASCII)
"""Of a redirect: a page shows the name, so it must be one."""

Measure = Callable[[NetworkFacts], Awaitable[LineSpeed]]


class LineMeter:
    """One measurement at a time: `begin` and `cancel` do not wait for a result, `run` does the work."""

    def __init__(self, measure: Measure) -> None:
        """`measure` may raise NodeError."""
        self.speed: LineSpeed | None = None
        """What was measured last; None while a measurement is under way, and when it failed or was cancelled."""
        self.trouble: NodeError | None = None
        """Why the last measurement failed."""
        self._measure = measure
        self._facts: NetworkFacts | None = None
        self._begun, self._ended = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._facts is not None

    def begin(self, facts: NetworkFacts) -> None:
        """Does nothing while a measurement is under way."""
        if not self.is_running:
            self.speed = self.trouble = None
            self._facts = facts
            self._ended.clear()
            self._begun.set()

    async def cancel(self) -> None:
        """Returns when no measurement is under way."""
        if self.is_running:
            self._facts = None
            if self._task is not None:
                self._task.cancel()
                await self._ended.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._task = tasks.create_task(self._once())
            finally:
                self._facts = self._task = None
                self._ended.set()

    async def _once(self) -> None:
        if self._facts is None:  # cancelled already
            return
        try:
            self.speed = await self._measure(self._facts)
        except NodeError as error:
            self.trouble = error


async def measure_download(facts: NetworkFacts, apt_folder: Path = APT_FOLDER) -> LineSpeed:
    """Takes `MEASURE_S` at most, and asks for `LOADED_BYTES_MAX` at most. Raises NodeError."""
    urls = mirror_files(await asyncio.to_thread(_apt_sources, apt_folder))
    if not urls:
        raise _no_server()
    if not any(each.has_default_route for each in facts.interfaces):
        raise NodeError(
            gettext_lazy("Nothing leads to the Internet now."),
            gettext_lazy("Plug in the cable of the Internet, wait half a minute, and measure again."),
        )
    ends = asyncio.get_running_loop().time() + MEASURE_S
    own = [address for each in facts.interfaces for address in each.addresses]
    session = ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, resolver=aiohttp.ThreadedResolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "procomu"},
        timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=SILENCE_S),
    )
    async with session:
        file = await _find(session, urls, own)
        arrived = await _Download(session, file).run(ends)
    speed = line_speed(file.host, arrived) if arrived else None
    if speed is None:
        raise NodeError(
            gettext_lazy("Too little came from {host} to say how fast the line is.", host=file.host),
            gettext_lazy("Measure again later, or write the speed yourself."),
        )
    return speed


def _no_server() -> NodeError:
    return NodeError(
        gettext_lazy("This machine has no server of Debian packages on the Internet to measure with."),
        gettext_lazy("Write the speed yourself, or leave it empty."),
    )


def _apt_sources(folder: Path) -> Mapping[str, str]:
    """Texts by path."""
    parts = folder / "sources.list.d"
    texts = {}
    for path in (folder / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))):
        with suppress(OSError, UnicodeDecodeError):
            if path.stat().st_size <= SOURCE_BYTES_MAX:
                texts[str(path)] = path.read_text()
    return texts


# --- where the file is ---


@dataclass(frozen=True, slots=True)
class _LargeFile:
    url: str
    size: int

    @property
    def host(self) -> str:
        return _host(self.url)


async def _find(session: ClientSession, urls: Collection[str], own: Collection[str]) -> _LargeFile:
    """The first server that has the file. Raises NodeError: what the first one answered."""
    ends = asyncio.get_running_loop().time() + FIND_S
    troubles = []
    for url in urls:
        try:
            async with asyncio.timeout_at(ends):
                return await _look_at(session, url, own)
        except NodeError as error:
            troubles.append(error)
        except (ClientError, OSError, ValueError) as error:
            troubles.append(_unreachable(_host(url), error))
    raise troubles[0]


async def _look_at(session: ClientSession, url: str, own: Collection[str]) -> _LargeFile:
    """Follows redirects. Raises NodeError, ClientError, OSError, or ValueError where an address is none."""
    asked = _host(url)
    for number in range(REDIRECTS_MAX + 1):
        try:
            if await _is_own(url, own):
                raise _somebody_else(asked, _host(url)) if number else _not_behind_the_line(asked)
            async with session.get(url, headers=_range(0, LOOK_BYTES), allow_redirects=False) as response:
                if response.status // 100 != 3:
                    return await _file_of(response, url, asked)
                target = _target(url, response.headers.get("Location", ""))
        except (ClientError, OSError, ValueError):
            if number == 0:
                raise
            raise _somebody_else(asked, _host(url), is_silent=True) from None
        url = target or url
        if not target or urlsplit(url).scheme not in {"http", "https"}:
            break
    raise _somebody_else(asked, _host(url))


def _target(url: str, location: str) -> str:
    """Where a redirect leads; empty for what is no address."""
    try:
        target = urljoin(url, location)
        return target if _HOST.fullmatch(_host(target)) else ""
    except ValueError:
        return ""


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


async def _is_own(url: str, own: Collection[str]) -> bool:
    """Whether the server is reached without the line. Raises OSError or ValueError for a name that is not found."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(NAME_S):
            found = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise socket.gaierror from None
    return any(is_own_network(str(address[0]), own) for *_, address in found)


def _not_behind_the_line(host: str) -> NodeError:
    return NodeError(
        gettext_lazy("{host} is in this machine’s own network, not behind the line.", host=host),
        gettext_lazy("Write the speed yourself, or leave it empty."),
    )


async def _file_of(response: ClientResponse, url: str, asked: str) -> _LargeFile:
    if response.status not in {200, 206, 511}:
        raise NodeError(
            gettext_lazy(
                "{host} does not give the file to measure with (HTTP {status}).",
                host=asked,
                status=response.status,
            ),
            gettext_lazy("Write the speed yourself, or leave it empty."),
        )
    start = await response.content.read(len(_GZIP))
    if response.status == 511 or start != _GZIP:
        raise _somebody_else(asked, _host(url))
    # "bytes 0-1023/38208826". Without parts of a file, more would be on the way than may be loaded.
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if not (total.isascii() and total.isdecimal() and int(total[:16]) >= FILE_BYTES_MIN):
        raise _no_server()
    return _LargeFile(url, int(total[:16]))


def _unreachable(host: str, error: Exception) -> NodeError:
    if isinstance(error, socket.gaierror | ValueError) and not isinstance(error, ClientError):
        return NodeError(
            gettext_lazy("The name {host} was not found.", host=host),
            gettext_lazy("See that the line works and that its router resolves names, and measure again."),
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return NodeError(
            gettext_lazy("The certificate of {host} is not accepted.", host=host),
            gettext_lazy("See that this machine’s date is right, and measure again."),
        )
    return NodeError(
        gettext_lazy("{host} does not answer.", host=host),
        gettext_lazy("See that the line works, and measure again."),
    )


def _somebody_else(asked: str, other: str, *, is_silent: bool = False) -> NodeError:
    """A captive portal in front of this machine, most often."""
    text = gettext_lazy("A page of {other} came instead of the file of {host}.", other=other, host=asked)
    if is_silent:
        text = gettext_lazy("{host} leads to {other}, which does not answer.", other=other, host=asked)
    return NodeError(
        text,
        gettext_lazy(
            "If the line wants a sign-in first, sign in there with this machine, and measure again."
        ),
    )


# --- loading it ---


def _range(start: int, size: int) -> dict[str, str]:
    return {"Range": f"bytes={start}-{start + size - 1}"}


class _Download:
    """Loads parts of the file by `CONNECTIONS` connections until there is enough."""

    def __init__(self, session: ClientSession, file: _LargeFile) -> None:
        self._session, self._file = session, file
        self._asked, self._loaded, self._failures = LOOK_BYTES, 0, 0
        self._is_enough = asyncio.Event()

    async def run(self, ends: float) -> list[tuple[Milliseconds, Bytes]]:
        """Readings of the clock and of what had arrived, until the limit of bytes or the time `ends`; none if it broke off
        before, or nothing came for the last seconds."""
        clock = asyncio.get_running_loop().time
        arrived: list[tuple[Milliseconds, Bytes]] = []
        async with asyncio.TaskGroup() as tasks:
            loading = [tasks.create_task(self._load_parts()) for _ in range(CONNECTIONS)]
            while not self._is_enough.is_set() and clock() < ends:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_enough.wait(), READ_EVERY_S)
                if self._loaded:
                    arrived.append((Milliseconds(round(clock() * 1_000)), Bytes(self._loaded)))
                if self._is_broken_off(arrived, loading):
                    arrived.clear()
                    break
            for each in loading:
                each.cancel()
        return arrived

    def _is_broken_off(
        self, arrived: Sequence[tuple[Milliseconds, Bytes]], loading: Collection[asyncio.Task[None]]
    ) -> bool:
        if self._is_enough.is_set():
            return False
        silent = round(SILENCE_S / READ_EVERY_S)
        is_silent = len(arrived) > silent and arrived[-silent][1] == arrived[-1][1]
        return is_silent or all(each.done() for each in loading)

    async def _load_parts(self) -> None:
        while self._failures < FAILURES_MAX:
            # Whole parts in turn, from different places, so that no cache on the way has them.
            size = min(CHUNK_BYTES, LOADED_BYTES_MAX - self._asked, self._file.size)
            if size <= 0:
                self._is_enough.set()
                return
            start = self._asked % (self._file.size - size + 1)
            self._asked += size
            try:
                await self._load(start, size)
            except (ClientError, OSError):
                self._failures += 1

    async def _load(self, start: int, size: int) -> None:
        headers = _range(start, size)
        async with self._session.get(self._file.url, headers=headers, allow_redirects=False) as response:
            if response.status != 206:
                raise ClientError(response.reason)
            async for data in response.content.iter_any():
                self._loaded += min(len(data), size)
                size -= len(data)
                if size <= 0:
                    return

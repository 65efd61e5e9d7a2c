"""A way for this machine's browser into the village: a small HTTP forwarder on 127.0.0.1.

It listens outside and connects from inside a namespace, so that a browser at the portal's window is one more device on
the square. Names that exist in the village only are rewritten.
"""

import asyncio
import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field

from tests.lab.netns import Namespace
from tests.lab.wire import device_socket, family_of

HEAD_BYTES_MAX = 65536


@dataclass(frozen=True, slots=True)
class View:
    """The target of one window: the namespace to connect from, the address, and the name of the server."""

    place: Namespace
    address: str
    port: int
    host: str
    """The Host header that the server expects, with its port unless that is 80."""
    also_known_as: tuple[str, ...] = field(default=())
    """Other origins of the same pages, as ``http://10.77.0.1:2080``."""


class Window:
    """Serves views on free ports of 127.0.0.1 in a thread of its own; a context manager."""

    def __init__(self, views: dict[str, View]) -> None:
        self._views = views
        self.urls: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lab-window")

    def __enter__(self) -> "Window":
        self._thread.start()
        self._open.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            for name, view in self._views.items():
                server = await asyncio.start_server(
                    lambda reader, writer, view=view: self._forward(view, reader, writer),
                    "127.0.0.1",
                    0,
                    limit=HEAD_BYTES_MAX,
                )
                stack.push_async_callback(_close, server)
                self.urls[name] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            self._open.set()
            await self._stop.wait()

    async def _forward(self, view: View, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            here = f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
            head = await reader.readuntil(b"\r\n\r\n")
            far_reader, far_writer = await _connected(view)
            try:
                far_writer.write(_inward(head, here, view.host))
                async with asyncio.TaskGroup() as group:
                    body = group.create_task(_copy(reader, far_writer))
                    answer = await far_reader.readuntil(b"\r\n\r\n")
                    writer.write(_outward(answer, here, view))
                    await _copy(far_reader, writer)
                    body.cancel()
            finally:
                far_writer.close()
        writer.close()


async def _close(server: asyncio.Server) -> None:
    server.close()


async def _connected(view: View) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    with view.place.entered():
        sock = device_socket(family_of(view.address), socket.SOCK_STREAM, None)
    async with asyncio.timeout(5):
        await asyncio.get_running_loop().sock_connect(sock, (view.address, view.port))
    return await asyncio.open_connection(sock=sock, limit=HEAD_BYTES_MAX)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(65536):
        writer.write(block)
        await writer.drain()


def _inward(head: bytes, here: str, host: str) -> bytes:
    """The request's header with the village's host name, and ``Connection: close``."""
    text = head.decode("latin-1")
    text = re.sub(r"(?im)^host:.*\r\n", f"Host: {host}\r\n", text, count=1)
    text = re.sub(r"(?im)^(origin|referer): http://" + re.escape(here), rf"\1: http://{host}", text)
    text = re.sub(r"(?im)^connection:.*\r\n", "", text)
    return (text[:-2] + "Connection: close\r\n\r\n").encode("latin-1")


def _outward(head: bytes, here: str, view: View) -> bytes:
    """The response's header with this machine's host name."""
    text = head.decode("latin-1")
    for origin in (f"http://{view.host}", *view.also_known_as):
        text = re.sub(r"(?im)^(location): " + re.escape(origin), rf"\1: http://{here}", text)
    return text.encode("latin-1")

"""The real portal and the real admin server on this machine, before the real use cases of a node in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from tests.fakes.portal_server import HOST, open_portal_server, portal_node
from tests.fakes.use_cases import BEN, AppFixture, UseCases

Opening = Callable[[], AbstractAsyncContextManager[int]]
"""Starts a server, and gives its port while it runs."""

Event = Callable[[UseCases], Awaitable[object]]
"""What people did before the browser comes. Its device is `ANA`."""


def portal(
    *events: Event,
    node: Callable[[], AppFixture] = portal_node,
    elsewhere: bool = False,
    disputed: bool = False,
) -> Opening:
    """The portal of `node` after these events. `elsewhere`: the client is not on the node's link; `disputed`: another
    device claims the client's address."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[int]:
        async with open_portal_server(node()) as server:
            for event in events:
                await event(server.app)
            if elsewhere:
                server.callers.devices.clear()
            if disputed:
                server.callers.claimed |= dict.fromkeys(server.callers.devices, BEN)
            yield server.port

    return opening


@contextmanager
def served(opening: Opening, host: str = HOST) -> Iterator[str]:
    """URL of the first page while the server runs; the browser resolves `HOST` to the loopback address."""
    port: Future[int] = Future()
    stop: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.set_result(lambda: loop.call_soon_threadsafe(over.set))
        # One executor thread, started now, for tests that count threads.
        loop.set_default_executor(ThreadPoolExecutor(1, thread_name_prefix="asyncio"))
        await asyncio.to_thread(int)
        async with opening() as bound:
            port.set_result(bound)
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="door")
    thread.start()
    try:
        yield f"http://{host}:{port.result(10)}"
    finally:
        stop.result(10)()
        thread.join()

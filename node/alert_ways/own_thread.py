"""Runs a call that blocks in a thread of its own, which nothing waits for: the threads that the node's other work shares are
never taken by a server that does not answer."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


async def in_own_thread[T](call: Callable[[], T], name: str) -> T:
    """What `call` returns or raises. Cancelled, the thread ends by itself later, and what it says then is lost."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else settle())

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(result))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done

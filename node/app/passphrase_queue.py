"""Work queue for passphrase checks (scrypt, RFC 7914): one at a time in a thread, because each
needs much memory and time."""

import asyncio
import time
from collections.abc import Callable

from node.accounts.fair_queue import FairQueue
from node.errors import NodeError
from node.units import MacAddress, Monotonic

WAITING_MAX = 12
"""Waiting devices with an account, and as many without. A check takes a fifth of a second on a small computer, so the
last one waits about two seconds."""


class PassphraseQueue:
    """Each device has one check at a time, so that parallel guesses are counted one after another.
    Devices with an account come first, then those with the fewest recent checks, so that repeated
    attempts wait behind everybody else's."""

    def __init__(self) -> None:
        self._queue: FairQueue[MacAddress] = FairQueue(WAITING_MAX)
        self._called: dict[MacAddress, asyncio.Future[bool]] = {}
        self._at_work: MacAddress | None = None

    async def turn[T](self, mac: MacAddress, work: Callable[[], T], *, is_known: bool = False) -> T:
        """Returns the result of `work`. Raises NodeError when the device already waits or too many others do."""
        await self._wait(mac, is_known=is_known)
        try:
            return await asyncio.to_thread(work)
        finally:
            self._at_work = None
            self._call_next()

    async def _wait(self, mac: MacAddress, *, is_known: bool) -> None:
        stays, gone = (
            self._queue.enter(mac, _now(), is_known=is_known) if mac != self._at_work else (False, None)
        )
        if gone is not None:
            self._notify(gone, may_begin=False)
        if not stays:
            raise _busy()
        called = self._called[mac] = asyncio.get_running_loop().create_future()
        try:
            if self._at_work is None:
                self._call_next()
            if not await called:
                raise _busy()
        except asyncio.CancelledError:
            if self._at_work == mac:
                self._at_work = None
                self._call_next()
            raise
        finally:
            if self._called.get(mac) is called:
                del self._called[mac]
                self._queue.leave(mac)

    def _call_next(self) -> None:
        self._at_work = self._queue.next(_now())
        while self._at_work is not None and not self._notify(self._at_work, may_begin=True):
            self._at_work = self._queue.next(_now())

    def _notify(self, mac: MacAddress, *, may_begin: bool) -> bool:
        """False when that task was cancelled and has not left the queue yet."""
        called = self._called.pop(mac)
        if called.done():
            return False
        called.set_result(may_begin)
        return True


def _busy() -> NodeError:
    return NodeError("many people are signing in with a passphrase right now", "try again in a moment")


def _now() -> Monotonic:
    return Monotonic(time.monotonic_ns() // 1_000_000)

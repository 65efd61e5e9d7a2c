"""Passphrases are checked in a thread, one at a time: each check costs much memory and time on purpose."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from node.errors import NodeError
from node.units import MacAddress

T = TypeVar("T")

WAITING_MAX = 32
"""Of all devices: the last of them waits some seconds, and nobody waits longer. Whoever wants to keep members out has to
hold as many places at once, each with a device that soon waits for its mistakes."""


class PassphraseDesk:
    """One device has one turn at a time, so that guesses made at once are counted one after another."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Semaphore(1)
        self._here: set[MacAddress] = set()

    async def turn(self, mac: MacAddress, work: Callable[[], T]) -> T:
        """What `work` says. Raises NodeError when the device has a turn already, or too many others wait."""
        if mac in self._here or len(self._here) >= WAITING_MAX:
            raise NodeError("many people come in with a passphrase just now", "try again in a moment")
        self._here.add(mac)
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(work)
        finally:
            self._here.discard(mac)

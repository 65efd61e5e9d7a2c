"""Random octets and malformed requests to the ports of the portal, repeatedly."""

import itertools
import random
import socket
from contextlib import suppress
from typing import Any

from tests.bench.attacks.send_rate import portions

STANDING = 200
"""Connections that stay open after the payload was sent."""
HALVES = (
    b"GET / HTTP/1.1\r\nHost: login.procomu.lan\r\n",
    b"POST /join/terms HTTP/1.1\r\nHost: login.procomu.lan\r\nContent-Length: 99999999\r\n\r\nx",
    b"GET /" + b"a" * 9_000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500,
)


class Garbage:
    """`per_second` connections from `addresses` to `to` on each of `ports`."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._to, self._ports, self._addresses = job["to"], job["ports"], job["addresses"]
        self._per_second, self._seconds = float(job["per_second"]), float(job["seconds"])
        self._random = random.Random(7)

    def run(self) -> dict[str, Any]:
        open_now: list[socket.socket] = []
        numbers, sent = itertools.count(), 0
        for count in portions(self._per_second, self._seconds):
            # Connections opened in the previous round are established or refused by now.
            for sock in open_now[-int(self._per_second) :]:
                with suppress(OSError):
                    sock.send(self._octets())
                    sent += 1
            open_now += [self._opened(number) for number in itertools.islice(numbers, count)]
            while len(open_now) > STANDING:
                open_now.pop(0).close()
        for sock in open_now:
            sock.close()
        return {"opened": next(numbers), "sent": sent}

    def _opened(self, number: int) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((self._addresses[number % len(self._addresses)], 0))
        with suppress(BlockingIOError, OSError):
            sock.connect((self._to, self._ports[number % len(self._ports)]))
        return sock

    def _octets(self) -> bytes:
        if self._random.random() < 0.5:
            return self._random.randbytes(self._random.randrange(1, 1_400))
        return self._random.choice(HALVES)

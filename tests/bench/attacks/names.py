"""DNS queries for names whose server never answers, over UDP and TCP."""

import itertools
import random
import socket
import struct
from contextlib import suppress
from typing import Any

from tests.bench.attacks.send_rate import portions

LABEL = "dead"
DIGITS = 8
DOMAIN = ("resolvers", "example")
SOCKETS = 64
TCP_EACH = 4
"""Queries on one connection, which then stays open."""


def label(number: int) -> str:
    return f"{LABEL}{number % 16**DIGITS:0{DIGITS}x}"


def drop_rule() -> str:
    """An nftables expression, in a resolver's namespace, that matches queries to leave unanswered: a first label with
    this length and prefix. A resolver on the way may have changed the case of the letters."""
    wanted = bytes([len(LABEL) + DIGITS]) + LABEL.upper().encode()
    # After the 8 octets of the UDP header and the 12 of the DNS header.
    return f"udp dport 53 @th,160,{8 * len(wanted)} & 0xffdfdfdfdf == 0x{wanted.hex()} drop"


def question(number: int, name: tuple[str, ...]) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name)
    return struct.pack("!6H", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)


class DeadNames:
    """`per_second` queries from `addresses` in turn to `to`, one in `tcp_every` over TCP."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._to, self._seconds = (job["to"], 53), float(job["seconds"])
        self._per_second, self._tcp_every = float(job["per_second"]), int(job.get("tcp_every", 0))
        self._addresses = job["addresses"]
        self._sockets = [self._bound(i, socket.SOCK_DGRAM) for i in range(max(SOCKETS, len(self._addresses)))]
        self._streams: list[socket.socket] = []
        self.asked = self.answered = 0

    def run(self) -> dict[str, Any]:
        numbers = itertools.count(random.getrandbits(24))
        for count in portions(self._per_second, self._seconds):
            for number in itertools.islice(numbers, count):
                self._ask(number)
            self._hear()
        for sock in (*self._sockets, *self._streams):
            sock.close()
        return {"asked": self.asked, "answered": self.answered, "over_tcp": len(self._streams)}

    def _bound(self, number: int, kind: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind((self._addresses[number % len(self._addresses)], 0))
        sock.setblocking(False)
        return sock

    def _ask(self, number: int) -> None:
        asked = question(number, (label(number), *DOMAIN))
        self.asked += 1
        if self._tcp_every and number % self._tcp_every == 0:
            self._ask_by_tcp(number, asked)
            return
        with suppress(OSError):
            self._sockets[number % len(self._sockets)].sendto(asked, self._to)

    def _ask_by_tcp(self, number: int, asked: bytes) -> None:
        """Opens a connection now and sends its queries in a later round, when it is established."""
        sock = self._bound(number, socket.SOCK_STREAM)
        sock.connect_ex(self._to)
        self._streams.append(sock)
        if len(self._streams) > 1:
            with suppress(OSError):
                self._streams[-2].send((struct.pack("!H", len(asked)) + asked) * TCP_EACH)

    def _hear(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                while sock.recv(2048):
                    self.answered += 1

"""Round trips of small UDP packets, sent at a steady rate; standard library only.

``python -m tests.bench.latency_probe echo ADDRESS...`` answers at these addresses. ``... probe JSON`` sends to them:
``pairs`` of a source and a far address, ``begins`` and ``ends`` of what is measured, in seconds from the start, and
``apart``, the seconds between two packets, 0.02 by default. It prints
one JSON object: for each pair the round trips in ms in the order in which they were sent, None for those that no answer
came to within two seconds after the end.
"""

import contextlib
import json
import os
import select
import socket
import sys
import time
from typing import Any

PORT = 7007
PROBE = bytes(64)
APART_S = 0.02
PATIENCE_S = 2.0
PRIORITY = 10


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def ahead_of_other_programs() -> None:
    """The network is measured, not how long the program waits for a core; without the right to it, as well as it goes."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))


def bound(address: str, port: int) -> socket.socket:
    made = socket.socket(family(address), socket.SOCK_DGRAM)
    made.bind((address, port))
    made.setblocking(False)
    return made


def echo(addresses: list[str]) -> None:
    sockets = [bound(address, PORT) for address in addresses]
    while True:
        for sock in select.select(sockets, [], [])[0]:
            with contextlib.suppress(OSError):
                data, sender = sock.recvfrom(2048)
                sock.sendto(data, sender)


class LatencyProbe:
    def __init__(self, pairs: list[tuple[str, str]], apart: float = APART_S) -> None:
        self._apart = apart
        self._sockets = [bound(source, 0) for source, _ in pairs]
        for sock, (_, far) in zip(self._sockets, pairs, strict=True):
            sock.connect((far, PORT))
        self._sent: list[list[float]] = [[] for _ in pairs]
        self._came: list[dict[int, float]] = [{} for _ in pairs]

    def run(self, begins: float, ends: float) -> list[list[float | None]]:
        began = due = time.monotonic()
        while (now := time.monotonic()) < began + ends + PATIENCE_S:
            if due <= now < began + ends:
                self._send()
                due += self._apart
            until = due if due < began + ends else began + ends + PATIENCE_S
            self._receive(max(0.0, until - time.monotonic()))
        for sock in self._sockets:
            sock.close()
        return [
            [
                round(1000 * (came[number] - at), 3) if number in came else None
                for number, at in enumerate(sent)
                if at - began >= begins
            ]
            for sent, came in zip(self._sent, self._came, strict=True)
        ]

    def _send(self) -> None:
        for sock, sent in zip(self._sockets, self._sent, strict=True):
            sent.append(time.monotonic())
            with contextlib.suppress(OSError):
                sock.send((len(sent) - 1).to_bytes(4, "big") + PROBE[4:])

    def _receive(self, seconds: float) -> None:
        for sock in select.select(self._sockets, [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                number = int.from_bytes(sock.recv(2048)[:4], "big")
                self._came[self._sockets.index(sock)].setdefault(number, time.monotonic())


def main() -> None:
    role, *rest = sys.argv[1:]
    ahead_of_other_programs()
    if role == "echo":
        echo(rest)
        return
    job: dict[str, Any] = json.loads(rest[0])
    probe = LatencyProbe(job["pairs"], float(job.get("apart", APART_S)))
    print(json.dumps(probe.run(job["begins"], job["ends"])), flush=True)


if __name__ == "__main__":
    main()

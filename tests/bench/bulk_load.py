"""Downloads or uploads at full rate from many addresses, in several connections each; standard library only."""

import contextlib
import select
import socket
import time
from collections import deque
from typing import Any

BLOCK = bytes(32_768)
LARGE = 10**12
APART_S = 0.03
"""Between the openings of two connections."""


class BulkLoad:
    """``flows`` connections of each address to its far address for ``seconds``; one that ends is not opened again."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._upwards, self._seconds = bool(job["upwards"]), float(job["seconds"])
        head = f"POST /upload HTTP/1.1\r\nHost: far\r\nContent-Length: {LARGE}\r\n\r\n"
        if not self._upwards:
            head = f"GET /large?bytes={LARGE} HTTP/1.1\r\nHost: far\r\nConnection: close\r\n\r\n"
        self._head = head.encode()
        ways = zip(job["addresses"], job["fars"], job["flows"], strict=True)
        self._waiting = deque((address, far) for address, far, count in ways for _ in range(count))
        self._poll = select.poll()
        self._flows: dict[int, socket.socket] = {}
        self._asked: set[int] = set()

    def run(self) -> dict[str, Any]:
        began, wanted = time.monotonic(), len(self._waiting)
        while (now := time.monotonic()) < began + self._seconds:
            while self._waiting and (wanted - len(self._waiting)) * APART_S < now - began:
                self._open(*self._waiting.popleft())
            for handle, _ in self._poll.poll(10):
                self._go_on(handle)
        left = len(self._flows)
        for flow in self._flows.values():
            flow.close()
        return {"opened": wanted, "left": left}

    def _open(self, address: str, far: str) -> None:
        flow = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        flow.setblocking(False)
        flow.bind((address, 0))
        with contextlib.suppress(BlockingIOError):
            flow.connect((far, 80))
        self._flows[flow.fileno()] = flow
        self._poll.register(flow, select.POLLOUT)

    def _go_on(self, handle: int) -> None:
        flow = self._flows[handle]
        try:
            if handle not in self._asked:
                flow.send(self._head)
                self._asked.add(handle)
                self._poll.modify(handle, select.POLLOUT if self._upwards else select.POLLIN)
            elif self._upwards:
                flow.send(BLOCK)
            elif not flow.recv(1 << 18):
                raise ConnectionError
        except BlockingIOError:
            return
        except OSError:
            self._poll.unregister(handle)
            self._asked.discard(handle)
            self._flows.pop(handle).close()

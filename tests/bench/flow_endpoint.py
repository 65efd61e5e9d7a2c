"""One end of a TCP flow and of a UDP flow, in a namespace; standard library only.

``python -m tests.bench.flow_endpoint listen|connect ADDRESS PORT``. Each line of the standard input is a command, each
line of the output its answer:

    send BYTES      over TCP; answers seconds
    take BYTES      from TCP; answers bytes per second
    datagrams N     of 64 bytes on the wire; answers datagrams per second
    arrived         answers the packets that the interface eth0 has received
"""

import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

BLOCK = 131072
DATAGRAM = bytes(22)
"""With headers of UDP, IPv4 and Ethernet: 64 bytes."""
WAIT_S = 20.0
SLICES = 30


def listening(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Waits for the other end; answers "ready" when that may connect."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, port))
    with socket.create_server((address, port)) as server:
        print("ready", flush=True)
        server.settimeout(WAIT_S)
        stream, _ = server.accept()
    datagrams.settimeout(WAIT_S)
    _, other = datagrams.recvfrom(2000)
    datagrams.connect(other)
    return stream, datagrams


def connected(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    stream = socket.create_connection((address, port), WAIT_S)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.connect((address, port))
    datagrams.send(DATAGRAM)
    return stream, datagrams


class FlowEndpoint:
    def __init__(self, stream: socket.socket, datagrams: socket.socket) -> None:
        stream.settimeout(WAIT_S)
        # They are not read: a full buffer drops at once, so that only the path to it is measured.
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        datagrams.settimeout(None)
        self._stream, self._datagrams = stream, datagrams
        self._block = memoryview(bytearray(BLOCK))

    def send(self, size: int) -> float:
        began, block, left = time.monotonic(), self._block, size
        while left:
            left -= self._stream.send(block[: min(BLOCK, left)])
        return time.monotonic() - began

    def take(self, size: int) -> float:
        return self._paced(size, self._take_slice)

    def _take_slice(self, size: int) -> None:
        while size:
            count = self._stream.recv_into(self._block, min(BLOCK, size))
            if not count:
                raise ConnectionError("the other end is gone")
            size -= count

    def datagrams(self, count: int) -> float:
        # All on one core, so that the whole path of each packet is done before the next begins.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        return self._paced(count, self._send_slice)

    def _send_slice(self, count: int) -> None:
        send = self._datagrams.send
        for _ in range(count):
            try:
                send(DATAGRAM)
            except ConnectionRefusedError:
                continue

    @staticmethod
    def _paced(size: int, step: Callable[[int], None]) -> float:
        """Receives `size` in slices; the median slice gives the rate, so that short load of other programs has no
        effect."""
        each, rates = max(1, size // SLICES), []
        while size:
            now = min(each, size)
            began = time.monotonic()
            step(now)
            rates.append(now / (time.monotonic() - began))
            size -= now
        return statistics.median(rates)

    def arrived(self, _: int) -> int:
        for line in Path("/proc/net/dev").read_text().splitlines():
            name, _sep, rest = line.partition(":")
            if name.strip() == "eth0":
                return int(rest.split()[1])
        return 0


def main() -> None:
    role, address, port = sys.argv[1:4]
    pump = FlowEndpoint(*{"listen": listening, "connect": connected}[role](address, int(port)))
    print("connected", flush=True)
    for line in sys.stdin:
        command, _, number = line.strip().partition(" ")
        print(getattr(pump, command)(int(number or 0)), flush=True)


if __name__ == "__main__":
    main()

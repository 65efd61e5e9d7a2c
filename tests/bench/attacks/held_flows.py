"""An admitted device that fills connection tracking: established idle TCP flows, SYN and UDP floods.

The far end (`far`) accepts every flow, and both ends stay silent, so that each entry lives for days unless it is
removed earlier. Frames are built once; only ports, addresses and sequence numbers are filled in.
"""

import itertools
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.bench.attacks.far import PORT, SEQUENCE
from tests.bench.attacks.send_rate import portions
from tests.kernel.frames import ACK, SYN, TCP, UDP, frame, ip, raw_socket, tcp, udp

FIRST_PORT = 1_024
PORTS = 64_000
TURNS_UNTIL_ANSWERED = 5
_PORT, _SEQUENCE = struct.Struct("!H"), struct.Struct("!I")
TCP_KINDS = {"syn": (SYN, PORT, 0), "ack": (ACK, PORT, SEQUENCE + 1), "flood": (SYN, PORT + 1, 0)}
"""Flags, the far end's port, the offset of the octet that is awaited."""


class Template:
    """Frames of one type from `address` to `far` that differ in the port only; the low half of the sequence number
    compensates for it, so that the checksum stays valid."""

    def __init__(self, macs: tuple[str, str], address: str, far: str, kind: str) -> None:
        self._is_udp, self._more = kind == "udp", int(kind == "ack")
        if self._is_udp:
            packet = ip(address, far, UDP, udp(address, far, FIRST_PORT, PORT, b""))
            # In IPv4 the UDP checksum is optional (RFC 768).
            packet = packet[:-2] + b"\0\0"
        else:
            flags, target, answered = TCP_KINDS[kind]
            head = tcp(address, far, FIRST_PORT, target, flags, PORTS + self._more, answered)
            packet = ip(address, far, TCP, head)
        self._frame = bytearray(frame(*macs, packet))

    def at(self, number: int) -> bytearray:
        """The frame of the flow with this number, below `PORTS`; valid until the next call."""
        _PORT.pack_into(self._frame, 34, FIRST_PORT + number)
        if not self._is_udp:
            _SEQUENCE.pack_into(self._frame, 38, PORTS - number + self._more)
        return self._frame


class HeldFlows:
    """`address` of `mac` opens `completed`, `syns` and `datagrams` flows a second to `fars` through `router_mac`."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._seconds = float(job["seconds"])
        self._rates = [float(job[name]) for name in ("completed", "syns", "datagrams")]
        macs = job["router_mac"], job["mac"]
        self._raw = raw_socket("eth0")
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
        self._kinds = {
            kind: [Template(macs, job["address"], far, kind) for far in job["fars"]]
            for kind in ("syn", "ack", "flood", "udp")
        }
        self._begun: deque[range] = deque()
        self.tried = self.sent = 0

    def run(self) -> dict[str, Any]:
        numbers = [itertools.count() for _ in range(3)]
        acts: tuple[Callable[[Iterator[int]], None], ...] = (self._open, self._flood, self._datagrams)
        whole, debts = sum(self._rates), [0.0, 0.0, 0.0]
        for count in portions(whole, self._seconds):
            self._confirm()
            for i, act in enumerate(acts):
                debts[i] += count * self._rates[i] / whole
                act(itertools.islice(numbers[i], int(debts[i])))
                debts[i] -= int(debts[i])
        return {"tried": self.tried, "frames": self.sent}

    def _open(self, numbers: Iterator[int]) -> None:
        new = list(numbers)
        self._begun.append(range(new[0], new[-1] + 1) if new else range(0))
        self._send("syn", new)
        self.tried += len(new)

    def _confirm(self) -> None:
        if len(self._begun) >= TURNS_UNTIL_ANSWERED:
            self._send("ack", self._begun.popleft())

    def _flood(self, numbers: Iterator[int]) -> None:
        self._send("flood", numbers)

    def _datagrams(self, numbers: Iterator[int]) -> None:
        self._send("udp", numbers)

    def _send(self, kind: str, numbers: "Iterator[int] | range | list[int]") -> None:
        templates = self._kinds[kind]
        for number in numbers:
            with suppress(OSError):
                self._raw.send(templates[number // PORTS % len(templates)].at(number % PORTS))
                self.sent += 1

"""The far end of held flows: accepts every connection and keeps no state. Frames are built by hand, because sockets
would cost this side more than a flow costs the attacker."""

import select
import struct
import time
from contextlib import suppress
from typing import Any

from tests.kernel.frames import ACK, SYN, raw_socket

PORT = 9
"""discard (RFC 863); the IP stack of the far end must drop these packets, see `drop_rule`."""
SEQUENCE = 1_000
"""Sequence number of the far end's first octet: a constant, so that the other side need not receive it."""
TAKEN_AT_ONCE = 500
_PORTS, _TCP = struct.Struct("!HH"), struct.Struct("!IIBBHH")
_AT_IP, _AT_TCP = 14, 34


def drop_rule() -> str:
    return f"meta l4proto {{ tcp, udp }} th dport {PORT} drop"


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Answers frames on `interface` for ``seconds``."""
    ends, agreed = time.monotonic() + float(job["seconds"]), 0
    with raw_socket(job["interface"]) as raw:
        while time.monotonic() < ends:
            select.select([raw], [], [], 0.2)
            with suppress(BlockingIOError):
                for _ in range(TAKEN_AT_ONCE):
                    reply = agreeing(raw.recv(2048))
                    if reply is not None:
                        raw.send(reply)
                        agreed += 1
    return {"agreed": agreed}


def agreeing(frame: bytes) -> bytes | None:
    """The SYN-ACK for a SYN to the discard port in IPv4 without options; None for other frames."""
    if len(frame) < _AT_TCP + 20 or frame[12:15] != b"\x08\x00\x45" or frame[23] != 6 or frame[47] != SYN:
        return None
    source, target = _PORTS.unpack_from(frame, _AT_TCP)
    if target != PORT:
        return None
    sequence, answered, words, _, window, check = _TCP.unpack_from(frame, _AT_TCP + 4)
    # RFC 1624: exchanging addresses and ports does not change the checksum.
    before = _halves(sequence) + _halves(answered) + SYN
    after = _halves(SEQUENCE) + _halves(sequence + 1) + (SYN | ACK)
    check = ~_folded((~check & 0xFFFF) + (0xFFFF * 8 - before) + after) & 0xFFFF
    head = _TCP.pack(SEQUENCE, sequence + 1, words, SYN | ACK, window, check)
    addresses = frame[30:34] + frame[26:30]
    ethernet = frame[6:12] + frame[:6] + frame[12:14]
    return ethernet + frame[14:26] + addresses + _PORTS.pack(target, source) + head + frame[52:]


def _halves(number: int) -> int:
    return (number >> 16 & 0xFFFF) + (number & 0xFFFF)


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total

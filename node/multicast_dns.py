"""Checks messages of multicast DNS (RFC 6762) before zeroconf reads them, because it keeps
the errors of each broken one."""

import struct
from collections.abc import Callable
from typing import Protocol

OCTETS_MAX = 1_500
"""zeroconf never sends longer messages; it splits them."""
HEAD_OCTETS = 12
NAME_OCTETS_MAX = 250
"""zeroconf reads names of up to 253 characters, dots included."""
_LABEL_OCTETS_MAX, _POINTER = 63, 0xC0
_FIXED = {1: 4, 28: 16}
"""Octets of an A and of an AAAA record."""


class DatagramReader(Protocol):
    """A datagram protocol of asyncio."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None: ...

    def error_received(self, exc: Exception) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


class Filtered:
    """A datagram protocol between a socket and `reader`; `accept` returns the datagram to
    pass on, or None to drop it."""

    def __init__(self, reader: DatagramReader, accept: Callable[[bytes], bytes | None]) -> None:
        self._reader, self._accept = reader, accept

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        passed = self._accept(data)
        if passed is not None:
            self._reader.datagram_received(passed, addr)

    def error_received(self, exc: Exception) -> None:
        self._reader.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.connection_lost(exc)


def sound(message: bytes) -> bytes | None:
    """The message if every name and record in it is complete (RFC 1035, section 4); else None."""
    if not HEAD_OCTETS <= len(message) <= OCTETS_MAX:
        return None
    questions, *records = struct.unpack_from("!4H", message, 4)
    at = HEAD_OCTETS
    for _ in range(questions):
        end = _name_end(message, at)
        if end is None or end + 4 > len(message):
            return None
        at = end + 4
    for _ in range(sum(records)):
        end = _record_end(message, at)
        if end is None:
            return None
        at = end
    return message


def _name_end(message: bytes, at: int) -> int | None:
    """The end of the name at `at`, or None. A pointer may only lead backwards, so that a name cannot loop."""
    end, first, octets = None, at, 0
    while at < len(message):
        length = message[at]
        if length >= _POINTER:
            if at + 2 > len(message):
                return None
            end = at + 2 if end is None else end
            at = (length & ~_POINTER) << 8 | message[at + 1]
            if not HEAD_OCTETS <= at < first:
                return None
            first = at
            continue
        at += 1 + length
        if length == 0:
            return at if end is None else end
        octets += 1 + length
        if length > _LABEL_OCTETS_MAX or octets > NAME_OCTETS_MAX:
            return None
    return None


def _record_end(message: bytes, at: int) -> int | None:
    name_end = _name_end(message, at)
    if name_end is None or name_end + 10 > len(message):
        return None
    (kind,) = struct.unpack_from("!H", message, name_end)
    (length,) = struct.unpack_from("!H", message, name_end + 8)
    begin = name_end + 10
    end = begin + length
    return end if end <= len(message) and _is_whole(message, kind, begin, end) else None


def _is_whole(message: bytes, kind: int, begin: int, end: int) -> bool:
    """Whether the record data from `begin` to `end` has the form that its type requires."""
    match kind:
        case 1 | 28:
            return end - begin == _FIXED[kind]
        case 5 | 12:  # CNAME, PTR
            return _name_end(message, begin) == end
        case 33:  # SRV
            return end - begin > 6 and _name_end(message, begin + 6) == end
        case 13:  # HINFO
            middle = begin + 1 + message[begin] if begin < end else end
            return middle < end and middle + 1 + message[middle] == end
        case 47:  # NSEC
            at = _name_end(message, begin)
            while at is not None and at + 2 <= end:
                at += 2 + message[at + 1]
            return at == end
    return True

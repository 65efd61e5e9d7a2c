"""Filters the mDNS datagrams of a link: any host can send there, and zeroconf keeps each record for its whole TTL.

Datagrams that name a member's node have a separate limit, so that announcements of other names cannot block them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mesh.ports import Roster
from node.identity import SHORT_CHARS
from node.multicast_dns import HEAD_OCTETS, OCTETS_MAX, sound
from node.units import NodeId

RECORDS_PER_S, RECORDS_AT_ONCE = 100, 2_000
"""For everything that names no member's node. A node announces itself with five records of about a kilobyte in
memory."""
RECORDS_OF_MEMBER_PER_S, RECORDS_OF_MEMBER_AT_ONCE = 10, 100
"""For datagrams that name a given member's node, from any sender."""
RECORDS_WITH_MEMBER_MAX = 16
"""In one answer that names a member's node; an answer with more falls under the general limit."""
QUESTIONS_PER_S, QUESTIONS_AT_ONCE = 50, 500
_ANSWER, _TRUNCATED = 0x80, 0x02
"""In the third octet (RFC 1035 section 4.1.1)."""
_SHORT = re.compile(rb"\x%02x([a-z2-7]{%d})" % (SHORT_CHARS, SHORT_CHARS))


@dataclass(slots=True)
class _Bucket:
    """Token bucket: `per_s` tokens per second, at most `most`."""

    per_s: float
    most: float
    has: float
    since: float

    def may(self, cost: int, now: float) -> bool:
        self.has = min(self.most, self.has + (now - self.since) * self.per_s)
        self.since = now
        if self.has < cost:
            return False
        self.has -= cost
        return True


class Hearing:
    """The filter of one link. `clock` returns monotonic seconds."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        self._roster, self._clock = roster, clock
        self._known: frozenset[NodeId] = frozenset()
        self._members: dict[bytes, _Bucket] = {}
        self._others = _Bucket(RECORDS_PER_S, RECORDS_AT_ONCE, RECORDS_AT_ONCE, clock())
        self._questions = _Bucket(QUESTIONS_PER_S, QUESTIONS_AT_ONCE, QUESTIONS_AT_ONCE, clock())

    def heard(self, datagram: bytes) -> bytes | None:
        """The datagram to pass on; None to drop it.

        The TC bit, by which a query announces more known answers (RFC 6762 section 7.2), is cleared: zeroconf would
        otherwise collect such queries of a sender without limit.
        """
        if not HEAD_OCTETS <= len(datagram) <= OCTETS_MAX:
            return None
        counts = [int.from_bytes(datagram[at : at + 2], "big") for at in (4, 6, 8, 10)]
        is_answer = bool(datagram[2] & _ANSWER)
        bucket = self._bucket(datagram, sum(counts)) if is_answer else self._questions
        if not bucket.may(max(1, sum(counts)) if is_answer else 1, self._clock()):
            return None
        return sound(datagram[:2] + bytes([datagram[2] & ~_TRUNCATED]) + datagram[3:])

    def _bucket(self, datagram: bytes, records: int) -> _Bucket:
        roster = self._roster()
        if roster != self._known:
            self._known = roster
            self._members = {node[:SHORT_CHARS].encode(): self._of_member() for node in roster}
        if records <= RECORDS_WITH_MEMBER_MAX:
            for short in _SHORT.findall(datagram):
                if short in self._members:
                    return self._members[short]
        return self._others

    def _of_member(self) -> _Bucket:
        return _Bucket(
            RECORDS_OF_MEMBER_PER_S, RECORDS_OF_MEMBER_AT_ONCE, RECORDS_OF_MEMBER_AT_ONCE, self._clock()
        )

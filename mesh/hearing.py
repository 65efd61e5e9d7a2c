"""Filters the mDNS datagrams of a link: any host can send there, and zeroconf keeps each record for its whole TTL.

Datagrams that name a member's node have a separate limit, so that announcements of other names cannot block them.
"""

import re
from collections.abc import Callable

from mesh.ports import Roster
from node.identity import SHORT_CHARS
from node.multicast_dns import HEAD_OCTETS, OCTETS_MAX, sound
from node.rate_limit import TokenBucket
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


class Hearing:
    """The filter of one link. `clock` returns monotonic seconds."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        self._roster, self._clock = roster, clock
        self._known: frozenset[NodeId] = frozenset()
        self._members: dict[bytes, TokenBucket] = {}
        self._others = TokenBucket.full(RECORDS_AT_ONCE, RECORDS_PER_S, clock())
        self._questions = TokenBucket.full(QUESTIONS_AT_ONCE, QUESTIONS_PER_S, clock())

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
        if not bucket.take(self._clock(), max(1, sum(counts)) if is_answer else 1):
            return None
        return sound(datagram[:2] + bytes([datagram[2] & ~_TRUNCATED]) + datagram[3:])

    def _bucket(self, datagram: bytes, records: int) -> TokenBucket:
        roster = self._roster()
        if roster != self._known:
            self._known = roster
            self._members = {node[:SHORT_CHARS].encode(): self._of_member() for node in roster}
        if records <= RECORDS_WITH_MEMBER_MAX:
            for short in _SHORT.findall(datagram):
                if short in self._members:
                    return self._members[short]
        return self._others

    def _of_member(self) -> TokenBucket:
        return TokenBucket.full(RECORDS_OF_MEMBER_AT_ONCE, RECORDS_OF_MEMBER_PER_S, self._clock())

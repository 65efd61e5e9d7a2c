"""What nodes announce by mDNS: the TXT record with its address, and the filter of the datagrams. An announcement is not
authenticated: a hint, not a proof."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from mesh.node_certificates import community_mark
from mesh.page_format import Malformed
from mesh.ports import Roster
from node.identity import SHORT_CHARS, is_node_id
from node.multicast_dns import HEAD_OCTETS, OCTETS_MAX, sound
from node.rate_limit import TokenBucket
from node.units import NodeId

SERVICE_TYPE = "_procomu._tcp.local."
VERSION = b"1"
TXT_BYTES_MAX = 200

_MARK = re.compile(rb"[0-9a-f]{8}")
_PORT = re.compile(rb"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """An unproven claim: this node, of a community with this mark, listens on this port."""

    mark: str
    node: NodeId
    port: int


def instance_name(node: NodeId) -> str:
    """The full service instance name of a node: the start of its id, so that the names of two nodes do not collide."""
    return f"{node[:SHORT_CHARS]}.{SERVICE_TYPE}"


def announce(*, community: str, node: NodeId, port: int, boot: str) -> dict[str, str]:
    """TXT items; under TXT_BYTES_MAX bytes."""
    return {"v": VERSION.decode(), "c": community_mark(community), "id": node, "p": str(port), "e": boot}


def read_announcement(name: str, items: Mapping[bytes, bytes | None]) -> Announcement | Malformed:
    """Parse the TXT items of the service called `name`. Never raises, whatever was received."""
    if (
        len(items) > 16
        or sum(len(key) + len(value or b"") + 2 for key, value in items.items()) > TXT_BYTES_MAX
    ):
        return Malformed(f"more than {TXT_BYTES_MAX} bytes")
    mark, node, port = items.get(b"c") or b"", items.get(b"id") or b"", items.get(b"p") or b""
    if items.get(b"v") != VERSION or not (_MARK.fullmatch(mark) and _PORT.fullmatch(port)):
        return Malformed("not an announcement of this version")
    claimed = node.decode("ascii", "replace")
    if not is_node_id(claimed) or name.lower() != instance_name(NodeId(claimed)):
        return Malformed("name and node id disagree")
    if int(port) > 65535:
        return Malformed("no such port")
    return Announcement(mark.decode(), NodeId(claimed), int(port))


# Addresses on which nodes listen: a numeric IP address, with its interface if it is link-local, and a port.


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric address and a TCP port; a link-local address names its interface, as in ``fe80::1%eth0``."""

    host: str
    port: int

    @property
    def is_v6(self) -> bool:
        return ":" in self.host

    @property
    def interface(self) -> str:
        """Empty for an address that is not of one link."""
        return self.host.partition("%")[2]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_v6 else f"{self.host}:{self.port}"


def read_address(text: str, port: int) -> Address | None:
    """An address as people write it: ``10.0.0.1:7400``, ``[fd00::1]:7400``, or without a port, which is `port` then. None
    for any other text."""
    host, number = text.strip(), str(port)
    if host.startswith("["):
        host, closed, rest = host[1:].partition("]")
        number = (rest.removeprefix(":") or number) if closed else ""
    elif host.count(":") == 1:
        host, _, number = host.partition(":")
    try:
        ip_address(host)
    except ValueError:
        return None
    is_port = number.isascii() and number.isdecimal() and len(number) <= 5 and 1 <= int(number) <= 65535
    return Address(host, int(number)) if is_port else None


@dataclass(frozen=True, slots=True)
class ConfiguredPeer:
    """A node named in the configuration, for nodes whose announcements do not reach this one."""

    address: Address
    node: NodeId | None = None
    """The node expected there; None for any."""


# Filters the mDNS datagrams of a link: any host can send there, and zeroconf keeps each record for its whole TTL.
#
# Datagrams that name a member's node have a separate limit, so that announcements of other names cannot block them.

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


class MdnsFilter:
    """The filter of one link. `clock` returns monotonic seconds."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        self._roster, self._clock = roster, clock
        self._known: frozenset[NodeId] = frozenset()
        self._members: dict[bytes, TokenBucket] = {}
        self._others = TokenBucket(RECORDS_AT_ONCE, RECORDS_PER_S, clock())
        self._questions = TokenBucket(QUESTIONS_AT_ONCE, QUESTIONS_PER_S, clock())

    def accept(self, datagram: bytes) -> bytes | None:
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
        return TokenBucket(RECORDS_OF_MEMBER_AT_ONCE, RECORDS_OF_MEMBER_PER_S, self._clock())

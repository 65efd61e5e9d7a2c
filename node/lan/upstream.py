"""Checks whether an upstream resolver answers, with real queries at regular intervals."""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path

# Exported by the library, but missing from its type hints.
from zeroconf import DNSIncoming, DNSOutgoing, DNSQuestion  # type: ignore[attr-defined]

from node.units import Monotonic

ASK_EVERY_S = 10.0
ASK_AGAIN_S = 2.0
"""After a query without an answer."""
ANSWER_WITHIN_S = 3.0
SILENT_ROUNDS = 2
"""Rounds without any answer before the resolvers count as unreachable."""
RESOLVERS_MAX = 4
DNS_PORT = 53
RESOLV_CONF = Path("/etc/resolv.conf")
RESOLV_CONF_CHARS_MAX = 10_000
NAMES = (
    "captive.apple.com.",
    "connectivitycheck.gstatic.com.",
    "www.msftconnecttest.com.",
    "detectportal.firefox.com.",
)
"""Names that every phone queries all day, so they disclose nothing; their TTL is a few minutes, so a resolver cannot
answer from its cache for longer."""
_TYPE_A, _CLASS_IN, _RECURSION_DESIRED, _RESPONSE, _RCODE = 1, 1, 0x0100, 0x8000, 0x000F
_NO_ERROR, _FAILED, _NO_SUCH_NAME = 0, 2, 3


class ResolverReply(IntEnum):
    """The best reply of any resolver to one query; ordered, worst first."""

    NONE = 0
    """No reply, or SERVFAIL, which a resolver sends when it cannot reach the Internet."""
    REFUSED = 1
    """REFUSED, NOTIMP or FORMERR: the link works, but the name is not resolved."""
    KNOWN = 2
    """An answer, or NXDOMAIN."""


class UpstreamResolvers:
    """Knows after each round whether an upstream resolver answers."""

    def __init__(
        self,
        resolvers: tuple[str, ...],
        clock: Callable[[], Monotonic],
        resolv_conf: Path = RESOLV_CONF,
        port: int = DNS_PORT,
    ) -> None:
        """With empty `resolvers` the system's own are used, read again for each round."""
        self._resolvers, self._resolv_conf, self._port = resolvers, resolv_conf, port
        self._clock = clock
        self._silent, self._since = 0, clock()
        self._unhelpful = 0
        self._round = 0

    @property
    def answers(self) -> bool:
        """True until `SILENT_ROUNDS` rounds in a row had no reply."""
        return self._silent < SILENT_ROUNDS

    @property
    def gives_names(self) -> bool:
        """False after `SILENT_ROUNDS` rounds in a row in which no resolver resolved the name, because all were silent
        or refused."""
        return self._unhelpful < SILENT_ROUNDS

    @property
    def silent_since(self) -> Monotonic | None:
        """Time of the first unanswered query; None while a resolver answers."""
        return None if self.answers else self._since

    @property
    def silent_minutes(self) -> int:
        """Minutes since `silent_since`, rounded up; 0 while a resolver answers."""
        return 0 if self.answers else -(-(self._clock() - self._since) // 60_000)

    async def look(self) -> float:
        """One round of queries. Returns the seconds until the next."""
        asked = self._clock()
        reply = await self.ask()
        self._unhelpful = 0 if reply is ResolverReply.KNOWN else self._unhelpful + 1
        if reply is not ResolverReply.NONE:
            self._silent = 0
        else:
            if not self._silent:
                self._since = asked
            self._silent += 1
        return ASK_EVERY_S if reply is ResolverReply.KNOWN else ASK_AGAIN_S

    async def ask(self) -> ResolverReply:
        """The best reply of the resolvers now."""
        resolvers = (self._resolvers or system_resolvers(self._resolv_conf))[:RESOLVERS_MAX]
        name = NAMES[self._round % len(NAMES)]
        self._round += 1
        return await _best_reply(resolvers, name, self._port)


class _Question(asyncio.DatagramProtocol):
    """One query to one resolver."""

    def __init__(self, name: str) -> None:
        self._name, self._id = name, secrets.randbelow(1 << 16)
        self.reply: asyncio.Future[ResolverReply] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        question = DNSOutgoing(_RECURSION_DESIRED, multicast=False, id_=self._id)
        question.add_question(DNSQuestion(self._name, _TYPE_A, _CLASS_IN))
        for packet in question.packets():
            transport.sendto(packet)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        del addr  # the socket is connected: only the resolver can answer
        reply = DNSIncoming(data)
        if reply.valid and reply.id == self._id and reply.flags & _RESPONSE:
            self._tell(_meaning(reply.flags & _RCODE))

    def error_received(self, exc: Exception) -> None:
        del exc
        self._tell(ResolverReply.NONE)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._tell(ResolverReply.NONE)

    def _tell(self, reply: ResolverReply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)


def _meaning(rcode: int) -> ResolverReply:
    """Of an RCODE (RFC 1035 section 4.1.1)."""
    if rcode in {_NO_ERROR, _NO_SUCH_NAME}:
        return ResolverReply.KNOWN
    return ResolverReply.NONE if rcode == _FAILED else ResolverReply.REFUSED


async def _best_reply(resolvers: Iterable[str], name: str, port: int) -> ResolverReply:
    """Query all in parallel; the first conclusive reply ends the round."""
    loop = asyncio.get_running_loop()
    transports: list[asyncio.BaseTransport] = []
    waiting: set[asyncio.Future[ResolverReply]] = set()
    best = ResolverReply.NONE
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            for resolver in resolvers:
                try:
                    opened, question = await loop.create_datagram_endpoint(
                        lambda: _Question(name), remote_addr=(resolver, port)
                    )
                except OSError:
                    continue  # no route
                transports.append(opened)
                waiting.add(question.reply)
            while waiting and best is not ResolverReply.KNOWN:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                best = max(best, *(future.result() for future in done))
    except TimeoutError:
        return best
    finally:
        for transport in transports:
            transport.close()
    return best


def system_resolvers(file: Path = RESOLV_CONF) -> tuple[str, ...]:
    """Addresses in resolv.conf(5); empty if it cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            lines = opened.read(RESOLV_CONF_CHARS_MAX).splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            ipaddress.ip_address(words[1].partition("%")[0])
        except ValueError:
            continue
        found.append(words[1])
    return tuple(found)

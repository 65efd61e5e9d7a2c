"""Whether any resolver upstream answers: a real question, again and again, as devices ask it."""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path

# The library gives them away, and its type hints do not say so.
from zeroconf import DNSIncoming, DNSOutgoing, DNSQuestion  # type: ignore[attr-defined]

from node.units import Monotonic

ASK_EVERY_S = 10.0
ASK_AGAIN_S = 2.0
"""While the last question had no answer."""
ANSWER_WITHIN_S = 3.0
SILENT_ROUNDS = 2
"""Rounds without any answer before the resolvers count as gone."""
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
"""What every phone asks for all day: it tells nobody anything, and a resolver in between cannot know the answer for
longer than the few minutes that these names allow."""
_TYPE_A, _CLASS_IN, _RECURSION_DESIRED, _RESPONSE, _RCODE = 1, 1, 0x0100, 0x8000, 0x000F
_NO_ERROR, _FAILED, _NO_SUCH_NAME = 0, 2, 3


class ResolverReply(IntEnum):
    """The best that any resolver said to one question, the worst first."""

    NONE = 0
    """Nothing, or that it failed (SERVFAIL): so speaks a resolver that has lost its own way to the Internet."""
    REFUSED = 1
    """A well-formed answer that does not help: REFUSED, NOTIMP, FORMERR. The line works, the name is not given."""
    KNOWN = 2
    """An answer, or that there is none (NXDOMAIN)."""


class UpstreamResolvers:
    """Knows after each round whether some resolver answers."""

    def __init__(
        self,
        resolvers: tuple[str, ...],
        clock: Callable[[], Monotonic],
        resolv_conf: Path = RESOLV_CONF,
        port: int = DNS_PORT,
    ) -> None:
        """`resolvers` empty: those that the system itself uses, read anew each time."""
        self._resolvers, self._resolv_conf, self._port = resolvers, resolv_conf, port
        self._clock = clock
        self._silent, self._since = 0, clock()
        self._unhelpful = 0
        self._round = 0

    @property
    def answers(self) -> bool:
        """True until `SILENT_ROUNDS` rounds in a row had no answer."""
        return self._silent < SILENT_ROUNDS

    @property
    def gives_names(self) -> bool:
        """False after `SILENT_ROUNDS` rounds in a row in which no resolver gave a name that devices look for, be it
        that all were silent or that they refused."""
        return self._unhelpful < SILENT_ROUNDS

    @property
    def silent_since(self) -> Monotonic | None:
        """When the first question was asked that had no answer; None while some resolver answers."""
        return None if self.answers else self._since

    @property
    def silent_minutes(self) -> int:
        """Begun ones, since `silent_since`; 0 while some resolver answers."""
        return 0 if self.answers else -(-(self._clock() - self._since) // 60_000)

    async def look(self) -> float:
        """One round of questions. Returns the seconds to wait until the next."""
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
        """What the resolvers say just now."""
        resolvers = (self._resolvers or system_resolvers(self._resolv_conf))[:RESOLVERS_MAX]
        name = NAMES[self._round % len(NAMES)]
        self._round += 1
        return await _best_reply(resolvers, name, self._port)


class _Question(asyncio.DatagramProtocol):
    """One question to one resolver."""

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
        del addr  # the socket is connected: only the resolver itself can answer
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
    """Of a response code (RFC 1035 section 4.1.1)."""
    if rcode in {_NO_ERROR, _NO_SUCH_NAME}:
        return ResolverReply.KNOWN
    return ResolverReply.NONE if rcode == _FAILED else ResolverReply.REFUSED


async def _best_reply(resolvers: Iterable[str], name: str, port: int) -> ResolverReply:
    """All are asked at once; the first that knows is enough."""
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
                    continue  # no way there
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
    """Addresses of resolv.conf(5); none while it cannot be read."""
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

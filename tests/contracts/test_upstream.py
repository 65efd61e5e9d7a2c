"""Whether an upstream resolver answers, tested with real datagrams and misbehaving resolvers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from node.lan import upstream
from node.lan.upstream import NAMES, UpstreamResolvers
from node.units import Monotonic

HERE = "127.0.0.1"
ANSWER = bytes.fromhex("c00c0001000100000005 0004 c6336401".replace(" ", ""))
Reply = Callable[[bytes], bytes | None]


def coded(rcode: int, answers: bytes = b"") -> Reply:
    """The query sent back with a response code, and perhaps an answer."""

    def reply(query: bytes) -> bytes:
        counts = b"\0\1" + (b"\0\1" if answers else b"\0\0") + bytes(4)
        return query[:2] + bytes([0x81, 0x80 | rcode]) + counts + query[12:] + answers

    return reply


def foreign(query: bytes) -> bytes:
    """A response to another query."""
    return bytes([query[0] ^ 0xFF]) + coded(0, ANSWER)(query)[1:]


class Resolver(asyncio.DatagramProtocol):
    """Answers as `reply` says, or not at all."""

    def __init__(self, reply: Reply) -> None:
        self.reply, self.asked = reply, []

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        self.asked.append(data)
        self.origin = addr
        answer = self.reply(data)
        if answer is not None:
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def resolver(reply: Reply) -> AsyncIterator[tuple[Resolver, int]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Resolver(reply), local_addr=(HERE, 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(upstream, "ANSWER_WITHIN_S", 0.2)


class Passing:
    """A clock set by the test."""

    now = Monotonic(5_000)

    def __call__(self) -> Monotonic:
        return self.now


@pytest.fixture
def clock() -> Passing:
    return Passing()


@pytest.mark.parametrize(
    ("reply", "answers", "gives_names"),
    [
        (coded(0, ANSWER), True, True),
        (coded(0), True, True),
        (coded(3), True, True),
        (coded(1), True, False),
        (coded(4), True, False),
        (coded(5), True, False),
        (coded(2), False, False),
        (lambda query: None, False, False),
        (lambda query: b"", False, False),
        (lambda query: b"\xff" * 600, False, False),
        (lambda query: query, False, False),
        (foreign, False, False),
    ],
    ids=[
        *("knows", "no data", "no such name", "not understood", "not implemented", "refused"),
        *("failed", "silent", "empty", "garbage", "echo", "foreign"),
    ],
)
async def test_a_refusal_is_an_answer_and_a_server_failure_is_none(reply, answers, gives_names, clock):
    async with resolver(reply) as (_, port):
        asked = UpstreamResolvers((HERE,), clock, port=port)
        for _ in range(upstream.SILENT_ROUNDS):
            await asked.look()
        assert (answers, gives_names) == (asked.answers, asked.gives_names)
        assert answers == (asked.silent_since is None)


async def test_a_resolver_that_answers_outweighs_one_that_refuses_first(clock):
    async with resolver(coded(5)) as (_, port):
        loop = asyncio.get_running_loop()
        late = Resolver(lambda query: None)

        def answer_later(query: bytes) -> None:
            loop.call_later(0.05, late.transport.sendto, coded(0, ANSWER)(query), late.origin)

        late.reply = answer_later
        transport, _ = await loop.create_datagram_endpoint(lambda: late, local_addr=("127.0.0.2", port))
        with contextlib.closing(transport):
            assert (
                upstream.ResolverReply.KNOWN
                is await UpstreamResolvers((HERE, "127.0.0.2"), clock, port=port).ask()
            )


async def test_one_lost_answer_changes_nothing_and_the_first_answer_after_an_outage_ends_it(clock):
    async with resolver(lambda query: None) as (server, port):
        asked = UpstreamResolvers((HERE,), clock, port=port)
        assert upstream.ASK_AGAIN_S == await asked.look()
        assert asked.answers
        await asked.look()
        assert not asked.answers
        server.reply = coded(0, ANSWER)
        assert upstream.ASK_EVERY_S == await asked.look()
        assert asked.answers


async def test_an_uplink_is_down_since_the_first_unanswered_query(clock):
    async with resolver(coded(0, ANSWER)) as (server, port):
        asked = UpstreamResolvers((HERE,), clock, port=port)
        await asked.look()
        assert (None, 0) == (asked.silent_since, asked.silent_minutes)
        server.reply = lambda query: None
        for now in (20_000, 30_000, 40_000):
            clock.now = Monotonic(now)
            await asked.look()
        clock.now = Monotonic(81_000)
        assert (20_000, 2) == (asked.silent_since, asked.silent_minutes)
        server.reply = coded(0, ANSWER)
        await asked.look()
        assert (None, 0) == (asked.silent_since, asked.silent_minutes)


async def test_it_queries_the_names_that_devices_query_one_after_the_other(clock):
    async with resolver(coded(0, ANSWER)) as (server, port):
        asked = UpstreamResolvers((HERE,), clock, port=port)
        for _ in range(len(NAMES) + 1):
            await asked.look()
    questions = [query[12:] for query in server.asked]
    assert len(NAMES) == len(set(questions))
    assert questions[0] == questions[-1]
    assert questions[0] == b"\7captive\5apple\3com\0\0\1\0\1"
    assert len({query[:2] for query in server.asked}) > 1


async def test_a_single_check_reports_the_current_state_and_counts_no_failure(clock):
    async with resolver(lambda query: None) as (server, port):
        asked = UpstreamResolvers((HERE,), clock, port=port)
        assert [upstream.ResolverReply.NONE] * 3 == [await asked.ask() for _ in range(3)]
        assert asked.answers
        server.reply = coded(0, ANSWER)
        assert upstream.ResolverReply.KNOWN is await asked.ask()


async def test_one_resolver_of_several_is_enough(clock):
    async with resolver(coded(0, ANSWER)) as (_, port):
        asked = UpstreamResolvers(("127.0.0.2", HERE), clock, port=port)
        await asked.look()
        await asked.look()
        assert asked.answers


async def test_the_systems_own_resolvers_are_read_each_time(tmp_path: Path, clock):
    file = tmp_path / "resolv.conf"
    async with resolver(coded(0, ANSWER)) as (_, port):
        asked = UpstreamResolvers((), clock, file, port)
        await asked.look()
        await asked.look()
        assert not asked.answers
        file.write_text(f"# a comment\nsearch vall.lan\nnameserver\nnameserver nonsense\nnameserver {HERE}\n")
        await asked.look()
        assert asked.answers

"""The lobby over real TLS: an invite brings a node in, and everything else that a stranger sends gets no byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from mesh.announcement import Address
from mesh.community_changes import closed_invite, new_invite
from mesh.community_service import CommunityService
from mesh.community_state import CommunityState
from mesh.invite import SEED_BYTES, Invite, InviteText, invite_text, read_invite, read_invite_text
from mesh.join_client import join_community
from mesh.lobby import ATTEMPTS_OF_ONE_AT_ONCE, REQUEST_BYTES_MAX
from mesh.service import MeshService
from mesh.tls_transport import Dialer, DialFailed, contexts
from node.errors import NodeError
from tests.contracts.test_mesh_service import until
from tests.fakes.community_statements import begun
from tests.fakes.neighbours import FakePageCache, FakeUsageLedger, id_of, key_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore

FIRST = begun("square")
SEED = bytes(SEED_BYTES)
SECRET = bytes(range(32))


class NodeWithRecord:
    """A node of the community and its mesh, with its data in memory."""

    def __init__(self, name: str, *peers: Address) -> None:
        self.name, self.store = name, FakeStatementStore()
        self.secrets = FakeSecretStore()
        self.community = CommunityService(
            own=id_of(name), listed=(), store=self.store, secret=SECRET, secret_store=self.secrets
        )
        self.mesh = MeshService(
            key=key_of(name),
            community_id="the-village",
            name=name,
            roster=self.community.roster,
            usage_ledger=FakeUsageLedger(id_of(name)),
            page_cache=FakePageCache(),
            community=self.community,
            port=0,
        )

    @property
    def address(self) -> Address:
        return Address("::1", self.mesh.listening_port)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["NodeWithRecord"]:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self.mesh.run()), loop.create_task(self.community.run())]
        try:
            await until(lambda: self.mesh.listening_port != 0)
            yield self
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def member() -> AsyncIterator[NodeWithRecord]:
    async with NodeWithRecord("square").running() as square:
        await square.community.follow(FIRST.community, FIRST.statements)
        yield square


def invited(square: NodeWithRecord, uses: int = 1) -> InviteText:
    state = square.community.state
    assert state is not None
    statement = new_invite(state, key_of("rosa"), SEED, uses)
    said = read_invite(statement)
    assert isinstance(said, Invite)
    found = read_invite_text(invite_text(SEED, statement, said, (square.address,)))
    assert isinstance(found, InviteText)
    return found


async def test_an_invite_brings_a_node_in_and_the_use_is_on_disk_before_the_answer() -> None:
    async with member() as square:
        joined = await join_community(key_of("coast"), invited(square), "coast")
        assert (SECRET, id_of("square")) == (joined.secret, joined.member)
        assert id_of("coast") in square.community.roster()
        assert any(b'\\"is\\":\\"use\\"' in row for row in square.store.rows.values())
        again = await join_community(key_of("coast"), invited(square), "coast")
        assert joined.state.digest() == again.state.digest()


async def test_a_second_node_and_a_closed_invite_are_refused_with_the_reason() -> None:
    async with member() as square:
        invite = invited(square)
        await join_community(key_of("coast"), invite, "coast")
        with pytest.raises(NodeError, match="used already"):
            await join_community(key_of("valley"), invite, "valley")
        state = square.community.state
        assert isinstance(state, CommunityState)
        await square.community.take_in(closed_invite(state, key_of("rosa"), invite.invite))
        with pytest.raises(NodeError, match="closed this invite"):
            await join_community(key_of("valley"), invite, "valley")


async def test_on_a_full_disk_nobody_is_let_in() -> None:
    async with member() as square:
        square.store.is_full = True
        with pytest.raises(NodeError, match="cannot write to its disk"):
            await join_community(key_of("coast"), invited(square), "coast")


async def test_a_stranger_without_an_invite_gets_nothing_and_not_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a machine that stands still a new attempt would be given back in the meantime.
    monkeypatch.setattr("mesh.lobby.ATTEMPTS_OF_ONE_PER_S", 1e-6)
    async with member() as square, Dialer(contexts(key_of("eve"))[1]) as dialer:
        attempts = [b"", b"{}", b"x" * (REQUEST_BYTES_MAX + 1), b"x" * 900_000] * ATTEMPTS_OF_ONE_AT_ONCE
        for body in attempts:
            with pytest.raises(DialFailed):
                await dialer.ask_lobby(square.address, body)
        # The attempts of this address are used up, also for one with an invite.
        with pytest.raises(NodeError, match="no member answers"):
            await join_community(key_of("coast"), invited(square), "coast")
        assert {id_of("square")} == square.community.roster()


@pytest.mark.parametrize("announced", ["Content-Length: 500", "Transfer-Encoding: chunked"])
async def test_a_stranger_that_hangs_up_or_sends_no_http_leaves_nothing_in_the_log(
    announced: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of these had a traceback, so that strangers could fill the log."""
    _, stranger = contexts(key_of("eve"))
    async with member() as square:
        for sent in (b"{", b"zz\r\n", b"\r\n\r\nPOST \x00 HTTP/9.9\r\n: :\r\n\r\n"):
            _, writer = await asyncio.open_connection(
                "::1", square.address.port, ssl=stranger, server_hostname="x.anyone"
            )
            writer.write(b"POST /lobby HTTP/1.1\r\nHost: x\r\n" + announced.encode() + b"\r\n\r\n" + sent)
            await asyncio.sleep(0.1)
            writer.transport.abort()
            await asyncio.sleep(0.3)
        await join_community(key_of("coast"), invited(square), "coast")
    assert [] == [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]

"""New secrets over real TLS on the loopback, between nodes of which one is hostile and then removed."""

import asyncio
import time

from mesh.announcement import ConfiguredPeer
from mesh.community_changes import changed_membership, find_member
from mesh.messages import EXTENSIONS, Hello, encode
from mesh.page_format import VERSION, canonical
from mesh.record_exchange import RECORDS_EXTENSION
from mesh.secret_exchange import ANSWERS_AT_ONCE, SECRETS_EXTENSION
from mesh.tls_transport import Dialer, Link, contexts
from node.identity import human_form
from tests.contracts.test_mesh_lobby import NodeWithRecord
from tests.contracts.test_mesh_service import until
from tests.fakes.community_statements import begun
from tests.fakes.neighbours import id_of, key_of
from tests.unit.mesh.test_community_secret import rotated

FIRST = begun("square", "hills", "eve")
CAN = (*EXTENSIONS, RECORDS_EXTENSION, SECRETS_EXTENSION)


async def rotate(node: NodeWithRecord) -> str:
    commitment = await node.community.secrets.prepared()
    assert node.community.state is not None
    assert "" == await node.community.take_in([rotated(node.community.state, commitment)])
    return commitment


async def heard_by(link: Link, frames: list[bytes], *, seconds: float) -> None:
    """Everything that arrives, until the connection ends or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            while (frame := await link.receive()) is not None:
                frames.append(frame)
    except TimeoutError:
        pass


def question(node: NodeWithRecord, commitment: str) -> bytes:
    """As a node asks that says it holds what this one holds."""
    state = node.community.state
    assert state is not None
    said = {"is": "secretask", "community": state.id, "commitment": commitment, "digest": state.digest()}
    return canonical(said)


async def test_a_member_that_floods_and_lies_delays_nobody_and_gets_no_secret_once_it_is_removed() -> None:
    square, hills = NodeWithRecord("square"), NodeWithRecord("hills")
    _, client = contexts(key_of("eve"))
    async with square.running(), Dialer(client) as dialer:
        await square.community.follow(FIRST.community, FIRST.statements)
        link = await dialer.dial(id_of("square"), square.address)
        await link.send(encode(Hello(VERSION, "the-village", id_of("eve"), "eve", "00" * 8, CAN, "")))
        commitment = await rotate(square)
        frames: list[bytes] = []
        listening = asyncio.get_running_loop().create_task(heard_by(link, frames, seconds=20))
        lies = [
            canonical({"is": "secret", "community": FIRST.community, "secret": f"{number:064x}"})
            for number in range(3000)
        ]
        ask, began = question(square, commitment), time.monotonic()
        for lie in lies:
            await link.send(lie)
            await link.send(ask)
        await until(lambda: any(b'"is":"secret"' in frame for frame in frames))
        answered = [frame for frame in frames if b'"is":"secret"' in frame]
        assert len(answered) <= ANSWERS_AT_ONCE + 2 * (time.monotonic() - began) + 1

        hills.mesh._configured = (ConfiguredPeer(square.address),)
        async with hills.running():
            await hills.community.follow(FIRST.community, FIRST.statements)
            await until(lambda: square.community.secrets.newest == hills.community.secrets.newest, 10)
            assert hills.secrets.secrets == square.secrets.secrets

            state = square.community.state
            assert state is not None
            gone = changed_membership(state, key_of("rosa"), find_member(state, id_of("eve")), "removed")
            await square.community.take_in([gone])
            secret = await rotate(square)
            frames.clear()
            await link.send(question(square, secret))
            await until(lambda: square.community.secrets.newest == hills.community.secrets.newest, 10)
            await asyncio.wait([listening], timeout=10)
            assert listening.done(), "the connection of the removed node is closed"
            assert (human_form(id_of("eve")),) == square.community.removed()
            newest = square.community.secrets.newest.hex().encode()
            assert not any(newest in frame for frame in frames)
            assert 2 == len(hills.secrets.secrets)
            again = NodeWithRecord("eve")
            again.mesh._configured = (ConfiguredPeer(square.address), ConfiguredPeer(hills.address))
            async with again.running():
                await again.community.follow(FIRST.community, FIRST.statements)
                await asyncio.sleep(2)
                assert () == tuple(again.secrets.secrets)

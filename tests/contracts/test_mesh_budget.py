"""The budget of a connection over real TLS: bulk waits, what is urgent overtakes it, and all arrives in the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from mesh.community_changes import changed_membership, find_member
from mesh.link_budget import BURST_BYTES, wire_bytes
from mesh.messages import EXTENSIONS, FRAME_BYTES_MAX, Have, Hello, Root, decode, encode
from mesh.page_format import VERSION, Page, canonical
from mesh.pages import UsagePages
from mesh.record_exchange import RECORDS_EXTENSION
from mesh.registry_kind import registry_body, registry_part
from mesh.tls_transport import Dialer, Link, contexts
from node.accounts.registry_record import RegistryRecord
from node.units import AccountId
from tests.contracts.test_mesh_lobby import NodeWithRecord
from tests.fakes.community_statements import begun
from tests.fakes.mesh_exchange import VILLAGE, an_other_page
from tests.fakes.neighbours import bucket, id_of, key_of

FIRST = begun("square", "hills", "coast")
CAN = (*EXTENSIONS, RECORDS_EXTENSION)
DAYS, ACCOUNTS_A_DAY = ("2026-11-22", "2026-11-23", "2026-11-24"), 9_000
NOW_S = 1.0
"""For what goes at once; this machine may have much else to do."""
LIFE = "1-a"


def backlog() -> list[Page]:
    """All usage of a far node."""
    pages = UsagePages(key_of("coast"), VILLAGE, LIFE)
    for day in DAYS:
        for number in range(ACCOUNTS_A_DAY):
            pages.note(day, AccountId(f"household-of-the-coast-{number:05d}"), bucket(10**10 + number, 10**9))
    return list(pages.write())


PAGES = backlog()
BYTES = sum(len(page.raw) for page in PAGES)


class Neighbour:
    """What a node of the hills receives on its connection, and when."""

    def __init__(self, link: Link) -> None:
        self.link, self.frames, self.began = link, list[tuple[float, bytes]](), time.monotonic()

    async def listen(self) -> None:
        while (frame := await self.link.receive()) is not None:
            self.frames.append((time.monotonic(), frame))

    def pages(self) -> set[bytes]:
        return {frame for _, frame in self.frames if isinstance(decode(frame), Page)}

    async def waits_for(self, what: bytes, seconds: float) -> float:
        began = time.monotonic()
        while not any(what in frame for _, frame in self.frames):
            assert time.monotonic() - began < seconds, "it does not come"
            await asyncio.sleep(0.005)
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def neighbour_that_lacks_all(square: NodeWithRecord) -> AsyncIterator[Neighbour]:
    """It has asked for all pages of the coast."""
    _, client = contexts(key_of("hills"))
    async with square.running(), Dialer(client) as dialer:
        await square.community.follow(FIRST.community, FIRST.statements)
        for page in PAGES:
            square.mesh._replica.exchange.offer(page)
        link = await dialer.dial(id_of("square"), square.address)
        hills = Neighbour(link)
        listening = asyncio.get_running_loop().create_task(hills.listen())
        await link.send(encode(Hello(VERSION, VILLAGE, id_of("hills"), "hills", "00" * 8, CAN, "")))
        said = {"is": "records", "community": FIRST.community, "digest": "", "nodes": "0" * 16}
        await link.send(canonical(said))
        await link.send(encode(Root("0" * 32)))
        await link.send(encode(Have(id_of("coast"), LIFE, "", "~", (), asks=False)))
        try:
            yield hills
        finally:
            await link.close("goodbye")
            listening.cancel()
            await asyncio.wait([listening])


async def test_what_is_urgent_overtakes_a_backlog_on_a_slow_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "mesh.link_rate.LinkRate.look", lambda _self, _counters: 0
    )  # not faster than the least
    square = NodeWithRecord("square")
    async with neighbour_that_lacks_all(square) as hills:
        await asyncio.sleep(2)
        assert 0 < len(hills.pages()) < len(PAGES)
        void = RegistryRecord("cards", "ana", 7, "", {"below": 7})
        part = registry_part("cards", "ana")
        revoked = an_other_page("square", kind="registry", part=part, body=registry_body([void]))
        square.mesh._replica._offer(revoked)
        square.mesh._wake()
        took_s = await hills.waits_for(revoked.raw, NOW_S)
        state = square.community.state
        assert state is not None
        gone = changed_membership(state, key_of("rosa"), find_member(state, id_of("coast")), "suspended")
        assert "" == await square.community.take_in([gone])
        took_more_s = await hills.waits_for(gone.signatures[0][1].hex().encode(), NOW_S)
        print(f"revoked after {took_s:.3f} s, a membership after {took_more_s:.3f} s")
        assert len(hills.pages()) < len(PAGES), "the backlog still waits"
        passed_s = time.monotonic() - hills.began
        sent = sum(wire_bytes(len(frame)) for _, frame in hills.frames)
        assert sent <= BURST_BYTES + 2_000 * (passed_s + NOW_S)
        assert BYTES > 5 * BURST_BYTES


@pytest.mark.thorough
async def test_a_connection_that_is_fast_carries_the_backlog_soon() -> None:
    async with neighbour_that_lacks_all(NodeWithRecord("square")) as hills:
        began = time.monotonic()
        while not {page.raw for page in PAGES} <= hills.pages():
            assert time.monotonic() - began < 30, f"{len(hills.pages())} of {len(PAGES)} pages"
            await asyncio.sleep(0.1)
        print(f"{BYTES} bytes after {time.monotonic() - began:.1f} s")
    assert max(len(frame) for _, frame in hills.frames) <= FRAME_BYTES_MAX

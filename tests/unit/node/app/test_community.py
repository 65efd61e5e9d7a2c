"""Queries of the control socket about the community record, and that statements are on disk before they are told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mesh.community_changes import changed_membership
from mesh.community_service import CommunityService
from mesh.signed_statement import as_json
from node.app.community import CommunityCommands
from node.errors import NodeError
from node.units import NodeId
from tests.fakes.admin_pages import a_link_use
from tests.fakes.community_statements import begun, state_of
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore

FIRST = begun("square", "hills")
SQUARE, HILLS = id_of("square"), id_of("hills")


def service_on(store: FakeStatementStore, *listed: NodeId) -> CommunityService:
    return CommunityService(
        own=SQUARE, listed=listed, store=store, secret=bytes(32), secret_store=FakeSecretStore()
    )


@contextlib.asynccontextmanager
async def running(service: CommunityService) -> AsyncIterator[CommunityCommands]:
    task = asyncio.get_running_loop().create_task(service.run())
    try:
        yield CommunityCommands(service)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_links_are_told_with_their_days() -> None:
    uses = (a_link_use("hills"), a_link_use("coast"))
    commands = CommunityCommands(service_on(FakeStatementStore(), HILLS), uses=lambda: uses)
    hills, coast = commands.show({})["links"]
    assert (HILLS, "more", "2026-11-24", 5 * 10**9) == tuple(
        hills[name] for name in ("node", "verdict", "day", "said_down")
    )
    assert ("2026-11-24", "line", 3 * 10**9) in [
        (each["day"], each["verdict"], each["sent"]) for each in coast["days"]
    ]


def all_of(first: Any = FIRST) -> dict[str, Any]:
    return {"community": first.community, "statements": [as_json(each) for each in first.statements]}


async def test_without_a_record_the_list_of_the_settings_counts_as_it_always_did() -> None:
    service = service_on(FakeStatementStore(), HILLS)
    async with running(service) as commands:
        shown = commands.show({})
    assert ({SQUARE, HILLS}, "", []) == (shown["nodes"], shown["followed"], shown["statements"])


async def test_a_record_decides_at_once_and_after_the_next_start() -> None:
    store = FakeStatementStore()
    async with running(service_on(store)) as commands:
        await commands.follow(all_of())
        assert {SQUARE, HILLS} == commands.show({})["nodes"]
        state = state_of(FIRST.community, FIRST.statements)
        hills = next(each for each in state.members() if each.node == HILLS)
        gone = changed_membership(state, key_of("rosa"), hills, "removed")
        await commands.add({"statements": [as_json(gone)]})
        async with asyncio.timeout(5):
            while HILLS in commands.show({})["nodes"]:
                await asyncio.sleep(0.01)
    assert {SQUARE} == service_on(store, HILLS).roster()


async def test_what_cannot_be_stored_is_not_told_and_told_later() -> None:
    store = FakeStatementStore()
    service = service_on(store)
    async with running(service) as commands:
        await commands.follow(all_of())
        service.exchange.greet(HILLS)
        service.receive(HILLS, service.exchange.next_frame(HILLS) or b"")
        store.is_full = True
        state = state_of(FIRST.community, FIRST.statements)
        gone = changed_membership(state, key_of("rosa"), state.members()[0], "suspended")
        with pytest.raises(NodeError, match="could not be stored"):
            await commands.add({"statements": [as_json(gone)]})
        assert gone.name not in store.rows
        while (frame := service.exchange.next_frame(HILLS)) is not None:
            assert b'"suspended"' not in frame
        assert any("in memory only" in text for text in service.warnings())


@pytest.mark.parametrize("question", [{}, {"community": "x"}, {"community": "0" * 64}])
async def test_only_a_record_that_a_neighbour_follows_is_followed(question: dict[str, Any]) -> None:
    async with running(service_on(FakeStatementStore())) as commands:
        with pytest.raises(NodeError, match="no neighbour of this node follows such a record"):
            await commands.follow(question)


async def test_a_record_is_followed_by_enough_of_its_id_and_its_statements_arrive() -> None:
    service, other = service_on(FakeStatementStore(), HILLS), service_on(FakeStatementStore(), HILLS)
    await other.follow(FIRST.community, FIRST.statements)
    service.exchange.greet(HILLS)
    other.exchange.greet(SQUARE)

    def talk() -> None:
        for _ in range(20):
            for one, two, sender, hearer in (
                (service, other, SQUARE, HILLS),
                (other, service, HILLS, SQUARE),
            ):
                while (frame := one.exchange.next_frame(hearer)) is not None:
                    two.receive(sender, frame)

    talk()
    async with running(service) as commands:
        assert {FIRST.community} == commands.show({})["offered"]
        with pytest.raises(NodeError, match="no neighbour of this node follows"):
            await commands.follow({"community": FIRST.community[:15]})
        await commands.follow({"community": FIRST.community[:16]})
        talk()
        assert len(FIRST.statements) == len(commands.show({})["statements"])
        service.exchange.part_all()
        assert () == service.warnings()


async def test_a_second_record_and_damaged_statements_are_refused() -> None:
    async with running(service_on(FakeStatementStore())) as commands:
        with pytest.raises(NodeError, match="follows no community record"):
            await commands.add(all_of())
        await commands.follow(all_of())
        with pytest.raises(NodeError, match="follows a community record already"):
            await commands.follow(all_of(begun("square", admin="eve")))
        with pytest.raises(NodeError, match="refused: of another community"):
            await commands.add(all_of(begun("square", admin="eve")))
        for wrong in ([{}], "x", [None]):
            with pytest.raises(NodeError, match="a statement cannot be read"):
                await commands.add({"statements": wrong})

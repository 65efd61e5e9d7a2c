"""Nodes that lie together leave places for the objections that others tell."""

import pytest

from mesh.registry_kind import REGISTRY_PARTS, registry_part
from node.accounts.objections import OBJECTIONS_FILED_HERE_MIN, OBJECTIONS_OF_GUESTS_MAX
from node.accounts.registry_record import RegistryRecord
from node.app.objection_places import COUNT_AGAIN, SHARE_OF_FREE, ObjectionPlaces
from node.units import NodeId
from tests.fakes.neighbours import id_of
from tests.fakes.sharing_fixture import SharingFixture

PLACES = OBJECTIONS_OF_GUESTS_MAX - OBJECTIONS_FILED_HERE_MIN


@pytest.fixture
async def node() -> SharingFixture:
    fixture = SharingFixture()
    await fixture.start()
    return fixture


async def tell(node: SharingFixture, author: NodeId, name: str, number: int) -> bool:
    """Whether it was taken in."""
    key = f"{number:08x}{name[:8]:0>8}-{author[:16]}"
    value = {"account": f"guest-{name}-{number}", "day": "2026-11-24", "rule": "", "text": "no"}
    record = RegistryRecord("objection", key, 1, "", value)
    node.shared.take(author, registry_part("objection", key), [record])
    await node.shared._apply_all()
    return node.loop.registry.objections.with_key(key) is not None


async def flood(node: SharingFixture, names: list[str], each: int) -> int:
    """How many were taken in; each node says all of its records at once."""
    for name in names:
        author, parts = id_of(name), dict[int, list[RegistryRecord]]()
        for number in range(each):
            key = f"{number:08x}{'0' * 8}-{author[:16]}"
            value = {"account": f"guest-{name}-{number}", "day": "2026-11-24", "rule": "", "text": "no"}
            parts.setdefault(registry_part("objection", key), []).append(
                RegistryRecord("objection", key, 1, "", value)
            )
        for part, records in parts.items():
            node.shared.take(author, part, records)
        await node.shared._apply_all()
    return len(node.loop.registry.objections)


async def test_one_node_takes_a_ninth_of_the_places(node: SharingFixture) -> None:
    taken = await flood(node, ["liar"], 1_000)
    assert PLACES // (SHARE_OF_FREE + 1) <= taken <= PLACES // (SHARE_OF_FREE + 1) + COUNT_AGAIN


async def test_twenty_nodes_that_lie_together_leave_places_for_an_honest_one(node: SharingFixture) -> None:
    liars = [f"liar-{number}" for number in range(20)]
    taken = await flood(node, liars, 400)
    assert taken < PLACES
    assert all([await tell(node, id_of("honest"), "honest", number) for number in range(20)])


async def test_what_a_node_leaves_out_of_its_pages_still_counts_as_its_own(node: SharingFixture) -> None:
    before = await flood(node, ["liar"], 1_000)
    for part in range(REGISTRY_PARTS):
        node.shared.take(id_of("liar"), part, [])
    assert before + COUNT_AGAIN >= await flood(node, ["liar"], 1_200)


async def test_places_are_counted_after_a_start_by_what_the_pages_say(node: SharingFixture) -> None:
    await flood(node, ["liar"], 1_000)
    objections, records = node.loop.registry.objections, node.shared.records
    (new, *_) = (each for each in records.all("objection") if objections.with_key(each.key) is None)
    places = ObjectionPlaces(objections, records, node.loop.node)
    assert not places.has_place(new)
    known = next(each for each in records.all("objection") if objections.with_key(each.key) is not None)
    assert places.has_place(known), "an answer needs none"

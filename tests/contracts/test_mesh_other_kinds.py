"""Pages of kinds that this version does not know: stored, restored and passed on over real connections, never merged."""

from mesh.replicator import Replicator
from node.accounting.ledger import incarnation_number
from tests.contracts.test_mesh_service import NodeFixture, until
from tests.fakes.mesh_exchange import VILLAGE, an_other_page
from tests.fakes.neighbours import FakePageCache, FakeUsageLedger, id_of, key_of

HILL, VALLEY = id_of("hill"), id_of("valley")


def replicator(name: str, usage_ledger: FakeUsageLedger, cache: FakePageCache) -> Replicator:
    return Replicator(
        key=key_of(name),
        community=VILLAGE,
        roster=lambda: frozenset({HILL, VALLEY}),
        usage_ledger=usage_ledger,
        page_cache=cache,
        woken=lambda: None,
        on_usage_changed=lambda: None,
    )


async def met(name: str, cache: FakePageCache) -> Replicator:
    found = replicator(name, FakeUsageLedger(id_of(name)), cache)
    await found.restore()
    found.exchange.greet(HILL if name == "valley" else VALLEY, ("kinds",))
    return found


async def test_a_page_of_an_unknown_kind_is_there_after_a_restart_and_the_replaced_one_is_not() -> None:
    cache = FakePageCache()
    valley = await met("valley", cache)
    first, second, later = an_other_page(seq=1), an_other_page(seq=2), an_other_page(incarnation="3-a")
    for page in (first, second, second, later):
        valley.receive(HILL, page.raw)
        await valley.persist_pages()
    assert {later.name: later.raw} == {name: raw for name, raw in cache.records.items() if "/" in name}
    again = await met("valley", cache)
    assert [later.raw] == again.exchange.others_of(HILL)
    again.receive(HILL, second.raw)
    await again.persist_pages()
    assert {later.name: later.raw} == {name: raw for name, raw in cache.records.items() if "/" in name}


async def test_a_page_of_our_own_of_a_later_incarnation_begins_another_one() -> None:
    """The database is an old copy: another kind than usage says so too."""
    usage_ledger, cache = FakeUsageLedger(HILL, "2-a"), FakePageCache()
    hill = replicator("hill", usage_ledger, cache)
    await hill.restore()
    hill.exchange.greet(VALLEY, ("kinds",))
    hill.receive(VALLEY, an_other_page(incarnation="7-f").raw)
    assert 8 == incarnation_number(usage_ledger.incarnation)


async def test_a_page_of_an_unknown_kind_reaches_a_node_that_its_author_never_meets() -> None:
    async with (
        NodeFixture("valley", "hill", "coast").running() as valley,
        NodeFixture("coast", "valley", "hill", peers=(valley.address,)).running() as coast,
        NodeFixture("hill", "valley", "coast", peers=(valley.address,)).running() as hill,
    ):
        await until(lambda: {"hill": "trusted", "coast": "trusted"} == valley.states())
        hill.mesh._replica.exchange.offer(an_other_page())
        hill.mesh._wake()
        await until(lambda: [an_other_page().raw] == coast.mesh._replica.exchange.others_of(HILL))
        assert 0 == coast.usage_ledger.pages_merged

"""Node pages over real connections, through nodes that do not know the kind, and across restarts."""

import asyncio
from pathlib import Path

import pytest

from mesh import candidate_calls, node_page_schedule, own_node_page, page_kinds, peer_exchange, service
from mesh.announcement import Address
from mesh.node_kind import NODE_KIND, NodeFacts, node_body, node_facts
from mesh.own_node_page import LocalFacts
from mesh.page_format import Page
from mesh.page_kind import NOW, Unread
from mesh.page_kinds import page_content
from node.daemon import Node
from tests.contracts.test_mesh_service import NodeFixture, until
from tests.fakes.kernel import FakeKernel
from tests.fakes.mesh_exchange import ExchangeFixture, an_other_page
from tests.fakes.neighbours import FakeNetworkTime, FakePageCache, FakeUsageLedger, id_of
from tests.lab.imagined import furnished

HILL, VALLEY, COAST = map(id_of, ("hill", "valley", "coast"))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes publish their pages within a second."""
    monkeypatch.setattr(service, "DESCRIBE_EVERY_S", 0.1)
    monkeypatch.setattr(node_page_schedule, "SETTLE_S", 0.2)


def links_of(node: NodeFixture, author: str) -> set[str]:
    facts = node.mesh.node_pages().get(id_of(author))
    return {each.node for each in facts.links} if facts is not None else set()


@pytest.mark.usefixtures("hasty")
async def test_every_node_knows_all_links_and_forgets_one_that_ended() -> None:
    async with (
        NodeFixture(
            "valley", "hill", "coast", network_time=FakeNetworkTime(1_795_600_000)
        ).running() as valley,
        NodeFixture("hill", "valley", "coast", peers=(valley.address,)).running() as hill,
    ):
        hill.mesh._local_facts = lambda: LocalFacts("1.2.0", ("main", "down"), 60.0)
        async with NodeFixture("coast", "valley", "hill", peers=(valley.address,)).running():
            await until(lambda: {HILL, COAST} == links_of(hill, "valley"))
            await until(lambda: {VALLEY} == links_of(hill, "coast") == links_of(valley, "hill"))
        said = valley.mesh.node_pages()
        assert ("1.2.0", ("main", "down"), 50) == (
            said[HILL].version,
            said[HILL].uplink,
            said[HILL].load_percent,
        )
        assert all(each.round_trip_ms is not None for each in said[VALLEY].links)
        assert all(each.host != "::1" for facts in said.values() for each in facts.addresses)
        assert (1_795_600_000, 0) == (said[VALLEY].made_s, said[HILL].made_s)
        await until(lambda: {HILL} == links_of(hill, "valley"))


@pytest.mark.thorough
@pytest.mark.usefixtures("hasty")
async def test_after_a_restart_a_page_that_is_still_true_is_not_published_again() -> None:
    cache, ledger = FakePageCache(), FakeUsageLedger(HILL)
    for _ in range(2):
        async with NodeFixture("hill", page_cache=cache, usage_ledger=ledger).running() as hill:
            await until(lambda mesh=hill.mesh: HILL in mesh.node_pages())
            await asyncio.sleep(1.5)
    names = [name for name in cache.records if "/node/" in name]
    assert [f"{HILL}/life-1/node/now/0000"] == names
    assert b'"seq":1,' in cache.records[names[0]].split(b"\n")[0]


@pytest.mark.usefixtures("hasty")
async def test_with_a_new_incarnation_the_page_before_gives_way() -> None:
    cache, ledger = FakePageCache(), FakeUsageLedger(HILL, "1-a")
    async with NodeFixture("hill", page_cache=cache, usage_ledger=ledger).running() as hill:
        await until(lambda: HILL in hill.mesh.node_pages())
        ledger.outlive("6-f")
        hill.mesh._local_facts = lambda: LocalFacts("1.2.0")
        await until(lambda: "1.2.0" == hill.mesh.node_pages()[HILL].version)
    assert [f"{HILL}/{ledger.incarnation}/node/now/0000"] == [
        name for name in cache.records if "/node/" in name
    ]


def test_a_node_that_does_not_know_the_kind_passes_node_pages_on_and_holds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    village = ExchangeFixture("hill", "valley", "coast")
    for left, right in (("hill", "valley"), ("valley", "coast")):
        village.connect(left, right)
    deliver = village.deliver

    def delivered(left: str, right: str, frame: bytes) -> None:
        with monkeypatch.context() as known:
            if right == "valley":
                known.delitem(page_kinds.KINDS, NODE_KIND.name)
            deliver(left, right, frame)

    monkeypatch.setattr(village, "deliver", delivered)
    first, second, wrong = (
        an_other_page(kind=NODE_KIND.name, period=NOW, seq=seq, body=body)
        for seq, body in ((1, node_body(FACTS)), (2, node_body(FACTS)), (3, b"{}"))
    )
    for page in (first, second, wrong):
        village.say("hill", page)
        village.settle()
        assert 1 == len(village.roots())
        assert [page.raw] == village.exchange["coast"].others_of(HILL)
    assert isinstance(page_content(second), NodeFacts)
    assert Unread() == page_content(wrong)


FACTS = NodeFacts("hill", "1.2.0")


@pytest.mark.parametrize("author", ["stranger", "valley"])
def test_no_node_speaks_for_another(author: str) -> None:
    """The author of a page is the key that signed it."""
    village = ExchangeFixture("hill", "valley")
    village.connect("hill", "valley")
    page = an_other_page(kind=NODE_KIND.name, period=NOW, body=node_body(FACTS), name=author)
    as_hill = page.raw.replace(id_of(author).encode(), HILL.encode())
    village.deliver("hill", "valley", as_hill)
    if author == "stranger":
        village.deliver("hill", "valley", page.raw)
    assert isinstance(page, Page)
    assert (
        []
        == village.exchange["valley"].others_of(HILL)
        == village.exchange["valley"].others_of(id_of("stranger"))
    )
    assert village.refused


@pytest.fixture
def on_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of this host are those of the mesh."""
    for module in (own_node_page, peer_exchange):
        monkeypatch.setattr(module, "is_callable", lambda address: address.host == "::1")
    monkeypatch.setattr(candidate_calls, "CANDIDATE_EVERY_S", 0.2)


@pytest.mark.usefixtures("hasty", "on_one_host")
async def test_nodes_with_a_common_neighbour_find_each_other_and_stay_connected_without_it() -> None:
    async with NodeFixture("valley", "hill", "coast").running() as valley:
        hill = NodeFixture("hill", "valley", "coast", peers=(valley.address,))
        coast = NodeFixture("coast", "valley", "hill", peers=(valley.address,))
        async with hill.running(), coast.running():
            await until(lambda: "trusted" == hill.states().get("coast") == coast.states().get("hill"), 10.0)
            await until(lambda: COAST in hill.mesh.node_pages())
            assert (Address("::1", coast.mesh.listening_port),) == hill.mesh.node_pages()[COAST].addresses
            hill.roster -= {VALLEY}
            coast.roster -= {VALLEY}
            await until(
                lambda: {"coast"} == {name for name, state in hill.states().items() if state == "trusted"}
            )
            hill.book("ana", 5)
            await until(lambda: 5 == coast.usage_ledger.used("ana"))


@pytest.mark.usefixtures("hasty", "on_one_host")
async def test_an_address_where_another_node_answers_gives_no_connection_and_is_not_called_again() -> None:
    """Coast names the address of a node that is none of the community."""
    async with (
        NodeFixture("stranger").running() as stranger,
        NodeFixture("valley", "hill", "coast").running() as valley,
        NodeFixture("hill", "valley", "coast", peers=(valley.address,)).running() as hill,
    ):
        await until(lambda: {"valley": "trusted"} == hill.states())
        false = NodeFacts("coast", addresses=(stranger.address,))
        page = an_other_page("coast", kind=NODE_KIND.name, period=NOW, body=node_body(false))
        hill.mesh._replica._act(hill.mesh._replica.exchange.restore(page))
        assert COAST in hill.mesh.node_pages()
        await until(lambda: COAST in hill.mesh._candidates._exchange._backoff)
        await asyncio.sleep(1.5)
        assert 1 == hill.mesh._candidates._exchange._backoff.count(COAST)
        assert {"valley": "trusted"} == hill.states()
        assert {} == hill.mesh._wrong


@pytest.mark.usefixtures("hasty", "on_one_host")
async def test_the_address_of_a_node_that_was_removed_is_not_called() -> None:
    async with (
        NodeFixture("coast", "hill").running() as coast,
        NodeFixture("hill", "coast").running() as hill,
    ):
        page = an_other_page(
            "coast",
            kind=NODE_KIND.name,
            period=NOW,
            body=node_body(NodeFacts("coast", addresses=(coast.address,))),
        )
        hill.mesh._replica._act(hill.mesh._replica.exchange.restore(page))
        assert COAST in hill.mesh.node_pages()
        hill.roster -= {COAST}
        assert {} == {node: facts for node, facts in hill.mesh.node_pages().items() if node == COAST}
        await asyncio.sleep(1.0)
        assert 0 == len(hill.mesh._candidates._exchange._backoff)
        assert {} == coast.states()


def test_a_node_whose_settings_do_not_name_its_line_says_that_of_the_rules(tmp_path: Path) -> None:
    """Others could not read the page with an empty name."""
    node = Node(furnished(tmp_path, 7_402), FakeKernel())
    local = node._local_facts()
    node.close()
    assert ("", "main") == (node.config.uplink.name, local.uplink[0] if local.uplink else None)
    facts = node_facts(node_body(NodeFacts("square", local.version, uplink=local.uplink)))
    assert isinstance(facts, NodeFacts)
    assert local.uplink == facts.uplink

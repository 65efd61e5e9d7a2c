"""A node that publishes usage which cannot be true is shown beside the counter of its link, and nothing happens to it: real
pages signed with its key, exchange, reconciler and SQLite; the kernel's counters are what the test says."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from mesh.node_kind import NodeFacts, NodeLink, node_body
from mesh.page_kind import NOW
from mesh.ports import PeerView
from node.accounting.link_days import NOT_COUNTED, Carried, LinkUse, NeighbourReading
from node.app.link_usage import SAVE_EVERY_MS, LinkSources, LinkUsage, day_of, gateway_node, hardware_of
from node.errors import StorageTrouble
from node.storage.repository import StoredArchive
from node.units import MacAddress, NodeId
from tests.contracts.test_mesh_histories import HistoryNode
from tests.contracts.test_mesh_hostile_authors import page, read
from tests.fakes.mesh_exchange import an_other_page
from tests.fakes.neighbours import id_of

HILL, COAST, VALLEY = id_of("hill"), id_of("coast"), id_of("valley")
MAC, OTHER_MAC = MacAddress("02:00:00:00:00:0c"), MacAddress("02:00:00:00:00:0d")
MET = PeerView(HILL, "hill", "trusted", ("10.66.0.2:41000", "10.66.0.3:7400"), 0)
GIB = 2**30
YESTERDAY, TODAY, TOMORROW, THEN = "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-29"


@dataclass
class SeenLink:
    """What this node sees of the hill."""

    sent: int = 0
    received: int = 0
    counters_id: str = "1"
    peers: tuple[PeerView, ...] = (MET,)
    gateways: list[object] = field(default_factory=list)

    def reading(self) -> NeighbourReading:
        if not self.counters_id:
            return NOT_COUNTED
        return NeighbourReading(self.counters_id, {MAC: Carried(self.sent, self.received)})


class Watching:
    """A node, its link to the hill, and what it makes of both."""

    def __init__(self, place: HistoryNode, link: SeenLink) -> None:
        self.place, self.link = place, link
        self.pages = 0
        self.begin()

    def begin(self) -> None:
        """Another run of the daemon."""
        place, link = self.place, self.link
        sources = LinkSources(
            read=link.reading,
            mesh_addresses=lambda: {"10.66.0.2": MAC},
            uplink_addresses=lambda: {"192.0.2.1": OTHER_MAC, "192.0.2.7": OTHER_MAC},
            next_hops=lambda: [IPv4Address("192.0.2.1")],
            peers=lambda: link.peers,
            pages=lambda: {
                node: facts for node in (HILL, COAST) if (facts := place.replica.node_page(node)) is not None
            },
            has_gateways=lambda: bool(link.gateways),
        )
        self.usage = LinkUsage(place.loop, StoredArchive(place.store), place.clock, sources, look_s=0.001)

    async def hear(self, *pages: object) -> None:
        for each in pages:
            await self.place.replica.take(COAST, read(each.raw))  # type: ignore[attr-defined]
        await self.place.settle()

    async def hill_says(self, down: int, day: str = TODAY) -> None:
        self.pages += 1
        await self.hear(page({"ana": down // 2, "ben": down - down // 2}, self.pages, day=day))

    async def hill_uses(self, through: NodeId | None, since: str = "2026-11-20T00:00:00+00:00") -> None:
        self.pages += 1
        at = int(datetime.fromisoformat(since).timestamp())
        said = (through, at) if through is not None else None
        facts = NodeFacts("hill", links=(NodeLink(VALLEY),), uplink=("main", "up"), through=said)
        await self.hear(an_other_page("hill", kind="node", period=NOW, body=node_body(facts), seq=self.pages))

    async def at(self, day: str, hour: int, minute: int = 0, *, carried: int = 0) -> None:
        """It looks at that time, after so much more was sent to the hill."""
        self.link.sent += carried
        clock = self.place.clock
        wanted = clock.wall.fromisoformat(f"{day}T{hour:02}:{minute:02}:00+00:00")
        clock.pass_time(max(0, int((wanted - clock.wall) / timedelta(milliseconds=1))))
        await self.usage.look()

    async def midnight(self) -> None:
        """Yesterday was counted as a whole."""
        await self.at("2026-11-25", 23, 59)
        await self.at(YESTERDAY, 0, 0)
        await self.at(YESTERDAY, 23, 59)
        await self.at(TODAY, 0, 0)

    async def later(self) -> None:
        """Today can be judged."""
        for at in ((TODAY, 23, 59), (TOMORROW, 0, 0), (TOMORROW, 23, 59), (THEN, 0, 0)):
            await self.at(*at)

    @property
    def use(self) -> LinkUse:
        (found,) = self.usage.uses()
        return found


@pytest.fixture
async def valley(tmp_path: Path) -> AsyncIterator[Watching]:
    async with watching(tmp_path, SeenLink()) as found:
        yield found


@asynccontextmanager
async def watching(folder: Path, link: SeenLink) -> AsyncIterator[Watching]:
    place = HistoryNode("valley", folder / "valley")
    await place.start()
    place.replica.exchange.greet(COAST)
    try:
        yield Watching(place, link)
    finally:
        await place.kill()


async def test_a_node_that_says_much_more_than_was_sent_to_it_is_shown(valley: Watching) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    await valley.hill_says(5 * GIB)
    await valley.at(TODAY, 10, carried=6 * GIB)
    assert ("gap", 6 * GIB, 5 * GIB) == (valley.use.verdict, valley.use.sent, valley.use.said_down)
    await valley.hill_says(60 * GIB)
    await valley.later()
    assert ("more", TODAY) == (valley.use.verdict, valley.use.worst_day)
    usage = await valley.place.loop.persistence.buckets(TODAY, node=HILL)
    assert 60 * GIB == sum(each.uplink.down for each in usage.values()), "it is shown, and counts as before"


async def test_a_node_that_hides_what_its_people_used_is_shown_as_something_to_ask_about(
    valley: Watching,
) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    await valley.hill_says(GIB // 4)
    await valley.at(TODAY, 10, carried=9 * GIB)
    await valley.later()
    assert "less" == valley.use.verdict


@pytest.mark.parametrize("through", [None, COAST])
async def test_nothing_follows_while_its_page_does_not_say_that_it_uses_this_line(
    valley: Watching, through: NodeId | None
) -> None:
    await valley.hill_uses(through)
    await valley.midnight()
    await valley.hill_says(60 * GIB)
    await valley.at(TODAY, 10)
    await valley.later()
    assert "line" == valley.use.verdict


async def test_nothing_follows_when_its_page_says_only_later_that_it_used_another_line(
    valley: Watching,
) -> None:
    """The link failed at noon, its people went another way, and pages came only when it was back."""
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    await valley.hill_says(60 * GIB)
    await valley.hill_uses(VALLEY, since=f"{TODAY}T14:00:00+00:00")
    await valley.later()
    assert "line" == valley.use.verdict


async def test_pages_are_read_before_the_counters_so_what_they_say_was_counted_already(
    valley: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    await valley.hill_says(40 * GIB)
    persistence = valley.place.loop.persistence
    read_pages = persistence.buckets

    async def carried_meanwhile(*since: Any, **more: Any) -> Any:
        valley.link.sent += 50 * GIB
        return await read_pages(*since, **more)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(persistence, "buckets", carried_meanwhile)
        await valley.at(TODAY, 1)
    await valley.later()
    assert ("agrees", 50 * GIB) == (valley.use.verdict, valley.use.sent)


async def test_a_late_page_of_yesterday_counts_with_yesterday(valley: Watching) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    await valley.at(TODAY, 23, 59, carried=GIB)
    await valley.at(TOMORROW, 0, 0)
    await valley.hill_says(70 * GIB, day=TODAY)
    await valley.later()
    assert ("more", TODAY) == (valley.use.verdict, valley.use.worst_day)


async def test_a_restart_goes_on_where_the_counters_stand(valley: Watching) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    await valley.at(TODAY, 10, carried=5 * GIB)
    await valley.usage._save()
    valley.begin()
    assert () == valley.usage.uses(), "nothing is known before it was read"
    await valley.hill_says(6 * GIB)
    await valley.at(TODAY, 11, carried=2 * GIB)
    await valley.later()
    assert ("agrees", 7 * GIB) == (valley.use.verdict, valley.use.sent)


async def test_counters_that_began_again_prove_nothing_on_that_day(valley: Watching) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()
    valley.link.counters_id, valley.link.sent = "2", 0
    await valley.hill_says(60 * GIB)
    await valley.at(TODAY, 11)
    await valley.later()
    assert "gap" == valley.use.verdict


@pytest.mark.parametrize("state", ["silent", "stranger"])
async def test_only_a_node_that_proved_its_key_is_counted(valley: Watching, state: str) -> None:
    valley.link.peers = (PeerView(HILL, "hill", state, MET.addresses, 0),)
    await valley.midnight()
    assert () == valley.usage.uses()


async def test_while_the_date_or_the_counters_are_not_known_nothing_is_counted(valley: Watching) -> None:
    valley.place.clock.trust = "unknown"
    await valley.usage.look()
    valley.place.clock.trust = "synced"
    valley.link.counters_id = ""
    await valley.usage.look()
    assert () == valley.usage.uses()


async def test_a_full_disk_loses_nothing_while_the_node_runs(
    valley: Watching, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await valley.hill_uses(VALLEY)
    await valley.midnight()

    async def full(*_what: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    with monkeypatch.context() as disk:
        disk.setattr(valley.usage._archive, "save_state", full)
        valley.place.clock.pass_time(2 * SAVE_EVERY_MS)
        await valley.usage.look()
        await valley.usage._save()
        assert 1 == sum("what the links carried is not stored" in each.message for each in caplog.records)
    await valley.at(TODAY, 9, carried=GIB)
    await valley.usage._save()
    valley.begin()
    await valley.at(TODAY, 10)
    assert GIB == valley.use.sent


async def test_a_node_with_gateways_does_not_say_that_all_its_usage_goes_over_one_line(
    valley: Watching,
) -> None:
    square = PeerView(COAST, "square", "trusted", ("192.0.2.7:7400",), 0)
    valley.link.peers = (MET, square)
    await valley.usage.look()
    began = int(valley.place.clock.civil().timestamp())
    assert (COAST, began) == valley.usage.through
    valley.place.clock.pass_time(120_000)
    await valley.usage.look()
    assert (COAST, began) == valley.usage.through
    valley.link.gateways.append("library")
    await valley.usage.look()
    assert valley.usage.through is None
    valley.link.gateways.clear()
    await valley.usage.look()
    assert (COAST, began + 120) == valley.usage.through, "what gateways counted before is in its pages"


def test_a_time_that_no_calendar_has_is_after_all_days() -> None:
    assert date(2026, 11, 27) == day_of(1_795_737_600, UTC)
    assert date.max == day_of(2**53 - 1, UTC)


def test_the_next_hop_of_all_default_routes_is_one_connected_node() -> None:
    known = {"192.0.2.1": MAC, "192.0.2.3": MAC}
    hill = PeerView(HILL, "hill", "trusted", ("192.0.2.3:1",), 0)
    coast = PeerView(COAST, "coast", "trusted", ("192.0.2.2:1",), 0)

    def found(
        *hops: str, peers: Iterable[PeerView] = (hill, coast), more: Mapping[str, MacAddress]
    ) -> NodeId | None:
        return gateway_node([IPv4Address(each) for each in hops], known | more, peers)

    assert HILL == found("192.0.2.1", more={}) == found("192.0.2.1", "192.0.2.3", more={}), "of one node"
    for hops in ((), ("192.0.2.9",), ("192.0.2.1", "192.0.2.9")):
        assert found(*hops, more={}) is None
    assert found("192.0.2.1", peers=(coast,), more={}) is None
    other = {"192.0.2.2": OTHER_MAC}
    assert found("192.0.2.1", "192.0.2.2", more=other) is None
    assert found("192.0.2.1", more=other) is None, "people may load from a neighbour that is no gateway"


def test_only_the_address_on_which_a_node_proved_its_key_leads_to_its_hardware_address() -> None:
    known = {"10.66.0.2": MAC, "10.66.0.3": OTHER_MAC, "fe80::2%mesh0": MAC}

    def of(*addresses: str) -> tuple[MacAddress, ...]:
        return hardware_of(PeerView(HILL, "", "trusted", addresses, 0), known)

    assert (MAC,) == of("10.66.0.2:1", "10.66.0.3:2") == of("[::ffff:10.66.0.2]:1")
    assert (MAC,) == of("[fe80::2%mesh0]:1") == of("[fe80::2]:1")
    for nothing in ((), ("10.66.0.9:1",), ("hill.example:1",), ("",), ("[fe80::2%mesh1]:1",)):
        assert () == of(*nothing)

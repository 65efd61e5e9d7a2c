"""Summaries over real connections: asked for hop by hop, and a neighbour that lies about them."""

import asyncio
import random

import pytest

from mesh import service
from mesh.messages import Hello, encode
from mesh.node_summary import NodeSummary, SummaryValues
from mesh.page_format import VERSION, canonical
from mesh.summary_exchange import SUMMARY_EXTENSION
from mesh.tls_transport import Dialer, Link, contexts
from node.app import node_summaries
from node.app.node_summaries import NodeSummaries
from tests.contracts.test_mesh_node_pages import hasty, links_of  # noqa: F401 - a fixture
from tests.contracts.test_mesh_service import VILLAGE, NodeFixture, until
from tests.fakes.neighbours import FakeNetworkTime, id_of, key_of
from tests.unit.mesh.test_node_summary import signed_by

HILL, VALLEY, COAST, EVE = map(id_of, ("hill", "valley", "coast", "eve"))
NAMES = ("hill", "valley", "coast")
HOUR = (None,) * 12


def node(name: str, *peers: NodeFixture) -> NodeFixture:
    others = [each for each in (*NAMES, "eve") if each != name]
    made = NodeFixture(
        name, *others, peers=tuple(each.address for each in peers), network_time=FakeNetworkTime(5)
    )
    made.mesh._own_summary = lambda: (SummaryValues(devices=5 * len(name)), HOUR)
    return made


@pytest.mark.usefixtures("hasty")
async def test_a_node_two_hops_away_says_what_it_is_like() -> None:
    async with (
        node("valley").running() as valley,
        node("hill", valley).running() as hill,
        node("coast", valley).running(),
    ):
        await until(lambda: {HILL, COAST} == links_of(hill, "valley"))
        await until(lambda: {VALLEY} == links_of(hill, "coast"))
        async with asyncio.timeout(5):
            heard = await NodeSummaries(hill.mesh).of([HILL, VALLEY, COAST, EVE])
        assert {HILL: 20, VALLEY: 30, COAST: 25} == {
            each: said.summary.values.devices for each, said in heard.items()
        }
        assert 5 == heard[COAST].summary.made_s
        assert not [each for each in hill.mesh.warnings() if "summar" in each]


async def introduced(dialer: Dialer, to: NodeFixture) -> Link:
    """A connection of `eve`, a member that takes part and lies."""
    link = await dialer.dial(to.node, to.address)
    can = ("kinds", "quiet", SUMMARY_EXTENSION)
    await link.send(encode(Hello(VERSION, VILLAGE, EVE, "eve", "0" * 16, can)))
    await until(lambda: "trusted" in to.states().values())
    return link


@pytest.mark.usefixtures("hasty")
async def test_what_a_neighbour_makes_up_is_refused_counted_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_summaries, "PATIENCE_S", 0.2)
    monkeypatch.setattr(service, "DESCRIBE_EVERY_S", 60.0)
    _, client = contexts(key_of("eve"))
    async with node("hill").running() as hill, Dialer(client) as dialer:
        link = await introduced(dialer, hill)
        lies = [
            signed_by("eve", NodeSummary(EVE, SummaryValues(loss_percent=101))).frame(0),
            signed_by("stranger", NodeSummary(id_of("stranger"), SummaryValues())).frame(0),
            b'{"is":"summary"}',
            b'{"is":"summary"' + b"[" * 380,
        ]
        for lie in lies:
            assert await link.send(lie)
        await until(lambda: {EVE: len(lies)} == hill.mesh._summaries.refused(service._now()))
        assert hill.mesh.ask_summaries([EVE])
        assert await link.send(signed_by("hill", NodeSummary(EVE, SummaryValues(devices=5))).frame(0))
        await until(lambda: {EVE: len(lies) + 1} == hill.mesh._summaries.refused(service._now()))
        assert {HILL} == hill.mesh.summaries().keys()
        (said,) = (each for each in hill.mesh.warnings() if "summar" in each)
        assert said.startswith("eve sent 5 summaries")
        await link.close("done")


@pytest.mark.usefixtures("hasty")
async def test_a_flood_of_questions_and_noise_leaves_the_node_at_work() -> None:
    _, client = contexts(key_of("eve"))
    chance = random.Random(7)
    async with (
        node("hill").running() as hill,
        node("valley", hill).running() as valley,
        Dialer(client) as dialer,
    ):
        link = await introduced(dialer, hill)
        good = signed_by("eve", NodeSummary(EVE, SummaryValues(devices=5))).frame(0)
        for number in range(3_000):
            about = chance.choice((HILL, VALLEY, EVE, id_of("stranger")))
            noise = bytearray(good)
            noise[chance.randrange(len(noise))] ^= 1 << chance.randrange(8)
            asks = canonical({"hops": chance.choice((0, 9, 10**30)), "is": "summaryask", "node": about})
            assert await link.send(bytes(noise) if number % 2 else asks)
        async with asyncio.timeout(5):
            heard = await NodeSummaries(valley.mesh).of([HILL])
        assert HILL in heard
        await until(lambda: "trusted" in valley.states().values())
        assert EVE not in hill.mesh.summaries()

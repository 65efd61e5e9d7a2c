"""Nodes without a clock learn the time from neighbours that know it, also through a node that has none itself."""

import asyncio

from tests.contracts.test_mesh_service import NodeFixture, until
from tests.fakes.neighbours import FakeNetworkTime

NOON_S = 1_795_600_000


async def test_the_time_comes_through_a_node_that_was_told_it_itself() -> None:
    hill_clock, valley_clock, coast_clock = FakeNetworkTime(NOON_S), FakeNetworkTime(), FakeNetworkTime()
    async with (
        NodeFixture("hill", "valley", "coast", network_time=hill_clock).running() as hill,
        NodeFixture(
            "valley", "hill", "coast", peers=(hill.address,), network_time=valley_clock
        ).running() as valley,
    ):
        await until(lambda: valley_clock.told() is not None)
        async with NodeFixture(
            "coast", "hill", "valley", peers=(valley.address,), network_time=coast_clock
        ).running():
            await until(lambda: coast_clock.told() is not None)
    assert [0, 1, 2] == [clock.hops for clock in (hill_clock, valley_clock, coast_clock)]
    assert coast_clock.unix_s is not None
    assert 0 <= coast_clock.unix_s - NOON_S <= 1


async def test_nodes_that_all_do_not_know_it_tell_each_other_nothing() -> None:
    clocks = FakeNetworkTime(), FakeNetworkTime()
    async with (
        NodeFixture("hill", "valley", network_time=clocks[0]).running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,), network_time=clocks[1]).running() as valley,
    ):
        await until(lambda: {"hill": "trusted"} == valley.states())
        await asyncio.sleep(0.3)
    assert (None, None) == tuple(clock.told() for clock in clocks)


async def test_a_neighbour_that_asks_without_end_gets_few_answers_at_once() -> None:
    from mesh.messages import TimeRequest, encode
    from tests.contracts.test_mesh_service import rogue

    async with (
        NodeFixture("hill", "valley", network_time=FakeNetworkTime(NOON_S)).running() as hill,
        rogue(hill) as link,
    ):
        for _ in range(5_000):
            await link.send(encode(TimeRequest()))
        await asyncio.sleep(0.5)
        [ours] = list(hill.mesh._links)
        assert len(ours._answers) <= 2
        assert {"valley": "trusted"} == hill.states()

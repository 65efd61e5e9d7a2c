"""Nodes without a clock learn the time from neighbours that know it, also through a node that has none itself."""

import asyncio

import pytest

from mesh.messages import TimeAnswer, TimeRequest, decode, encode
from mesh.tls_transport import ANSWERS_MAX
from tests.contracts.test_mesh_service import WAIT_S, NodeFixture, rogue, until
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


async def test_nodes_that_all_do_not_know_it_tell_each_other_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.link_writer.ROUND_EVERY_S", 0.05)
    clocks = FakeNetworkTime(), FakeNetworkTime()
    async with (
        NodeFixture("hill", "valley", network_time=clocks[0]).running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,), network_time=clocks[1]).running() as valley,
    ):
        await until(lambda: {"hill": "trusted"} == valley.states())
        # What was answered to the first question is there before the third one comes.
        await until(lambda: min(clock.asked for clock in clocks) > 2)
    assert (None, None) == tuple(clock.told() for clock in clocks)


async def test_a_neighbour_that_asks_without_end_gets_few_answers_at_once() -> None:
    async with (
        NodeFixture("hill", "valley", network_time=FakeNetworkTime(NOON_S)).running() as hill,
        rogue(hill) as link,
    ):
        await until(lambda: len(hill.mesh._links) == 1)
        [ours] = list(hill.mesh._links)
        for _ in range(5_000):  # as they come before anything can be sent
            await hill.mesh._receive(ours, TimeRequest())
        waiting = 0
        while ours.next_answer() is not None:
            waiting += 1
        assert ANSWERS_MAX == waiting
        await link.send(encode(TimeRequest()))
        async with asyncio.timeout(WAIT_S):
            while not isinstance(decode(await link.receive() or b""), TimeAnswer):
                pass
        assert {"valley": "trusted"} == hill.states()

"""A page waits for the answers to what was asked just now, and for nothing else."""

import asyncio

import pytest

from node.app import node_summaries
from node.app.node_summaries import NodeSummaries
from tests.fakes.asked_nodes import AskedVillage, a_summary
from tests.fakes.neighbours import id_of

HILL, VALLEY = id_of("hill"), id_of("valley")


async def test_a_node_without_a_mesh_knows_of_nobody() -> None:
    assert {} == await NodeSummaries().of([HILL])


async def test_an_answer_that_comes_later_is_waited_for() -> None:
    asked = AskedVillage()
    asked.is_slow, asked.answers = True, {HILL: a_summary(HILL)}
    asyncio.get_running_loop().call_later(0.05, asked.answer)
    async with asyncio.timeout(1):
        assert {HILL: a_summary(HILL)} == await NodeSummaries(asked).of([HILL])


async def test_silence_costs_no_more_than_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_summaries, "PATIENCE_S", 0.05)
    asked = AskedVillage()
    async with asyncio.timeout(1):
        assert {} == await NodeSummaries(asked).of([HILL])


async def test_what_was_heard_before_is_shown_without_waiting_and_of_the_wanted_alone() -> None:
    asked = AskedVillage()
    asked.heard = {HILL: a_summary(HILL), VALLEY: a_summary(VALLEY)}
    async with asyncio.timeout(1):
        assert {HILL} == (await NodeSummaries(asked).of([HILL])).keys()

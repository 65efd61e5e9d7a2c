"""Events on the control socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.app.admin_sessions import ADMIN, Signed
from node.app.event_console import EventCommands
from node.app.event_recorder import event_of
from node.errors import NodeError
from tests.fakes.use_cases import ANA, AppFixture, UseCases


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(folder=tmp_path).life() as opened:
        await asyncio.to_thread(lambda: opened.files)  # blocks, as in the daemon before its loop runs
        await opened.join_by_card(ANA)
        await opened.admin.people.block("ana", ANA, "Noise", by=Signed("admin", "Pere"))
        yield opened


async def test_events_are_listed_and_searched(app: UseCases) -> None:
    ask = EventCommands(app.admin.events).all()["events"]
    answer = await ask({})
    (row,) = answer["events"]
    assert ("admin Pere", "blocked", "ana", "Noise", False) == (
        row["by"], row["kind"], row["account"], row["reason"], answer["more"],
    )  # fmt: skip
    assert [] == (await ask({"search": "choir"}))["events"]
    assert 1 == len((await ask({"search": "Puig", "seconds": 3_600}))["events"])


@pytest.mark.parametrize(
    "question", [{"seconds": 0}, {"seconds": "7d"}, {"seconds": True}, {"search": "x" * 101}, {"search": 7}]
)
async def test_a_question_that_makes_no_sense_is_refused(app: UseCases, question: dict[str, Any]) -> None:
    with pytest.raises(NodeError):
        await EventCommands(app.admin.events).events(question)


async def test_a_very_long_time_is_all_of_it(app: UseCases) -> None:
    assert 1 == len((await EventCommands(app.admin.events).events({"seconds": 10**15}))["events"])


async def test_a_kind_of_a_newer_version_is_listed_by_its_name(app: UseCases) -> None:
    """After a version was taken back its events are still there."""
    made = event_of(app.loop, ADMIN, "blocked")
    await app.loop.remember((replace(made, kind="zebra-painted"),))  # type: ignore[arg-type]
    answer = await EventCommands(app.admin.events).events({})
    assert "zebra-painted" in [each["what"] for each in answer["events"]]

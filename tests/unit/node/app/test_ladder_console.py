"""Cases of ladders from the console."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from node.app.ladder_console import LadderCommands
from node.errors import NodeError
from tests.fakes.use_cases import ANA, CARD, AppFixture, CardShown, UseCases

LADDER = """
[[ladder]]
id = "noise"
who = "everyone"
steps = ["tell", "ceiling 2 Mbit/s for 3 days"]
by = "D-8"
"""
OPEN = {"account": "ana", "ladder": "noise", "reason": "loud"}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(folder=tmp_path, rules=LADDER).life() as opened:
        await opened.join(ANA, CardShown(CARD))
        yield opened


@pytest.fixture
def commands(app: UseCases) -> LadderCommands:
    return LadderCommands(app.admin.cases)


async def test_a_case_is_opened_answered_and_lifted(app, commands):
    case = (await commands.open(OPEN))["case"]
    assert (1, "admin console", "notice") == (case["number"], case["by"], case["phase"])
    assert isinstance(case["until"], datetime)
    await app.portal.add_objection(ANA, "ladder:noise:1", "no")
    assert "notice" == (await commands.answer({"number": 1, "text": "yes"}))["case"]["phase"]
    assert "lifted" == (await commands.lift({"number": "1"}))["case"]["ending"]
    listed = commands.list({})
    assert ["noise"] == [each["id"] for each in listed["ladders"]]
    assert ["lifted"] == [each["ending"] for each in listed["cases"]]


@pytest.mark.parametrize("number", ["", "x", "-1", "²", "9" * 10, "7", None, {}])
async def test_an_unknown_case_is_refused(commands, number):
    for run in (commands.lift, commands.answer):
        with pytest.raises(NodeError):
            await run({"number": number, "text": "x"})


@pytest.mark.parametrize(
    "wrong", [{"account": "zoe"}, {"ladder": "x"}, {"reason": ""}, {"reason": "x" * 3_000}]
)
async def test_what_cannot_be_a_case_is_refused_with_a_fix(commands, wrong):
    with pytest.raises(NodeError) as refused:
        await commands.open({**OPEN, **wrong})
    assert refused.value.fix

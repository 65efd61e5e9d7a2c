"""The files of the community on the control socket."""

from pathlib import Path
from typing import Any

import pytest

from node.app.file_commands import FileCommands
from node.errors import NodeError
from tests.fakes.community_statements import begun
from tests.fakes.file_versions import share
from tests.fakes.use_cases import AppFixture, UseCases


@pytest.fixture
def app(tmp_path: Path) -> UseCases:
    made = AppFixture(folder=tmp_path).use_cases()
    assert made.files.members_in_force, "written before the loop runs"
    return made


def file_in(app: UseCases) -> dict[str, Any]:
    return dict(FileCommands(app.shared_files).versions({})["rules"])


async def test_versions_are_described_with_the_decision_and_the_statements(app: UseCases) -> None:
    assert "no record" == file_in(app)["state"]
    first = begun("square")
    await app.node.community.follow(first.community, first.statements)
    assert ("not shared", []) == (file_in(app)["state"], file_in(app)["versions"])
    assert app.node.community.state is not None
    share(app.node.community.state, "rules", app.shared_files.text("rules"), "rosa")
    found = file_in(app)
    assert ("same", 1) == (found["state"], len(found["statements"]))
    (version,) = found["versions"]
    assert (1, "Rosa", "decided in the meeting") == (version["number"], version["by"], version["reason"])


@pytest.mark.parametrize("question", [{}, {"file": "notes"}, {"file": 1}, {"file": ["rules"]}])
async def test_another_file_is_refused(app: UseCases, question: dict[str, Any]) -> None:
    commands = FileCommands(app.shared_files)
    for answer in (commands.text, commands.take):
        with pytest.raises(NodeError, match="no such file"):
            await answer(question)


@pytest.mark.parametrize("number", [0, 7, "1", True, [1]])
async def test_a_version_that_there_is_not_is_refused(app: UseCases, number: object) -> None:
    with pytest.raises(NodeError, match="that was in force"):
        await FileCommands(app.shared_files).text({"file": "rules", "number": number})


async def test_the_text_here_is_answered_and_nothing_is_taken_without_a_version(app: UseCases) -> None:
    commands = FileCommands(app.shared_files)
    assert {"text": app.node.members_text} == await commands.text({"file": "members"})
    with pytest.raises(NodeError, match="no version of the members to take"):
        await commands.take({"file": "members"})


async def test_a_newcomer_takes_the_first_version_that_comes(app: UseCases) -> None:
    first = begun("square")
    await app.node.community.follow(first.community, first.statements)
    await FileCommands(app.shared_files).newcomer({})
    assert app.node.community.state is not None
    share(app.node.community.state, "rules", "another text", "rosa")
    assert "behind" == file_in(app)["state"]

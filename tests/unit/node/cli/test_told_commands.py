"""What nodes tell each other about people, on the command line."""

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest

from node.cli import told_commands
from node.cli.commands import CommandContext
from node.cli.terminal import Terminal

RECORD = {
    "kind": "objection",
    "key": "00ff-hill",
    "version": 2,
    "until": "",
    "value": {"account": "ana", "text": "Why? \x1b[31m" + "x" * 90},
    "told_by": ["Ermita"],
}


class ToldAnswers:
    """A node that was told this."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *records: Mapping[str, Any], more: int = 0) -> None:
        self.answer, self.question = {"records": list(records), "more": more}, dict[str, Any]()
        monkeypatch.setattr(told_commands, "answer_to", self._answer_to)

    def _answer_to(self, _context: CommandContext, question: dict[str, Any]) -> Mapping[str, Any]:
        self.question = question
        return self.answer

    def run(self, who: str | None = None, *, json: bool = False) -> str:
        written = StringIO()
        asked = {"who": who, "json": json, "verb": "community told"}
        assert 0 == told_commands.told(CommandContext(asked, Terminal(coloured=False), written))
        return written.getvalue()


def test_records_are_a_table_with_the_node_that_says_each(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {**RECORD, "key": "11ee-hill", "value": {}, "until": "2028-01-01", "told_by": []}
    node = ToldAnswers(monkeypatch, RECORD, ended, more=7)
    shown = node.run("ana")
    assert {"ask": "community-told", "who": "ana"} == node.question
    assert "\x1b" not in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "KIND ABOUT VERSION UNTIL TOLD BY SAYS" == lines[0]
    assert lines[1].startswith('objection 00ff-hill 2 - Ermita {"account": "ana", "text": "Why?')
    assert lines[1].endswith("…")
    assert "objection 11ee-hill 2 2028-01-01 no node now ended" == lines[2]
    assert "and 7 more: name an account" == lines[-1]


@pytest.mark.parametrize(
    ("who", "said"), [(None, "Nothing is told."), ("ana", "Nothing is told about this account.")]
)
def test_without_any_it_says_so(monkeypatch: pytest.MonkeyPatch, who: str | None, said: str) -> None:
    assert said == ToldAnswers(monkeypatch).run(who).strip()


def test_programs_read_json(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ToldAnswers(monkeypatch, RECORD).run(json=True)
    assert {"ok": True, "records": [RECORD], "more": 0} == json.loads(said)

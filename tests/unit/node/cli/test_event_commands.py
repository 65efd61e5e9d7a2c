"""Events on the command line."""

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest

from node.cli import event_commands
from node.cli.commands import CommandContext
from node.cli.event_commands import events
from node.cli.terminal import Terminal
from node.errors import NodeError

ROW = {
    "at": "2026-11-24 12:00+01:00",
    "by": "admin Ana",
    "kind": "blocked",
    "what": "Blocked",
    "account": "guest-02",
    "about": "",
    "reason": "Noise\x1b[2J",
    "count": 2,
}


def run(
    monkeypatch: pytest.MonkeyPatch, answer: Mapping[str, Any], **asked: Any
) -> tuple[str, dict[str, Any]]:
    questions: list[dict[str, Any]] = []

    def answer_to(_context: CommandContext, question: dict[str, Any]) -> Mapping[str, Any]:
        questions.append(question)
        return answer

    monkeypatch.setattr(event_commands, "answer_to", answer_to)
    written = StringIO()
    every = {"search": None, "last": None, "json": False, **asked}
    assert 0 == events(CommandContext(every, Terminal(coloured=False), written))
    return written.getvalue(), questions[0]


def test_a_row_says_who_did_what_and_why_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    text, question = run(monkeypatch, {"ok": True, "events": [ROW], "more": True}, search="ana", last="30d")
    for part in ("admin Ana", "Blocked (2)", "guest-02", "Noise", "There are more"):
        assert part in text
    assert "\x1b" not in text
    assert {"ask": "events", "search": "ana", "seconds": 30 * 86_400} == question


def test_nothing_and_json(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No events." in run(monkeypatch, {"ok": True, "events": [], "more": False})[0]
    text, _ = run(monkeypatch, {"ok": True, "events": [ROW], "more": False}, json=True)
    assert "guest-02" == json.loads(text)["events"][0]["account"]


def test_a_length_of_time_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NodeError):
        run(monkeypatch, {"ok": True, "events": [], "more": False}, last="yesterday")

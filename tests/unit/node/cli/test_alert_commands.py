"""The command about alerts."""

import io
from typing import Any

import pytest

from node.cli import alert_commands
from node.cli.alert_commands import alerts
from node.cli.commands import CommandContext
from node.cli.terminal import Terminal
from node.errors import NodeError

RAISED = {
    "title": "The line to the Internet is dead",
    "fix": "Look at the modem.",
    "since": "2026-11-30T18:20:00+00:00",
}
WAY = {"name": "mail", "waiting": 2, "left_out": 1, "trouble": "the relay \x1b[2Jhangs"}


def said(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], **asked: Any) -> tuple[str, list[Any]]:
    """What is printed, and what the node was asked."""
    questions: list[Any] = []

    def ask(context: CommandContext, question: Any, lines: Any) -> int:
        questions.append(question)
        print("\n".join(lines(answer, context.terminal)), file=context.out)
        return 0

    monkeypatch.setattr(alert_commands, "ask_node", ask)
    out = io.StringIO()
    assert 0 == alerts(CommandContext({"what": None, "way": None, **asked}, Terminal(coloured=False), out))
    return out.getvalue(), questions


def test_it_says_what_is_wrong_since_when_and_which_way_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    text, questions = said(monkeypatch, {"raised": [RAISED], "ways": [WAY]})
    assert [{"ask": "alerts"}] == questions
    assert "The line to the Internet is dead, since 2026-11-30 18:20" in text
    assert "mail" in text
    assert "\x1b" not in text


def test_a_quiet_node_without_ways_says_both(monkeypatch: pytest.MonkeyPatch) -> None:
    text, _ = said(monkeypatch, {"raised": [], "ways": []})
    assert "No alert is raised." in text
    assert "[alerts] in node.toml" in text


def test_a_test_asks_the_node_to_send(monkeypatch: pytest.MonkeyPatch) -> None:
    text, questions = said(monkeypatch, {"way": "mail"}, what="test", way="mail")
    assert [{"ask": "alerts-test", "way": "mail"}] == questions
    assert "sent by mail" in text


@pytest.mark.parametrize(("what", "way"), [("tset", "mail"), ("test", None), ("x" * 500, None)])
def test_anything_else_is_refused_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, what: str, way: str | None
) -> None:
    with pytest.raises(NodeError, match="no command of alerts") as caught:
        said(monkeypatch, {}, what=what, way=way)
    assert "procomu alerts test" in caught.value.fix

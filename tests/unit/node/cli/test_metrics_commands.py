"""The token for metrics, on the command line."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest

from node.cli import backups, commands, metrics_commands
from node.cli.arguments import EXIT_WRONG_USE
from node.cli.commands import CommandContext
from node.cli.terminal import Terminal

MADE = {"ok": True, "token": "secret-token", "url": "https://10.0.0.1:2444/metrics"}


def run(monkeypatch: pytest.MonkeyPatch, command: str, answer: Mapping[str, Any], **asked: Any) -> str:
    questions = []

    def answer_to(_context: CommandContext, question: Mapping[str, Any]) -> Mapping[str, Any]:
        questions.append(question["ask"])
        return answer

    monkeypatch.setattr(commands, "answer_to", answer_to)
    monkeypatch.setattr(backups, "answer_to", answer_to)
    out, every = StringIO(), {**metrics_commands.METRICS_COMMANDS, **backups.BACKUP_COMMANDS}
    context = CommandContext({"json": False, "config": "x", **asked}, Terminal(coloured=False), out)
    assert 0 == every[command](context)
    assert questions == [{"export": "metrics"}.get(command, command.replace(" ", "-"))]
    return out.getvalue()


@pytest.mark.parametrize("fingerprint", ["", "AB:CD"])
def test_the_token_is_the_first_line_and_is_said_to_be_shown_once(
    monkeypatch: pytest.MonkeyPatch, fingerprint: str
) -> None:
    text = run(monkeypatch, "metrics token", {**MADE, "fingerprint": fingerprint, "replaced": True})
    assert "secret-token" == text.splitlines()[0]
    assert "only now" in text
    assert MADE["url"] in text
    assert "no longer works" in text
    assert bool(fingerprint) == ("fingerprint" in text)


def test_revoking_says_what_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is revoked" in run(monkeypatch, "metrics revoke", {"revoked": True})
    assert "no token" in run(monkeypatch, "metrics revoke", {"revoked": False})


def test_metrics_are_exported_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    document = "# HELP procomu_up It is\n# TYPE procomu_up gauge\nprocomu_up 1\n"
    nothing = {"format": None, "table": None, "from": None}
    assert document == run(monkeypatch, "export", {"document": document}, what="prometheus", **nothing)


def test_options_of_tables_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {
        "what": "prometheus",
        "format": "json",
        "table": None,
        "from": None,
        "json": False,
        "config": "x",
    }
    assert EXIT_WRONG_USE == backups.export(CommandContext(asked, Terminal(coloured=False), StringIO()))
    assert "take none of" in capsys.readouterr().err

"""The history on the command line."""

import csv
import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest

from node.cli import history_commands
from node.cli.commands import CommandContext
from node.cli.history_commands import export_history, history, picture, seconds_of
from node.cli.terminal import Terminal
from node.errors import NodeError
from node.history.series import SERIES

BEGIN_S, HOUR_S = 1_790_000_000 // 3_600 * 3_600, 3_600
MBIT = 1_000_000


class HistoryAnswers:
    """A node whose line carries 20 Mbit/s, was full in each evening and unknown in each night."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.questions: list[dict[str, Any]] = []
        monkeypatch.setattr(history_commands, "answer_to", self._answer_to)

    def _answer_to(self, _context: CommandContext, question: dict[str, Any]) -> Mapping[str, Any]:
        self.questions.append(question)
        name = question.get("series")
        if name is None:
            return {
                "list": [{"name": each.name, "unit": each.unit, "title": str(each.title)} for each in SERIES]
            }
        rate = {"line_down": None, "line_rate_down": 20 * MBIT}.get(name, 5)
        points = [None if hour % 24 < 3 else [0, rate or hour % 24 * MBIT, 21 * MBIT] for hour in range(96)]
        unit = "bit_per_s" if name.startswith("line") else "count"
        title = "Use of the line, download" if name == "line_down" else name
        window = {
            "series": name,
            "title": title,
            "unit": unit,
            "begin_s": BEGIN_S,
            "step_s": HOUR_S,
            "points": points,
        }
        return {"ok": True, **window}

    def run(self, **asked: Any) -> str:
        written = StringIO()
        every = {"series": None, "last": None, "json": False, **asked}
        command = export_history if asked.get("what") else history
        assert 0 == command(CommandContext(every, Terminal(coloured=False), written))
        return written.getvalue()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> HistoryAnswers:
    monkeypatch.setenv("TZ", "UTC")
    return HistoryAnswers(monkeypatch)


def test_without_a_series_there_is_the_list(node: HistoryAnswers) -> None:
    assert ["devices", "count", "Devices", "online"] in [line.split() for line in node.run().splitlines()]
    assert [{"ask": "history"}] == node.questions


def test_a_series_is_bars_and_sentences(node: HistoryAnswers) -> None:
    said = node.run(series="line_down", last="4d")
    assert said.startswith("Use of the line, download\n")
    bars = next(line for line in said.splitlines() if "█" in line)
    assert bars.startswith(" ▁▂▃")  # the night is a gap and no zero
    assert 4 == bars.count("█")
    assert "The highest bar is 22.5 Mbit/s" in said  # the mean of the last two hours of a day
    assert "evening" in said
    assert [("line_down", 4 * 86_400), ("line_rate_down", 4 * 86_400)] == [
        (each["series"], each["seconds"]) for each in node.questions
    ]


def test_json_is_what_the_node_answers(node: HistoryAnswers) -> None:
    answer = json.loads(node.run(series="devices", json=True))
    assert (HOUR_S, [0, 5, 21 * MBIT]) == (answer["step_s"], answer["points"][5])
    assert None is answer["points"][0]
    assert 86_400 == node.questions[0]["seconds"]


def test_the_export_has_every_series_and_one_heading(node: HistoryAnswers) -> None:
    head, *rows = csv.reader(StringIO(node.run(what="history")))
    assert ["begin", "series", "unit", "least", "mean", "most"] == head
    assert [96] * len(SERIES) == [sum(row[1] == each.name for row in rows) for each in SERIES]
    assert ["", "", ""] == rows[0][3:]
    exported = json.loads(node.run(what="history", json=True))["series"]
    assert [each.name for each in SERIES] == [each["series"] for each in exported]
    assert {"series", "title", "unit", "begin_s", "step_s", "points"} == exported[0].keys()
    assert None is exported[0]["points"][0]
    assert 3 * 366 * 86_400 >= node.questions[-1]["seconds"] >= 3 * 365 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5_400), ("12h", 43_200), ("30d", 2_592_000), (" 2w ", 1_209_600)]
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert seconds == seconds_of(text)


@pytest.mark.parametrize("text", ["", "0d", "d", "-3d", "1.5h", "30 days", "٣d", "999999d", "3d; rm"])
def test_what_is_no_length_of_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(NodeError, match="no length of time") as refused:
        seconds_of(text)
    assert "30d" in refused.value.fix


def test_more_than_three_years_is_all_that_there_is() -> None:
    assert seconds_of("3y") == seconds_of("99999d")


def test_a_gap_is_a_space_and_a_zero_the_lowest_bar() -> None:
    assert "▁ ▄█" == picture([0, None, 50, 100], 100)
    assert "▁▁" == picture([0, -40], 0)

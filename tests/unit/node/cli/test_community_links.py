"""What links carried, as lines for a terminal."""

from io import StringIO
from typing import get_args

from node.accounting.link_days import Verdict
from node.cli.commands import CommandContext
from node.cli.community_links import VERDICTS, shown_links
from node.cli.terminal import Terminal
from node.units import NodeId
from tests.fakes.neighbours import id_of

HILL = id_of("hill")
ROW = {
    "node": HILL,
    "sent": 2 * 10**9,
    "received": 10**9,
    "said_down": 5 * 10**9,
    "said_up": 0,
    "verdict": "more",
    "day": "2026-11-24",
}


def lines(labels: dict[NodeId, str], *rows: dict[str, object]) -> str:
    context = CommandContext({}, Terminal(coloured=False), StringIO())
    return "\n".join(shown_links(context, {"links": list(rows)}, labels))


def test_without_links_there_is_nothing() -> None:
    assert "" == lines({})


def test_a_link_has_one_line_with_the_name_of_the_node_or_its_id() -> None:
    shown = lines({HILL: "Ermita"}, ROW)
    for words in ("Ermita", "2 GB to it, 1 GB from it", "5 GB down, 0 B up", "cannot be", "on 2026-11-24"):
        assert words in shown
    assert HILL[:4] in lines({}, ROW)


def test_each_verdict_has_words_and_one_of_a_later_version_is_shown_as_it_is() -> None:
    assert set(get_args(Verdict.__value__)) == set(VERDICTS)
    assert "odd" in lines({}, {**ROW, "verdict": "odd\x1b[2J"})
    assert "\x1b" not in lines({}, {**ROW, "verdict": "odd\x1b[2J"})

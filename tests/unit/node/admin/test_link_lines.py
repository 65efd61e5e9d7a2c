"""Links beside pages, as rows: the contradiction first, each with the sentence for what follows."""

import pytest

from node.accounting.link_days import LinkDay, LinkUse
from node.admin.link_lines import link_lines
from node.units import NodeId
from tests.fakes.admin_pages import a_link_use, among_quiet_days
from tests.fakes.neighbours import id_of

NAMES = {id_of(name): name for name in ("hills", "coast", "valley")}
USES = tuple(map(a_link_use, ("coast", "valley", "hills")))


def test_a_contradiction_comes_first_and_alone_is_marked() -> None:
    lines = list(link_lines(USES, NAMES))
    assert [("hills", True), ("valley", False), ("coast", False)] == [
        (line.name, line.is_odd) for line in lines
    ]
    assert "2 GB to it, 1 GB from it" == str(lines[0].carried)
    assert "5 GB down, 0 B up" == str(lines[0].said)
    assert "its accounts downloaded 5 GB on 2026-11-24, all of it over this link. At most 3.2 GB can" in str(
        lines[0].verdict
    )


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (LinkDay(sent=5, said_down=5, hindered=""), "This fits"),
        (LinkDay(hindered="gap"), "Three days in a row have to be over"),
        (LinkDay(hindered="line"), "nothing follows"),
        (LinkDay(sent=2**33, hindered=""), "Much more was sent to it"),
    ],
)
def test_each_verdict_has_its_sentence(day: LinkDay, words: str) -> None:
    node = NodeId("a")
    (line,) = link_lines([LinkUse(node, among_quiet_days(day))], {node: "hill"})
    assert words in str(line.verdict)
    assert not line.is_odd


def test_nodes_that_left_the_community_are_not_in_the_table() -> None:
    assert [] == list(link_lines(USES, {}))

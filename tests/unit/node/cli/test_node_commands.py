"""What the nodes were like in their last five minutes, as lines."""

from dataclasses import replace

from node.app.node_summaries import said_of
from node.cli.node_commands import summary_lines
from node.cli.terminal import Terminal
from node.export.node_graph import GraphNode
from node.units import NodeId
from tests.fakes.asked_nodes import a_summary

PLAIN = Terminal(coloured=False)
OWN = NodeId("o")
HILL = GraphNode(OWN, "hill", True)


def test_each_node_that_answered_has_a_line_and_the_others_are_counted() -> None:
    heard = a_summary(OWN), a_summary(NodeId("v"), devices=0, used=None)
    valley, coast = replace(HILL, node=NodeId("v"), name="valley\x1b[31m"), replace(HILL, node=NodeId("c"))
    said = [said_of(HILL, heard[0], OWN), said_of(valley, heard[1], OWN), said_of(coast, None, OWN)]
    lines = summary_lines(said, PLAIN)
    assert "40 % of 20 Mbit/s" in lines[3]
    assert "▁▁▁▂▃▆█▅▃▂" in lines[3]
    assert "<5" in lines[4]
    assert "of 5 Mbit/s" in lines[4]
    assert not any("\x1b" in line for line in lines)
    assert "1 more did not answer yet." == lines[-1]


def test_without_any_there_are_no_lines() -> None:
    assert [] == summary_lines([said_of(HILL, None, OWN)], PLAIN)

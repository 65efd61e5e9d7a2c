"""A summary as a row of the table: what is not known or not told is empty, and the bars are those of the hour."""

import pytest

from mesh.node_summary import NodeSummary, SummaryValues
from mesh.summary_exchange import HeardSummary
from node.admin.node_summaries import BAR_HEIGHT, PICTURE_WIDTH, HourBar, summary_line
from node.export.node_graph import GraphNode
from node.units import NodeId
from tests.fakes.asked_nodes import a_summary

NODE = GraphNode(NodeId("a"), "hill", True)


def heard(values: SummaryValues, *hour: int | None) -> HeardSummary:
    return HeardSummary(NodeSummary(NODE.node, values, hour), 0)


def test_a_node_that_has_not_answered_has_a_name_alone() -> None:
    line = summary_line(NODE, None, is_own=False)
    assert ("hill", "", "", ()) == (line.name, line.said, line.download, line.bars)


def test_nothing_is_said_of_what_is_not_known() -> None:
    line = summary_line(NODE, heard(SummaryValues()), is_own=True)
    texts = (
        line.download,
        line.upload,
        line.delay,
        line.loss,
        line.devices,
        line.accounts,
        line.disk,
        line.hour,
    )
    assert {""} == set(texts)


def test_of_fewer_than_five_devices_neither_accounts_nor_use_are_said() -> None:
    line = summary_line(NODE, a_summary(NODE.node, devices=0, used=None), is_own=False)
    assert ("fewer than 5 devices", "", "up to 20 Mbit/s") == (
        str(line.devices),
        line.accounts,
        str(line.download),
    )


@pytest.mark.parametrize("percent", [0, 1, 50, 100])
def test_a_bar_stands_on_the_ground_and_is_as_high_as_the_use(percent: int) -> None:
    (bar,) = summary_line(NODE, heard(SummaryValues(), *(None,) * 11, percent), is_own=False).bars
    assert BAR_HEIGHT == bar.y + bar.height
    assert bar == HourBar(bar.x, bar.y, max(1, percent * BAR_HEIGHT // 100))
    assert bar.x < PICTURE_WIDTH


def test_an_hour_that_stayed_the_same_is_one_number_in_words() -> None:
    lines = [
        summary_line(NODE, heard(SummaryValues(), *hour), is_own=False) for hour in ((None, 5, 5), (5, 20))
    ]
    assert ["in the last hour 5 % of its line", "in the last hour 5 to 20 % of its line"] == [
        str(each.hour) for each in lines
    ]

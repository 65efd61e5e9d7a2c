"""Three nodes in a line, as ``deploy/demo --nodes 3`` shows them: one community record, one account, and a removed node."""

import pytest

from tests.lab.line_story import LineStory
from tests.lab.node_line import node_line

pytestmark = pytest.mark.kernel


def test_nodes_in_a_line_share_an_account_and_part_with_one_of_them():
    told: list[str] = []
    with node_line(3, "scene") as line:
        figures = LineStory(line, told.append).run()
    assert [] == figures.unmet
    assert figures.document()["ok"]
    assert 7 == len(told)

"""The documents of a node: its own row of the graph, and no time while the clock is not known."""

import json
import zlib

from node.app.respondd_documents import respondd_answers
from node.export.respondd import short_id
from node.machine_figures import MachineFigures
from tests.fakes.node_graphs import HILL, a_node_graph
from tests.fakes.repository import FakeClock


def test_a_node_answers_for_itself() -> None:
    clock = FakeClock()
    answers = respondd_answers(a_node_graph, lambda: MachineFigures(7.0), clock)
    found = json.loads(zlib.decompress(answers.answer(b"GET nodeinfo statistics neighbours", 0), -15))
    assert {short_id(HILL)} == {each["node_id"] for each in found.values()}
    assert "Ermita" == found["nodeinfo"]["hostname"]
    assert int(clock.civil().timestamp()) == found["statistics"]["time"]


def test_a_clock_that_is_not_known_is_not_told() -> None:
    clock = FakeClock()
    clock.trust = "unknown"
    answers = respondd_answers(a_node_graph, lambda: MachineFigures(7.0), clock)
    assert "time" not in json.loads(answers.answer(b"statistics", 0))

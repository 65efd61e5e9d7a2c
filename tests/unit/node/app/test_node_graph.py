"""The graph as the running node answers it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mesh.node_kind import NodeFacts, NodeLink
from mesh.ports import PeerView
from node.app.node_graph import NodeGraphService
from node.app.node_summaries import NodeSummaries
from node.errors import NodeError
from tests.fakes.asked_nodes import AskedVillage, a_summary
from tests.fakes.neighbours import id_of
from tests.fakes.use_cases import parsed_settings

CONFIG = parsed_settings()
CONFIG = replace(CONFIG, node=replace(CONFIG.node, name="Ermita"))
HILL, VALLEY, COAST = map(id_of, ("hill", "valley", "coast"))


def graph() -> NodeGraphService:
    return NodeGraphService(
        CONFIG,
        HILL,
        members=lambda: {HILL, VALLEY, COAST},
        peers=lambda: (
            PeerView(VALLEY, "Vall", "trusted", (), 0),
            PeerView(COAST, "Costa", "silent", (), 70),
            PeerView(id_of("stranger"), "", "stranger", (), None),
        ),
        pages=lambda: {VALLEY: NodeFacts("Vall", links=(NodeLink(HILL, 5, 0),))},
        civil=lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_only_connected_neighbours_are_links_and_names_come_from_all() -> None:
    found = graph().now()
    assert {"Ermita": True, "Vall": True, "Costa": False} == {
        each.name: each.is_online for each in found.nodes
    }
    assert [5] == [each.round_trip_ms for each in found.links]


def test_a_document_is_answered_and_another_format_is_refused() -> None:
    assert "NetworkGraph" in graph().export({"format": "netjson"})["document"]
    for wrong in (None, "", "gpx", 7, ["netjson"]):
        with pytest.raises(NodeError, match="no such format"):
            graph().export({"format": wrong})


async def test_the_answer_for_the_console_has_every_node_and_what_it_was_like() -> None:
    asked = AskedVillage()
    asked.answers = {HILL: a_summary(HILL)}
    service = graph()
    service.summaries = NodeSummaries(asked)
    asked.heard = {VALLEY: a_summary(VALLEY, age_s=7)}
    asked.asked.append(VALLEY)
    asked.answers |= asked.heard
    nodes = {each["node"]: each for each in (await service.network({}))["nodes"]}
    assert {HILL, VALLEY, COAST} == nodes.keys()
    assert (True, 40, 25) == (nodes[HILL]["own"], nodes[HILL]["age_s"], nodes[HILL]["devices"])
    assert "age_s" not in nodes[COAST]
    assert COAST not in asked.asked
    assert [40, 7] == [nodes[each]["age_s"] for each in (HILL, VALLEY)]

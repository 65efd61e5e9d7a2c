"""The programs themselves: netdiff reads our NetJSON, and with libcnml our CNML, and finds each node and link."""

from pathlib import Path
from typing import Any

import libcnml
import netdiff
import pytest

from node.export.formats import FORMATS
from node.export.node_graph import NodeGraph
from tests.fakes.document_type import DocumentType
from tests.fakes.node_graphs import COAST, HILL, VALLEY, a_node_graph
from tests.unit.node.export.test_cnml import two_with
from tests.unit.node.export.test_cnml_reader import read

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
"""libcnml calls it, and takes the warning for a fault of the file."""


def netjson_of(parser: Any) -> tuple[set[str], set[frozenset[str]]]:
    found = parser.json(dict=True)
    links = {frozenset({each["source"], each["target"]}) for each in found["links"]}
    return {each["id"] for each in found["nodes"]}, links


def test_netdiff_finds_each_node_and_link_in_our_netjson() -> None:
    nodes, links = netjson_of(netdiff.NetJsonParser(FORMATS["netjson"].write(a_node_graph())))
    assert {HILL, VALLEY, COAST} == nodes
    assert {frozenset({HILL, VALLEY})} == links


def test_netdiff_finds_each_link_in_our_cnml(tmp_path: Path) -> None:
    """It takes the addresses of the links' ends for its nodes."""
    zone = tmp_path / "zone.cnml"
    zone.write_text(FORMATS["cnml"].write(two_with(("10.0.0.1",), ("10.0.0.2", "10.0.0.3"))))
    nodes, links = netjson_of(netdiff.CnmlParser(str(zone)))
    assert {"10.0.0.1", "10.0.0.2"} == nodes
    assert {frozenset({"10.0.0.1", "10.0.0.2"})} == links


def test_libcnml_finds_each_node_in_our_cnml(tmp_path: Path) -> None:
    zone = tmp_path / "zone.cnml"
    zone.write_text(FORMATS["cnml"].write(a_node_graph()))
    parsed = libcnml.CNMLParser(str(zone))
    assert {"Ermita", 'Família "Puig"', "Far"} == set(parsed.get_titles())
    assert ["Vall Alta"] == parsed.get_zones_names()
    working = {each.title for each in parsed.get_nodes() if each.status == libcnml.libcnml.Status.WORKING}
    assert {"Ermita", 'Família "Puig"'} == working
    assert 3 == len(read(zone.read_text()).nodes)


@pytest.mark.parametrize(
    "graph", [a_node_graph(), two_with(("10.0.0.1",), ("10.0.0.2", "10.0.0.3")), two_with((), ("fd00::1",))]
)
def test_our_cnml_is_valid_by_the_document_type_that_libcnml_publishes(graph: NodeGraph) -> None:
    definition = Path(libcnml.__file__).with_name("cnml.dtd").read_text()
    document_type = DocumentType("cnml", definition)
    text = FORMATS["cnml"].write(graph)
    assert [] == document_type.faults(text)
    for fault in (
        text.replace(" mainipv4=", " mainipv6="),
        text.replace("device ", "radio ").replace("/device", "/radio"),
    ):
        assert document_type.faults(fault)

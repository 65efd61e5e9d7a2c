"""All formats: nothing that identifies a device, a person or a place."""

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from node.cli.backups import NETWORK_FORMATS
from node.export.formats import FORMATS
from node.export.node_graph import node_graph_of
from tests.fakes.node_graphs import HARDWARE, HILL, a_node_graph


@pytest.mark.parametrize("name", FORMATS)
def test_no_hardware_address_contact_or_place_leaves(name: str) -> None:
    text = FORMATS[name].write(a_node_graph()).lower()
    assert HARDWARE not in text
    assert not re.search(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text)
    assert not re.search(r'\bmac="', text)
    assert set(re.findall(r'\b(?:lat|lon)="([^"]*)"', text)) <= {"0.0"}
    assert not re.search(r'"(mac|owner|contact|location|position|latitude|longitude|lat|long)"', text)


@pytest.mark.parametrize("name", FORMATS)
def test_a_node_that_stands_alone_is_a_graph(name: str) -> None:
    alone = node_graph_of(
        community="",
        own=HILL,
        names={HILL: "hill"},
        pages={},
        members=(),
        connected=(),
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    text = FORMATS[name].write(alone)
    nodes = (
        json.loads(text)["nodes"]
        if FORMATS[name].suffix == "json"
        else list(ElementTree.fromstring(text).iter("node"))
    )
    assert 1 == len(nodes)


def test_the_command_line_knows_all_formats() -> None:
    assert NETWORK_FORMATS == tuple(FORMATS)

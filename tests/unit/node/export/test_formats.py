"""The formats of other programs: what their readers need, and nothing that identifies a device, a person or a place."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from mesh.announcement import Address
from mesh.node_kind import NodeFacts, NodeLink
from node.cli.backups import NETWORK_FORMATS
from node.export.formats import FORMATS
from node.export.times import yanic_time
from node.export.topology import Topology, topology_of
from tests.fakes.neighbours import id_of

HILL, VALLEY, COAST = sorted(map(id_of, ("hill", "valley", "coast")))
HARDWARE = "fd00::5054:ff:fe12:3456"


@pytest.fixture
def topology() -> Topology:
    pages = {
        HILL: NodeFacts(
            "Ermita", "1.2.0", (), ("main", "down"), 50, (NodeLink(VALLEY, 20, 2),), 1_795_600_000
        ),
        VALLEY: NodeFacts(
            'Família "Puig"',
            "1.1.0",
            (Address("10.0.0.1", 7400), Address(HARDWARE, 7400)),
            ("main", "up"),
            None,
            (NodeLink(HILL, 50, None),),
        ),
        COAST: NodeFacts("Far", made_s=1_795_000_000),
    }
    return topology_of(
        community="Vall Alta",
        own=HILL,
        names={},
        pages=pages,
        members=pages,
        connected={VALLEY},
        at=datetime(2026, 11, 24, 18, 3, tzinfo=UTC),
    )


def written(name: str, topology: Topology) -> dict[str, Any]:
    found = json.loads(json.dumps(FORMATS[name](topology), allow_nan=False))
    assert isinstance(found, dict)
    return found


def test_netjson_is_a_network_graph_of_the_published_schema(topology: Topology) -> None:
    """netjson/netjson, schema/network-graph.json; netdiff gives the properties to functions beside names of its own."""
    found = written("netjson", topology)
    assert "NetworkGraph" == found["type"]
    texts = ("protocol", "version", "metric", "router_id", "label")
    assert all(isinstance(found[each], str) for each in texts)
    assert [HILL, VALLEY, COAST] == [each["id"] for each in found["nodes"]]
    for node in found["nodes"]:
        assert isinstance(node["label"], str)
        assert len(set(node["local_addresses"])) == len(node["local_addresses"])
        assert not {"label", "local_addresses"} & node["properties"].keys()
    (link,) = found["links"]
    assert {"source": HILL, "target": VALLEY, "cost": 50.0, "cost_text": "50 ms"} == {
        key: value for key, value in link.items() if key != "properties"
    }
    assert {"source_loss_percent": 2} == link["properties"]
    assert not {"weight", "cost_text", "source", "target"} & link["properties"].keys()


def test_meshviewer_has_what_the_viewer_reads_of_nodes_and_links(topology: Topology) -> None:
    """freifunk/meshviewer, lib/utils/node.ts: it calls methods of these numbers, lists and objects."""
    found = written("meshviewer", topology)
    for node in found["nodes"]:
        assert isinstance(node["addresses"], list)
        assert {float, int, bool} >= {type(node[key]) for key in ("loadavg", "nproc", "clients")}
        assert {"enabled": False, "branch": ""} == node["autoupdater"]
        assert {"base", "release"} == node["firmware"].keys()
    by_name = {each["hostname"]: each for each in found["nodes"]}
    assert {"Ermita": True, 'Família "Puig"': True, "Far": False} == {
        name: each["is_online"] for name, each in by_name.items()
    }
    assert ([False, True, False], [0.5, 0.0, 0.0]) == (
        [each["is_gateway"] for each in found["nodes"]],
        [each["loadavg"] for each in found["nodes"]],
    )
    assert "2026-11-24T18:03:00+0000" == found["timestamp"] == by_name["Ermita"]["lastseen"]
    assert yanic_time(datetime.fromtimestamp(1_795_000_000, UTC)) == by_name["Far"]["lastseen"]
    (link,) = found["links"]
    assert (HILL, VALLEY, 0.98, 1.0) == tuple(
        link[key] for key in ("source", "target", "source_tq", "target_tq")
    )
    assert {"source_addr", "target_addr"}.isdisjoint(link)


def test_nodelist_is_version_1_0_1_with_a_state_and_a_time_for_each_node(topology: Topology) -> None:
    found = written("nodelist", topology)
    assert ("1.0.1", "2026-11-24T18:03:00+0000") == (found["version"], found["updated_at"])
    for node in found["nodes"]:
        assert {"id", "name", "status"} == node.keys()
        assert {"online", "lastcontact", "clients"} == node["status"].keys()
        datetime.strptime(node["status"]["lastcontact"], "%Y-%m-%dT%H:%M:%S%z")
    assert [True, True, False] == [each["status"]["online"] for each in found["nodes"]]


@pytest.mark.parametrize("name", FORMATS)
def test_no_hardware_address_contact_or_place_leaves(name: str, topology: Topology) -> None:
    text = json.dumps(written(name, topology)).lower()
    assert HARDWARE not in text
    assert not re.search(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text)
    assert not re.search(r'"(mac|owner|contact|location|position|latitude|longitude|lat|long)"', text)


@pytest.mark.parametrize("name", FORMATS)
def test_a_node_that_stands_alone_is_a_graph(name: str) -> None:
    alone = topology_of(
        community="",
        own=HILL,
        names={HILL: "hill"},
        pages={},
        members=(),
        connected=(),
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert 1 == len(written(name, alone)["nodes"])


def test_the_command_line_knows_all_formats() -> None:
    assert NETWORK_FORMATS == tuple(FORMATS)

"""NetJSON NetworkGraph: what netdiff and OpenWISP read."""

from dataclasses import replace

from node.export.node_graph import GraphGateway
from tests.fakes.node_graphs import COAST, HILL, VALLEY, a_node_graph, written


def test_netjson_is_a_network_graph_of_the_published_schema() -> None:
    """netjson/netjson, schema/network-graph.json; netdiff gives the properties to functions beside names of its own."""
    found = written("netjson")
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


def test_gateways_are_nodes_behind_this_one_without_an_address() -> None:
    gateways = (
        GraphGateway("0a1b2c3d", "the bakery", is_silent=False, people=3),
        GraphGateway("1a1b2c3d", "the school", is_silent=True, people=None),
    )
    graph = replace(a_node_graph(), gateways=gateways)
    found = written("netjson", graph)
    bakery, school = found["nodes"][-2:]
    assert ("gateway-0a1b2c3d", "the bakery", []) == (
        bakery["id"],
        bakery["label"],
        bakery["local_addresses"],
    )
    assert {"online": True, "gateway": True, "people": 3} == bakery["properties"]
    assert {"online": False, "gateway": True} == school["properties"]
    assert [(graph.own, "gateway-0a1b2c3d"), (graph.own, "gateway-1a1b2c3d")] == [
        (each["source"], each["target"]) for each in found["links"][-2:]
    ]

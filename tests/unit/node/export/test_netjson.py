"""NetJSON NetworkGraph: what netdiff and OpenWISP read."""

from tests.fakes.node_graphs import COAST, HILL, VALLEY, written


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

"""meshviewer.json: what the viewer reads."""

from datetime import UTC, datetime

from node.export.times import yanic_time
from tests.fakes.node_graphs import HILL, VALLEY, written

OF_NODE = {
    "node_id": str, "hostname": str, "domain": str, "firstseen": str, "lastseen": str, "is_online": bool, "location": dict,
    "firmware": dict, "uptime": str, "nproc": int, "loadavg": float, "memory_usage": float, "model": str, "clients": int,
    "clients_wifi24": int, "clients_wifi5": int, "clients_other": int, "is_gateway": bool, "addresses": list,
    "gateway_nexthop": str, "gateway": str, "gateway6": str, "autoupdater": dict,
}  # fmt: skip
"""Of each node in the viewer's own dev-fixtures/meshviewer.json."""
OF_LINK = {
    "type": str, "source": str, "target": str, "source_addr": str, "target_addr": str, "source_tq": float,
    "target_tq": float,
}  # fmt: skip
NOT_SAID = {"location", "uptime", "memory_usage", "model", "gateway_nexthop", "gateway", "gateway6"}
"""What no node of ours tells others, and the viewer shows where it is."""
HARDWARE_ADDRESSES = {"source_addr", "target_addr"}


def test_meshviewer_has_the_fields_of_the_viewers_own_fixture_and_no_other() -> None:
    found = written("meshviewer")
    assert {"timestamp", "nodes", "links"} == found.keys()
    for node in found["nodes"]:
        assert OF_NODE.keys() - NOT_SAID == node.keys()
        assert all(type(node[name]) is OF_NODE[name] for name in node)
    for link in found["links"]:
        assert OF_LINK.keys() - HARDWARE_ADDRESSES == link.keys()
        assert all(type(link[name]) is OF_LINK[name] for name in link)
    ids = {node["node_id"] for node in found["nodes"]}
    assert all({link["source"], link["target"]} <= ids for link in found["links"])


def test_meshviewer_has_what_the_viewer_reads_of_nodes_and_links() -> None:
    """freifunk/meshviewer, lib/utils/node.ts: it calls methods of these numbers, lists and objects."""
    found = written("meshviewer")
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

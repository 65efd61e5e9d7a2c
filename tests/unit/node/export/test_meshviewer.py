"""meshviewer.json: what the viewer reads."""

from datetime import UTC, datetime

from node.export.times import yanic_time
from tests.fakes.node_graphs import HILL, VALLEY, written


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

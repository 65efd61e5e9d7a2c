"""The three documents of respondd: the keys and types that yanic decodes, and nothing that a community did not agree to."""

import json
import re
from dataclasses import replace
from typing import Any

from node.export.respondd import neighbours, nodeinfo, short_id, statistics
from node.machine_figures import MachineFigures
from tests.fakes.node_graphs import AT, COAST, HARDWARE, HILL, VALLEY, a_node_graph

FIGURES = MachineFigures(138_355.13, 0.48, 4, (("total", 126_200), ("free", 86_452)), 0.04178994)
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
TYPES: dict[str, dict[str, Any]] = {
    "nodeinfo": {
        "node_id": str,
        "hostname": str,
        "hardware": {"nproc": int},
        "network": {"mac": str, "addresses": list, "mesh": {"procomu": {"interfaces": {"other": list}}}},
        "software": {
            "firmware": {"base": str, "release": str},
            "autoupdater": {"enabled": bool, "branch": str},
        },
        "system": {"site_code": str},
    },
    "statistics": {
        "node_id": str,
        "uptime": float,
        "time": int,
        "loadavg": float,
        "memory": {"total": int, "free": int},
        "rootfs_usage": float,
    },
}
"""As the structures of yanic decode them (data/nodeinfo.go and data/statistics.go)."""


def read(document: Any) -> dict[str, Any]:
    found = json.loads(json.dumps(document))
    assert isinstance(found, dict)
    return found


def types_of(value: Any) -> Any:
    return {key: types_of(each) for key, each in value.items()} if isinstance(value, dict) else type(value)


def test_documents_have_the_keys_and_types_that_collectors_decode() -> None:
    graph = a_node_graph()
    assert TYPES["nodeinfo"] == types_of(read(nodeinfo(graph, FIGURES)))
    assert TYPES["statistics"] == types_of(read(statistics(graph, FIGURES, AT)))


def test_what_is_not_known_is_left_out() -> None:
    assert {"node_id", "uptime"} == statistics(a_node_graph(), MachineFigures(1.0), None).keys()


def test_an_id_looks_like_an_address_of_no_hardware_and_is_the_same_everywhere() -> None:
    ids = {short_id(node) for node in (HILL, VALLEY, COAST)}
    assert 3 == len(ids)
    for each in ids:
        assert re.fullmatch("[0-9a-f]{12}", each)
        assert 0x02 == int(each[:2], 16) & 0x03, "administered locally, of one host"
    assert short_id(HILL) == short_id(HILL)


def test_a_collector_finds_both_ends_of_a_link() -> None:
    """As yanic does: the address of a neighbour is one that the neighbour's nodeinfo names."""
    here = read(neighbours(a_node_graph()))
    there = read(nodeinfo(replace(a_node_graph(), own=VALLEY), FIGURES))
    assert read(nodeinfo(a_node_graph(), FIGURES))["node_id"] == here["node_id"]
    ((own, said),) = here["batadv"].items()
    assert own == read(nodeinfo(a_node_graph(), FIGURES))["network"]["mac"]
    ((other, link),) = said["neighbours"].items()
    assert other in there["network"]["mesh"]["procomu"]["interfaces"]["other"]
    assert MAC.fullmatch(other)
    assert 249 == link["tq"], "2 % of what is sent are lost"


def test_a_node_without_links_says_so() -> None:
    alone = replace(a_node_graph(), links=())
    assert {} == neighbours(alone)["batadv"]


def test_no_hardware_address_no_contact_and_no_place_leaves() -> None:
    graph = replace(a_node_graph(), own=VALLEY)
    told = read(nodeinfo(graph, FIGURES))
    assert ["10.0.0.1"] == told["network"]["addresses"]
    whole = json.dumps([told, read(statistics(graph, FIGURES, AT)), read(neighbours(graph))])
    assert HARDWARE not in whole
    for key in ("owner", "contact", "location", "latitude", "clients", "model"):
        assert f'"{key}"' not in whole

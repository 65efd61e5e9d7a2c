"""nodelist.json 1.0.1: what maps collect."""

from datetime import datetime

from tests.fakes.node_graphs import written


def test_nodelist_is_version_1_0_1_with_a_state_and_a_time_for_each_node() -> None:
    found = written("nodelist")
    assert ("1.0.1", "2026-11-24T18:03:00+0000") == (found["version"], found["updated_at"])
    for node in found["nodes"]:
        assert {"id", "name", "status"} == node.keys()
        assert {"online", "lastcontact", "clients"} == node["status"].keys()
        datetime.strptime(node["status"]["lastcontact"], "%Y-%m-%dT%H:%M:%S%z")
    assert [True, True, False] == [each["status"]["online"] for each in found["nodes"]]

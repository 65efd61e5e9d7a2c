"""What libnftables prints, to readings and observed state; captured from version 1.1.3."""

import json

from node.enforcement import counters
from node.units import MacAddress, Monotonic, Usage

MAC = "02:00:00:00:00:0a"


def listing(layout: int = 1) -> str:
    counted = {"packets": 3, "bytes": 4500}
    return json.dumps(
        {
            "nftables": [
                {"metainfo": {"version": "1.1.3", "json_schema_version": 1}},
                {"table": {"family": "inet", "name": "procomu", "handle": 2}},
                {"map": {"name": "facts", "elem": [[1, layout], [2, 77], [3, 0], [4, 1]]}},
                {"map": {"name": "members", "elem": [[{"elem": {"val": MAC, "timeout": 60, "expires": 41}}, 1]]}},
                {"set": {"name": "seats"}},
                {"map": {"name": "up", "elem": [[{"elem": {"val": 1, "counter": counted}}, "1:1f"],
                                                [{"elem": {"val": 2, "counter": counted}}, "none"]]}},
                {"map": {"name": "down", "elem": [[{"elem": {"val": 1, "counter": counted}}, "1:1f"]]}},
            ]
        }
    )  # fmt: skip


def test_a_whole_table_is_seen_as_it_stands() -> None:
    state = counters.observed(listing(), Monotonic(1_000))
    assert state.stands
    assert (False, True) == state.forwarding_before
    assert {1: 0x1F, 2: 0} == state.marks
    assert 42_000 == state.admitted[MacAddress(MAC)].ends
    assert "77" == state.reading.counters_id
    assert Usage(4500, 4500) == state.reading.counted[1]
    assert Usage(0, 4500) == state.reading.counted[2]


def test_a_table_of_another_layout_is_none_but_its_facts_count() -> None:
    state = counters.observed(listing(layout=99), Monotonic(0))
    assert not state.stands
    assert (False, True) == state.forwarding_before


def test_counters_are_found_in_the_text_as_it_is_printed() -> None:
    element = '[{"elem": {"val": %d, "counter": {"packets": 1, "bytes": %d}}}, "1:11"]'
    text = f"[{element % (7, 52)}, {element % (8, 0)}]"
    assert {7: 52, 8: 0} == counters.counted(text)

"""Parsing of libnftables' output into readings and applied state; captured from version 1.1.3."""

import json

from node.enforcement import table_listing
from node.enforcement.nft import LAYOUT
from node.enforcement.table_listing import KernelState
from node.units import MacAddress, Monotonic, Usage

MAC = "02:00:00:00:00:0a"


def listing(layout: int = LAYOUT) -> str:
    table_listing = [
        {
            "counter": {
                "family": "inet",
                "name": name,
                "table": "procomu",
                "handle": 9,
                "packets": 3,
                "bytes": 4500,
            }
        }
        for name in ("u1", "d1", "u2")
    ]
    return json.dumps(
        {
            "nftables": [
                {"metainfo": {"version": "1.1.3", "json_schema_version": 1}},
                {"table": {"family": "inet", "name": "procomu", "handle": 2}},
                *table_listing,
                {"map": {"name": "facts", "elem": [[1, layout], [2, 77], [3, 0], [4, 1]]}},
                {
                    "map": {
                        "name": "members",
                        "elem": [
                            [{"elem": {"val": MAC, "timeout": 60, "expires": 41}}, 1],
                            ["02:00:00:00:00:02", 2],
                        ],
                    }
                },
                {"map": {"name": "up", "elem": [[{"concat": [2199023255562, 1]}, "u1"]]}},
                {
                    "map": {
                        "name": "down",
                        "elem": [[{"elem": {"val": 1, "timeout": 60, "expires": 41}}, "d1"]],
                    }
                },
                {"map": {"name": "classes", "elem": [[1, "1:1f"], [2, "none"]]}},
                {"set": {"name": "guests", "elem": [{"elem": {"val": MAC, "timeout": 60, "expires": 41}}]}},
            ]
        }
    )


def test_a_whole_table_is_read_as_it_stands() -> None:
    state = table_listing.observed([listing()], Monotonic(1_000))
    assert state.stands
    assert (False, True) == state.forwarding_before
    assert {1: 0x1F, 2: 0} == state.marks
    assert 42_000 == state.admitted[MacAddress(MAC)].ends
    assert state.admitted[MacAddress(MAC)].is_guest
    assert [MacAddress(MAC)] == list(state.admitted), "who lacks one of the three elements does not pass"
    assert "77" == state.reading.counters_id
    assert Usage(4500, 4500) == state.reading.counted[1]
    assert Usage(0, 4500) == state.reading.counted[2]


def test_a_table_of_another_layout_gives_only_its_facts_and_its_counters() -> None:
    state = table_listing.observed([listing(layout=99)], Monotonic(0))
    assert not state.stands
    assert (False, True) == state.forwarding_before
    assert "77" == state.reading.counters_id
    assert Usage(4500, 4500) == state.reading.counted[1]
    assert not state.admitted


def test_counters_are_found_in_the_text_as_printed() -> None:
    found = table_listing.reading("77", listing())
    assert {1: Usage(4500, 4500), 2: Usage(0, 4500)} == dict(found.counted)


def standing(
    *, up: list[object], down: list[object], members: list[object], classes: list[object]
) -> KernelState:
    maps = {"facts": [[1, LAYOUT], [2, 77]], "up": up, "down": down, "members": members, "classes": classes}
    names = [
        {
            "counter": {
                "family": "inet",
                "name": name,
                "table": "procomu",
                "handle": 9,
                "packets": 1,
                "bytes": 7,
            }
        }
        for name in ("u1", "d1", "u2", "d3")
    ]
    listed = [*names, *({"map": {"name": name, "elem": elem}} for name, elem in maps.items())]
    return table_listing.observed(
        [json.dumps({"nftables": [*listed, {"set": {"name": "guests"}}]})], Monotonic(1_000)
    )


UP, DOWN = [{"concat": [2199023255562, 1]}, "u1"], [1, "d1"]


def test_a_device_that_passes_in_one_direction_only_is_not_taken_for_admitted() -> None:
    whole = standing(up=[UP], down=[DOWN], members=[[MAC, 1]], classes=[])
    assert [MacAddress(MAC)] == list(whole.admitted)
    assert {} == standing(up=[UP], down=[], members=[[MAC, 1]], classes=[]).admitted
    assert {} == standing(up=[], down=[DOWN], members=[[MAC, 1]], classes=[]).admitted


def test_a_lease_without_an_end_has_none_in_any_printed_form() -> None:
    plain = standing(up=[UP], down=[DOWN], members=[[{"elem": {"val": MAC, "comment": "x"}}, 1]], classes=[])
    assert [None] == [admission.ends for admission in plain.admitted.values()]


def test_a_mark_without_a_class_or_without_a_counter_has_no_class_and_no_bytes() -> None:
    state = standing(up=[UP], down=[DOWN], members=[[MAC, 1]], classes=[[1, "1:2"]])
    assert {1: 2, 2: 0, 3: 0} == state.marks
    assert (Usage(0, 7), Usage(7, 0)) == (state.reading.counted[2], state.reading.counted[3])


def test_without_a_table_there_is_no_applied_state_and_forwarding_was_not_ours() -> None:
    assert not table_listing.NOTHING_STANDS.stands
    assert (False, False) == table_listing.NOTHING_STANDS.forwarding_before

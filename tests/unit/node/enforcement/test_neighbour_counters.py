"""The text that counts by hardware address, and what is read of the kernel's list."""

import json
import re

from node.accounting.link_days import NOT_COUNTED, Carried
from node.enforcement.neighbour_counters import ETHERNET_HEADER_BYTES, TABLE, chains, counted, remove, sets

MAC = "02:00:00:00:00:01"


def listed(**of_sets: list[object]) -> str:
    found = [{"set": {"name": name, "elem": elements}} for name, elements in of_sets.items()]
    return json.dumps({"nftables": [{"metainfo": {}}, *found, {"set": {"name": "empty"}}]})


def element(mac: str, packets: int, octets: int) -> dict[str, object]:
    return {"elem": {"val": mac, "expires": 5, "counter": {"packets": packets, "bytes": octets}}}


def test_each_interface_is_counted_in_both_directions_once() -> None:
    text = chains((), ("mesh0", "br-mesh.7"))
    for name in ("mesh0", "br-mesh.7"):
        for hook in ("ingress", "egress"):
            assert 1 == text.count(f'type filter hook {hook} device "{name}"')
    assert 2 == text.count("update @sent") == text.count("update @received")
    words = {line.split()[4] for line in text.splitlines()}
    assert all(re.fullmatch(r"(in|out)_[0-9a-f]+", word) for word in words)
    assert 4 == len(words)


def test_chains_of_interfaces_that_are_gone_are_deleted() -> None:
    text = chains(["mesh0"], ["mesh1"])
    gone = f"in_{b'mesh0'.hex()}"
    assert f"delete chain {TABLE} {gone}\n" in text
    assert f"{gone} {{" not in text
    assert "" == chains((), ())


def test_sets_are_limited_and_their_table_can_be_removed() -> None:
    assert 2 == sets(5).count("size 4096")
    assert "id { 5 }" in sets(5)
    assert f"add table {TABLE}\ndelete table {TABLE}\n" == remove()


def test_headers_of_ethernet_are_taken_off_on_the_way_out_only() -> None:
    text = listed(
        sent=[element(MAC, 3, 1_042)],
        received=[element(MAC, 2, 500), element("02:00:00:00:00:02", 1, 9)],
        id=[77],
    )
    reading = counted(text, {})
    assert "77" == reading.counters_id
    assert {
        MAC: Carried(1_042 - 3 * ETHERNET_HEADER_BYTES, 500),
        "02:00:00:00:00:02": Carried(0, 9),
    } == reading.counted


def test_a_list_without_the_table_counts_nothing() -> None:
    assert NOT_COUNTED == counted(listed(), {})


def test_counters_of_an_interface_that_was_made_again_are_others() -> None:
    chain = {"chain": {"name": "in_6d", "dev": "mesh0"}}
    text = json.dumps({"nftables": [{"set": {"name": "id", "elem": [77]}}, chain]})
    without = json.dumps({"nftables": [{"set": {"name": "id", "elem": [77]}}]})
    found = [
        counted(text, {"mesh0": 4}),
        counted(text, {"mesh0": 5}),
        counted(text, {}),
        counted(without, {"mesh0": 4}),
    ]
    assert 4 == len({each.counters_id for each in found})
    assert found[0] == counted(text, {"lan0": 9, "mesh0": 4})

"""Flow offload as nft text: what it adds to a transition, and how its own counters and devices are read."""

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from node.enforcement import flow_offload, nft, table_listing
from node.enforcement.flow_offload import FROM_NOBODY, FROM_UPLINK, MARKED, MARKED_BITS
from node.enforcement.flows import ANSWER_AWAITED, STRANGER_FIRST, STRANGER_NUMBERS
from node.enforcement.plan import Admission, FirewallConfig, TrafficPlan
from node.units import MacAddress, Monotonic, Usage

FIREWALL = FirewallConfig("lan0", "wan0", 2080, services=((ip_address("10.77.0.5"), 8080),))
ANA = Admission(MacAddress("02:00:00:00:00:0a"), 1, 0x11, Monotonic(60_000))
NOW = Monotonic(10_000)
WITH = nft.ChainLayout(FIREWALL, shaped=True, links=(2, 3), offload="flowtable")
WITHOUT = replace(WITH, offload=None)
EMPTY = replace(nft.EMPTY, offloads=True)
FLOWTABLE = f"flowtable {nft.TABLE} {flow_offload.FLOWTABLE}"


def plan(*admissions: Admission) -> TrafficPlan:
    return TrafficPlan(FIREWALL, {a.mac: a for a in admissions})


def standing(wanted: TrafficPlan, layout: nft.ChainLayout = WITH) -> nft.AppliedState:
    has_flowtable = layout.offload == "flowtable"
    return nft.AppliedState(layout, wanted.admitted, nft.marks_of(wanted), True, has_flowtable)


def test_a_device_gets_its_elements_in_both_tables() -> None:
    text = nft.transition(standing(plan()), plan(ANA), WITH, NOW)
    assert [line for line in text.splitlines() if "netdev" in line] == [
        "add counter netdev procomu u1",
        "add counter netdev procomu d1",
        "add element netdev procomu members { 02:00:00:00:00:0a timeout 50000ms : 0x40000001 }",
        'add element netdev procomu up { 0x40000001 timeout 50000ms : "u1" }',
        'add element netdev procomu down { 02:00:00:00:00:0a timeout 50000ms : "d1" }',
        "add element netdev procomu classes_up { 0x40000001 : 1:11 }",
        "add element netdev procomu classes_down { 02:00:00:00:00:0a : 1:11 }",
    ]
    gone = nft.transition(standing(plan(ANA)), plan(), WITH, NOW)
    for name in ("members", "up", "down", "classes_up", "classes_down"):
        assert f"delete element netdev procomu {name} {{" in gone
    assert "delete counter netdev procomu d1" in nft.forget([1], offloads=True)


def test_a_plan_without_it_never_names_its_table() -> None:
    text = nft.create(1, (False, False)) + nft.transition(nft.EMPTY, plan(ANA), WITHOUT, NOW)
    text += nft.transition(
        replace(standing(plan(ANA)), offloads=False, has_flowtable=False), plan(), WITHOUT, NOW
    )
    assert "netdev" not in text
    assert "flow add" not in text
    assert "meta mark set" not in text


def test_the_flowtable_is_replaced_with_the_rules_and_leaves_with_them() -> None:
    first = nft.transition(EMPTY, plan(ANA), WITH, NOW)
    assert f"delete {FLOWTABLE}" not in first
    assert f'add {FLOWTABLE} {{ hook ingress priority filter; devices = {{ "lan0", "wan0" }}; }}' in first
    again = nft.transition(standing(plan(ANA)), plan(ANA), replace(WITH, links=(2, 4)), NOW)
    assert again.index(f"delete {FLOWTABLE}") < again.index(f"add {FLOWTABLE}") < again.index("flow add")
    without = nft.transition(standing(plan(ANA)), plan(ANA), WITHOUT, NOW)
    assert f"delete {FLOWTABLE}" in without
    assert "flow add" not in without
    assert all(f"delete chain netdev procomu {name}\n" in without for name in flow_offload.CHAINS)
    assert not any(f"add chain netdev procomu {name} {{" in without for name in flow_offload.CHAINS)


def test_flows_are_handed_over_only_between_the_interfaces_that_count_them() -> None:
    handing = [line for line in nft.rules(WITH).splitlines() if "flow add" in line]
    assert [line.partition("counted ")[2].partition(" ct state")[0] for line in handing] == [
        "iif 2 oif 3",
        "iif 3 oif 2",
    ]
    assert all("ct state established" in line for line in handing)


def test_what_the_rules_see_they_unmark_first() -> None:
    forward = [
        line for line in nft.rules(WITH).splitlines() if line.startswith(f"add rule {nft.TABLE} forward")
    ]
    assert forward[0].endswith("meta mark & 0xc0000000 == 0x40000000 meta mark set 0")
    for line in forward:
        assert "map @up" not in line or line.endswith("goto counted")


def test_marks_of_packets_are_apart_from_each_other() -> None:
    assert MARKED & ~MARKED_BITS == 0
    assert STRANGER_FIRST - 1 == STRANGER_NUMBERS == ~MARKED_BITS & 0xFFFFFFFF
    assert len({FROM_NOBODY, FROM_UPLINK, MARKED | 1, ANSWER_AWAITED}) == 4


def test_classes_are_chosen_only_while_shaped() -> None:
    assert "@classes" not in flow_offload.chains(FIREWALL, shaped=False)
    shaped = flow_offload.chains(FIREWALL, shaped=True)
    assert "meta priority set meta mark map @classes_up accept" in shaped
    assert "meta priority set ether daddr map @classes_down accept" in shaped


MEMBER, FACTS = "02:00:00:00:00:0a", [[1, nft.LAYOUT], [2, 77]]


def counter(name: str, family: str, packets: int, size: int) -> dict[str, object]:
    body = {
        "family": family,
        "name": name,
        "table": "procomu",
        "handle": 9,
        "packets": packets,
        "bytes": size,
    }
    return {"counter": body}


def listing(family: str, maps: dict[str, list[object]], marks: tuple[int, ...] = (1,)) -> str:
    counters = [counter(f"{way}{mark}", family, 2, 1_000 + ord(way)) for mark in marks for way in "ud"]
    items = [*counters, *({"map": {"name": name, "elem": elements}} for name, elements in maps.items())]
    return json.dumps({"nftables": [*items, {"set": {"name": "guests"}}]})


RULES = {
    "facts": [*FACTS, [nft.FACT_OFFLOAD, 1], [nft.FACT_ESTABLISHED, 432_000]],
    "members": [[MEMBER, 1]],
    "up": [[{"concat": [2199023255562, 1]}, "u1"]],
    "down": [[1, "d1"]],
    "classes": [],
}
BESIDE = {"members": [[MEMBER, MARKED | 1]], "up": [[MARKED | 1, "u1"]], "down": [[MEMBER, "d1"]]}


def observed(
    beside: str, *, offloads: bool = True, rules: dict[str, list[object]] = RULES
) -> table_listing.KernelState:
    return table_listing.observed(
        [listing("inet", rules)], NOW, [beside] if beside else [], offloads=offloads
    )


def test_counters_of_both_tables_are_added_without_ethernet_headers() -> None:
    state = observed(listing("netdev", BESIDE))
    assert state.stands
    assert [MacAddress(MEMBER)] == list(state.admitted)
    assert state.established_before == 432_000
    assert Usage(2 * (1_000 + ord("d")) - 28, 2 * (1_000 + ord("u")) - 28) == state.reading.counted[1]


@pytest.mark.parametrize(
    "beside",
    [
        "",
        listing("netdev", {}),
        listing("netdev", {**BESIDE, "members": []}),
        listing("netdev", {**BESIDE, "up": []}),
        listing("netdev", {**BESIDE, "down": []}),
        listing("netdev", {**BESIDE, "members": [[MEMBER, MARKED | 2]]}),
        listing("netdev", {**BESIDE, "members": [*BESIDE["members"], ["02:00:00:00:00:0b", MARKED | 2]]}),
        listing("netdev", BESIDE, marks=()),
    ],
)
def test_an_incomplete_table_does_not_stand_and_what_it_counted_is_read(beside: str) -> None:
    state = observed(beside)
    assert not state.stands
    assert state.reading.counters_id == "77"
    assert state.reading.counted[1].up >= 1_000


@pytest.mark.parametrize("offloads", [True, False])
def test_a_table_of_the_other_plan_does_not_stand_and_its_counters_are_read(offloads: bool) -> None:
    facts = [*FACTS, [nft.FACT_OFFLOAD, int(not offloads)]]
    state = observed(listing("netdev", BESIDE), offloads=offloads, rules={**RULES, "facts": facts})
    assert not state.stands
    assert Usage(2 * (1_000 + ord("d")) - 28, 2 * (1_000 + ord("u")) - 28) == state.reading.counted[1]
    before = observed("", offloads=offloads, rules={**RULES, "facts": FACTS})
    assert before.stands != offloads, "tables of earlier versions have no such fact"


def test_a_daemon_that_starts_again_sets_all_classes_again() -> None:
    """A lease that ended in the kernel leaves its class behind."""
    before = nft.AppliedState(None, plan(ANA).admitted, {1: 0x11}, offloads=True)
    text = nft.transition(before, plan(ANA), WITH, NOW)
    assert "flush map netdev procomu classes_down\n" in text
    assert "add element netdev procomu classes_down { 02:00:00:00:00:0a : 1:11 }\n" in text
    assert "flush map" not in nft.transition(standing(plan(ANA)), plan(), WITH, NOW)

"""The limits of connection tracking in numbers, as documented."""

import re

import pytest

from node.enforcement import flows
from node.enforcement.plan import FirewallConfig

DEBIAN = 262_144
"""nf_conntrack_max of a machine with 1 GB and more."""


TIMES = (flows.TCP_OF_DEVICES, flows.TCP_TO_THE_NODE)


def room(rule: str) -> int:
    """Number of flows that a rule allows, the counts of all its elements together."""
    found = re.search(r"numgen random mod (\d+) ct count over (\d+)", rule)
    assert found
    return int(found[1]) * int(found[2])


def walked(rule: str) -> int:
    found = re.search(r"ct count over (\d+)", rule)
    return int(found[1]) if found else 0


def only(rules: tuple[str, ...], word: str) -> str:
    (found,) = (rule for rule in rules if word in rule)
    return found


def test_a_device_has_1024_unless_the_community_sets_another_number() -> None:
    rules = flows.chains(FirewallConfig("lan0", "wan0", 2080).flows_per_device, DEBIAN)["opening_device"]
    assert 1_024 == room(only(rules, "@flows_of_devices"))
    for wanted in (128, 200, 1_000, 4_096):
        rules = flows.chains(wanted, DEBIAN)["opening_device"]
        assert wanted - 8 <= room(only(rules, "@flows_of_devices")) <= wanted


def test_another_limit_has_another_set() -> None:
    """An element keeps the limit with which it was created."""
    names = {re.search(r"add @(flows_of_devices\S*)", str(flows.chains(n, DEBIAN)))[1] for n in (128, 256)}  # type: ignore[index]
    assert 2 == len(names)
    for number in (128, 256):
        name = re.search(r"add @(flows_of_devices\S*)", str(flows.chains(number, DEBIAN)))[1]  # type: ignore[index]
        assert f" {name} " in flows.sets("inet t", number)


@pytest.mark.parametrize("size", [8_192, 65_536, DEBIAN])
def test_guests_leave_half_of_the_table_and_strangers_all_but_a_sixteenth(size: int) -> None:
    found = flows.chains(1_024, size)
    assert room(only(found["opening_guest"], "@shards_of_guests")) == size // 2
    assert room(only(found["opening_stranger"], "@shards_of_strangers")) == size // 16
    assert room(only(found["opening_portal"], "@shards_of_portal")) == size // 8
    assert 64 == room(only(found["opening_stranger"], "@flows_of_strangers"))


@pytest.mark.parametrize("size", [8_192, 65_536, DEBIAN])
def test_half_open_flows_of_strangers_do_not_use_up_the_portals_share(size: int) -> None:
    """Each lives for 6 seconds: the node's reply is sent again after 1 and 3 and then 7 seconds, which is too
    late.
    """
    (text,) = (text for text in TIMES if "syn_recv : 3," in text)
    assert text == flows.TCP_TO_THE_NODE
    portal = flows.chains(1_024, size)["opening_portal"]
    (rate, burst) = map(int, re.findall(r"rate over (\d+)/second burst (\d+) packets drop", str(portal))[0])
    assert rate * 6 + burst < room(only(portal, "@shards_of_portal"))


@pytest.mark.parametrize("size", [1, 8_192, DEBIAN, 4_000_000])
def test_no_new_flow_makes_the_kernel_walk_a_long_list(size: int) -> None:
    for limit in (128, 1_024, 65_536):
        for rules in flows.chains(limit, size).values():
            assert sum(walked(rule) for rule in rules) < 512


@pytest.mark.parametrize("size", [65_536, DEBIAN])
def test_closed_flows_cannot_fill_the_table_either(size: int) -> None:
    """They are not counted, but stay for their timeout: what guests and strangers may start in that time,
    together with all flows allowed at once, leaves room for members.
    """
    found = flows.chains(1_024, size)
    rule = only(found["opening_guest"], "rate over")
    (per_second,) = map(int, re.findall(r"rate over (\d+)/second", rule))
    assert per_second == size // 64
    closing_s = sum(int(n) for text in TIMES for n in re.findall(r"time_wait : (\d+)", text))
    held = size // 2 + size // 16 + size // 8 + per_second * closing_s
    assert held <= size


def test_a_silent_connection_is_kept_as_long_as_a_nat_must() -> None:
    """RFC 5382 REQ-5: at least 2 hours and 4 minutes."""
    assert "established : 7440" in flows.TCP_OF_DEVICES
    assert 2 * 60 * 60 + 4 * 60 == 7440


def test_a_device_may_begin_200_flows_a_second_and_1024_at_once() -> None:
    for name in ("opening_device", "opening_stranger"):
        rule = only(flows.chains(1_024, DEBIAN)[name], "@openings")
        assert "ether saddr limit rate over 200/second burst 1024 packets" in rule


def test_a_flow_over_a_limit_is_rejected_with_a_reply() -> None:
    for name, rules in flows.chains(1_024, DEBIAN).items():
        for rule in rules:
            if name == "opening_portal" and rule.endswith("drop"):
                continue  # of all together: new ones among them retry
            assert "drop" not in rule, name
            if "over" in rule.split() and "rate" not in name:
                assert rule.endswith(("goto refuse", "goto over"))


def test_dns_and_dhcp_to_the_node_are_not_counted() -> None:
    first = flows.chains(1_024, DEBIAN)["opening"][0]
    assert "udp dport { 53, 67, 547 }" in first
    assert "fib daddr type { local, broadcast, multicast }" in first, "only what is for the node itself"
    assert not any("ct count" in rule for rule in flows.chains(1_024, DEBIAN)["question"])

"""Chains of other programs that drop forwarded packets, as nft lists them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from node.config import parse_config
from node.doctor.foreign_chains import foreign_chains, ports_for_people, tables_of_filters
from node.doctor.symptoms import ForeignChain

Item = dict[str, dict[str, object]]
LAN = "br-lan"
PORTS = (("udp", 53), ("tcp", 2080))
CONFIG, _ = parse_config(
    '[node]\nname = "hill"\n[community]\nname = "Vall"\n[lan]\ninterface = "br-lan"\n[uplink]\ninterface = "eth0"\n'
)
UFW6 = Path(__file__).parents[3] / "vectors/filters/ufw_ip6.json"
"""What comes to the chain INPUT of Debian's ufw after the commands that doctor has for it, as the node's libnftables lists
it."""


def chain(
    table: str, name: str, *, policy: str = "accept", hook: str = "forward", family: str = "ip"
) -> Item:
    return {"chain": {"family": family, "table": table, "name": name, "hook": hook, "policy": policy}}


def rule(table: str, name: str, *expression: object, family: str = "ip") -> Item:
    return {"rule": {"family": family, "table": table, "chain": name, "expr": expression}}


def iifname(*names: str) -> dict[str, object]:
    right = names[0] if len(names) == 1 else {"set": list(names)}
    return {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": right}}


def found(*items: Item) -> tuple[ForeignChain, ...]:
    return foreign_chains(json.dumps({"nftables": [{"metainfo": {}}, *items]}), LAN, PORTS)


def test_a_chain_with_the_policy_to_drop_is_found_with_its_owner() -> None:
    docker = (chain("filter", "FORWARD", policy="drop"), chain("filter", "DOCKER-USER", hook=""))
    assert (ForeignChain("ip", "filter", "FORWARD", "Docker"),) == found(*docker)
    ufw = (
        chain("filter", "FORWARD", policy="drop", family="ip6"),
        chain("filter", "ufw6-user-forward", family="ip6"),
    )
    assert (ForeignChain("ip6", "filter", "FORWARD", "ufw"),) == found(*ufw)


def test_a_chain_that_rejects_what_comes_to_its_end_is_found() -> None:
    reject = rule(
        "firewalld",
        "filter_FORWARD",
        {"reject": {"type": "icmpx", "expr": "admin-prohibited"}},
        family="inet",
    )
    ends = chain("firewalld", "filter_FORWARD", family="inet")
    assert (ForeignChain("inet", "firewalld", "filter_FORWARD", "firewalld"),) == found(ends, reject)
    some = rule("firewalld", "filter_FORWARD", iifname("eth9"), {"drop": None}, family="inet")
    assert () == found(ends, some), "the last rule does not hold for all"


@pytest.mark.parametrize("verdict", [{"accept": None}, {"goto": {"target": "filter_FWD_trusted"}}])
@pytest.mark.parametrize("names", [(LAN,), ("docker0", LAN)])
def test_a_table_that_lets_people_pass_is_not_named(verdict: object, names: tuple[str, ...]) -> None:
    passes = rule("filter", "DOCKER-USER", iifname(*names), verdict)
    chains = (chain("filter", "FORWARD", policy="drop"), chain("filter", "DOCKER-USER", hook=""))
    jump = rule("filter", "FORWARD", {"jump": {"target": "DOCKER-USER"}})
    assert () == found(*chains, jump, passes)
    assert 1 == len(found(*chains, passes)), "no packet comes to that rule"


def test_a_rule_of_another_interface_or_to_drop_lets_nobody_pass() -> None:
    drops = chain("filter", "FORWARD", policy="drop")
    for other in (
        rule("filter", "FORWARD", iifname("docker0"), {"accept": None}),
        rule("filter", "FORWARD", iifname(LAN), {"drop": None}),
        rule("filter", "FORWARD", {"match": {**iifname("docker0")["match"], "op": "!="}}, {"accept": None}),
        rule("filter", "FORWARD", {"xt": None}, {"accept": None}),
        rule("filter", "FORWARD", STATE, {"accept": None}),
    ):
        assert 1 == len(found(drops, other))


STATE = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": [2, 4]}}
"""Of established and related flows."""
NEW = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": 8}}


def dport(protocol: str, right: object, op: str = "==") -> dict[str, object]:
    left = {"payload": {"protocol": protocol, "field": "dport"}}
    return {"match": {"op": op, "left": left, "right": right}}


def test_a_chain_that_drops_what_is_for_the_node_is_found_until_each_port_is_open() -> None:
    drops = chain("filter", "INPUT", policy="drop", hook="input")
    assert (ForeignChain("ip", "filter", "INPUT", "", "input"),) == found(drops)
    names = rule("filter", "INPUT", dport("udp", 53), {"accept": None})
    ssh = rule("filter", "INPUT", dport("tcp", 22), {"accept": None})
    assert 1 == len(found(drops, names, ssh, rule("filter", "INPUT", STATE, {"accept": None})))
    for page in (
        rule("filter", "INPUT", dport("tcp", {"set": [22, 2080]}), {"accept": None}),
        rule("filter", "INPUT", dport("tcp", {"range": [2000, 3000]}), {"accept": None}),
        rule("filter", "INPUT", dport("th", "@open"), {"accept": None}),
        rule("filter", "INPUT", dport("tcp", 22, "!="), iifname(LAN), {"accept": None}),
    ):
        opened: Item = {"set": {"family": "ip", "table": "filter", "name": "open", "elem": [80, 2080]}}
        assert () == found(drops, opened, names, page)
    assert () == found(drops, rule("filter", "INPUT", iifname(LAN), {"accept": None}))


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({"meta": {"key": "l4proto"}}, id="any"),
        pytest.param({"payload": {"protocol": "ip", "field": "protocol"}}, id="IPv4"),
    ],
)
@pytest.mark.parametrize(
    ("op", "right", "is_open"),
    [
        pytest.param("==", 17, False, id="udp"),
        pytest.param("!=", 17, False, id="all-but-udp"),
        pytest.param("!=", 58, True, id="all-but-icmp"),
        pytest.param("==", {"set": [6, 17]}, True, id="tcp-and-udp"),
        pytest.param("==", {"range": [6, 17]}, True, id="range"),
    ],
)
def test_a_rule_for_a_protocol_opens_the_ports_of_no_other(
    left: object, op: str, right: object, is_open: bool
) -> None:
    drops = chain("filter", "INPUT", policy="drop", hook="input")
    of_protocol = {"match": {"op": op, "left": left, "right": right}}
    assert is_open == (not found(drops, rule("filter", "INPUT", iifname(LAN), of_protocol, {"accept": None})))


def test_a_rule_for_new_flows_is_for_people_and_one_for_all_but_those_is_not() -> None:
    drops = chain("filter", "FORWARD", policy="drop")
    assert () == found(drops, rule("filter", "FORWARD", iifname(LAN), NEW, {"accept": None}))
    others = {"match": {**NEW["match"], "op": "!="}}
    assert 1 == len(found(drops, rule("filter", "FORWARD", iifname(LAN), others, {"accept": None})))


def test_the_commands_that_open_ufw_are_enough_for_ipv6_too_and_without_them_it_is_named() -> None:
    assert CONFIG is not None
    items = json.loads(UFW6.read_text())["nftables"]
    own = [each for each in items if each.get("rule", {}).get("chain") == "ufw6-user-input"]
    assert 2 == len(own)

    def named(*left_out: Item) -> tuple[ForeignChain, ...]:
        listing = {"nftables": [each for each in items if each not in left_out]}
        return foreign_chains(json.dumps(listing), LAN, ports_for_people(CONFIG))

    input_chain = (ForeignChain("ip6", "filter", "INPUT", "ufw", "input"),)
    assert () == named()
    assert input_chain == named(*own)
    assert input_chain == named(own[0])
    assert input_chain == named(own[1])


def test_the_ports_for_people_are_those_that_the_node_has_open() -> None:
    assert CONFIG is not None
    dhcp, names, page = ("udp", 67), {("udp", 53), ("udp", 2053), ("tcp", 53), ("tcp", 2053)}, ("tcp", 2080)
    assert {dhcp, *names, page} == {*ports_for_people(CONFIG)}
    more = replace(
        CONFIG,
        lan=replace(CONFIG.lan, dhcp="external"),
        portal=replace(CONFIG.portal, certificate="portal.pem"),
        admin=replace(CONFIG.admin, lan=True),
    )
    waiting = {("udp", 2053), ("tcp", 2053)}
    assert {*waiting, page, ("tcp", 2443), ("tcp", 2444)} == {*ports_for_people(more)}


def test_an_ipv6_filter_needs_no_port_of_dhcpv4() -> None:
    for family, is_open in (("ip6", True), ("inet", False)):
        drops = chain("filter", "INPUT", policy="drop", hook="input", family=family)
        names = rule("filter", "INPUT", dport("udp", 53), {"accept": None}, family=family)
        listing = json.dumps({"nftables": [drops, names]})
        assert is_open == (() == foreign_chains(listing, LAN, (("udp", 53), ("udp", 67))))


def test_the_owner_of_a_chain_depends_on_its_hook() -> None:
    """Docker and ufw share a table of iptables; Docker has no rules for the node itself."""
    both = (chain("filter", "DOCKER-USER", hook=""), chain("filter", "ufw-user-input", hook=""))
    drops = chain("filter", "INPUT", policy="drop", hook="input")
    assert (ForeignChain("ip", "filter", "INPUT", "ufw", "input"),) == found(drops, *both)


def test_an_interface_in_a_zone_of_its_own_is_followed_to_the_end_of_that_zone() -> None:
    """As firewalld lists them: a zone accepts some ports, or everything."""
    base = chain("firewalld", "filter_INPUT", hook="input", family="inet")
    zones = chain("firewalld", "filter_INPUT_ZONES", hook="", family="inet")
    zone = chain("firewalld", "filter_IN_home", hook="", family="inet")
    rules = (
        rule("firewalld", "filter_INPUT", {"jump": {"target": "filter_INPUT_ZONES"}}),
        rule("firewalld", "filter_INPUT_ZONES", iifname(LAN), {"goto": {"target": "filter_IN_home"}}),
        rule("firewalld", "filter_INPUT", {"reject": None}),
    )
    ssh = rule("firewalld", "filter_IN_home", dport("tcp", 22), {"accept": None})
    everything = rule("firewalld", "filter_IN_home", {"accept": None})
    assert 1 == len(found(base, zones, zone, *rules, ssh))
    assert () == found(base, zones, zone, *rules, ssh, everything)


def test_chains_that_jump_in_a_circle_are_read_to_an_end() -> None:
    """The kernel refuses them; a listing could still have them."""
    drops = chain("filter", "FORWARD", policy="drop")
    assert 1 == len(found(drops, rule("filter", "FORWARD", {"jump": {"target": "FORWARD"}})))


VMAP = {
    "key": {"meta": {"key": "iifname"}},
    "data": {"set": [[LAN, {"jump": {"target": "people"}}], ["x", {"drop": None}]]},
}


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param((iifname("br-*"), {"accept": None}), id="wildcard"),
        pytest.param((iifname("@lans"), {"accept": None}), id="named-set"),
        pytest.param(({"vmap": VMAP},), id="verdict-map"),
        pytest.param(
            ({"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": LAN}}, {"accept": None}),
            id="iif",
        ),
    ],
)
def test_all_ways_to_name_the_interface_are_known(expression: tuple[object, ...]) -> None:
    drops = chain("filter", "FORWARD", policy="drop")
    lans: Item = {"set": {"family": "ip", "table": "filter", "name": "lans", "elem": ["eth7", LAN]}}
    assert () == found(drops, lans, rule("filter", "FORWARD", *expression))


def test_a_verdict_map_that_drops_the_interface_lets_nobody_pass() -> None:
    drops = {"key": {"meta": {"key": "iifname"}}, "data": {"set": [[LAN, {"drop": None}]]}}
    assert 1 == len(
        found(chain("filter", "FORWARD", policy="drop"), rule("filter", "FORWARD", {"vmap": drops}))
    )


def test_tables_without_a_filter_and_the_nodes_own_are_not_read() -> None:
    chains = [
        {"metainfo": {}},
        chain("nat", "PREROUTING", policy="drop", hook="prerouting"),
        chain("procomu", "forward", policy="drop", family="inet"),
        chain("filter", "FORWARD"),
        chain("filter", "FORWARD", family="ip6"),
    ]
    assert (("ip", "filter"), ("ip6", "filter")) == tables_of_filters(json.dumps({"nftables": chains}))

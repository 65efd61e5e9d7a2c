"""Chains of other programs that drop forwarded packets, as nft lists them."""

import json

import pytest

from node.doctor.foreign_chains import foreign_chains, tables_of_forwarding
from node.doctor.symptoms import ForeignChain

Item = dict[str, dict[str, object]]
LAN = "br-lan"


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
    return foreign_chains(json.dumps({"nftables": [{"metainfo": {}}, *items]}), LAN)


def test_a_chain_with_the_policy_to_drop_is_found_with_its_owner() -> None:
    docker = (chain("filter", "FORWARD", policy="drop"), chain("filter", "DOCKER-USER", hook=""))
    assert (ForeignChain("ip", "filter", "FORWARD", "Docker"),) == found(*docker)
    ufw = (
        chain("filter", "FORWARD", policy="drop", family="ip6"),
        chain("filter", "ufw-user-forward", family="ip6"),
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
    assert () == found(chain("filter", "FORWARD", policy="drop"), passes)


def test_a_rule_of_another_interface_or_to_drop_lets_nobody_pass() -> None:
    drops = chain("filter", "FORWARD", policy="drop")
    for other in (
        rule("filter", "FORWARD", iifname("docker0"), {"accept": None}),
        rule("filter", "FORWARD", iifname(LAN), {"drop": None}),
    ):
        assert 1 == len(found(drops, other))


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


def test_tables_without_a_chain_of_forwarding_and_the_nodes_own_are_not_read() -> None:
    chains = [
        {"metainfo": {}},
        chain("filter", "INPUT", policy="drop", hook="input"),
        chain("procomu", "forward", policy="drop", family="inet"),
        chain("filter", "FORWARD"),
        chain("filter", "FORWARD", family="ip6"),
    ]
    assert (("ip", "filter"), ("ip6", "filter")) == tables_of_forwarding(json.dumps({"nftables": chains}))

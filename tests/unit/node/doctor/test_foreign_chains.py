"""Chains of other programs that drop forwarded packets, as nft lists them."""

import json

import pytest

from node.doctor.foreign_chains import foreign_chains
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


def test_other_hooks_and_the_nodes_own_table_are_not_foreign() -> None:
    assert () == found(
        chain("filter", "INPUT", policy="drop", hook="input"),
        chain("procomu", "forward", policy="drop", family="inet"),
    )

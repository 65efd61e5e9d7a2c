"""Chains of other programs that drop forwarded packets, from the listing of the packet filter (nft(8), JSON)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from node.doctor.symptoms import ForeignChain
from node.enforcement.nft import TABLE_NAME

_ENDS = {"drop", "reject"}
_PASSES = {"accept", "jump", "goto"}
_INTERFACE_KEYS = {"iif", "iifname"}
_OWNERS = {"DOCKER": "Docker", "ufw-": "ufw"}
"""Beginnings of the names of their chains."""

Item = Mapping[str, Any]
Table = tuple[str, str]
"""Family and name."""


def tables_of_forwarding(chains: str) -> tuple[Table, ...]:
    """Foreign tables with a base chain on the forward hook, from the listing of all chains."""
    items = [each["chain"] for each in json.loads(chains)["nftables"] if "chain" in each]
    return tuple(dict.fromkeys(_table(chain) for chain in items if _forwards(chain)))


def foreign_chains(listing: str, lan: str) -> tuple[ForeignChain, ...]:
    """From the listing of one table: base chains on the forward hook whose policy is to drop, or whose last rule drops or
    rejects everything. None if a rule of the table lets packets of the interface `lan` pass: whether that rule is right is
    not judged."""
    items = json.loads(listing)["nftables"]
    chains, rules, sets = (
        [each[kind] for each in items if kind in each] for kind in ("chain", "rule", "set")
    )
    named = {f"@{each['name']}": each.get("elem", ()) for each in sets}
    if any(_lets_pass(each["expr"], lan, named) for each in rules):
        return ()
    owner = _owner([chain["name"] for chain in chains])
    return tuple(
        ForeignChain(*_table(chain), chain["name"], "firewalld" if chain["table"] == "firewalld" else owner)
        for chain in chains
        if _forwards(chain) and (chain.get("policy") == "drop" or _ends_all(chain, rules))
    )


def _table(chain: Item) -> Table:
    return chain["family"], chain["table"]


def _forwards(chain: Item) -> bool:
    is_ours = _table(chain) == ("inet", TABLE_NAME)
    return chain.get("hook") == "forward" and chain["family"] in {"ip", "ip6", "inet"} and not is_ours


def _ends_all(chain: Item, rules: Sequence[Item]) -> bool:
    """Whether its last rule drops or rejects what comes so far, whatever it is."""
    own = [each["expr"] for each in rules if each["chain"] == chain["name"]]
    last = own[-1] if own else []
    return any(_ENDS & each.keys() for each in last) and not any("match" in each for each in last)


def _lets_pass(expression: Sequence[Item], lan: str, named: Mapping[str, Sequence[Any]]) -> bool:
    """A rule for the interface, or one that chooses by interface, which does not end there in a drop."""
    for each in expression:
        if "vmap" in each and _is_interface(each["vmap"]["key"]):
            verdicts = each["vmap"]["data"]
            pairs = verdicts["set"] if isinstance(verdicts, dict) else ()
            if any(_covers(name, lan) and _PASSES & verdict.keys() for name, verdict in pairs):
                return True
    names_lan = any(
        match["op"] == "==" and _is_interface(match["left"]) and _is_among(match["right"], lan, named)
        for match in (each["match"] for each in expression if "match" in each)
    )
    return names_lan and any(_PASSES & each.keys() for each in expression)


def _is_interface(expression: Any) -> bool:
    return isinstance(expression, dict) and expression.get("meta", {}).get("key") in _INTERFACE_KEYS


def _is_among(right: Any, lan: str, named: Mapping[str, Sequence[Any]]) -> bool:
    among = right.get("set", ()) if isinstance(right, dict) else named.get(str(right), (right,))
    return any(_covers(str(name), lan) for name in among)


def _covers(name: str, lan: str) -> bool:
    return lan.startswith(name[:-1]) if name.endswith("*") else name == lan


def _owner(chains: Sequence[str]) -> str:
    owners = [owner for start, owner in _OWNERS.items() if any(name.startswith(start) for name in chains)]
    return owners[0] if owners else ""

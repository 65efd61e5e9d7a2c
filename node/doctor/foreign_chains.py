"""Chains of other programs that drop forwarded packets, from the listing of the packet filter (nft(8), JSON)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from node.doctor.symptoms import ForeignChain
from node.enforcement.nft import TABLE_NAME

_ENDS = {"drop", "reject"}
_PASSES = {"accept", "jump", "goto"}
_OWNERS = {"DOCKER": "Docker", "ufw-": "ufw"}
"""Beginnings of the names of their chains."""

Key = tuple[str, str]
"""Family and name of a table."""


def foreign_chains(listing: str, lan: str) -> tuple[ForeignChain, ...]:
    """Base chains on the forward hook whose policy is to drop, or whose last rule drops or rejects everything, in tables
    without a rule that lets packets of the interface `lan` pass. Whether that rule is right is not judged."""
    items = json.loads(listing)["nftables"]
    chains = [each["chain"] for each in items if "chain" in each]
    rules = [each["rule"] for each in items if "rule" in each]
    passed = {(each["family"], each["table"]) for each in rules if _lets_pass(each["expr"], lan)}
    names: dict[Key, list[str]] = {}
    for chain in chains:
        names.setdefault((chain["family"], chain["table"]), []).append(chain["name"])
    return tuple(
        ForeignChain(chain["family"], chain["table"], chain["name"], _owner(chain["table"], names[key]))
        for chain in _of_forwarding(chains)
        if (key := (chain["family"], chain["table"])) not in passed
        and (chain.get("policy") == "drop" or _ends_all(chain, rules))
    )


def _of_forwarding(chains: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for chain in chains:
        is_ours = (chain["family"], chain["table"]) == ("inet", TABLE_NAME)
        if chain.get("hook") == "forward" and chain["family"] in {"ip", "ip6", "inet"} and not is_ours:
            yield chain


def _ends_all(chain: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether its last rule drops or rejects what comes so far, whatever it is."""
    own = [
        each["expr"]
        for each in rules
        if (each["family"], each["table"], each["chain"]) == (chain["family"], chain["table"], chain["name"])
    ]
    last = own[-1] if own else []
    return any(_ENDS & each.keys() for each in last) and not any("match" in each for each in last)


def _lets_pass(expression: Sequence[Mapping[str, Any]], lan: str) -> bool:
    names_lan = any(
        each.get("match", {}).get("left") == {"meta": {"key": "iifname"}} and _is_among(each["match"], lan)
        for each in expression
    )
    return names_lan and any(_PASSES & each.keys() for each in expression)


def _is_among(match: Mapping[str, Any], lan: str) -> bool:
    right = match.get("right")
    among = right.get("set", ()) if isinstance(right, dict) else (right,)
    return match.get("op") == "==" and lan in among


def _owner(table: str, chains: Sequence[str]) -> str:
    if table == "firewalld":
        return "firewalld"
    owners = [owner for start, owner in _OWNERS.items() if any(name.startswith(start) for name in chains)]
    return owners[0] if owners else ""

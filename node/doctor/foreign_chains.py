"""Chains of other programs that drop what people send through the node or to it, from the listing of the packet filter
(nft(8), JSON), in which protocols and states are numbers."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.config import NodeConfig
from node.doctor.symptoms import ForeignChain
from node.enforcement.nft import TABLE_NAME

_ENDS = {"drop", "reject"}
_JUMPS = ("jump", "goto")
_CONDITIONS = {"match", "xt", "vmap", "limit"}
"""Statements that a rule may end at. ``xt`` is an extension of iptables, which nft does not explain."""
_HOOKS = {"forward", "input"}
_OWNERS = {"input": {"ufw": "ufw"}, "forward": {"DOCKER": "Docker", "ufw": "ufw"}}
"""Beginnings of the names of their chains, for each hook."""
_DEPTH_MAX = 16
"""Of jumps, as in the kernel."""
_DHCP4 = ("udp", 67)
_PROTOCOLS = {"tcp": 6, "udp": 17}
"""As in a packet's header."""
_NEW = 8
"""The state of a flow's first packet, from linux/netfilter/nf_conntrack_common.h."""

Item = Mapping[str, Any]
Table = tuple[str, str]
"""Family and name."""
Port = tuple[str, int]
"""Protocol and number."""


@dataclass(frozen=True, slots=True)
class _Packet:
    """The first packet of a flow from the LAN: to another machine, or to a port of this one."""

    interface: str
    port: Port | None


def tables_of_filters(chains: str) -> tuple[Table, ...]:
    """Foreign tables with a base chain on the forward or input hook, from the listing of all chains."""
    items = [each["chain"] for each in json.loads(chains)["nftables"] if "chain" in each]
    return tuple(dict.fromkeys(_table(chain) for chain in items if _is_filter(chain)))


def ports_for_people(config: NodeConfig) -> tuple[Port, ...]:
    """Ports of the node without which devices get no address, no names or no page."""
    portal, admin, is_managed = config.portal, config.admin, config.lan.dhcp == "managed"
    names = [53, portal.dns_port] if is_managed else [portal.dns_port]
    pages = [portal.port]
    pages += [portal.https_port] if portal.certificate is not None else []
    pages += [admin.https_port] if admin.lan else []
    addresses = [_DHCP4] if is_managed else []
    return (*addresses, *(("udp", port) for port in names), *(("tcp", port) for port in names + pages))


def foreign_chains(listing: str, lan: str, ports: Sequence[Port]) -> tuple[ForeignChain, ...]:
    """From the listing of one table: base chains on the forward or input hook whose policy is to drop, or whose last rule
    drops or rejects everything. None if rules that such a chain comes to let packets of the interface `lan` pass, on the
    input hook those to each of `ports`: whether such a rule is right is not judged."""
    table = _Rules(json.loads(listing)["nftables"])
    return tuple(
        ForeignChain(*_table(chain), chain["name"], table.owner(chain), chain["hook"])
        for chain in table.chains
        if _is_filter(chain)
        and (chain.get("policy") == "drop" or table.ends_all(chain["name"]))
        and not all(table.lets_pass(chain["name"], packet) for packet in _packets(chain, lan, ports))
    )


def _packets(chain: Item, lan: str, ports: Sequence[Port]) -> list[_Packet]:
    """Packets of people that come to a base chain."""
    if chain["hook"] == "forward":
        return [_Packet(lan, None)]
    return [_Packet(lan, port) for port in ports if chain["family"] != "ip6" or port != _DHCP4]


class _Rules:
    """One table: its chains, the rules of each, and its named sets."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.chains = [each["chain"] for each in items if "chain" in each]
        self._sets = {
            f"@{each['set']['name']}": each["set"].get("elem", ()) for each in items if "set" in each
        }
        self._rules: dict[str, list[Sequence[Item]]] = {chain["name"]: [] for chain in self.chains}
        for each in items:
            if "rule" in each:
                self._rules.setdefault(each["rule"]["chain"], []).append(each["rule"]["expr"])

    def owner(self, chain: Item) -> str:
        if chain["table"] == "firewalld":
            return "firewalld"
        starts = _OWNERS[chain["hook"]]
        return next((owner for start, owner in starts.items() if self._has_chain(start)), "")

    def _has_chain(self, start: str) -> bool:
        return any(chain["name"].startswith(start) for chain in self.chains)

    def ends_all(self, chain: str) -> bool:
        """Whether its last rule drops or rejects what comes so far, whatever it is."""
        rules = self._rules[chain]
        last = rules[-1] if rules else []
        return any(_ENDS & each.keys() for each in last) and not any(
            _CONDITIONS & each.keys() for each in last
        )

    def lets_pass(self, chain: str, packet: _Packet, *, is_named: bool = False, depth: int = 0) -> bool:
        """Whether a rule of the chain, or of one that it jumps to, accepts a packet: `is_named` if rules on the way here
        were for its interface or port. Without that only a rule for it counts, or one for everything."""
        if chain not in self._rules or depth > _DEPTH_MAX:
            return is_named  # not in the listing
        return any(self._accepts(rule, packet, is_named=is_named, depth=depth) for rule in self._rules[chain])

    def _accepts(self, rule: Sequence[Item], packet: _Packet, *, is_named: bool, depth: int) -> bool:
        held = [self._holds(each["match"], packet) for each in rule if "match" in each]
        if False in held:
            return False
        named = is_named or True in held
        is_for_all = not any(_CONDITIONS & each.keys() for each in rule)
        for verdict, is_chosen in self._verdicts(rule, packet):
            if "accept" in verdict and (named or is_chosen or is_for_all):
                return True
            target = next((verdict[jump]["target"] for jump in _JUMPS if jump in verdict), None)
            goes = named or is_chosen or is_for_all
            if (
                target
                and goes
                and self.lets_pass(target, packet, is_named=named or is_chosen, depth=depth + 1)
            ):
                return True
        return False

    def _verdicts(self, rule: Sequence[Item], packet: _Packet) -> Iterator[tuple[Item, bool]]:
        """Verdicts of a rule, and whether a verdict map chose it by the packet's interface."""
        for each in rule:
            if "vmap" not in each:
                yield each, False
            elif _is_interface(each["vmap"]["key"]) and isinstance(each["vmap"]["data"], dict):
                pairs = each["vmap"]["data"]["set"]
                yield from (
                    (verdict, True) for name, verdict in pairs if _covers(str(name), packet.interface)
                )

    def _holds(self, match: Item, packet: _Packet) -> bool | None:
        """Whether a match is for this packet, by its interface or port; None if it is about something else."""
        left = match["left"] if isinstance(match["left"], dict) else {}
        right = match["right"]
        values = right.get("set", (right,)) if isinstance(right, dict) else self._sets.get(str(right), right)
        values = values if isinstance(values, list | tuple) else (values,)
        is_not, is_its_own = match["op"] == "!=", False
        if _is_interface(left):
            is_in, is_its_own = any(_covers(str(name), packet.interface) for name in values), True
        elif left.get("payload", {}).get("field") == "dport":
            is_in, is_its_own = _is_port(left["payload"]["protocol"], values, packet.port), True
        elif _is_protocol(left) and packet.port is not None:
            is_in = _is_among(_PROTOCOLS[packet.port[0]], values)
        elif left.get("ct", {}).get("key") == "state":
            is_in = _NEW in values
        else:
            return None
        if is_in == is_not:
            return False
        return True if is_its_own and not is_not else None


def _table(chain: Item) -> Table:
    return chain["family"], chain["table"]


def _is_filter(chain: Item) -> bool:
    is_ours = _table(chain) == ("inet", TABLE_NAME)
    return chain.get("hook") in _HOOKS and chain["family"] in {"ip", "ip6", "inet"} and not is_ours


def _is_interface(expression: Any) -> bool:
    return isinstance(expression, dict) and expression.get("meta", {}).get("key") in {"iif", "iifname"}


def _is_protocol(expression: Item) -> bool:
    is_field = expression.get("payload", {}).get("field") in {"protocol", "nexthdr"}
    return is_field or expression.get("meta", {}).get("key") == "l4proto"


def _is_port(protocol: str, values: Iterable[Any], port: Port | None) -> bool:
    return port is not None and protocol in {port[0], "th"} and _is_among(port[1], values)


def _is_among(number: int, values: Iterable[Any]) -> bool:
    return any(
        value["range"][0] <= number <= value["range"][1]
        if isinstance(value, dict) and "range" in value
        else value == number
        for value in values
    )


def _covers(name: str, lan: str) -> bool:
    return lan.startswith(name[:-1]) if name.endswith("*") else name == lan

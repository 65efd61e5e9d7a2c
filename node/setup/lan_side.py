"""Where the set-up page is served: which interfaces are on the LAN side, their addresses, and the settings of the DHCP and
DNS server there. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface
from itertools import count

from node.setup.network_layout import NODE_LAN, PORTS_MAX, InterfaceFacts, NetworkFacts, port_address

OF_CONTAINERS = re.compile(
    r"docker|br-[0-9a-f]{12}$|virbr|lxc|lxd|incus|podman|cni|flannel|cali|cilium|veth|v[ebz]-|vnet|vmnet|vboxnet|tap"
)
"""Names that Docker, Kubernetes, libvirt, LXC, systemd-nspawn and others give to interfaces: no person is there."""
LEASE_S = 120
"""So short that devices soon have one of the node's own leases."""
FIRST_HOST, LAST_HOST = 50, 250


@dataclass(frozen=True, slots=True)
class LanSide:
    """One interface that serves the page."""

    interface: str
    address: str
    """That the set-up gives to it, with the prefix length; empty when it has one of its own."""


def is_candidate(interface: InterfaceFacts) -> bool:
    """Whether people can be there: something is plugged in, and it does not lead to the Internet."""
    return (
        interface.kind in {"ethernet", "vlan", "bridge"}
        and interface.has_carrier
        and not interface.has_default_route
        and not OF_CONTAINERS.match(interface.name)
    )


def port_numbers(facts: NetworkFacts, quiet: Collection[str], before: Mapping[str, int]) -> dict[str, int]:
    """A number for each interface of `quiet`, bridges first; those that had one keep it. A cable that is moved to another
    port while nobody is on the first finds the node's address there, too."""
    numbers = {name: number for name, number in before.items() if name in quiet}
    for each in sorted(facts.interfaces, key=lambda each: (each.kind != "bridge", each.name)):
        if each.name in quiet and each.name not in numbers:
            numbers[each.name] = next(free for free in count() if free not in numbers.values())
    return numbers


def lan_sides(
    facts: NetworkFacts, numbers: Mapping[str, int], quiet: Collection[str], only: str = ""
) -> tuple[LanSide, ...]:
    """`numbers` are those of the ports; on the interfaces of `quiet` no other DHCP server answers. With `only`, the
    network that was planned: just this interface, with the node's own address."""
    if only:
        return (LanSide(only, NODE_LAN),) if facts.interface(only) is not None else ()
    sides = []
    for each in facts.interfaces:
        if not is_candidate(each) or each.name not in quiet or numbers[each.name] >= PORTS_MAX:
            continue
        given = port_address(numbers[each.name])
        own = [address for address in each.own_addresses if ":" not in address]
        sides.append(LanSide(each.name, "" if own else given))
    return tuple(sides)


def setup_dnsmasq_conf(sides: Collection[LanSide], pid_file: str, lease_file: str) -> str:
    """Configuration of dnsmasq: addresses by DHCP, and every name is the node, so that phones open the page by
    themselves. Only where the set-up gave an address."""
    served = [each for each in sides if each.address]
    lines = ["# Written by procomu's set-up: changes here are lost."]
    lines += [f"interface={each.interface}" for each in served]
    lines += [
        "except-interface=lo",
        "bind-dynamic",
        f"pid-file={pid_file}",
        "no-hosts",
        "no-resolv",
        "no-ident",
        "cache-size=0",
        "local-ttl=0",
        "dhcp-authoritative",
        "dhcp-ignore-names",
        "no-ping",
        "quiet-dhcp",
        f"dhcp-leasefile={lease_file}",
    ]
    for each in served:
        own = IPv4Interface(each.address)
        first, last = own.ip + FIRST_HOST - 1, own.ip + LAST_HOST - 1
        lines.append(f"dhcp-range={first},{last},{own.netmask},{LEASE_S}")
    if served:
        lines.append(f"address=/#/{IPv4Interface(min(served, key=lambda each: each.address).address).ip}")
    return "\n".join(lines) + "\n"

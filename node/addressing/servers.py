"""The servers of the people's side, as a node's settings want them."""

import os
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from node.addressing.configuration import dnsmasq_conf, radvd_conf
from node.addressing.dnsmasq import Dnsmasq
from node.addressing.programs import installed, interface_mtu
from node.addressing.radvd import Radvd
from node.addressing.stand_in import StandIn
from node.addressing.upstream import Upstream
from node.config import NodeConfig
from node.units import Monotonic


def dnsmasq(config: NodeConfig, portal_api: Callable[[], str]) -> Dnsmasq:
    """`portal_api` tells the URI of the captive portal API, or nothing, and may say something else later."""
    lan, run_dir = config.lan, Path(config.node.run_dir)
    leases = str(lease_file(config))

    def text() -> str:
        return dnsmasq_conf(
            interface=lan.interface,
            address4=lan.address4,
            address6=lan.address6,
            dhcp=lan.dhcp == "managed",
            first=lan.dhcp_first,
            last=lan.dhcp_last,
            lease=lan.dhcp_lease,
            domain=lan.domain,
            portal_host=config.portal.host,
            dns_upstream=lan.dns_upstream,
            lease_file=leases,
            pid_file=str(run_dir / "dnsmasq.pid"),
            portal_api=portal_api(),
            has_radvd=installed("radvd") is not None,
            names=_names(config),
        )

    addresses = [(lan.interface, str(lan.address4))]
    if lan.address6 is not None:
        addresses.append((lan.interface, str(lan.address6)))
    return Dnsmasq(text, run_dir, tuple(addresses))


def stand_in(config: NodeConfig, clock: Callable[[], Monotonic]) -> StandIn:
    """Answers names while no resolver upstream does."""
    return StandIn(
        Upstream(config.lan.dns_upstream, clock),
        Path(config.node.run_dir),
        has_ipv6=config.lan.address6 is not None,
    )


def _names(config: NodeConfig) -> tuple[tuple[str, IPv4Address | IPv6Address], ...]:
    """Services with a name that exists only here."""
    local = f".{config.lan.domain}"
    return tuple(
        (service.host, address)
        for service in config.services.offered
        if service.host.endswith(local) and service.host != config.portal.host
        for address in service.addresses
    )


def radvd(config: NodeConfig, portal_api: Callable[[], str]) -> Radvd:
    """Sends the router advertisements while there is a portal to tell of; otherwise dnsmasq does."""
    lan = config.lan

    def text() -> str:
        uri = portal_api()
        if not uri or lan.address6 is None or lan.dhcp == "external" or installed("radvd") is None:
            return ""
        return radvd_conf(
            interface=lan.interface,
            address6=lan.address6,
            lease=lan.dhcp_lease,
            portal_api=uri,
            mtu=interface_mtu(lan.interface),
        )

    return Radvd(text, Path(config.node.run_dir), lan.interface)


def lease_file(config: NodeConfig) -> Path:
    """People get addresses also while the data folder cannot be written; dnsmasq ends without its lease file."""
    data_dir = Path(config.node.data_dir)
    folder = data_dir if os.access(data_dir, os.W_OK) else Path(config.node.run_dir)
    return folder / "dhcp.leases"

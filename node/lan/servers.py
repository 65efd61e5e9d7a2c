"""Builds the LAN's servers from the node's configuration."""

import os
from collections.abc import Callable
from pathlib import Path

from node.config import NodeConfig
from node.config.field_types import MTU_MIN
from node.lan.configuration import Names, dnsmasq_conf, radvd_conf, strangers_dns_conf
from node.lan.dns_fallback import DnsFallback
from node.lan.dnsmasq import Dnsmasq
from node.lan.managed_daemon import installed, interface_index, interface_mtu
from node.lan.radvd import Radvd
from node.lan.upstream import UpstreamResolvers
from node.units import Monotonic

STRANGERS_DNS = "strangers-dns"
"""Base name of its files in the run directory."""


def dnsmasq(config: NodeConfig, portal_api: Callable[[], str]) -> Dnsmasq:
    """`portal_api` returns the captive portal API's URI, or an empty text; the result may change."""
    lan, run_dir = config.lan, Path(config.node.run_dir)
    leases, mtu = str(lease_file(config)), announced_mtu(config)

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
            mtu=smallest if (smallest := mtu()) < interface_mtu(lan.interface) else None,
            names=_names(config),
        )

    return Dnsmasq(text, run_dir, _addresses(config))


def strangers_dns(config: NodeConfig) -> Dnsmasq:
    """Resolver for unauthorized devices; the packet filter redirects their queries to it."""
    lan, run_dir = config.lan, Path(config.node.run_dir)
    text = strangers_dns_conf(
        interface=lan.interface,
        port=config.portal.dns_port,
        address4=lan.address4,
        address6=lan.address6,
        domain=lan.domain,
        portal_host=config.portal.host,
        dns_upstream=lan.dns_upstream,
        pid_file=str(run_dir / f"{STRANGERS_DNS}.pid"),
        names=_names(config),
    )
    mend = "'ss -lunp' shows who has its port; end that, or choose another portal.dns_port in node.toml"
    return Dnsmasq(lambda: text, run_dir, _addresses(config), name=STRANGERS_DNS, mend=mend)


def _addresses(config: NodeConfig) -> tuple[tuple[str, str], ...]:
    lan = config.lan
    own = [str(lan.address4), *([str(lan.address6)] if lan.address6 is not None else [])]
    return tuple((lan.interface, address) for address in own)


def stand_in(config: NodeConfig, clock: Callable[[], Monotonic]) -> DnsFallback:
    """Resolver for the time when no upstream resolver answers."""
    return DnsFallback(
        UpstreamResolvers(config.lan.dns_upstream, clock),
        Path(config.node.run_dir),
        has_ipv6=config.lan.address6 is not None,
    )


def _names(config: NodeConfig) -> Names:
    """Local names of services."""
    local = f".{config.lan.domain}"
    return tuple(
        (service.host, address)
        for service in config.services.offered
        if service.host.endswith(local) and service.host != config.portal.host
        for address in service.addresses
    )


def radvd(config: NodeConfig, portal_api: Callable[[], str]) -> Radvd:
    """Sends router advertisements while there is a captive portal URI to announce; otherwise dnsmasq sends them."""
    lan, mtu = config.lan, announced_mtu(config)

    def text() -> str:
        uri = portal_api()
        if not uri or lan.address6 is None or lan.dhcp == "external" or installed("radvd") is None:
            return ""
        return radvd_conf(
            interface=lan.interface,
            address6=lan.address6,
            lease=lan.dhcp_lease,
            portal_api=uri,
            mtu=mtu(),
        )

    return Radvd(text, Path(config.node.run_dir), lan.interface)


def announced_mtu(config: NodeConfig) -> Callable[[], int]:
    """MTU in bytes to announce: the smaller of LAN and uplink. While the uplink's interface is missing, the last
    value is kept, so that an unstable link does not restart the servers each time."""
    seen = interface_mtu(config.lan.interface)

    def smallest() -> int:
        nonlocal seen
        if interface_index(config.uplink.interface):
            seen = interface_mtu(config.uplink.interface)
        line = min(seen, config.uplink.mtu or seen)
        return max(MTU_MIN, min(interface_mtu(config.lan.interface), line))

    return smallest


def lease_file(config: NodeConfig) -> Path:
    """In the run directory when the data directory is not writable: dnsmasq does not run without its lease file, and
    devices still need addresses."""
    data_dir = Path(config.node.data_dir)
    folder = data_dir if os.access(data_dir, os.W_OK) else Path(config.node.run_dir)
    return folder / "dhcp.leases"

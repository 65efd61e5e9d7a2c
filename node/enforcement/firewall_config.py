"""The static part of the plan, from the node's configuration."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from node.config import NodeConfig
from node.enforcement.plan import FirewallConfig

DNS_FALLBACK4, DNS_FALLBACK6 = IPv4Address("192.0.2.80"), IPv6Address("2001:db8::80")
"""Addresses for every name while no upstream resolver answers. From documentation networks (RFC 5737, RFC 3849):
operating systems treat them as public, and no host has them."""


def firewall_config(config: NodeConfig, probe_hosts: tuple[str, ...] = ()) -> FirewallConfig:
    """`probe_hosts` are the host names with which operating systems detect the portal."""
    return FirewallConfig(
        lan_interface=config.lan.interface,
        uplink_interface=config.uplink.interface,
        portal_port=config.portal.port,
        portal_tls_port=config.portal.https_port if config.portal.certificate else 0,
        admin_tls_port=config.admin.https_port if config.admin.lan else 0,
        captive_dns_port=config.portal.dns_port,
        open_names=tuple(dict.fromkeys((config.portal.host, *_own_names(config), *probe_hosts))),
        uplink_mtu=config.uplink.mtu,
        mesh_interfaces=config.mesh.interfaces,
        mesh_port=config.mesh.port,
        masquerade=config.uplink.masquerade,
        mesh_peers=tuple(dict.fromkeys(ip_address(peer.address) for peer in config.mesh.peers)),
        flows_per_device=config.lan.flows_per_device,
        transit=config.mesh.transit,
        services=tuple(
            (address, service.port) for service in config.services.offered for address in service.addresses
        ),
        hears_services=config.services.found,
        answers_respondd=config.mesh.respondd,
        dns_fallback=(DNS_FALLBACK4, DNS_FALLBACK6),
    )


def _own_names(config: NodeConfig) -> Iterable[str]:
    """Names of services that our resolvers answer locally, so that queries for them are not forwarded."""
    local = f".{config.lan.domain}"
    return (service.host for service in config.services.offered if service.host.endswith(local))

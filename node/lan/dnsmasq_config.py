"""Generates the configuration files of dnsmasq, for DHCP, router advertisements and DNS on the LAN.

The captive portal URI (RFC 8910) is the same in DHCPv4, DHCPv6 and router advertisements. dnsmasq cannot send option
37 in router advertisements, so radvd sends them when there is a URI, with the same prefix, resolver and lifetimes.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from node.enforcement.firewall_config import DNS_FALLBACK4, DNS_FALLBACK6
from node.units import Milliseconds

NAMES_CACHED = 2_000
ASKED_AT_ONCE_MAX = 8_000
"""Queries that wait for an upstream resolver. dnsmasq waits 10 s for each, and one admitted device may send 50 per
second (`node.enforcement.dns_limits`), so it holds at most 800: ten devices with nothing but unanswered queries leave
capacity for others."""
TCP_AT_ONCE_MAX = 60
"""Each is a process for as long as the connection is open, at most 150 s; one device may have four. The resolver for
unauthorized devices keeps dnsmasq's default of 20."""
NAMES_CACHED_FOR_STRANGERS = 400
ASKED_AT_ONCE_BY_STRANGERS_MAX = 2_500
"""All unauthorized devices together may send 200 per second and a burst of 200: 2,200 in 10 s."""
LEASES_MAX = 65_000
FALLBACK_RESOLVER = "127.0.77.53"
"""Loopback address of the fallback resolver."""
URI_BYTES_MAX = 255
"""RFC 8910 section 2: the limit of DHCPv4 applies to all three."""
ROUTER_SECONDS = 1_800
ADVERTISED_EVERY_SECONDS = 600


Names = tuple[tuple[str, IPv4Address | IPv6Address], ...]


def dnsmasq_conf(
    *,
    interface: str,
    address4: IPv4Interface,
    address6: IPv6Interface | None,
    dhcp: bool,
    first: IPv4Address,
    last: IPv4Address,
    lease: Milliseconds,
    domain: str,
    portal_host: str,
    dns_upstream: tuple[str, ...],
    lease_file: str,
    pid_file: str,
    portal_api: str = "",
    has_radvd: bool = True,
    mtu: int | None = None,
    names: Names = (),
) -> str:
    """Configuration of dnsmasq: DHCP for all devices and DNS for admitted ones; dnsmasq reads no other file.
    `portal_api` is the captive portal API's URI, empty for none. Without radvd, dnsmasq sends the router
    advertisements; with it, `portal_api` goes out by DHCP only. `mtu` in bytes is announced when below the
    interface's own. `names` are answered locally."""
    assert len(portal_api.encode()) <= URI_BYTES_MAX
    own = ((portal_host, address4.ip), *(((portal_host, address6.ip),) if address6 else ()), *names)
    lines = [
        *_resolver(interface, pid_file, domain, own, dns_upstream),
        f"cache-size={NAMES_CACHED}",
        f"dns-forward-max={ASKED_AT_ONCE_MAX}",
        f"max-tcp-connections={TCP_AT_ONCE_MAX}",
    ]
    if dhcp:
        lines.append(f"dhcp-range={first},{last},{address4.netmask},{max(120, lease // 1000)}")
        lines += _dhcp4(address4, lease_file, portal_api)
        if mtu is not None:
            # Router advertisements every 600 s, which is the default.
            lines += [
                f"dhcp-option=option:mtu,{mtu}",
                f"ra-param={interface},mtu:{mtu},{ADVERTISED_EVERY_SECONDS}",
            ]
        if address6 is not None:
            lines += _dhcp6(interface, address6, advertised_seconds(lease), portal_api, has_radvd=has_radvd)
    return "\n".join(lines) + "\n"


def captive_dns_conf(
    *,
    interface: str,
    port: int,
    address4: IPv4Interface,
    address6: IPv6Interface | None,
    domain: str,
    portal_host: str,
    dns_upstream: tuple[str, ...],
    pid_file: str,
    names: Names = (),
) -> str:
    """Configuration of the resolver for unauthorized devices: the same local names as the other resolver, but a
    separate cache and separate query slots, so their queries can neither change nor delay answers to admitted
    devices."""
    own = ((portal_host, address4.ip), *(((portal_host, address6.ip),) if address6 else ()), *names)
    lines = [
        *_resolver(interface, pid_file, domain, own, dns_upstream),
        f"port={port}",
        f"cache-size={NAMES_CACHED_FOR_STRANGERS}",
        f"dns-forward-max={ASKED_AT_ONCE_BY_STRANGERS_MAX}",
        # It logs every answer that the packet filter's limits drop, and little else of use: unauthorized devices
        # could fill the log.
        "log-facility=/dev/null",
        # Nothing listens there while an upstream resolver answers; no restart is needed when the fallback starts.
        f"server={FALLBACK_RESOLVER}",
        # Otherwise only a query that is repeated from the same port goes to more than the server that answered last, and
        # many stub resolvers take another port.
        "all-servers",
    ]
    return "\n".join(lines) + "\n"


def _resolver(
    interface: str, pid_file: str, domain: str, own: Names, dns_upstream: tuple[str, ...]
) -> list[str]:
    """Local names are answered here; everything else is forwarded unchanged, so that DNSSEC validation works (RFC
    8952, section 1)."""
    lines = [
        "# Written by procomu from node.toml: changes here are lost.",
        f"interface={interface}",
        "except-interface=lo",
        "bind-dynamic",
        f"pid-file={pid_file}",
        "no-hosts",
        "domain-needed",
        "bogus-priv",
        # Do not disclose the version and query statistics.
        "no-ident",
        f"domain={domain}",
        f"local=/{domain}/",
    ]
    lines += [f"address=/{name}/{address}" for name, address in own]
    # Repeated as host records: otherwise the name of a lease would win over an address record.
    lines += [f"host-record={name},{address}" for name, address in own]
    if dns_upstream:
        lines.append("no-resolv")
        lines += [f"server={server}" for server in dns_upstream]
    return lines


def dns_fallback_conf(*, has_ipv6: bool, pid_file: str) -> str:
    """Configuration of the fallback resolver: every name resolves to the portal (see `DNS_FALLBACK4`), with a TTL of
    0. An exception to RFC 8952 section 1, which advises against forged answers: without it systems report "no
    Internet" and never show the page."""
    lines = [
        "# Written by procomu: changes here are lost.",
        f"listen-address={FALLBACK_RESOLVER}",
        "bind-interfaces",
        f"pid-file={pid_file}",
        "no-hosts",
        "no-resolv",
        "cache-size=0",
        "local-ttl=0",
        f"address=/#/{DNS_FALLBACK4}",
    ]
    if has_ipv6:
        lines.append(f"address=/#/{DNS_FALLBACK6}")
    return "\n".join(lines) + "\n"


def _dhcp4(address4: IPv4Interface, lease_file: str, portal_api: str) -> list[str]:
    lines = [
        f"dhcp-option=option:router,{address4.ip}",
        f"dhcp-option=option:dns-server,{address4.ip}",
        f"dhcp-leasefile={lease_file}",
        f"dhcp-lease-max={LEASES_MAX}",
        "dhcp-authoritative",
        # Host names sent by devices are not published: a device could use the portal's name, and its name would
        # reveal its owner.
        "dhcp-ignore-names",
        # Without this, dnsmasq pings each address first, and every new device waits three seconds.
        "no-ping",
        # Otherwise each lease writes a hardware address and a device's name to the system log.
        "quiet-dhcp",
    ]
    return [*lines, f"dhcp-option-force=114,{portal_api}"] if portal_api else lines


def _dhcp6(
    interface: str, address6: IPv6Interface, seconds: int, portal_api: str, *, has_radvd: bool
) -> list[str]:
    lines = [f"dhcp-option=option6:dns-server,[{address6.ip}]", "quiet-dhcp6", "quiet-ra"]
    size = address6.network.prefixlen
    if portal_api and has_radvd:
        # Stateless DHCPv6: options only, since devices configure their own addresses.
        lines.append(f"dhcp-range={address6.network.network_address},static,{size},{seconds}")
    else:
        mode = "ra-stateless" if portal_api else "ra-only"
        lines += ["enable-ra", f"dhcp-range=::,constructor:{interface},{mode},{size},{seconds}"]
    return [*lines, f"dhcp-option-force=option6:103,{portal_api}"] if portal_api else lines


def advertised_seconds(lease: Milliseconds) -> int:
    """Lifetime of what router advertisements announce."""
    return max(300, lease // 1000)

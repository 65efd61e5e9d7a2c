"""dnsmasq's configuration file, generated: DHCP, router advertisements and DNS for the people's side."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

from node.units import Milliseconds

NAMES_CACHED = 2_000
ASKED_AT_ONCE_MAX = 500
LEASES_MAX = 65_000


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
) -> str:
    """One file with everything; dnsmasq reads no other. The portal's name is answered here, everything else is
    passed on unchanged, so that DNSSEC stays checkable (RFC 8952, section 1)."""
    seconds = max(120, lease // 1000)
    lines = [
        "# Written by procomu from node.toml: changes here are lost.",
        f"interface={interface}",
        "except-interface=lo",
        "bind-dynamic",
        f"pid-file={pid_file}",
        "no-hosts",
        f"cache-size={NAMES_CACHED}",
        f"dns-forward-max={ASKED_AT_ONCE_MAX}",
        "domain-needed",
        "bogus-priv",
        f"domain={domain}",
        f"local=/{domain}/",
        f"address=/{portal_host}/{address4.ip}",
    ]
    if address6 is not None:
        lines.append(f"address=/{portal_host}/{address6.ip}")
    if dns_upstream:
        lines.append("no-resolv")
        lines += [f"server={server}" for server in dns_upstream]
    if dhcp:
        lines += [
            f"dhcp-range={first},{last},{address4.netmask},{seconds}",
            f"dhcp-option=option:router,{address4.ip}",
            f"dhcp-option=option:dns-server,{address4.ip}",
            f"dhcp-leasefile={lease_file}",
            f"dhcp-lease-max={LEASES_MAX}",
            "dhcp-authoritative",
            "dhcp-rapid-commit",
            # Probing each address with a ping first would make every newcomer wait three seconds.
            "no-ping",
        ]
        if address6 is not None:
            lines += [
                "enable-ra",
                f"dhcp-range=::,constructor:{interface},ra-only,{address6.network.prefixlen},{max(seconds, 300)}",
            ]
    return "\n".join(lines) + "\n"

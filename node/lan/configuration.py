"""The servers' configuration files, generated: DHCP, router advertisements and DNS for the people's side.

Where the portal may be told (RFC 8910), DHCPv4, DHCPv6 and router advertisements name the identical URI. dnsmasq has
no option 37 for its router advertisements, so radvd sends them then, with the same prefix, resolver and lifetimes.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from node.enforcement.firewall_config import DNS_FALLBACK4, DNS_FALLBACK6
from node.units import Milliseconds

NAMES_CACHED = 2_000
ASKED_AT_ONCE_MAX = 8_000
"""Questions that wait for an upstream resolver. dnsmasq gives each 10 s, so the 50 a second of one admitted device
(`node.enforcement.dns_limits`) take 800 places at most: ten devices that ask for nothing but dead names leave room."""
TCP_AT_ONCE_MAX = 60
"""Each is a process for as long as it is open, 150 s at most; four for each device. Strangers have dnsmasq's own 20."""
NAMES_CACHED_FOR_STRANGERS = 400
ASKED_AT_ONCE_BY_STRANGERS_MAX = 2_500
"""All devices that are not admitted may ask 200 a second together, 200 more at once: 2,200 in 10 s."""
LEASES_MAX = 65_000
STAND_IN_RESOLVER = "127.0.77.53"
"""Loopback address of the resolver that gives these answers."""
URI_BYTES_MAX = 255
"""RFC 8910 section 2: what fits into DHCPv4 holds for all three."""
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
    """Addresses for everybody and names for the admitted, in one file; dnsmasq reads no other. `portal_api` is the
    URI of the captive portal API; empty tells devices of none. Without radvd the network is announced here, and by
    DHCP alone where the portal is. `mtu` in bytes is told where it is less than the interface's own. `names` are
    answered here too."""
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
            # Router advertisements every 600 s, as without this line.
            lines += [
                f"dhcp-option=option:mtu,{mtu}",
                f"ra-param={interface},mtu:{mtu},{ADVERTISED_EVERY_SECONDS}",
            ]
        if address6 is not None:
            lines += _dhcp6(interface, address6, _advertised_seconds(lease), portal_api, has_radvd=has_radvd)
    return "\n".join(lines) + "\n"


def strangers_dns_conf(
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
    """The resolver of devices that are not admitted: it knows the same names as the other, and shares neither its
    memory nor its places with it, so that nothing that they ask changes or delays what the admitted are told."""
    own = ((portal_host, address4.ip), *(((portal_host, address6.ip),) if address6 else ()), *names)
    lines = [
        *_resolver(interface, pid_file, domain, own, dns_upstream),
        f"port={port}",
        f"cache-size={NAMES_CACHED_FOR_STRANGERS}",
        f"dns-forward-max={ASKED_AT_ONCE_BY_STRANGERS_MAX}",
        # It complains of each answer that the limits of the packet filter hold back, and of nothing else that matters:
        # strangers would fill the log.
        "log-facility=/dev/null",
        # Nobody is there while another resolver answers, and nothing else has to be changed when somebody is.
        f"server={STAND_IN_RESOLVER}",
    ]
    return "\n".join(lines) + "\n"


def _resolver(
    interface: str, pid_file: str, domain: str, own: Names, dns_upstream: tuple[str, ...]
) -> list[str]:
    """Our own names are answered here, everything else is passed on unchanged, so that DNSSEC stays checkable
    (RFC 8952, section 1)."""
    lines = [
        "# Written by procomu from node.toml: changes here are lost.",
        f"interface={interface}",
        "except-interface=lo",
        "bind-dynamic",
        f"pid-file={pid_file}",
        "no-hosts",
        "domain-needed",
        "bogus-priv",
        # Its version, and how much others ask, is nobody's business.
        "no-ident",
        f"domain={domain}",
        f"local=/{domain}/",
    ]
    lines += [f"address=/{name}/{address}" for name, address in own]
    # Said once more as hosts: the name of a lease would go before an address.
    lines += [f"host-record={name},{address}" for name, address in own]
    if dns_upstream:
        lines.append("no-resolv")
        lines += [f"server={server}" for server in dns_upstream]
    return lines


def stand_in_conf(*, has_ipv6: bool, pid_file: str) -> str:
    """A resolver for the time without any other: every name leads to the portal (see `DNS_FALLBACK4`), and no answer lives
    longer than the moment. An exception to RFC 8952 section 1, which wants no forged answers: without it systems say
    "no Internet" and never show the page."""
    lines = [
        "# Written by procomu: changes here are lost.",
        f"listen-address={STAND_IN_RESOLVER}",
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


def radvd_conf(
    *, interface: str, address6: IPv6Interface, lease: Milliseconds, portal_api: str, mtu: int
) -> str:
    """Router advertisements as dnsmasq would send them, with the captive portal option (RFC 8910 section 2.3) and the
    flag that asks devices to read the same by DHCPv6."""
    assert portal_api
    assert len(portal_api.encode()) <= URI_BYTES_MAX
    # As dnsmasq, which keeps what it announces for three announcements at least.
    seconds = max(ROUTER_SECONDS, _advertised_seconds(lease))
    return f"""\
# Written by procomu from node.toml: changes here are lost.
interface {interface} {{
  AdvSendAdvert on;
  IgnoreIfMissing on;
  MaxRtrAdvInterval {ADVERTISED_EVERY_SECONDS};
  AdvDefaultLifetime {ROUTER_SECONDS};
  AdvLinkMTU {mtu};
  AdvManagedFlag off;
  AdvOtherConfigFlag on;
  AdvCaptivePortalAPI "{portal_api}";
  prefix {address6.network} {{
    AdvOnLink on;
    AdvAutonomous on;
    AdvValidLifetime {seconds};
    AdvPreferredLifetime {seconds};
  }};
  RDNSS {address6.ip} {{
    AdvRDNSSLifetime {seconds};
  }};
}};
"""


def _dhcp4(address4: IPv4Interface, lease_file: str, portal_api: str) -> list[str]:
    lines = [
        f"dhcp-option=option:router,{address4.ip}",
        f"dhcp-option=option:dns-server,{address4.ip}",
        f"dhcp-leasefile={lease_file}",
        f"dhcp-lease-max={LEASES_MAX}",
        "dhcp-authoritative",
        # What a device calls itself is no name here: it could call itself as the portal is called, and its name would
        # tell everybody who is there.
        "dhcp-ignore-names",
        # Probing each address with a ping first would make every newcomer wait three seconds.
        "no-ping",
        # Otherwise each lease writes a hardware address and a device's name into the system's log.
        "quiet-dhcp",
    ]
    return [*lines, f"dhcp-option-force=114,{portal_api}"] if portal_api else lines


def _dhcp6(
    interface: str, address6: IPv6Interface, seconds: int, portal_api: str, *, has_radvd: bool
) -> list[str]:
    lines = [f"dhcp-option=option6:dns-server,[{address6.ip}]", "quiet-dhcp6", "quiet-ra"]
    size = address6.network.prefixlen
    if portal_api and has_radvd:
        # Answers to questions, and no addresses: devices form their own.
        lines.append(f"dhcp-range={address6.network.network_address},static,{size},{seconds}")
    else:
        mode = "ra-stateless" if portal_api else "ra-only"
        lines += ["enable-ra", f"dhcp-range=::,constructor:{interface},{mode},{size},{seconds}"]
    return [*lines, f"dhcp-option-force=option6:103,{portal_api}"] if portal_api else lines


def _advertised_seconds(lease: Milliseconds) -> int:
    return max(300, lease // 1000)

"""Generates the configuration of radvd, which sends the router advertisements where there is a captive portal URI."""

from ipaddress import IPv6Interface

from node.lan.dnsmasq_config import (
    ADVERTISED_EVERY_SECONDS,
    ROUTER_SECONDS,
    URI_BYTES_MAX,
    advertised_seconds,
)
from node.units import Milliseconds


def radvd_conf(
    *, interface: str, address6: IPv6Interface, lease: Milliseconds, portal_api: str, mtu: int
) -> str:
    """Configuration of radvd: the same router advertisements as dnsmasq would send, plus the captive portal option
    (RFC 8910 section 2.3) and the flag that makes devices request it by DHCPv6 too."""
    assert portal_api
    assert len(portal_api.encode()) <= URI_BYTES_MAX
    # Like dnsmasq, whose lifetime is at least three advertisement intervals.
    seconds = max(ROUTER_SECONDS, advertised_seconds(lease))
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

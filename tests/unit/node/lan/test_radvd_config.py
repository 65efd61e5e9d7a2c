"""radvd's configuration: the same network as dnsmasq announces, with the captive portal."""

from ipaddress import IPv6Interface

from node.lan.radvd_config import radvd_conf
from node.units import Milliseconds
from tests.unit.node.lan.test_dnsmasq_config import PORTAL, conf


def test_both_servers_name_the_same_network_resolver_and_lifetimes() -> None:
    lines, said = conf(), advertised()
    assert "dhcp-option=option6:dns-server,[fd77::1]" in lines
    assert "  RDNSS fd77::1 {" in said
    assert "  prefix fd77::/64 {" in said
    assert 3 == "\n".join(said).count("3600;")


def advertised() -> list[str]:
    return radvd_conf(
        interface="br-lan",
        address6=IPv6Interface("fd77::1/64"),
        lease=Milliseconds(3_600_000),
        portal_api=PORTAL,
        mtu=1_500,
    ).splitlines()


def test_all_three_options_announce_the_identical_portal_url() -> None:
    lines = conf(portal_api=PORTAL)
    assert {f"dhcp-option-force=114,{PORTAL}", f"dhcp-option-force=option6:103,{PORTAL}"} <= set(lines)
    assert f'  AdvCaptivePortalAPI "{PORTAL}";' in advertised()

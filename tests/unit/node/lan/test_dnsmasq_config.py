"""dnsmasq's configuration: addresses, names and router advertisements for clients, nothing on other interfaces."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address
from typing import Any

from node.lan.dnsmasq_config import captive_dns_conf, dns_fallback_conf, dnsmasq_conf
from node.units import Milliseconds


def conf(**others: Any) -> list[str]:
    wanted: dict[str, Any] = {
        "interface": "br-lan",
        "address4": IPv4Interface("10.77.0.1/16"),
        "address6": IPv6Interface("fd77::1/64"),
        "dhcp": True,
        "first": IPv4Address("10.77.1.0"),
        "last": IPv4Address("10.77.255.254"),
        "lease": Milliseconds(3_600_000),
        "domain": "vall.lan",
        "portal_host": "login.vall.lan",
        "dns_upstream": (),
        "lease_file": "/var/lib/procomu/dhcp.leases",
        "pid_file": "/run/procomu/dnsmasq.pid",
    }
    return dnsmasq_conf(**{**wanted, **others}).splitlines()


def strangers(**others: Any) -> list[str]:
    wanted: dict[str, Any] = {
        "interface": "br-lan",
        "port": 2053,
        "address4": IPv4Interface("10.77.0.1/16"),
        "address6": IPv6Interface("fd77::1/64"),
        "domain": "vall.lan",
        "portal_host": "login.vall.lan",
        "dns_upstream": (),
        "pid_file": "/run/procomu/captive-dns.pid",
    }
    return captive_dns_conf(**{**wanted, **others}).splitlines()


def test_both_resolvers_know_the_same_names_and_share_no_port_and_no_queue() -> None:
    own = (("radio.vall.lan", IPv4Address("10.77.0.9")),)
    known = [
        {line for line in lines if line.startswith(("address=", "host-record=", "local=", "server="))}
        for lines in (
            conf(names=own, dns_upstream=("9.9.9.9",)),
            strangers(names=own, dns_upstream=("9.9.9.9",)),
        )
    ]
    assert known[1] - known[0] == {"server=127.0.77.53"}
    assert not known[0] - known[1]
    assert "port=2053" in strangers()
    assert "all-servers" in strangers(), "the fallback hears each query, from whatever port it is repeated"
    assert not [line for line in strangers() if line.startswith(("dhcp", "enable-ra"))]


def test_each_pool_has_room_for_all_queries_allowed_before_dnsmasq_times_out() -> None:
    """Ten seconds, as dnsmasq's own TIMEOUT says; documented numbers, not those of the code."""
    assert "dns-forward-max=2500" in strangers()
    assert 2_500 >= 200 * 10 + 200
    assert "dns-forward-max=8000" in conf()
    assert 8_000 >= 10 * (50 * 10 + 300)


def test_the_portals_name_resolves_in_both_families() -> None:
    assert {"address=/login.vall.lan/10.77.0.1", "address=/login.vall.lan/fd77::1"} <= set(conf())


def test_clients_get_addresses_of_both_families_on_the_lan_only() -> None:
    lines = conf()
    assert "interface=br-lan" in lines
    assert "bind-dynamic" in lines
    assert "dhcp-range=10.77.1.0,10.77.255.254,255.255.0.0,3600" in lines
    assert "dhcp-range=::,constructor:br-lan,ra-only,64,3600" in lines


def test_where_another_server_gives_addresses_only_names_are_answered() -> None:
    assert not [line for line in conf(dhcp=False) if line.startswith(("dhcp", "enable-ra"))]


def test_a_network_without_ipv6_advertises_none() -> None:
    assert not [line for line in conf(address6=None) if line == "enable-ra" or "::" in line]


def test_named_resolvers_replace_the_systems_own() -> None:
    lines = conf(dns_upstream=("9.9.9.9", "2620:fe::fe"))
    assert {"no-resolv", "server=9.9.9.9", "server=2620:fe::fe"} <= set(lines)
    assert "no-resolv" not in conf()


def test_no_lease_is_logged() -> None:
    assert {"quiet-dhcp", "quiet-dhcp6", "quiet-ra"} <= set(conf())
    assert "quiet-dhcp" in conf(address6=None)


def test_no_client_can_see_how_much_others_query() -> None:
    assert "no-ident" in conf()


def test_no_device_takes_the_portals_or_a_services_name_as_its_host_name() -> None:
    lines = conf(names=(("radio.vall.lan", IPv4Address("10.77.0.9")),))
    assert "dhcp-ignore-names" in lines
    assert {
        "host-record=login.vall.lan,10.77.0.1",
        "host-record=login.vall.lan,fd77::1",
        "host-record=radio.vall.lan,10.77.0.9",
    } <= set(lines)


PORTAL = "https://login.vall.example/captive-portal"


def test_only_one_server_sends_router_advertisements() -> None:
    assert [] == [line for line in conf(portal_api=PORTAL) if line == "enable-ra" or "ra-" in line]
    assert "dhcp-range=fd77::,static,64,3600" in conf(portal_api=PORTAL)
    assert "enable-ra" in conf()


def test_without_radvd_the_network_is_still_announced() -> None:
    lines = conf(portal_api=PORTAL, has_radvd=False)
    assert {"enable-ra", "dhcp-range=::,constructor:br-lan,ra-stateless,64,3600"} <= set(lines)
    assert f"dhcp-option-force=option6:103,{PORTAL}" in lines


def test_without_a_trusted_certificate_no_portal_is_announced() -> None:
    assert [] == [line for line in conf() if "114" in line or "103" in line]


def test_a_network_without_ipv6_announces_the_portal_by_ipv4_only() -> None:
    lines = conf(portal_api=PORTAL, address6=None)
    assert f"dhcp-option-force=114,{PORTAL}" in lines
    assert [] == [line for line in lines if "option6" in line]


def test_services_with_names_of_our_own_are_resolved_here() -> None:
    names = (("wiki.vall.lan", IPv4Address("10.77.0.9")), ("wiki.vall.lan", IPv6Address("fd77::9")))
    assert {"address=/wiki.vall.lan/10.77.0.9", "address=/wiki.vall.lan/fd77::9"} <= set(conf(names=names))


def test_while_no_upstream_resolver_answers_every_name_has_one_documentation_address_with_ttl_zero() -> None:
    lines = dns_fallback_conf(has_ipv6=True, pid_file="/run/procomu/dns-fallback.pid").splitlines()
    assert {"address=/#/192.0.2.80", "address=/#/2001:db8::80", "local-ttl=0"} <= set(lines)
    assert not [line for line in lines if line.startswith(("dhcp", "server", "interface"))]
    here = next(line.partition("=")[2] for line in lines if line.startswith("listen-address="))
    assert ip_address(here).is_loopback
    assert f"server={here}" in strangers()
    assert here not in "".join(conf())
    assert "2001:db8::80" not in dns_fallback_conf(has_ipv6=False, pid_file="/x")

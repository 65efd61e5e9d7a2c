"""What of node.toml the firewall rules depend on."""

from ipaddress import ip_address

from node.config import parse_config
from node.enforcement.firewall_config import firewall_config
from node.enforcement.plan import FirewallConfig

FILE = """
[node]
name = "library"
[community]
name = "Vall Alta"
[lan]
interface = "br-lan"
[uplink]
interface = "eth0"
"""


def firewall_of(more: str = "") -> FirewallConfig:
    config, findings = parse_config(FILE + more)
    assert config is not None, findings
    return firewall_config(config)


def test_each_address_of_a_service_is_opened_with_its_port_and_no_other() -> None:
    wiki = '"Wiki | http://wiki.vall.lan:8080/ | All we know | 10.77.0.9 fd77::9"'
    radio = '"Radio | https://203.0.113.7/ | What we say"'
    found = firewall_of(f"[services]\noffered = [{wiki}, {radio}]\nfound = false\n")
    assert found.services == (
        (ip_address("10.77.0.9"), 8080),
        (ip_address("fd77::9"), 8080),
        (ip_address("203.0.113.7"), 443),
    )
    assert not found.hears_services


def test_a_node_without_services_opens_and_listens_to_nothing() -> None:
    found = firewall_of()
    assert ((), True, 0) == (found.services, found.hears_services, found.portal_tls_port)


def test_the_fallback_addresses_for_the_internet_are_reserved_ones() -> None:
    assert all(not address.is_global and not address.is_loopback for address in firewall_of().dns_fallback)
    assert [4, 6] == [address.version for address in firewall_of().dns_fallback]


def test_only_names_that_our_resolvers_answer_themselves_stay_free() -> None:
    wiki = '"Wiki | http://wiki.procomu.lan:8080/ | All we know | 10.77.0.9"'
    far = '"Radio | http://radio.example/ | What we say | 203.0.113.7"'
    config, findings = parse_config(FILE + f"[services]\noffered = [{wiki}, {far}]\n")
    assert config is not None, findings
    assert ("login.procomu.lan", "wiki.procomu.lan", "captive.apple.com") == firewall_config(
        config, ("captive.apple.com",)
    ).open_names

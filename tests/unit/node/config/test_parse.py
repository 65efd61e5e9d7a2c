"""A settings file gives settings, or all of its errors at once."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import SETTINGS, NodeConfig, example, parse_config

NODE = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsq"
LEAST = """\
[node]
name = "library"
[community]
name = "Vall Alta"
[lan]
interface = "br-lan"
[uplink]
interface = "eth0"
"""


def config_of(text: str) -> NodeConfig:
    config, findings = parse_config(text)
    assert config is not None, findings
    return config


def said_of(text: str) -> list[str]:
    config, findings = parse_config(text)
    assert config is None
    return [str(finding) for finding in findings]


def test_four_lines_are_a_whole_configuration():
    config = config_of(LEAST)
    assert ("library", "br-lan", "eth0") == (config.node.name, config.lan.interface, config.uplink.interface)
    assert "login.procomu.lan" == config.portal.host
    assert "/var/lib/procomu/node.key" == config.node.key_file
    assert 4 * 3_600_000 == config.portal.session
    assert "/run/procomu/console.sock" == config.node.console_socket


def test_the_example_is_valid_and_changes_nothing_but_the_names():
    assert config_of(LEAST) == config_of(example())


def test_all_examples_may_be_in_one_file():
    config_of(example({setting.name: setting.example for setting in SETTINGS}))


GATEWAYS_GUIDE = (Path(__file__).parents[4] / "deploy/GATEWAYS.md").read_text()


def test_the_guide_to_gateways_is_valid_beside_the_defaults():
    shown = GATEWAYS_GUIDE.partition("```toml\n")[2].partition("```")[0]
    listen = config_of(LEAST + shown).gateways.listen
    assert listen is not None
    assert f"HTTPPort {listen.port}\n" in GATEWAYS_GUIDE


def test_two_nodes_that_do_as_the_guide_to_gateways_shows_name_each_other():
    shown = GATEWAYS_GUIDE.split("```toml\n")[2].partition("```")[0]
    first, second = (config_of(LEAST + each).gateways for each in shown.split("\n\n"))
    assert (first.second, second.second) == (second.serves, first.serves)
    assert first.second_node != second.second_node


@pytest.mark.parametrize(
    ("line", "missing"), [(f'second_node = "{NODE}"', "second"), ('second = "a.example:2082"', "second_node")]
)
def test_a_second_node_is_named_by_its_place_and_its_id(line, missing):
    config, (finding,) = parse_config(f"{LEAST}[gateways]\n{line}\n")
    assert config is not None
    assert "W-config-gateways" == finding.code
    assert f"of no use without gateways.{missing}." in str(finding)
    _, whole = parse_config(f'{LEAST}[gateways]\nsecond = "a.example:2082"\nsecond_node = "{NODE}"\n')
    assert not whole
    (said,) = said_of(f'{LEAST}[gateways]\nsecond_node = "{NODE[:-1]}"\n')
    assert "not a node id" in said


def test_the_port_that_is_proposed_is_free():
    text = LEAST + '[portal]\nport = 2082\n[gateways]\nlisten = "0.0.0.0:2082"\nhttps_port = 2083\n'
    (said,) = said_of(text)
    assert "such as 2084" in said


def test_answers_given_to_init_are_in_the_example():
    config = config_of(example({"node.name": '"hill"', "mesh.interfaces": '["mesh0"]'}))
    assert ("hill", ("mesh0",)) == (config.node.name, config.mesh.interfaces)


def test_all_errors_are_reported_at_once_each_with_line_and_fix():
    text = LEAST.replace('name = "library"', 'nmae = "library"\ndata_dir = 3') + "mesh0\n[portl]\nport = 80\n"
    assert [
        "line 2: config-unknown: [node] has no setting 'nmae'. Fix: did you mean name?",
        "line 3: config-value: node.data_dir: text in quotation marks is needed here. Fix: write a full path, "
        'for example data_dir = "/var/lib/procomu"',
        "line 10: config-syntax: This line cannot be read: 'mesh0'. Fix: "
        'write key = value, such as name = "library"; a name in brackets is alone on its line',
        "line 11: config-unknown: there is no section 'portl'. Fix: did you mean [portal]?",
    ] == said_of(text)


def test_a_required_setting_is_asked_for_with_an_example():
    assert [
        'config-missing: community.name is missing. Fix: add name = "Vall Alta" below [community]',
        'config-missing: lan.interface is missing. Fix: add interface = "br-lan" below [lan]',
        'config-missing: uplink.interface is missing. Fix: add interface = "eth0" below [uplink]',
        'line 1: config-missing: node.name is missing. Fix: add name = "library" below [node]',
    ] == sorted(said_of("[node]\n"))


def test_a_setting_before_all_sections_is_reported_with_its_section():
    assert [
        "line 1: config-unknown: 'masquerade' stands in no section. Fix: move it below [uplink]"
    ] == said_of("masquerade = false\n" + LEAST)


def test_a_setting_in_the_wrong_section_is_reported_with_its_section():
    assert ["line 9: config-unknown: [uplink] has no setting 'peers'. Fix: move it below [mesh]"] == said_of(
        LEAST + "peers = []\n"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('address4 = "10.0.0.0/8"', "10.0.0.0 is the network itself"),
        ('address4 = "10.0.0.1"', "a network of size /32 cannot be used"),
        ('address6 = "fd00::1/48"', "the network's size must be /64"),
        ('address6 = "fe80::1/64"', "cannot be this node's address"),
        ('dhcp = "yes"', "only 'managed' or 'external' can stand here"),
        ('dhcp_lease = "10 seconds"', "less than one minute is too short"),
        ('dhcp_lease = "soon"', "is not a duration"),
        ('dhcp_first = "10.78.0.1"', "10.78.0.1 is not in 10.77.0.0/16"),
        ('dhcp_first = "10.77.0.1"', "the node's own address 10.77.0.1 would be handed out"),
        ('dhcp_last = "10.77.0.3"', "10.77.0.101 comes after 10.77.0.3"),
        ('dns_upstream = ["9.9.9.9", "9.9.9.9"]', "9.9.9.9 is listed twice"),
        ('dns_upstream = "9.9.9.9"', "a list in square brackets is needed"),
        ('domain = "a b"', "cannot be a name in the DNS"),
    ],
)
def test_a_value_that_cannot_work_on_the_client_side_is_refused(line, said):
    (only,) = said_of(LEAST.replace('interface = "br-lan"', f'interface = "br-lan"\n{line}'))
    assert said in only
    assert only.startswith("line 7: ")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[portal]\nport = 53\n", "53 is the port of DNS already"),
        ("[portal]\nport = true\n", "a port is a whole number"),
        ("[portal]\nport = 70000\n", "70000 is not a port"),
        ('[portal]\nhost = "login.example.org"\n', "is not a name below lan.domain procomu.lan"),
        ("[admin]\nport = 7400\n", "7400 is the port of the admins' pages already"),
        ('[mesh]\ninterfaces = ["eth0"]\n', "eth0 is the Internet's side already"),
        ('[mesh]\ninterfaces = ["a b"]\n', "'a b' cannot be the name of a network interface"),
        ('[mesh]\npeers = ["fd00::1 7400 nobody"]\n', "'nobody' is not a node id"),
        ('[mesh]\npeers = ["fd00::1"]\n', "a peer is its address, its port and its node id"),
        (f'[mesh]\npeers = ["fe80::7 7400 {NODE}"]\n', "name the one that leads there, as in fe80::7%mesh0"),
        (
            f'[mesh]\npeers = ["fe80::7%mesh!0 7400 {NODE}"]\n',
            "'mesh!0' cannot be the name of a network interf",
        ),
        ('[rules]\nfile = "rules.toml"\n', "is not a full path"),
        ('[stop]\nsessions = "maybe"\n', "only 'keep' or 'close'"),
        ("node = 3\n", "node is a section, not a setting"),
    ],
)
def test_a_value_that_cannot_work_is_refused(more, said):
    text = more + "\n".join(LEAST.splitlines()[2:]) if more.startswith("node") else LEAST + more
    assert any(said in each for each in said_of(text)), said_of(text)


def test_the_two_sides_cannot_be_one_interface():
    (only,) = said_of(LEAST.replace("eth0", "br-lan"))
    assert only.startswith("line 8: config-interface: uplink.interface: br-lan is the people's side already.")


@pytest.mark.parametrize("address", ["10.77.0.1", "0.0.0.0", "::"])
def test_an_admin_address_on_the_client_side_is_a_warning(address):
    config, findings = parse_config(LEAST + f'[admin]\naddress = "{address}"\n')
    assert config is not None
    assert ["W-config-admin"] == [finding.code for finding in findings]


@pytest.mark.parametrize("address", ["fd42::7", "fe80::7%mesh0", "10.1.2.3"])
def test_peers_are_addresses_ports_and_keys(address):
    (peer,) = config_of(LEAST + f'[mesh]\npeers = ["{address} 7400 {NODE}"]\n').mesh.peers
    assert (address, 7400, NODE) == (peer.address, peer.port, peer.node)


def test_sessions_may_be_unlimited_and_ipv6_may_be_left_out():
    text = LEAST.replace('interface = "br-lan"', 'interface = "br-lan"\naddress6 = "none"')
    config = config_of(text + '[portal]\nsession = "none"\n')
    assert (None, None) == (config.lan.address6, config.portal.session)


@pytest.mark.parametrize("address", ["10.77.0.1/16", "192.168.1.254/24", "10.0.0.130/25", "172.16.0.2/29"])
def test_the_dhcp_range_never_includes_the_nodes_own_address(address):
    lan = config_of(
        LEAST.replace('interface = "br-lan"', f'interface = "br-lan"\naddress4 = "{address}"')
    ).lan
    assert lan.dhcp_first <= lan.dhcp_last
    assert lan.dhcp_first in lan.address4.network
    assert lan.dhcp_last in lan.address4.network
    assert not lan.dhcp_first <= lan.address4.ip <= lan.dhcp_last


def test_the_range_starts_a_hundred_above_the_node():
    lan = config_of(LEAST).lan
    assert (IPv4Address("10.77.0.101"), IPv4Address("10.77.255.253")) == (lan.dhcp_first, lan.dhcp_last)


def test_a_file_that_is_far_too_large_is_not_read():
    (said,) = said_of("# x\n" * 70_000)
    assert said.startswith("config-text: This file has 280000 bytes; at most 262144 are read.")


@given(st.text(max_size=300) | st.lists(st.sampled_from(LEAST.split("\n")), max_size=12).map("\n".join))
def test_no_text_raises(text):
    config, findings = parse_config(text)
    assert (config is None) == any(finding.is_error for finding in findings)
    assert all(0 <= finding.line <= text.count("\n") + 1 for finding in findings)
    assert all(finding.fix for finding in findings)


def test_a_certificate_needs_its_key_and_then_the_portal_may_have_a_public_name():
    half = LEAST + '[portal]\nhost = "login.vall.example"\ncertificate = "/etc/procomu/portal.crt"\n'
    assert [
        "line 11: config-certificate: portal.certificate is of no use without portal.certificate_key. Fix: add "
        'certificate_key = "/etc/procomu/portal.key" below [portal]'
    ] == said_of(half)
    portal = config_of(half + 'certificate_key = "/etc/procomu/portal.key"\n').portal
    assert ("login.vall.example", "/etc/procomu/portal.crt", 2443, True) == (
        portal.host,
        portal.certificate,
        portal.https_port,
        portal.advertise,
    )
    assert (None, None) == (config_of(LEAST).portal.certificate, config_of(LEAST).portal.certificate_key)


def test_a_community_sets_the_languages_of_its_pages():
    portal = config_of(LEAST + '[portal]\nlanguage = "ca"\nlanguages = ["es", "pt-BR"]\n').portal
    assert ("ca", ("es", "pt-BR")) == (portal.language, portal.languages)
    assert ("en", ()) == (config_of(LEAST).portal.language, config_of(LEAST).portal.languages)
    (finding,) = said_of(LEAST + '[portal]\nlanguage = "Català"\n')
    assert "'Català' is not the short name of a language such as ca or pt-BR" in finding

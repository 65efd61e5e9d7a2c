"""Services of the community, as node.toml lists them."""

from ipaddress import ip_address

import pytest

from node.config.model import OfferedService
from node.config.offered_services import SERVICES, read_offer
from node.config.parse import parse_config

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


def test_a_service_with_an_address_gets_the_default_port():
    found = read_offer("Radio | http://10.77.0.9/live?q=1 | What the valley says")
    assert found == OfferedService(
        "Radio",
        "http://10.77.0.9/live?q=1",
        "What the valley says",
        "10.77.0.9",
        80,
        (ip_address("10.77.0.9"),),
    )
    assert 443 == read_offer("Wiki | https://[fd77::9]/ | ").port


def test_a_service_with_a_name_needs_its_address():
    found = read_offer("Wiki | https://Wiki.Vall.lan:8443/ | All we know | 10.77.0.9 fd77::9")
    assert ("wiki.vall.lan", 8443) == (found.host, found.port)
    assert (ip_address("10.77.0.9"), ip_address("fd77::9")) == found.addresses


@pytest.mark.parametrize(
    "line",
    [
        "http://10.77.0.9/",
        "Wiki | http://10.77.0.9/",
        " | http://10.77.0.9/ | no name",
        "Wiki | ftp://10.77.0.9/ | another protocol",
        "Wiki | javascript:alert(1) | no place",
        "Wiki | http://ana:secret@10.77.0.9/ | a secret for everybody",
        "Wiki | http://10.77.0.9:0/ | no port",
        "Wiki | http://10.77.0.9:99999/ | no port",
        'Wiki | http://10.77.0.9/"><script> | markup',
        "Wiki | http://10.77.0.9/a b | a space",
        "Wiki | http://10.77.0.9/ñ | another alphabet",
        "Wiki | http://wiki.vall.lan/ | nowhere",
        "Wiki | http://wiki.vall.lan/ | nowhere |",
        "Wiki | http://wiki_of_ana/ | no name in the DNS | 10.77.0.9",
        "Wiki | http://wiki.vall.lan/ | too often | 10.77.0.9 | 10.77.0.9",
        "Wiki | http://10.77.0.9/ | twice | 10.77.0.9",
        "Wiki | http://wiki.vall.lan/ | no address | 10.77.0",
        "Wiki | http://wiki.vall.lan/ | many | " + " ".join(f"10.77.0.{n}" for n in range(9)),
        "Wiki | http://127.0.0.1/ | only here",
        "Wiki | http://[fe80::1]/ | of one link",
        "Wiki | http://[fd77::9%eth0]/ | of one interface",
        "Wiki | http://wiki.vall.lan/ | of one interface | fd77::9%eth0",
        "Wiki\n | http://10.77.0.9/ | two lines\u0007",
        "W" * 61 + " | http://10.77.0.9/ | long",
        "Wiki | http://10.77.0.9/" + "a" * 200 + " | long",
        "x" * 900,
        17,
    ],
)
def test_an_unusable_or_unsafe_service_is_refused(line):
    with pytest.raises(ValueError, match=r"\w{3}"):
        read_offer(line)


def test_a_list_with_more_services_than_a_page_shows_is_refused():
    lines = [f"Wiki | http://10.77.0.9:{port}/ | one" for port in range(8000, 8033)]
    assert 32 == len(SERVICES.read(lines[:32]))
    with pytest.raises(ValueError, match="32 are allowed"):
        SERVICES.read(lines)


@pytest.mark.parametrize(
    ("port", "codes"),
    [(8080, []), *((server, ["config-service"]) for server in (53, 80, 443, 2080, 2081, 2443, 7400))],
)
def test_no_service_opens_a_port_of_the_node_itself(port, codes):
    text = f'{FILE}[services]\noffered = ["Wiki | http://10.77.0.1:{port}/ | on this node"]\n'
    config, findings = parse_config(text)
    assert codes == [finding.code for finding in findings]
    assert (config is None) == bool(codes)


@pytest.mark.parametrize(
    ("line", "is_read"),
    [
        (f"{'n' * 60} | http://10.77.0.9/ | {'a' * 200}", True),
        (f"{'n' * 61} | http://10.77.0.9/ | what", False),
        (f"name | http://10.77.0.9/ | {'a' * 201}", False),
        (f"name | http://wiki.lan/ | what | {' '.join(f'10.77.0.{n}' for n in range(2, 10))}", True),
        (f"name | http://wiki.lan/ | what | {' '.join(f'10.77.0.{n}' for n in range(2, 11))}", False),
        (" | http://10.77.0.9/ | what", False),
    ],
)
def test_the_longest_value_is_accepted_and_one_more_character_is_refused(line, is_read):
    if is_read:
        assert read_offer(line)
        return
    with pytest.raises(ValueError, match=r"characters|are allowed"):
        read_offer(line)

"""Services announced by mDNS, and which of them are shown."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.lan.mdns_services import (
    HTTP,
    HTTPS,
    FoundService,
    ServiceAnnouncement,
    dispensable,
    read_announced,
    shown,
)

OWN4, OWN6 = IPv4Interface("10.77.0.1/16"), IPv6Interface("fd77::1/64")
RADIO = ServiceAnnouncement(HTTP, f"Radio Vall.{HTTP}", "pi.local.", 8000, b"/live", ("10.77.0.9",))


def read(said: ServiceAnnouncement) -> FoundService | None:
    return read_announced(said, OWN4, OWN6)


def test_a_service_is_shown_with_its_host():
    assert FoundService(
        "Radio Vall", "http://10.77.0.9:8000/live", "pi.local, 10.77.0.9", "10.77.0.9", 8000
    ) == read(RADIO)


def test_a_tls_service_on_its_default_port_needs_no_port():
    said = replace(RADIO, service_type=HTTPS, instance=f"Wiki.{HTTPS}", port=443, path=None)
    assert "https://10.77.0.9/" == read(said).url


@pytest.mark.parametrize(
    ("addresses", "url"),
    [
        (("fd77::9", "10.77.0.9"), "http://10.77.0.9:8000/live"),
        (("2001:db8::1", "fd77::9"), "http://[fd77::9]:8000/live"),
        (("192.0.2.1",), None),
        (("10.77.0.1",), None),
        (("10.77.0.0", "10.77.255.255", "fd77::"), None),
        (("127.0.0.1", "::1", "fe80::9", "::ffff:10.77.0.9"), None),
        (("nonsense", ""), None),
        ((), None),
        (("192.0.2.1",) * 9 + ("10.77.0.9",), None),
    ],
)
def test_only_client_side_addresses_are_shown_and_never_the_nodes_own(addresses, url):
    found = read(replace(RADIO, addresses=addresses))
    assert url == (None if found is None else found.url)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_an_invalid_port_is_not_shown(port):
    assert read(replace(RADIO, port=port)) is None


@pytest.mark.parametrize(
    "path",
    [b"live", b"//evil.example/" + b"a" * 100, b'/"><script>', b"/a b", b"/\xff", b"/\r\nX: y", b"\\\\evil"],
)
def test_an_invalid_path_leads_to_the_root(path):
    assert "http://10.77.0.9:8000/" == read(replace(RADIO, path=path)).url


def test_an_invisible_name_is_not_shown():
    assert read(replace(RADIO, instance=f"\u202e\u200b .{HTTP}")) is None


@given(st.text(max_size=300), st.text(max_size=300), st.binary(max_size=200))
def test_any_announced_text_is_one_short_line(name, server, path):
    found = read(replace(RADIO, instance=f"{name}.{HTTP}", server=server, path=path))
    if found is not None:
        assert len(found.name) <= 60
        assert (found.name + found.host).isprintable()
        assert found.url.startswith("http://10.77.0.9:8000/")
        assert found.url.isascii()
        assert not set(found.url) & set("\"'<> \\")


def test_one_host_cannot_fill_the_page():
    loud = [FoundService(f"A{n}", f"http://10.77.0.9:{n}/", "loud", "10.77.0.9", n) for n in range(1, 50)]
    quiet = FoundService("Wiki", "http://10.77.0.10/", "quiet", "10.77.0.10", 80)
    assert ("A1", "A10", "A11", "Wiki") == tuple(found.name for found in shown([*loud, quiet, quiet]))


def test_the_number_of_services_is_limited():
    many = [FoundService(f"{n:03}", f"http://10.77.1.{n}/", "", f"10.77.1.{n}", 80) for n in range(200)]
    assert 32 == len(shown(many))


def test_one_host_with_endless_announcements_keeps_no_other_out() -> None:
    loud = {
        f"noise {number}": of_machine(f"noise {number}", "10.77.0.9", number + 1) for number in range(100)
    }
    known: dict[str, FoundService | None] = {
        "wiki": of_machine("Wiki", "10.77.0.8", 80),
        **loud,
        "silent": None,
    }
    for number in range(200):
        name = dispensable(known, shown(each for each in known.values() if each is not None))
        assert name is not None
        del known[name]
        known[f"more {number}"] = of_machine(f"noise, more {number}", "10.77.0.9", 1_000 + number)
    assert "wiki" in known


def test_a_shown_service_is_not_evicted() -> None:
    known = {"wiki": of_machine("Wiki", "10.77.0.8", 80)}
    assert dispensable(known, shown(known.values())) is None


def of_machine(name: str, address: str, port: int) -> FoundService:
    return FoundService(name, f"http://{address}:{port}/", address, address, port)

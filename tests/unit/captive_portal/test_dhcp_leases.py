"""Parsing of dnsmasq's lease file."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from captive_portal.dhcp_leases import LeaseFile, read_leases
from node.units import MacAddress

WRITTEN = """\
1764345600 02:AA:00:00:00:15 10.77.0.50 * 01:02:aa:00:00:00:15
1764345600 02:aa:00:00:00:16 10.77.0.51 laptop *
duid 00:01:00:01:2e:8a:5f:aa:02:aa:00:00:00:01
1764345600 11184830 fd77::50 * 00:01:00:01
"""


def test_each_ipv4_lease_is_read_and_nothing_else() -> None:
    expected = {"10.77.0.50": "02:aa:00:00:00:15", "10.77.0.51": "02:aa:00:00:00:16"}
    assert {address: MacAddress(mac) for address, mac in expected.items()} == read_leases(WRITTEN)


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    read_leases(text)


def test_the_file_may_appear_change_and_disappear(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    leases = LeaseFile(path)
    leases.look()
    assert {} == leases.holders
    path.write_text(WRITTEN)
    leases.look()
    assert 2 == len(leases.holders)
    path.write_text(WRITTEN.splitlines()[0] + "\n")
    leases.look()
    assert ["10.77.0.50"] == list(leases.holders)
    path.unlink()
    leases.look()
    assert {} == leases.holders

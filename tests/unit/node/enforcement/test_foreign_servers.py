"""nft's sets of foreign servers and the frames of such servers; tests/kernel detects real ones."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.foreign_servers import (
    ForeignServer,
    dhcp_discover,
    foreign_server,
    listed,
    router_solicitation,
)
from node.units import MacAddress

HEAD = '{"nftables": [{"metainfo": {"version": "1.1.3"}}, {"set": {"family": "inet", "name": "foreign_dhcp"'
MAC = MacAddress("02:77:00:00:00:66")
ETHERNET = bytes.fromhex("ffffffffffff027700000066")
LINK_LOCAL = ip_address("fe80::66").packed
OFFER = ETHERNET + bytes.fromhex("0800") + bytes.fromhex("46000024000000004011")
OFFER += bytes(2) + bytes((192, 168, 1, 1)) + b"\xff" * 4 + bytes(4) + struct.pack("!4H", 67, 68, 8, 0)
ADVERTISEMENT = ETHERNET + bytes.fromhex("86dd") + struct.pack("!IHBB", 6 << 28, 16, 58, 255) + LINK_LOCAL
ADVERTISEMENT += bytes(16) + struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1_800, 0, 0)
FOUND = {
    OFFER: ForeignServer("dhcp", MAC, "192.168.1.1", 0),
    ADVERTISEMENT: ForeignServer("router", MAC, "fe80::66", 0),
}


def changed(frame: bytes, at: int, to: bytes) -> bytes:
    return frame[:at] + to + frame[at + len(to) :]


def test_an_empty_set_and_a_full_one_are_read() -> None:
    assert [] == list(listed("dhcp", HEAD + "}}]}"))
    element = '{"elem": {"val": {"concat": ["02:77:00:00:00:66", "192.168.1.1"]}, "expires": 1795}}'
    (found,) = listed("dhcp", f'{HEAD}, "elem": [{element}]}}}}]}}')
    assert ForeignServer("dhcp", MAC, "192.168.1.1", 5) == found


@pytest.mark.parametrize("frame", FOUND, ids=["dhcp", "router"])
def test_an_answer_has_its_sender_and_an_incomplete_one_none(frame: bytes) -> None:
    assert FOUND[frame] == foreign_server(frame)
    assert FOUND[frame] == foreign_server(frame + bytes(300))
    needed = len(frame) - (8 if frame == ADVERTISEMENT else 0)
    assert all(foreign_server(frame[:length]) is None for length in range(needed))


@pytest.mark.parametrize(
    "frame",
    [
        dhcp_discover(bytes(6), 7),
        router_solicitation(bytes(6)),
        changed(OFFER, 38, struct.pack("!HH", 68, 67)),
        changed(OFFER, 20, struct.pack("!H", 185)),
        changed(OFFER, 23, bytes((6,))),
        changed(OFFER, 14, bytes((0x44,))),
        changed(ADVERTISEMENT, 21, bytes((64,))),
        changed(ADVERTISEMENT, 60, bytes(2)),
        changed(ADVERTISEMENT, 54, bytes((136,))),
    ],
    ids=[
        *("own-discover", "own-solicitation", "request", "later-fragment", "tcp", "short-header"),
        *("from-another-link", "no-default-router", "neighbour-advertisement"),
    ],
)
def test_other_frames_are_nobody(frame: bytes) -> None:
    assert foreign_server(frame) is None


@given(st.sampled_from(list(FOUND)), st.integers(0, 70), st.binary(max_size=80))
def test_any_bytes_are_read_without_an_error(frame: bytes, at: int, junk: bytes) -> None:
    found = foreign_server(changed(frame, at, junk))
    assert found is None or found.seconds_ago == 0
    assert foreign_server(junk) is None or len(junk) >= 50

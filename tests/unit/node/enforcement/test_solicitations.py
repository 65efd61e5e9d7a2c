"""DHCP and router solicitations as frames: lengths and checksums are right, and no lease is taken by them."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.foreign_servers import dhcp_discover, router_solicitation

MACS = st.binary(min_size=6, max_size=6)


def sum_of(data: bytes) -> int:
    """The one's complement sum over data with a valid checksum; it has a fixed value."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(MACS, st.integers(0, 2**32 - 1))
def test_a_discover_requests_a_broadcast_reply(mac: bytes, number: int) -> None:
    frame = dhcp_discover(mac, number)
    packet = frame[14:]
    assert frame[:12] == b"\xff" * 6 + mac
    assert sum_of(packet[:20]) == 0xFFFF
    assert struct.unpack("!H", packet[2:4])[0] == len(packet)
    assert struct.unpack("!HHH", packet[20:26]) == (68, 67, len(packet) - 20)
    message = packet[28:]
    assert message[4:12] == struct.pack("!IHH", number, 0, 0x8000)
    assert message[28:34] == mac
    assert message[236:244] == bytes.fromhex("63825363350101ff")


@given(MACS)
def test_a_router_solicitation_has_the_unspecified_source(mac: bytes) -> None:
    frame = router_solicitation(mac)
    packet = frame[14:]
    assert frame[:12] == bytes.fromhex("333300000002") + mac
    assert packet[8:24] == bytes(16)
    assert packet[7] == 255
    assert sum_of(packet[8:40] + struct.pack("!II", len(packet) - 40, 58) + packet[40:]) == 0xFFFF

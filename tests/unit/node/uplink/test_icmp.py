"""Messages of RFC 792 and RFC 4443, and nothing else, are answers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.uplink import icmp
from node.uplink.icmp import IcmpReply, Kind

KINDS: tuple[Kind, ...] = ("timestamp", "echo", "echo6")
IPV4_HEAD = bytes([0x45]) + bytes(19)
numbers = st.integers(0, 0xFFFF)


def ones_complement_sum(message: bytes) -> int:
    """RFC 1071: over a message with its checksum it is all ones."""
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.sampled_from(["timestamp", "echo"]), numbers, numbers)
def test_requests_over_ipv4_have_a_right_checksum(kind: Kind, identifier: int, sequence: int) -> None:
    assert 0xFFFF == ones_complement_sum(icmp.request(kind, identifier, sequence))


@given(st.sampled_from(KINDS), numbers, numbers)
def test_an_answer_has_the_numbers_of_its_request(kind: Kind, identifier: int, sequence: int) -> None:
    sent = icmp.request(kind, identifier, sequence)
    answer = bytes([icmp.REPLY[kind]]) + sent[1:]
    head = b"" if kind == "echo6" else IPV4_HEAD
    found = icmp.reply(kind, head + answer)
    assert found is not None
    assert (identifier, sequence) == (found.identifier, found.sequence)


@given(st.sampled_from(KINDS), st.binary(max_size=icmp.MESSAGE_BYTES_MAX))
def test_any_octets_are_an_answer_or_none(kind: Kind, packet: bytes) -> None:
    found = icmp.reply(kind, packet)
    assert found is None or 0 <= found.sequence <= 0xFFFF


def test_stamps_are_milliseconds_since_midnight() -> None:
    packet = IPV4_HEAD + struct.pack("!BBHHHIII", icmp.TIMESTAMP_REPLY, 0, 0, 7, 9, 0, 1_500, 1_501)
    assert IcmpReply(7, 9, 1_500_000, 1_501_000) == icmp.reply("timestamp", packet)


@pytest.mark.parametrize("stamp", [icmp.NOT_STANDARD, icmp.NOT_STANDARD | 5, icmp.DAY_MS, 0x7FFFFFFF])
def test_a_stamp_that_is_no_time_of_day_is_no_stamp(stamp: int) -> None:
    packet = IPV4_HEAD + struct.pack("!BBHHHIII", icmp.TIMESTAMP_REPLY, 0, 0, 7, 9, 0, stamp, 1_501)
    assert IcmpReply(7, 9) == icmp.reply("timestamp", packet)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_is_not_an_answer(kind: Kind) -> None:
    head = b"" if kind == "echo6" else IPV4_HEAD
    assert icmp.reply(kind, head + icmp.request(kind, 1, 2)) is None

"""Parsing of the kernel's neighbour messages: only those about this address on this link count."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.neighbours import neighbour_request, read_answer, read_notification
from node.netlink import attribute, message

ADDRESS = bytes([192, 0, 2, 7])
REACHABLE, STALE, INCOMPLETE, FAILED, NOARP, PERMANENT = 0x02, 0x04, 0x01, 0x20, 0x40, 0x80
HARDWARE = bytes.fromhex("02000000000a")


def answer(
    *,
    kind: int = 28,
    index: int = 3,
    state: int = REACHABLE,
    address: bytes = ADDRESS,
    hardware: bytes = HARDWARE,
) -> bytes:
    body = struct.pack("=BxxxiHBB", 2, index, state, 0, 1) + attribute(1, address) + attribute(2, hardware)
    return message(kind, 0, 1, body)


@pytest.mark.parametrize("state", [REACHABLE, STALE, 0x08, 0x10, PERMANENT])
def test_a_neighbour_that_answered_is_found(state: int) -> None:
    assert read_answer(answer(state=state), ADDRESS, 3) == "02:00:00:00:00:0a"


@pytest.mark.parametrize(
    "wrong",
    [
        answer(state=INCOMPLETE),
        answer(state=FAILED),
        answer(state=NOARP),
        answer(index=4),
        answer(address=bytes([192, 0, 2, 8])),
        answer(kind=2),
        answer(hardware=b""),
        answer(hardware=bytes(6)),
        answer(hardware=bytes(20)),
        answer()[:30],
        b"",
    ],
)
def test_an_answer_about_another_address_is_ignored(wrong: bytes) -> None:
    assert read_answer(wrong, ADDRESS, 3) is None


@given(st.binary(max_size=200))
def test_no_bytes_raise(noise: bytes) -> None:
    assert read_answer(noise, ADDRESS, 3) is None
    assert read_notification(noise, 3) is None


@given(st.binary(max_size=200))
def test_no_payload_raises(noise: bytes) -> None:
    told = message(28, 0, 1, noise)
    assert read_answer(told, ADDRESS, 3) is None or ADDRESS in noise
    read_notification(told, 3)


@given(st.integers(0, len(answer()) - 1), st.integers(0, 255))
def test_an_answer_with_a_changed_byte_names_no_other_device(place: int, byte: int) -> None:
    damaged = bytearray(answer())
    damaged[place] = byte
    told = read_answer(bytes(damaged), ADDRESS, 3)
    assert told is None or len(told) == 17


def test_a_notification_is_an_address_and_its_device() -> None:
    assert ("192.0.2.7", "02:00:00:00:00:0a") == read_notification(answer(), 3)
    assert read_notification(answer(), 4) is None
    assert read_notification(answer(address=b"1234567"), 3) is None
    assert read_notification(answer(kind=29), 3) is None


@pytest.mark.parametrize(("address", "octets"), [(ADDRESS, 36), (bytes(16), 48)])
def test_a_request_contains_its_length(address: bytes, octets: int) -> None:
    asked = neighbour_request(address, 3, 1)
    assert (octets, octets) == (len(asked), struct.unpack_from("=I", asked)[0])

"""The kernel's answers, as bytes: only what is surely about this address on this link counts."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.neighbours import question, read_answer

ADDRESS = bytes([192, 0, 2, 7])
REACHABLE, STALE, INCOMPLETE, FAILED, NOARP, PERMANENT = 0x02, 0x04, 0x01, 0x20, 0x40, 0x80
HARDWARE = bytes.fromhex("02000000000a")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def answer(
    *,
    kind: int = 28,
    index: int = 3,
    state: int = REACHABLE,
    address: bytes = ADDRESS,
    hardware: bytes = HARDWARE,
) -> bytes:
    body = struct.pack("=BxxxiHBB", 2, index, state, 0, 1) + attribute(1, address) + attribute(2, hardware)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


@pytest.mark.parametrize("state", [REACHABLE, STALE, 0x08, 0x10, PERMANENT])
def test_a_neighbour_that_answered_is_known(state: int) -> None:
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
def test_an_answer_that_is_not_about_it_is_nobody(wrong: bytes) -> None:
    assert read_answer(wrong, ADDRESS, 3) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    assert read_answer(noise, ADDRESS, 3) is None


@pytest.mark.parametrize(("address", "octets"), [(ADDRESS, 36), (bytes(16), 48)])
def test_a_question_names_its_length(address: bytes, octets: int) -> None:
    asked = question(address, 3, 1)
    assert (octets, octets) == (len(asked), struct.unpack_from("=I", asked)[0])

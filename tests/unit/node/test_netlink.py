"""Packing and parsing of netlink messages; malformed ones are not used."""

import errno
import struct
import sys

from hypothesis import given
from hypothesis import strategies as st

from node import netlink

PAYLOADS = st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=40)), max_size=6)


@given(PAYLOADS, st.integers(0, 0xFFFFFFFF))
def test_packed_attributes_are_parsed_again(attributes: list[tuple[int, bytes]], sequence: int) -> None:
    payload = b"".join(netlink.attribute(kind, body) for kind, body in attributes)
    data = netlink.message(40, netlink.NLM_F_REQUEST, sequence, payload) * 2
    padded = b"".join(each.ljust((len(each) + 3) & ~3, b"\0") for each in (data,))
    assert [(40, sequence, payload)] * 2 == list(netlink.messages(padded))
    for kind, _ in attributes:
        first = next(body for name, body in attributes if name == kind)
        assert first == netlink.find_attribute(payload, kind)
    assert netlink.find_attribute(payload, 0) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_to_their_end(data: bytes) -> None:
    for _, _, payload in netlink.messages(data):
        assert len(payload) <= len(data)
    netlink.find_attribute(data, 5)


def test_the_octets_match_the_kernel_headers() -> None:
    """struct nlmsghdr, nlattr and nfgenmsg, on this processor: linux/netlink.h, linux/netfilter/nfnetlink.h."""

    def numbers(*sized: tuple[int, int]) -> bytes:
        return b"".join(number.to_bytes(size, sys.byteorder) for number, size in sized)

    name = numbers((9, 2), (1, 2)) + b"table" + bytes(3)
    assert name == netlink.attribute(1, b"table")
    assert name[:4] == netlink.attribute_header(1, 5)
    assert bytes((1, 0, 0, 0)) == netlink.nfgenmsg(netlink.NFPROTO_INET)
    assert bytes(netlink.NFGENMSG_BYTES) == netlink.nfgenmsg()
    header = numbers((16 + len(name), 4), (0xA01, 2), (5, 2), (7, 4), (0, 4))
    assert header + name == netlink.message(0xA01, netlink.NLM_F_REQUEST | netlink.NLM_F_ACK, 7, name)


def test_flags_are_no_part_of_an_attributes_type() -> None:
    nested = netlink.attribute(3 | netlink.NLA_F_NESTED, netlink.attribute(1, b"ab"))
    assert netlink.attribute(1, b"ab") == netlink.find_attribute(nested, 3)


def test_an_acknowledgement_is_no_error() -> None:
    assert 0 == netlink.error_code(struct.pack("=i", 0))
    assert errno.ENOENT == netlink.error_code(struct.pack("=i", -errno.ENOENT))

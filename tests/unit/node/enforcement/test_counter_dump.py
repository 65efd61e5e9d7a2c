"""Counters in netlink messages, with the layouts of different processors."""

import struct

import pytest

from node.enforcement.counter_dump import take_counters
from node.netlink import attribute

PAD = attribute(3, b"")


def listed(name: bytes, counted: int, *, pads: int, nested: int) -> bytes:
    """Attributes of one counter object (nf_tables_fill_obj_info, nft_counter_do_dump)."""
    numbers = [struct.pack("=HHQ", 12, 1, 0)[:4] + counted.to_bytes(8, "big"), attribute(2, bytes(8))]
    first = PAD if pads == 2 else b""
    between = PAD if pads else b""
    data = first + numbers[0] + between + numbers[1]
    return (
        attribute(1, b"procomu\0")
        + attribute(2, name + b"\0")
        + attribute(3, struct.pack("!I", 1))
        + attribute(5, struct.pack("!I", 2))
        + attribute(4 | nested, data)
        + attribute(6, bytes(8))
    )


@pytest.mark.parametrize("pads", [0, 1, 2])
@pytest.mark.parametrize("nested", [0, 0x8000])
def test_counters_are_found_with_and_without_padding(pads, nested):
    up, down = {}, {}
    block = b"".join(
        listed(name, counted, pads=pads, nested=nested)
        for name, counted in ((b"u1", 7), (b"d1", 2**60 + 1), (b"u65535", 0))
    )
    take_counters(block, up, down)
    assert {1: 7, 65535: 0} == up
    assert {1: 2**60 + 1} == down

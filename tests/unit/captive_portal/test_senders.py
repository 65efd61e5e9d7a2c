"""The query to the packet filter, octet by octet, as libnftables 1.1.3 sends it."""

from captive_portal.senders import element_request, key_of
from node.units import MacAddress
from node.web.connections import SocketAddresses

ANA = MacAddress("02:00:00:00:00:0a")


def test_a_key_has_every_field_in_network_order_padded_to_four_octets() -> None:
    version, key = key_of(ANA, SocketAddresses("10.77.0.10", 0x1234, "10.77.0.1", 2080))
    assert 4 == version
    assert bytes.fromhex("02000000000a00000a4d000a123400000a4d000108200000") == key
    version, key = key_of(ANA, SocketAddresses("fe80::2%br-lan", 1, "fe80::1%br-lan", 2080))
    assert 6 == version
    assert 8 + 16 + 4 + 16 + 4 == len(key)


def test_an_invalid_address_or_pair_has_no_key() -> None:
    for there, here in (("", "10.77.0.1"), ("10.77.0.10", "fd77::1"), ("ana", "ben")):
        assert key_of(ANA, SocketAddresses(there, 1, here, 2)) is None
    assert key_of(MacAddress("02:00"), SocketAddresses("10.77.0.10", 1, "10.77.0.1", 2)) is None


def test_the_query_names_table_set_and_key() -> None:
    asked = element_request("procomu", "senders4", b"\x01\x02\x03\x04", 7)
    assert int.from_bytes(asked[:4], "little") == len(asked)
    assert asked[4:6] == bytes((13, 10))
    assert b"procomu\0" in asked
    assert b"senders4\0" in asked
    assert asked.endswith(b"\x08\0\x01\0\x01\x02\x03\x04")

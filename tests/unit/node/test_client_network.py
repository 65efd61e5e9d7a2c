"""One household counts once, however many addresses it has; two households never count as one."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.client_network import client_network


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("169.254.3.4", "169.254.3.4"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:169.254.3.4", "169.254.3.4"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fd77::9:1", "fd77::/64"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::2", "fe80::2"),
        ("::1", "::/64"),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, expected: str) -> None:
    assert expected == client_network(address)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_ipv4_addresses_are_distinguished_also_when_they_are_mapped(
    one: IPv4Address, other: IPv4Address
) -> None:
    assert client_network(str(one)) == client_network(f"::ffff:{one}")
    assert (one == other) == (client_network(str(one)) == client_network(f"::ffff:{other}"))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_addresses_of_one_network_count_as_one_and_of_two_as_two(prefix: int, own: int, other: int) -> None:
    one, same = (IPv6Address(prefix << 64 | host) for host in (own, other))
    assume(not one.is_link_local and not one.ipv4_mapped and not same.ipv4_mapped)
    assert client_network(str(one)) == client_network(str(same))
    assert one in IPv6Network(client_network(str(one)))
    next_door = IPv6Address((prefix ^ 1) << 64 | own)
    assume(not next_door.is_link_local and not next_door.ipv4_mapped)
    assert client_network(str(one)) != client_network(str(next_door))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_neighbours_on_one_link_are_distinguished(own: int, other: int) -> None:
    one, two = (IPv6Address(0xFE80 << 112 | host) for host in (own, other))
    assert (one == two) == (client_network(f"{one}%lan0") == client_network(f"{two}%lan0"))


@pytest.mark.parametrize("address", ["", "ana", "192.0.2.7/32", "2001:db8::/64", "1.2.3"])
def test_an_invalid_address_is_an_error(address: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        client_network(address)

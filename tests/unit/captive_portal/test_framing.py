"""As whom a stranger counts."""

import pytest

from captive_portal.framing import network_of


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_stranger_with_many_addresses_counts_once(address: str, expected: str) -> None:
    assert expected == network_of(address)

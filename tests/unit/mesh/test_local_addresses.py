"""Addresses of interfaces, as this host has them."""

from mesh.local_addresses import local_addresses


def test_the_loopback_has_its_ipv4_address_and_none_that_is_valid_beyond_it() -> None:
    assert ("127.0.0.1",) == local_addresses(("lo",))


def test_an_interface_that_is_missing_has_none() -> None:
    assert () == local_addresses(("no-such-if", "a-name-that-is-much-too-long-for-one"))
    assert () == local_addresses(())

"""Addresses that node pages name: one host beyond this link, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.callable_address import PORT_MIN, holds_hardware_address, is_callable


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.168.7.1", "203.0.113.5", "100.64.0.9", "fd00::1", "2001:db8::1"]
)
def test_addresses_of_one_host_are_callable(host: str) -> None:
    assert is_callable(Address(host, 7400))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.1.1", "224.0.0.251", "239.1.1.1"),
        *("240.0.0.1", "255.255.255.255", "10.0.0.255"),
        *(
            "::1",
            "::",
            "fe80::1",
            "fe80::1%eth0",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
        ),
        *("64:ff9b::7f00:1", "2001::1", "fd00::1%lo", "localhost", "router.example", "", "10.0.0.1/8"),
    ],
)
def test_groups_this_host_other_forms_and_names_are_not_callable(host: str) -> None:
    assert not is_callable(Address(host, 7400))


@given(st.integers())
def test_ports_of_other_services_are_not_callable(port: int) -> None:
    assert is_callable(Address("10.1.2.3", port)) == (PORT_MIN <= port <= 65_535)


def test_an_address_made_from_a_hardware_address_is_recognized() -> None:
    assert holds_hardware_address(Address("fd00::5054:ff:fe12:3456", 7400))
    assert not holds_hardware_address(Address("fd00::1", 7400))
    assert not holds_hardware_address(Address("10.1.2.3", 7400))

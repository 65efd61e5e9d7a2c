"""Listening addresses of nodes, as people read them."""

import pytest

from mesh.announcement import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[2001:db8::1]:7400", Address("2001:db8::1", 7400)),
        ("[fe80::1%mesh0]:7400", Address("fe80::1%mesh0", 7400)),
        ("10.1.2.3:80", Address("10.1.2.3", 80)),
    ],
)
def test_an_address_is_shown_with_its_port(text: str, address: Address) -> None:
    assert text == str(address)

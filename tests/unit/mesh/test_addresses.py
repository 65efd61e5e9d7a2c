"""Listening addresses of nodes, as people write them."""

import pytest

from mesh.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[2001:db8::1]:7400", Address("2001:db8::1", 7400)),
        ("[fe80::1%mesh0]:7400", Address("fe80::1%mesh0", 7400)),
        ("10.1.2.3:80", Address("10.1.2.3", 80)),
        ("[::1]:65535", Address("::1", 65535)),
    ],
)
def test_an_address_is_read_and_shown_alike(text: str, address: Address) -> None:
    assert address == parse_address(text)
    assert text == str(address)


@pytest.mark.parametrize(
    "text",
    ["", "10.1.2.3", "10.1.2.3:0", "10.1.2.3:65536", "10.1.2.300:80", "node.example:7400", "2001:db8::1:7400",
     "[fe80::1]:7400", "[fe80::1%]:7400", "[fe80::1%a b]:7400", "[::1]:٣"],
)  # fmt: skip
def test_an_invalid_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"write an address and a port"):
        parse_address(text)

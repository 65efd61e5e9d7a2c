"""A gateway that another node tells: its key opens only with the community's secret."""

from node.gateways.told_gateway import opened_key, people_key, sealed_key, secret_hash
from node.units import NodeId

KEY, SECRET, OTHER = b"k" * 32, b"s" * 32, b"o" * 32
NODE, GATEWAY = NodeId("a" * 52), "0123abcd"


def test_the_key_opens_with_the_secret_with_which_it_was_sealed():
    key = people_key(KEY, GATEWAY)
    sealed, check = sealed_key(key, NODE, GATEWAY, SECRET)
    assert key == opened_key(sealed, check, NODE, GATEWAY, (OTHER, SECRET))
    assert opened_key(sealed, check, NODE, GATEWAY, (OTHER,)) is None
    assert opened_key(sealed, check, NODE, GATEWAY, ()) is None


def test_a_sealed_key_is_of_one_gateway_of_one_node():
    sealed, check = sealed_key(people_key(KEY, GATEWAY), NODE, GATEWAY, SECRET)
    assert opened_key(sealed, check, NodeId("b" * 52), GATEWAY, (SECRET,)) is None
    assert opened_key(sealed, check, NODE, "ffffffff", (SECRET,)) is None
    assert people_key(KEY, GATEWAY) != people_key(KEY, "ffffffff")


def test_what_is_told_has_neither_the_key_nor_the_secret():
    key = people_key(KEY, GATEWAY)
    sealed, check = sealed_key(key, NODE, GATEWAY, SECRET)
    assert key.hex() != sealed
    assert check not in key.hex()
    assert "a" * 26 not in secret_hash("a" * 26)
    assert secret_hash("a" * 26) != secret_hash("b" * 26)

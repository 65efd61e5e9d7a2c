"""The community's secret, and the keys derived from it for each purpose."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.errors import NodeError
from node.identity import key_to_pem
from node.keyring import Keyring, open_keyring
from node.units import MacAddress

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
SQUARE, HILLS = (Keyring(b"s" * 32, Ed25519PrivateKey.generate()) for _ in range(2))


def test_a_node_has_keys_that_no_other_node_of_the_community_has() -> None:
    assert SQUARE.own_key_for("browsers of admins") != HILLS.own_key_for("browsers of admins")
    assert SQUARE.own_key_for("browsers of admins") != SQUARE.key_for("browsers of admins")


def test_a_device_has_the_same_guest_account_on_every_node_of_the_community_and_on_no_other() -> None:
    assert SQUARE.guest_account(ANA) == HILLS.guest_account(ANA)
    assert SQUARE.guest_account(ANA) != SQUARE.guest_account(BEN)
    assert SQUARE.guest_account(ANA) != Keyring(b"t" * 32, HILLS.node).guest_account(ANA)


def test_every_purpose_has_its_own_key_that_all_nodes_share() -> None:
    assert SQUARE.key_for("vouchers") == HILLS.key_for("vouchers") != HILLS.key_for("portal forms")
    assert SQUARE.community_id == HILLS.community_id


@pytest.mark.parametrize(
    ("community", "complaint"),
    [(None, "cannot be read"), ("nonsense", "not a key"), ("ab" * 31, "too short"), ("\xff", "not a key")],
)
def test_an_invalid_key_is_reported_with_what_to_do(
    tmp_path: Path, community: str | None, complaint: str
) -> None:
    own = tmp_path / "node.key"
    own.write_bytes(key_to_pem(SQUARE.node))
    if community is not None:
        (tmp_path / "community.key").write_text(community, "latin-1")
    with pytest.raises(NodeError, match=complaint) as caught:
        open_keyring(tmp_path / "community.key", own)
    assert "copy it from another node" in caught.value.fix


def test_a_node_without_its_own_key_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "community.key").write_text("ab" * 32)
    with pytest.raises(NodeError, match="own key"):
        open_keyring(tmp_path / "community.key", tmp_path / "node.key")

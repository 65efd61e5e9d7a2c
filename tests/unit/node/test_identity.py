"""A node's identity, and that no other node can sign for it."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from node import identity
from node.units import NodeId

KEY = identity.key_from_raw(bytes(range(32)))
OTHER = identity.key_from_raw(bytes(32))
NODE = identity.own_node_id(KEY)


def test_a_node_id_is_its_public_key_in_52_lower_case_letters_and_digits() -> None:
    assert identity.NODE_ID_CHARS == len(NODE)
    assert KEY.public_key().public_bytes_raw() == identity.public_key(NODE).public_bytes_raw()


@pytest.mark.parametrize(
    "wrong",
    ["", NODE.upper(), NODE[:-1], NODE + "a", NODE[:-1] + "1", NODE[:-1] + "b", "é" * 52, "a" * 51 + "b"],
)
def test_a_node_id_has_one_spelling_and_any_other_is_refused(wrong: str) -> None:
    assert not identity.is_node_id(wrong)
    with pytest.raises(ValueError, match="node id"):
        identity.public_key(NodeId(wrong))


@given(st.binary(max_size=300))
def test_a_signature_of_the_node_is_accepted(body: bytes) -> None:
    assert identity.verify(NODE, b"page/1", body, identity.sign(KEY, b"page/1", body))


@pytest.mark.parametrize(
    ("node", "kind", "body", "cut"),
    [
        (identity.own_node_id(OTHER), b"page/1", b"ana used 5", 64),
        (NODE, b"vote/1", b"ana used 5", 64),
        (NODE, b"page/1", b"ana used 6", 64),
        (NODE, b"page/1", b"ana used 5", 63),
        (NODE, b"page/1", b"ana used 5", 0),
        (NodeId("nonsense"), b"page/1", b"ana used 5", 64),
    ],
)
def test_no_signature_is_valid_for_another_node_kind_or_text(
    node: NodeId, kind: bytes, body: bytes, cut: int
) -> None:
    signature = identity.sign(KEY, b"page/1", b"ana used 5")
    assert not identity.verify(node, kind, body, signature[:cut])


def test_ids_are_compared_in_groups_of_four_with_two_check_characters() -> None:
    shown = identity.human_form(NODE)
    assert [4, 4, 4, 4, 2] == [len(group) for group in shown.split("-")]
    assert NODE[:16] == identity.short_form(shown)
    assert NODE[:16] == identity.short_form(f" {shown.upper().replace('-', ' ')} ")


@given(st.integers(0, 15), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_wrong_character_in_an_id_is_always_detected(place: int, letter: str) -> None:
    plain = identity.human_form(NODE).replace("-", "")
    mistyped = plain[:place] + letter + plain[place + 1 :]
    assert (mistyped == plain) == (identity.short_form(mistyped) is not None)


@given(st.integers(0, 14))
def test_two_swapped_characters_in_an_id_are_always_detected(place: int) -> None:
    plain = identity.human_form(NODE).replace("-", "")
    swapped = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    assert (swapped == plain) == (identity.short_form(swapped) is not None)


@pytest.mark.parametrize("text", ["", "abcd", "abcd-efgh", "a" * 19])
def test_half_an_id_is_no_id(text: str) -> None:
    assert identity.short_form(text) is None


def test_a_key_is_read_back_from_its_file() -> None:
    pem = identity.key_to_pem(KEY)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert NODE == identity.own_node_id(identity.key_from_pem(pem))


def test_a_file_without_a_valid_key_says_what_to_do() -> None:
    foreign = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem in (b"", b"nonsense", foreign, b"x" * 5000):
        with pytest.raises(ValueError, match="put the node's own key file back"):
            identity.key_from_pem(pem)

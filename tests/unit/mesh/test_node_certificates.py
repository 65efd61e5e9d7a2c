"""Certificates that carry a node's key and prove nothing else."""

import hashlib
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from mesh import node_certificates
from node.units import NodeId
from tests.fakes.neighbours import id_of, key_of


def test_the_wrapper_is_the_same_bytes_on_every_node() -> None:
    """Nodes of all versions must accept each other's leaf certificates."""
    assert (
        "f052920fd391430c5471e55b0722c7ea5629d33951bf2277cefccdc015bae719"
        == hashlib.sha256(node_certificates.wrapper_ca()).hexdigest()
    )


def test_the_wrapper_declares_that_it_is_not_an_authority() -> None:
    subject = x509.load_der_x509_certificate(node_certificates.wrapper_ca()).subject.rfc4514_string()
    assert "CN=NOT A CA - key wrapper" == subject


def test_a_certificate_carries_its_node_id_and_is_deterministic() -> None:
    leaf = node_certificates.leaf_certificate(key_of("hill"))
    assert leaf == node_certificates.leaf_certificate(key_of("hill"))
    assert id_of("hill") == node_certificates.node_id_from_certificate(leaf)
    assert len(leaf) < 400


def test_no_clock_makes_a_certificate_invalid() -> None:
    for der in (node_certificates.wrapper_ca(), node_certificates.leaf_certificate(key_of("hill"))):
        certificate = x509.load_der_x509_certificate(der)
        assert 1970 == certificate.not_valid_before_utc.year
        assert 9999 == certificate.not_valid_after_utc.year


def test_a_certificate_with_another_kind_of_key_names_no_node() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = x509.load_der_x509_certificate(node_certificates.leaf_certificate(key_of("hill")))
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    assert (
        node_certificates.node_id_from_certificate(
            builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        )
        is None
    )


@given(st.none() | st.binary(max_size=400))
def test_no_certificate_from_outside_raises(der: bytes | None) -> None:
    assert node_certificates.node_id_from_certificate(der) is None


# Warnings of the library are not errors outside these tests.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@example(14, b"\x80")
@given(st.integers(0, 287), st.binary(min_size=1, max_size=3))
def test_a_damaged_certificate_never_raises(place: int, damage: bytes) -> None:
    leaf = node_certificates.leaf_certificate(key_of("hill"))
    node_certificates.node_id_from_certificate(leaf[:place] + damage + leaf[place + len(damage) :])


def test_a_key_with_the_wrong_length_for_its_kind_names_no_node() -> None:
    leaf = node_certificates.leaf_certificate(key_of("hill"))
    kind = bytes.fromhex("2b65700321")
    assert 1 == leaf.count(kind)
    assert node_certificates.node_id_from_certificate(leaf.replace(kind, bytes.fromhex("2b65710321"))) is None


def test_a_huge_certificate_is_not_parsed() -> None:
    assert (
        node_certificates.node_id_from_certificate(
            node_certificates.leaf_certificate(key_of("hill")) + bytes(5000)
        )
        is None
    )


@pytest.mark.parametrize(
    ("node", "member"), [(id_of("hill"), True), (id_of("stranger"), False), (None, False)]
)
def test_members_are_the_nodes_on_the_list(node: NodeId | None, member: bool) -> None:
    assert member == node_certificates.is_member(node, frozenset({id_of("hill"), id_of("valley")}))


def test_communities_are_distinguished_without_naming_them() -> None:
    marks = {node_certificates.community_mark(name) for name in ("the-village", "the-city")}
    assert 2 == len(marks)
    assert {8} == {len(mark) for mark in marks}


def test_a_certificate_that_later_versions_of_the_library_refuse_names_no_node() -> None:
    """Its serial number is negative."""
    leaf = bytearray(node_certificates.leaf_certificate(key_of("hill")))
    serial = leaf.index(b"\xa0\x03\x02\x01\x02\x02") + 7
    leaf[serial] |= 0x80
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert node_certificates.node_id_from_certificate(bytes(leaf)) is None
    assert [] == told

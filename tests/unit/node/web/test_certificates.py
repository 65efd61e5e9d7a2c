"""A certificate is served when it fits, and advertised to devices only when they would trust it."""

import contextlib
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from mesh.node_certificates import leaf_certificate
from node.errors import NodeError
from node.web.certificates import (
    FILE_BYTES_MAX,
    Certificate,
    is_ending,
    read_certificate,
    read_roots,
    why_not_trusted,
)
from tests.fakes.authority import DAY, NOW, Authority, Pair, issue
from tests.fakes.neighbours import key_of

HOST = "login.vall.example"
PUBLIC = Authority()
GOOD = PUBLIC.certify(HOST)
ROOTS = [PUBLIC.root.certificate]


def read(pair: Pair, chain: bytes | None = None, host: str = HOST) -> Certificate:
    return read_certificate(PUBLIC.chain(pair) if chain is None else chain, pair.key_pem, host)


def refused(chain: bytes, key: bytes, host: str = HOST) -> str:
    with pytest.raises(NodeError) as caught:
        read_certificate(chain, key, host)
    assert caught.value.fix
    return caught.value.message


def test_a_chain_from_an_authority_that_devices_trust_is_trusted() -> None:
    certificate = read(GOOD)
    assert "" == why_not_trusted(certificate, ROOTS, NOW)
    assert GOOD.certificate.not_valid_after_utc == certificate.ends


def test_a_wildcard_certificate_matches_every_host_one_level_below() -> None:
    star = PUBLIC.certify("*.vall.example")
    assert "" == why_not_trusted(read(star), ROOTS, NOW)
    assert "does not name" in refused(PUBLIC.chain(star), star.key_pem, "a.login.vall.example")
    assert "does not name" in refused(PUBLIC.chain(star), star.key_pem, "vall.example")


def test_an_address_is_not_accepted_as_a_certificate_name() -> None:
    odd = PUBLIC.certify("10.77.0.1")
    assert "does not name 10.77.0.1" in refused(PUBLIC.chain(odd), odd.key_pem, "10.77.0.1")


def test_files_that_do_not_match_are_refused_with_the_reason() -> None:
    other = PUBLIC.certify(HOST)
    assert "another key" in refused(PUBLIC.chain(GOOD), other.key_pem)
    assert "does not name" in refused(PUBLIC.chain(GOOD), GOOD.key_pem, "login.hills.example")
    assert "cannot be read" in refused(b"", GOOD.key_pem)
    assert "cannot be read" in refused(PUBLIC.chain(GOOD), b"-----BEGIN PRIVATE KEY-----\nAA==\n")
    assert "ends too early" in refused(PUBLIC.chain(GOOD)[:-100], GOOD.key_pem)
    assert "11 certificates" in refused(GOOD.pem * 11, GOOD.key_pem)
    assert "bytes" in refused(b"x" * (FILE_BYTES_MAX + 1), GOOD.key_pem)


def test_a_self_signed_certificate_is_served_but_not_trusted() -> None:
    alone = issue("alone", None, host=HOST)
    certificate = read(alone, alone.pem)
    assert "no authority that this system trusts" in why_not_trusted(certificate, ROOTS, NOW)


def test_a_missing_intermediate_is_named() -> None:
    assert "fullchain.pem" in why_not_trusted(read(GOOD, GOOD.pem), ROOTS, NOW)


def test_untrusted_authorities_in_the_chain_do_not_count() -> None:
    stranger = Authority()
    foreign = stranger.certify(HOST)
    certificate = read(foreign, stranger.chain(foreign))
    assert "no authority that this system trusts" in why_not_trusted(certificate, ROOTS, NOW)
    assert "ca-certificates" in why_not_trusted(certificate, [], NOW)


def test_validity_depends_on_the_time() -> None:
    certificate = read(GOOD)
    assert "it ended on" in why_not_trusted(certificate, ROOTS, NOW + 61 * DAY)
    assert "the clock says" in why_not_trusted(certificate, ROOTS, NOW - 2 * DAY)
    assert (False, True) == (is_ending(certificate, NOW), is_ending(certificate, NOW + 51 * DAY))


def test_a_systems_bundle_is_read_and_invalid_entries_are_skipped() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert ROOTS == read_roots(b"# Test Root\n" + PUBLIC.root.pem + broken)
    assert [] == read_roots(b"")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_file_raises_an_unexpected_error(chain: bytes, key: bytes) -> None:
    with pytest.raises(NodeError):
        read_certificate(chain, key, HOST)


OWN = GOOD.certificate.public_bytes(Encoding.DER)
CURVE = bytes.fromhex("2a8648ce3d030107")


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (CURVE, CURVE[:-1] + b"\x77"),
        (bytes.fromhex("034200") + b"\x04", bytes.fromhex("034200") + b"\x0a"),
        (bytes.fromhex("0603551d25"), bytes.fromhex("0603551d11")),
    ],
    ids=["a curve that nobody knows", "a key that is none", "an extension that stands twice"],
)
def test_damage_noticed_late_is_reported_like_any_other(sound: bytes, damaged: bytes) -> None:
    assert 1 == OWN.count(sound)
    assert "cannot be read" in refused(pem(OWN.replace(sound, damaged)), GOOD.key_pem)


def test_a_key_with_the_wrong_length_for_its_kind_is_reported_like_any_other_damage() -> None:
    """32 bytes that are called an Ed448 key: the library has no exception class of its own for that."""
    leaf, key = leaf_certificate(key_of("hill")), key_of("hill")
    damaged = leaf.replace(bytes.fromhex("2b65700321"), bytes.fromhex("2b65710321"))
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert damaged != leaf
    assert "cannot be read" in refused(pem(damaged), key_pem)


@pytest.mark.filterwarnings("ignore:Parsed a")
@given(st.dictionaries(st.integers(0, len(OWN) - 1), st.integers(0, 255), min_size=1, max_size=3))
def test_a_chain_with_changed_bytes_gets_a_result(bytes_now: dict[int, int]) -> None:
    damaged = bytearray(OWN)
    for at, byte in bytes_now.items():
        damaged[at] = byte
    roots = read_roots(PUBLIC.root.pem + pem(bytes(damaged)))
    assert ROOTS[0] == roots[0]
    with contextlib.suppress(NodeError):
        certificate = read_certificate(pem(bytes(damaged)), GOOD.key_pem, HOST)
        assert why_not_trusted(certificate, ROOTS, NOW), "the authority between is missing at least"


def pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()

"""A certificate is used when it fits, and shown to devices only when they would trust it."""

import contextlib
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.certificates import (
    FILE_BYTES_MAX,
    Certificate,
    is_ending,
    read_certificate,
    read_roots,
    why_not_trusted,
)
from mesh.trust import leaf_certificate
from node.errors import NodeError
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
    assert caught.value.mend
    return caught.value.message


def test_a_chain_from_an_authority_that_devices_know_is_trusted() -> None:
    certificate = read(GOOD)
    assert "" == why_not_trusted(certificate, ROOTS, NOW)
    assert GOOD.certificate.not_valid_after_utc == certificate.ends


def test_a_certificate_for_a_star_names_every_host_right_below_it() -> None:
    star = PUBLIC.certify("*.vall.example")
    assert "" == why_not_trusted(read(star), ROOTS, NOW)
    assert "does not name" in refused(PUBLIC.chain(star), star.key_pem, "a.login.vall.example")
    assert "does not name" in refused(PUBLIC.chain(star), star.key_pem, "vall.example")


def test_an_address_is_no_name_that_a_certificate_can_hold() -> None:
    odd = PUBLIC.certify("10.77.0.1")
    assert "does not name 10.77.0.1" in refused(PUBLIC.chain(odd), odd.key_pem, "10.77.0.1")


def test_what_does_not_fit_together_is_refused_and_says_why() -> None:
    other = PUBLIC.certify(HOST)
    assert "another key" in refused(PUBLIC.chain(GOOD), other.key_pem)
    assert "does not name" in refused(PUBLIC.chain(GOOD), GOOD.key_pem, "login.hills.example")
    assert "cannot be read" in refused(b"", GOOD.key_pem)
    assert "cannot be read" in refused(PUBLIC.chain(GOOD), b"-----BEGIN PRIVATE KEY-----\nAA==\n")
    assert "ends too early" in refused(PUBLIC.chain(GOOD)[:-100], GOOD.key_pem)
    assert "11 certificates" in refused(GOOD.pem * 11, GOOD.key_pem)
    assert "bytes" in refused(b"x" * (FILE_BYTES_MAX + 1), GOOD.key_pem)


def test_a_certificate_that_signed_itself_is_used_but_not_trusted() -> None:
    alone = issue("alone", None, host=HOST)
    certificate = read(alone, alone.pem)
    assert "no authority that this system trusts" in why_not_trusted(certificate, ROOTS, NOW)


def test_a_forgotten_authority_between_is_named() -> None:
    assert "fullchain.pem" in why_not_trusted(read(GOOD, GOOD.pem), ROOTS, NOW)


def test_authorities_that_nobody_here_trusts_do_not_count() -> None:
    stranger = Authority()
    foreign = stranger.certify(HOST)
    certificate = read(foreign, stranger.chain(foreign))
    assert "no authority that this system trusts" in why_not_trusted(certificate, ROOTS, NOW)
    assert "ca-certificates" in why_not_trusted(certificate, [], NOW)


def test_time_is_part_of_trust() -> None:
    certificate = read(GOOD)
    assert "it ended on" in why_not_trusted(certificate, ROOTS, NOW + 61 * DAY)
    assert "the clock says" in why_not_trusted(certificate, ROOTS, NOW - 2 * DAY)
    assert (False, True) == (is_ending(certificate, NOW), is_ending(certificate, NOW + 51 * DAY))


def test_a_systems_bundle_is_read_and_what_is_no_certificate_in_it_left_out() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert ROOTS == read_roots(b"# Test Root\n" + PUBLIC.root.pem + broken)
    assert [] == read_roots(b"")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_file_breaks_the_reading(chain: bytes, key: bytes) -> None:
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
def test_damage_that_shows_only_when_a_part_is_asked_for_is_told_like_any_other(
    sound: bytes, damaged: bytes
) -> None:
    assert 1 == OWN.count(sound)
    assert "cannot be read" in refused(pem(OWN.replace(sound, damaged)), GOOD.key_pem)


def test_a_key_whose_length_belies_its_kind_is_told_like_any_other_damage() -> None:
    """32 bytes that are called an Ed448 key: the library has no class of its own for that."""
    leaf, key = leaf_certificate(key_of("hill")), key_of("hill")
    damaged = leaf.replace(bytes.fromhex("2b65700321"), bytes.fromhex("2b65710321"))
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert damaged != leaf
    assert "cannot be read" in refused(pem(damaged), key_pem)


@pytest.mark.filterwarnings("ignore:Parsed a")
@given(st.dictionaries(st.integers(0, len(OWN) - 1), st.integers(0, 255), min_size=1, max_size=3))
def test_a_disk_that_changed_some_bytes_ends_in_an_answer(bytes_now: dict[int, int]) -> None:
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

"""The self-signed certificate names the node's host and addresses, and is recognized again by its fingerprint."""

import hashlib
import ssl
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.web.self_signed import SelfSigned, fingerprint_for, make_certificate

HOST = "login.procomu.lan"
ADDRESSES = (IPv4Address("10.77.0.1"), IPv6Address("fd77::1"))


@pytest.fixture(scope="module")
def made() -> SelfSigned:
    return make_certificate(HOST, ADDRESSES)


def test_the_fingerprint_is_that_which_browsers_show(made):
    der = ssl.PEM_cert_to_DER_cert(made.pem.decode().partition("-----BEGIN PRIVATE")[0])
    digest = hashlib.sha256(der).hexdigest().upper()
    assert ":".join(digest[at : at + 2] for at in range(0, 64, 2)) == made.fingerprint


def test_a_stored_certificate_is_used_again_while_it_fits(made):
    assert made.fingerprint == fingerprint_for(made.pem, HOST, ADDRESSES)
    assert made.fingerprint == fingerprint_for(made.pem, HOST, ADDRESSES[:1])
    assert "" == fingerprint_for(made.pem, "login.other.lan", ADDRESSES)
    assert "" == fingerprint_for(made.pem, HOST, (IPv4Address("10.77.0.2"),))


def test_two_certificates_differ(made):
    assert made.fingerprint != make_certificate(HOST, ADDRESSES).fingerprint


def test_a_client_that_trusts_it_can_verify_name_and_address(made, tmp_path):
    (tmp_path / "both.pem").write_bytes(made.pem)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    server.load_cert_chain(tmp_path / "both.pem")
    client.load_verify_locations(cadata=made.pem.decode().partition("-----BEGIN PRIVATE")[0])
    for name in (HOST, "10.77.0.1", "fd77::1"):
        assert shaken(server, client, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(server, client, "10.77.0.2")


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bool:
    """Whether a handshake in memory succeeds."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        server.wrap_bio(up, down, server_side=True),
        client.wrap_bio(down, up, server_hostname=name),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return sides[1].getpeercert() is not None


@given(st.binary(max_size=300))
def test_a_damaged_file_is_no_certificate(content):
    assert "" == fingerprint_for(content, HOST, ADDRESSES)

"""Certificates with changed bytes: every parser gives a result or an error of our own."""

import ipaddress
import ssl
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import node_certificates
from node.errors import NodeError
from node.web.certificates import is_ending, read_certificate, read_roots, why_not_trusted
from node.x509_errors import UNREADABLE, reason
from tests.examples import examples
from tests.fakes.authority import DAY, NOW, Authority, Pair
from tests.fakes.neighbours import key_of

HOST = "login.vall.example"
PUBLIC = Authority()
GOOD = PUBLIC.certify(HOST)
ROOTS = [PUBLIC.root.certificate]
PLACE = "a place"

# Warnings of the library are not errors outside these tests.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def named_in_every_way() -> Pair:
    """A self-signed certificate that names its host among names of all other kinds."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alone")])
    place = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.LOCALITY_NAME, PLACE)]))
    names = [
        x509.DNSName(HOST),
        place,
        x509.RFC822Name("ana@vall.example"),
        x509.UniformResourceIdentifier("http://vall.example/"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 60 * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)]), critical=False
        )
    )
    return Pair(made.sign(key, hashes.SHA256()), key)


def der_of(pair: Pair) -> bytes:
    return pair.certificate.public_bytes(Encoding.DER)


def pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


ALONE = named_in_every_way()


def asked(chain: bytes, key_pem: bytes, roots: list[x509.Certificate]) -> str:
    """Why the portal does not advertise this chain to devices; empty when it does."""
    try:
        certificate = read_certificate(chain, key_pem, HOST)
    except NodeError as error:
        return f"{error.message}; {error.fix}"
    is_ending(certificate, NOW)
    return why_not_trusted(certificate, roots, NOW)


def as_own(der: bytes) -> None:
    asked(pem(der) + PUBLIC.between.pem, GOOD.key_pem, ROOTS)


def as_between(der: bytes) -> None:
    asked(GOOD.pem + pem(der), GOOD.key_pem, ROOTS)


def as_root(der: bytes) -> None:
    asked(PUBLIC.chain(GOOD), GOOD.key_pem, read_roots(pem(der)))


def as_alone(der: bytes) -> None:
    assert asked(pem(der), ALONE.key_pem, ROOTS)
    asked(pem(der), ALONE.key_pem, read_roots(pem(der)))


def as_a_nodes(der: bytes) -> None:
    node = node_certificates.node_id_from_certificate(der)
    assert node is None or isinstance(node, str)


READERS: dict[str, tuple[bytes, Callable[[bytes], None]]] = {
    "the portal's own": (der_of(GOOD), as_own),
    "an authority between": (der_of(PUBLIC.between), as_between),
    "a root": (der_of(PUBLIC.root), as_root),
    "one that signed itself": (der_of(ALONE), as_alone),
    "a node's": (node_certificates.leaf_certificate(key_of("hill")), as_a_nodes),
}
CHANGES = st.dictionaries(st.integers(0, 2_000), st.integers(0, 255), min_size=1, max_size=4)


def changed(der: bytes, changes: dict[int, int]) -> bytes:
    """With other bytes at these positions, which wrap round at the end."""
    damaged = bytearray(der)
    for place, byte in changes.items():
        damaged[place % len(der)] = byte
    return bytes(damaged)


@pytest.mark.parametrize(
    "whose", [pytest.param(each, marks=pytest.mark.thorough if at else ()) for at, each in enumerate(READERS)]
)
def test_any_single_byte_may_change(whose: str) -> None:
    der, reads = READERS[whose]
    for place, byte in enumerate(der):
        for now in (0, byte ^ 0x01, byte ^ 0x80, 0xFF):
            reads(changed(der, {place: now}))


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(sorted(READERS)), CHANGES)
def test_several_bytes_may_change(whose: str, changes: dict[int, int]) -> None:
    der, reads = READERS[whose]
    reads(changed(der, changes))


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted(READERS)), st.integers(0, 2_000), st.binary(max_size=8))
def test_bytes_may_be_removed_or_added(whose: str, place: int, put: bytes) -> None:
    der, reads = READERS[whose]
    place %= len(der)
    reads(der[:place] + put)
    reads(der[:place] + put + der[place:])
    reads(der[:place] + put + der[place + 2 * len(put) :])


@pytest.mark.parametrize("kind", [kind for kind in range(256) if kind != 0x0C])
def test_a_name_with_an_unknown_string_type_is_reported_like_any_other_damage(kind: int) -> None:
    """The type precedes the length of the text (X.690, section 8.1); 0x0C is UTF8String."""
    der, text = der_of(ALONE), bytes([len(PLACE)]) + PLACE.encode()
    place = der.index(text) - 1
    assert 0x0C == der[place]
    told = asked(pem(changed(der, {place: kind})), ALONE.key_pem, ROOTS)
    assert "cannot be read: " in told or "no authority that this system trusts" in told
    assert f"read: {kind};" not in told, "a number alone tells nobody what is wrong"


def test_a_subject_with_an_unknown_string_type_is_reported_when_a_message_names_it() -> None:
    """Newer versions of the library write the subject into the reason why the chain is not trusted."""
    der = der_of(ALONE)
    text = bytes([0x0C, len("alone")]) + b"alone"
    assert 2 == der.count(text)
    told = asked(pem(der.replace(text, b"\x00" + text[1:])), ALONE.key_pem, ROOTS)
    assert "no authority that this system trusts" in told


@pytest.mark.parametrize("kind", UNREADABLE)
def test_every_error_has_a_reason_in_words(kind: type[BaseException]) -> None:
    made = kind.__new__(kind)
    assert reason(made).strip("., ")


def test_an_unknown_string_type_is_named_as_such() -> None:
    assert "a name in it has an unknown string type, 14" == reason(KeyError(14))
    assert "out of range" == reason(OverflowError("out of range"))

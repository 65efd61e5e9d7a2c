"""Keys with certificates that are odd, or damaged: what a hostile node shows in the handshake of TLS."""

import os
import random
import ssl
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mesh import node_certificates

type Private = (
    ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
)

SIGNATURE_BYTES = 64
"""At the end of a certificate that the wrapper signed; the length field of the whole stands before."""
RSA = rsa.generate_private_key(65537, 2048)
KEYS: tuple[Callable[[], Private], ...] = (
    ed25519.Ed25519PrivateKey.generate,
    ed448.Ed448PrivateKey.generate,
    lambda: ec.generate_private_key(ec.SECP256R1()),
    lambda: ec.generate_private_key(ec.SECP521R1()),
    lambda: RSA,
)
DATES = ((1970, 9999), (1990, 1991), (2090, 2091), (1950, 1960))
NAMES = ("x", "NOT A CA - key wrapper", "\u202e\u0301", "y" * 64)


def odd_certificate(chance: random.Random) -> tuple[bytes, bytes]:
    """A private key in PEM, and a certificate of it in DER that the wrapper signed, whatever it says."""
    key = chance.choice(KEYS)()
    first, last = chance.choice(DATES)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, chance.choice(NAMES))]))
        .issuer_name(node_certificates._WRAPPER_NAME)
        .public_key(key.public_key())
        .serial_number(chance.choice((1, 2**158, chance.getrandbits(100) + 1)))
        .not_valid_before(datetime(first, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(last, 1, 1, tzinfo=UTC))
    )
    if chance.random() < 0.3:
        names = [x509.DNSName(f"{number}.example") for number in range(chance.choice((1, 300)))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=chance.random() < 0.5)
    der = builder.sign(node_certificates._WRAPPER, None).public_bytes(Encoding.DER)
    if chance.random() < 0.5:
        der = damaged(der, chance)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), der


def damaged(der: bytes, chance: random.Random) -> bytes:
    """Some bytes of what is signed are others, and it is signed again, so that the signature still holds."""
    certificate = x509.load_der_x509_certificate(der)
    said = certificate.tbs_certificate_bytes
    at = der.index(said)
    changed = bytearray(said)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(4, len(changed))] = chance.randrange(256)
    signature = node_certificates._WRAPPER.sign(bytes(changed))
    return der[:at] + bytes(changed) + der[at + len(said) : -SIGNATURE_BYTES] + signature


def context_with(pem: bytes, der: bytes, *, is_server: bool) -> ssl.SSLContext | None:
    """TLS with this key and certificate, without any check; None if the library of this side refuses them already."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    memory = os.memfd_create("odd-key", os.MFD_CLOEXEC)
    try:
        os.write(memory, pem + ssl.DER_cert_to_PEM_cert(der).encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    except (ssl.SSLError, ValueError):
        return None
    finally:
        os.close(memory)
    return context


def odd_context(chance: random.Random, *, is_server: bool) -> ssl.SSLContext:
    """The first that this side can use."""
    while True:
        context = context_with(*odd_certificate(chance), is_server=is_server)
        if context is not None:
            return context

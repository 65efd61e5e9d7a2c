"""A self-signed X.509 certificate (RFC 5280), for pages that only people of the LAN open; they compare its fingerprint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node.x509_errors import UNREADABLE

BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
"""A node without a battery may make it while its clock is wrong."""
ENDS = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""It has no end (RFC 5280 section 4.1.2.5): another certificate would have another fingerprint."""


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A certificate and its key."""

    pem: bytes
    """Certificate and key in one file, as `ssl.SSLContext.load_cert_chain` reads it."""
    fingerprint: str
    """SHA-256 of the certificate, as browsers show it: ``AB:CD:…``."""


def make_certificate(host: str, addresses: Sequence[IPv4Address | IPv6Address]) -> SelfSigned:
    """A new key and certificate for this name and these addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = [x509.DNSName(host), *(x509.IPAddress(each) for each in addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SelfSigned(certificate.public_bytes(Encoding.PEM) + secret, _fingerprint(certificate))


def fingerprint_for(pem: bytes, host: str, addresses: Sequence[IPv4Address | IPv6Address]) -> str:
    """Fingerprint of a stored certificate; empty when it cannot be read, or does not name this host and all of these
    addresses."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*UNREADABLE, x509.ExtensionNotFound):
        return ""
    is_for_all = host in names.get_values_for_type(x509.DNSName) and set(addresses) <= set(
        names.get_values_for_type(x509.IPAddress)
    )
    return _fingerprint(certificate) if is_for_all else ""


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex(":").upper()

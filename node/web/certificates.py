"""The portal's X.509 certificate: whether it is usable, and whether clients will trust it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import verification

from node.errors import NodeError
from node.x509_errors import UNREADABLE, reason

FILE_BYTES_MAX = 100_000
CHAIN_MAX = 10
RENEW_BEFORE = timedelta(days=10)
"""ACME clients renew earlier than this; later is worth a warning."""
_PEM_MEND = (
    "let the ACME client write the whole chain (fullchain.pem) and the key, without a passphrase, as PEM"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain that matches its key and names the portal's host."""

    host: str
    chain: tuple[x509.Certificate, ...]
    """The leaf certificate first."""

    @property
    def ends(self) -> datetime:
        """Expiry of the chain: the earliest of its certificates."""
        return min(each.not_valid_after_utc for each in self.chain)


def read_certificate(chain_pem: bytes, key_pem: bytes, host: str) -> Certificate:
    """Parses chain and key. Raises NodeError: not PEM, too large, key does not match, or another host name.
    Expiry and trust are not checked."""
    if max(len(chain_pem), len(key_pem)) > FILE_BYTES_MAX:
        raise NodeError(f"a certificate or key of more than {FILE_BYTES_MAX} bytes is none", _PEM_MEND)
    try:
        chain = tuple(x509.load_pem_x509_certificates(chain_pem))
        key = load_pem_private_key(key_pem, password=None)
        is_pair = _public(chain[0].public_key()) == _public(key.public_key())
        is_named = _names(chain[0], host)
    except UNREADABLE as error:
        raise NodeError(f"the certificate or its key cannot be read: {reason(error)}", _PEM_MEND) from error
    if len(chain) != chain_pem.count(b"-----BEGIN CERTIFICATE-----"):
        raise NodeError("the certificate's file ends too early", _PEM_MEND)
    if len(chain) > CHAIN_MAX:
        raise NodeError(f"the file holds {len(chain)} certificates; {CHAIN_MAX} are allowed", _PEM_MEND)
    if not is_pair:
        raise NodeError(
            "the certificate belongs to another key", "copy both files of the same renewal, the key first"
        )
    if not is_named:
        raise NodeError(
            f"the certificate does not name {host}",
            f"ask for a certificate for {host}, or correct portal.host",
        )
    return Certificate(host, chain)


def why_not_trusted(certificate: Certificate, roots: Sequence[x509.Certificate], now: datetime) -> str:
    """Why clients that trust `roots` would refuse the certificate; empty when they would accept it (RFC 5280,
    web profile of the library). `now` is an aware datetime."""
    own = certificate.chain[0]
    if now > certificate.ends:
        return f"it ended on {certificate.ends:%Y-%m-%d}"
    if now < own.not_valid_before_utc:
        return f"it holds from {own.not_valid_before_utc:%Y-%m-%d} on, and the clock says {now:%Y-%m-%d}"
    if not roots:
        return "this system knows no authorities (apt-get install ca-certificates)"
    policy = verification.PolicyBuilder().store(verification.Store(list(roots))).time(now)
    try:
        policy.build_server_verifier(x509.DNSName(certificate.host)).verify(own, list(certificate.chain[1:]))
    except (verification.VerificationError, *UNREADABLE) as error:
        alone = (
            "" if len(certificate.chain) > 1 else "; the file holds no authority between, see fullchain.pem"
        )
        return f"no authority that this system trusts stands behind it ({reason(error)}{alone})"
    return ""


def is_ending(certificate: Certificate, now: datetime) -> bool:
    return now > certificate.ends - RENEW_BEFORE


def read_roots(bundle_pem: bytes) -> list[x509.Certificate]:
    """Parses a CA bundle. Certificates that the library cannot read are skipped."""
    mark = b"-----END CERTIFICATE-----"
    with warnings.catch_warnings():
        # Old CA certificates have serial numbers that the library warns of; a node cannot fix that.
        warnings.simplefilter("ignore")
        found = (_certificate(text + mark) for text in bundle_pem.split(mark)[:-1])
        return [each for each in found if each is not None]


def _certificate(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except UNREADABLE:
        return None


def _public(key: object) -> bytes:
    """Every key type has this method, but their common type does not declare it."""
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return found


def _names(certificate: x509.Certificate, host: str) -> bool:
    """Host name check of RFC 6125 section 6.4: DNS-ID only, a wildcard for the whole leftmost label. IP
    addresses never match."""
    if _is_address(host):
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    dns_names = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return host in dns_names or f"*.{host.partition('.')[2]}" in dns_names


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

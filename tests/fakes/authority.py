"""A test certificate authority: a root, an intermediate, and certificates for hosts."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(
    name: str,
    by: Pair | None,
    *,
    host: str = "",
    begins: datetime | None = None,
    ends: datetime | None = None,
) -> Pair:
    """A certificate for an authority or a host; with `by` None it is self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = by.key if by else key
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or NOW - DAY)
        .not_valid_after(ends or NOW + 60 * DAY)
        .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
        .add_extension(_usage(is_authority=not host), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        made = made.add_extension(names, critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return Pair(made.sign(signer, hashes.SHA256()), key)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_authority, crl_sign=is_authority, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Authority:
    """What a public authority is to the devices of the test."""

    root: Pair = field(default_factory=lambda: issue("Test Root", None, ends=NOW + 3650 * DAY))
    between: Pair = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "between", issue("Test R1", self.root, ends=NOW + 365 * DAY))

    def certify(self, host: str, *, begins: datetime | None = None, ends: datetime | None = None) -> Pair:
        return issue(host, self.between, host=host, begins=begins, ends=ends)

    def chain(self, pair: Pair) -> bytes:
        """The chain as an ACME client writes it to fullchain.pem."""
        return pair.pem + self.between.pem

    def write(self, folder: Path, host: str, *, ends: datetime | None = None) -> tuple[Path, Path, Path]:
        """Write the chain, the key and the root for `host`."""
        pair = self.certify(host, ends=ends)
        chain, key, root = folder / "portal.crt", folder / "portal.key", folder / "root.crt"
        for file, content in ((chain, self.chain(pair)), (key, pair.key_pem), (root, self.root.pem)):
            made = file.with_suffix(".new")
            made.write_bytes(content)
            made.chmod(0o600)
            made.replace(file)
        return chain, key, root

"""Authentication of nodes. TLS needs certificates but nodes have bare keys, so a CA with a public private key wraps
each.

The wrapper CA's private key is public on purpose. It proves nothing and must never be trusted anywhere else. The TLS
1.3 handshake proves possession of the node's own key, and the roster decides on membership.
"""

import hashlib
import warnings
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from node.identity import node_id, own_node_id
from node.units import NodeId
from node.x509_errors import UNREADABLE

CERTIFICATE_BYTES_MAX = 2048
"""A leaf certificate made here has about 300 bytes."""
_WRAPPER = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"procomu public key wrapper v1").digest())
_WRAPPER_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "NOT A CA - key wrapper")])
# A node without a clock starts in 1970, and nothing here may expire: membership is decided by the roster.
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DAY = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def wrapper_ca() -> bytes:
    """DER of the wrapper CA's certificate, identical on every node."""
    builder = _certificate(_WRAPPER_NAME, _WRAPPER.public_key(), serial=1)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(_WRAPPER, None).public_bytes(Encoding.DER)


def leaf_certificate(private: Ed25519PrivateKey) -> bytes:
    """DER of the certificate that wraps this node's key, the same bytes each time."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own_node_id(private))])
    public = private.public_key()
    serial = int.from_bytes(hashlib.sha256(public.public_bytes_raw()).digest()[:15], "big") + 1
    return _certificate(name, public, serial=serial).sign(_WRAPPER, None).public_bytes(Encoding.DER)


def node_id_from_certificate(der: bytes | None) -> NodeId | None:
    """The node whose key `der` wraps; None for anything but a small certificate with an Ed25519 key."""
    if der is None or len(der) > CERTIFICATE_BYTES_MAX:
        return None
    with warnings.catch_warnings():
        # What later versions of the library refuse, such as a negative serial number.
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        try:
            public = x509.load_der_x509_certificate(der).public_key()
        except (*UNREADABLE, CryptographyDeprecationWarning):
            return None
    return node_id(public) if isinstance(public, Ed25519PublicKey) else None


def is_member(node: NodeId | None, roster: frozenset[NodeId]) -> bool:
    """Whether a proven key is on the roster."""
    return node is not None and node in roster


def community_mark(community: str) -> str:
    """Eight characters that nodes announce, to distinguish communities without naming them."""
    return hashlib.sha256(b"procomu\0community\0" + community.encode()).hexdigest()[:8]


def _certificate(name: x509.Name, public: Ed25519PublicKey, *, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_WRAPPER_NAME)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(_LAST_DAY)
    )

"""Node identity (Ed25519): the node id is the public key, and the private key signs. Keys are generated elsewhere."""

import base64

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from node.units import NodeId

NODE_ID_CHARS = 52
KEY_BYTES = 32
SIGNATURE_BYTES = 64
PEM_BYTES_MAX = 4096
SHORT_CHARS = 16
"""Length of the part of an id that people compare and mDNS shows: 80 bits."""
_CHECK_PRIME = 1021
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def node_id(public: Ed25519PublicKey) -> NodeId:
    """The id of the node with the private key of `public`."""
    return NodeId(_base32(public.public_bytes_raw()))


def own_node_id(private: Ed25519PrivateKey) -> NodeId:
    """The id of the node with this private key."""
    return node_id(private.public_key())


def public_key(node: NodeId) -> Ed25519PublicKey:
    """The public key of a node id. Raises ValueError when `node` is not the canonical base32 form of 32 bytes."""
    if len(node) != NODE_ID_CHARS or not set(node) <= set(_ALPHABET):
        raise ValueError(
            f"a node id has {NODE_ID_CHARS} characters, small letters a to z and digits 2 to 7 only"
        )
    raw = base64.b32decode(node.upper() + "====")
    if _base32(raw) != node:
        raise ValueError("this is not a node id: its last character is not possible there")
    return Ed25519PublicKey.from_public_bytes(raw)


def is_node_id(text: str) -> bool:
    """Whether `text` is the canonical form of a public key."""
    try:
        public_key(NodeId(text))
    except ValueError:
        return False
    return True


def sign(private: Ed25519PrivateKey, kind: bytes, body: bytes) -> bytes:
    """A 64-byte signature valid only for this `kind` of statement, so that it cannot be used for another."""
    return private.sign(_statement(kind, body))


def verify(node: NodeId, kind: bytes, body: bytes, signature: bytes) -> bool:
    """Whether `node` signed `body` as a statement of `kind`. Never raises, for any input from a peer."""
    try:
        public_key(node).verify(signature, _statement(kind, body))
    except (InvalidSignature, ValueError):
        return False
    return True


def human_form(node: NodeId) -> str:
    """The start of an id in groups of four with two check characters, as ``abcd-efgh-ijkl-mnop-qr``."""
    short = node[:SHORT_CHARS]
    return "-".join([*(short[at : at + 4] for at in range(0, SHORT_CHARS, 4)), _check(short)])


def short_form(text: str) -> str | None:
    """The first sixteen characters of an id, read from its human form; None when the check characters do not match."""
    letters = text.strip().lower().replace("-", "").replace(" ", "")
    short, check = letters[:SHORT_CHARS], letters[SHORT_CHARS:]
    return (
        short
        if len(short) == SHORT_CHARS and set(short) <= set(_ALPHABET) and check == _check(short)
        else None
    )


def key_to_pem(private: Ed25519PrivateKey) -> bytes:
    """The key as PKCS #8 in PEM, not encrypted: only the node may be able to read the file."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_from_pem(pem: bytes) -> Ed25519PrivateKey:
    """The key in `pem`. Raises ValueError with what to do for any other content."""
    fix = "put the node's own key file back, or remove it to start as a new node"
    if len(pem) > PEM_BYTES_MAX:
        raise ValueError(f"the key file is larger than {PEM_BYTES_MAX} bytes; {fix}")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the key file cannot be read; {fix}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"the key file holds a key that is not Ed25519; {fix}")
    return private


def key_from_raw(raw: bytes) -> Ed25519PrivateKey:
    """The key with these 32 secret bytes. Raises ValueError for another length."""
    return Ed25519PrivateKey.from_private_bytes(raw)


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _check(short: str) -> str:
    # Modulo a prime below 32 * 32, every single wrong character and every swap of two neighbouring ones is detected.
    number = 0
    for letter in short:
        number = (number * 32 + _ALPHABET.find(letter)) % _CHECK_PRIME
    return _ALPHABET[number // 32] + _ALPHABET[number % 32]


def _statement(kind: bytes, body: bytes) -> bytes:
    assert b"\0" not in kind, "a kind is a short name without zero bytes"
    return b"procomu\0" + kind + b"\0" + body

"""An admin's key for the community, encrypted with the admin's passphrase: scrypt (RFC 7914), ChaCha20-Poly1305 (RFC 8439).

Locking and unlocking take 16 MB and about fifty milliseconds, as a passphrase check does: call them in a worker thread.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from node.accounts.member_passphrases import COST, SALT_BYTES, derive_key
from node.identity import is_node_id, key_from_raw, own_node_id
from node.units import NodeId

NONCE = bytes(12)
"""The salt is another one each time, so that each encryption has a key of its own."""
_BOX = re.compile(r"scrypt:(\d{1,8}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/]{22}==):([A-Za-z0-9+/]{64})")


@dataclass(frozen=True, slots=True)
class LockedKey:
    """A key that only its admin can use."""

    key: NodeId
    """Its public part."""
    box: str
    """``scrypt:n:r:p:salt:encrypted``, the last two in base64."""


def lock_key(private: Ed25519PrivateKey, passphrase: str, salt: bytes) -> LockedKey:
    """`salt` is SALT_BYTES random bytes, new for each call; `passphrase` is that of an account."""
    assert len(salt) == SALT_BYTES, "a salt of its own for each encryption"
    key, derived = own_node_id(private), derive_key(passphrase, salt)
    assert derived is not None, "accounts have passphrases of a limited length"
    sealed = ChaCha20Poly1305(derived).encrypt(NONCE, private.private_bytes_raw(), key.encode())
    cost = ":".join(map(str, COST))
    return LockedKey(key, f"scrypt:{cost}:{b64encode(salt).decode()}:{b64encode(sealed).decode()}")


def unlock_key(locked: LockedKey, passphrase: str) -> Ed25519PrivateKey | None:
    """None with another passphrase, and for what is damaged."""
    match = _BOX.fullmatch(locked.box)
    if match is None:
        return None
    cost = int(match[1]), int(match[2]), int(match[3])
    derived = derive_key(passphrase, b64decode(match[4]), cost)
    if derived is None:
        return None
    try:
        raw = ChaCha20Poly1305(derived).decrypt(NONCE, b64decode(match[5]), locked.key.encode())
    except InvalidTag:
        return None
    private = key_from_raw(raw)
    return private if own_node_id(private) == locked.key else None


def is_locked_key(key: object, box: object) -> bool:
    """Whether these two can be a `LockedKey`."""
    return (
        isinstance(key, str) and is_node_id(key) and isinstance(box, str) and _BOX.fullmatch(box) is not None
    )

"""Keyring: the community's secret and the node's key, and keys derived for each purpose."""

import hashlib
import hmac
from base64 import b32encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.errors import NodeError
from node.identity import key_from_pem
from node.units import GUEST_PREFIX, AccountId, MacAddress

GUEST_CHARS = 12
SECRET_BYTES_MIN = 32


class Keyring:
    """`community` is the first secret shared by all nodes of the community, `node` is this node's private key. What has to
    stay as it is comes from the first secret, also where later ones are in force."""

    def __init__(self, community: bytes, node: Ed25519PrivateKey) -> None:
        self._community, self.node = community, node

    @property
    def community_secret(self) -> bytes:
        """For a node that the community lets in, and for nothing else."""
        return self._community

    @property
    def community_id(self) -> str:
        """Identifies the community to its nodes and on its cards; the secret cannot be derived from it."""
        return hashlib.sha256(b"procomu community\0" + self._community).hexdigest()

    def key_for(self, purpose: str) -> bytes:
        """32 bytes, the same on every node of the community (HMAC-SHA-256). Keys of
        different purposes are independent."""
        return derived_key(self._community, purpose)

    def own_key_for(self, purpose: str) -> bytes:
        """32 bytes that no other node knows."""
        return derived_key(self.node.private_bytes_raw(), purpose)

    def guest_account(self, mac: MacAddress) -> AccountId:
        """The guest account of a device: the same on every node of the community, and without the secret it cannot
        be linked to the MAC address."""
        name = hmac.digest(self._community, b"guest account\0" + mac.encode(), "sha256")
        return AccountId(GUEST_PREFIX + b32encode(name).decode().lower()[:GUEST_CHARS])


def derived_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes (HMAC-SHA-256). Keys of different purposes are independent."""
    return hmac.digest(secret, purpose.encode(), "sha256")


def open_keyring(community_file: Path, node_file: Path) -> Keyring:
    """Reads both keys. Raises NodeError when one is missing or invalid."""
    return Keyring(_community_key(community_file), _node_key(node_file))


def community_key_from(content: bytes) -> bytes:
    """The secret in the content of its file. Raises ValueError for any other content."""
    try:
        secret = bytes.fromhex(content.decode().strip())
    except ValueError as error:
        raise ValueError("it is not a key in hexadecimal") from error
    if len(secret) < SECRET_BYTES_MIN:
        raise ValueError("it is too short for a key")
    return secret


def _community_key(path: Path) -> bytes:
    fix = "copy it from another node, or run 'procomu init'"
    try:
        return community_key_from(path.read_bytes())
    except OSError as error:
        raise NodeError(f"{path} cannot be read: {error.strerror}", fix) from error
    except ValueError as error:
        raise NodeError(f"{path} cannot be used: {error}", fix) from error


def _node_key(path: Path) -> Ed25519PrivateKey:
    try:
        return key_from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NodeError(
            f"this node's own key {path} cannot be read: {error}", "run 'procomu init' to make one"
        ) from error

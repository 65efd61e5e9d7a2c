"""A gateway that another node of the community adopted, as that node tells it, and the key for the people behind it.

The router's secret is told as its hash: it is random, so that nobody finds it. The key, by which a node knows the tokens
that another one made, is sealed for those who have a secret of the community.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from node.gateways.gateway import Gateway
from node.units import NodeId

HASH_CHARACTERS, CHECK_CHARACTERS = 32, 16


@dataclass(frozen=True, slots=True)
class ToldGateway:
    """A gateway of another node that this one serves too."""

    gateway: Gateway
    node: NodeId
    """Which adopted it."""
    secret_hash: str
    key: bytes
    """Of the people behind it."""


def people_key(key: bytes, gateway_id: str) -> bytes:
    """The key for tokens and names of the people behind a gateway, from the key of the node that adopted it."""
    return hmac.digest(key, f"people\0{gateway_id}".encode(), sha256)


def secret_hash(secret: str) -> str:
    """By which another node knows the router's secret."""
    return sha256(f"secret of a gateway\0{secret}".encode()).hexdigest()[:HASH_CHARACTERS]


def sealed_key(key: bytes, node: NodeId, gateway_id: str, secret: bytes) -> tuple[str, str]:
    """The key for those who have this secret of the community, and by what they know that it is the right one."""
    mask = _mask(node, gateway_id, secret)
    return bytes(one ^ other for one, other in zip(key, mask, strict=True)).hex(), _check(key)


def opened_key(
    sealed: str, check: str, node: NodeId, gateway_id: str, secrets: Iterable[bytes]
) -> bytes | None:
    """The key; None if none of these secrets opens it."""
    for secret in secrets:
        mask = _mask(node, gateway_id, secret)
        key = bytes(one ^ other for one, other in zip(bytes.fromhex(sealed), mask, strict=True))
        if hmac.compare_digest(_check(key), check):
            return key
    return None


def _mask(node: NodeId, gateway_id: str, secret: bytes) -> bytes:
    """It masks one key only: the key of a gateway is another one at each node, and never changes."""
    return hmac.digest(secret, f"gateway key\0{node}\0{gateway_id}".encode(), sha256)


def _check(key: bytes) -> str:
    return hmac.digest(key, b"gateway key", sha256).hex()[:CHECK_CHARACTERS]

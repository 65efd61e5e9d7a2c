"""Secrets of gateways, and tokens of the people behind them: made from keys of the node, and stored nowhere."""

import hmac
import re
from base64 import b32encode
from hashlib import sha256

from node.gateways.gateway import Gateway
from node.units import MacAddress

SECRET_CHARACTERS = 26
"""130 bits, in an alphabet that every router's configuration takes."""
TOKEN_CHARACTERS = 32
NONCE_BYTES = 8
_SECRET = re.compile(r"[a-z2-7]{26}")
_TOKEN = re.compile(r"[0-9a-f]{32}")


def gateway_secret(key: bytes, gateway: Gateway) -> str:
    """The part of the path that only this gateway has; with the next `serial` it is another one."""
    made = hmac.digest(key, f"path\0{gateway.id}\0{gateway.serial}".encode(), sha256)
    return b32encode(made).decode().lower()[:SECRET_CHARACTERS]


def fas_key(key: bytes, gateway: Gateway) -> str:
    """The faskey of an openNDS gateway: 64 hexadecimal digits."""
    return hmac.digest(key, f"fas\0{gateway.id}\0{gateway.serial}".encode(), sha256).hex()


def is_secret(text: str) -> bool:
    """Whether it has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def client_token(key: bytes, gateway: Gateway, mac: MacAddress | None, nonce: bytes) -> str:
    """A token for one device at one gateway, of 128 bits; `mac` None for a device that the gateway did not name."""
    assert len(nonce) == NONCE_BYTES
    return nonce.hex() + _tag(key, gateway, mac, nonce)


def is_client_token(key: bytes, gateway: Gateway, mac: MacAddress | None, token: str) -> bool:
    """Whether this node made the token for this device (None: for one that was not named) at this gateway."""
    if _TOKEN.fullmatch(token) is None:
        return False
    nonce, tag = bytes.fromhex(token[: 2 * NONCE_BYTES]), token[2 * NONCE_BYTES :]
    return hmac.compare_digest(tag, _tag(key, gateway, mac, nonce))


def device_key(key: bytes, gateway: Gateway, mac: MacAddress) -> str:
    """Under which the counters of a device at a gateway are stored: no hardware address."""
    return hmac.digest(key, f"device\0{gateway.id}\0{mac}".encode(), sha256).hex()[:16]


def _tag(key: bytes, gateway: Gateway, mac: MacAddress | None, nonce: bytes) -> str:
    said = b"\0".join((b"token", gateway.id.encode(), (mac or "").encode(), nonce))
    return hmac.digest(key, said, sha256).hex()[: TOKEN_CHARACTERS - 2 * NONCE_BYTES]

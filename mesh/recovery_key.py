"""Recovery keys of a community as people write them on paper: groups of four letters and digits, with a checksum."""

import base64
import hashlib

from node.identity import KEY_BYTES

CHECK_BYTES = 3
GROUP_CHARS = 4
CHARS_MAX = 200
"""Of a typed key, with spaces and dashes."""


def recovery_text(secret: bytes) -> str:
    """56 characters in 14 groups."""
    assert len(secret) == KEY_BYTES
    letters = base64.b32encode(secret + _check(secret)).decode().lower()
    return " ".join(letters[at : at + GROUP_CHARS] for at in range(0, len(letters), GROUP_CHARS))


def read_recovery_text(typed: str) -> bytes:
    """The secret of a key that was typed in any case, with or without spaces and dashes. Raises ValueError."""
    if len(typed) > CHARS_MAX:
        raise ValueError("this is too long for a recovery key")
    letters = "".join(typed.split()).replace("-", "").upper()
    try:
        raw = base64.b32decode(letters)
    except ValueError as error:
        raise ValueError("a recovery key has letters and the digits 2 to 7 only, 56 together") from error
    secret, check = raw[:KEY_BYTES], raw[KEY_BYTES:]
    if len(raw) != KEY_BYTES + CHECK_BYTES or check != _check(secret):
        raise ValueError("a letter is wrong or missing")
    return secret


def _check(secret: bytes) -> bytes:
    return hashlib.sha256(b"procomu recovery\0" + secret).digest()[:CHECK_BYTES]

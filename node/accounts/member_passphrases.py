"""Members' passphrases: stored only as scrypt hashes (RFC 7914), compared in constant time.

One check takes 16 MB of memory and about fifty milliseconds by design: call `hash_passphrase` and `is_right`
in a worker thread, one at a time, never on the event loop.
"""

import hmac
import re
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TypeGuard

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from node.units import AccountId

PASSPHRASE_CHARS_MIN, PASSPHRASE_CHARS_MAX = 8, 128
"""Any characters; length provides the strength."""
SALT_BYTES = 16
_HASH_BYTES = 32
_N, _R, _P = 2**14, 8, 5
COST = (_N, _R, _P)
_MEMORY_MAX = 64 * 2**20
_WORK_MAX = 2**20
"""Limit of ``n * p`` in a stored hash: a damaged row must not block the node for minutes."""
_KEPT = re.compile(r"scrypt:(\d{1,8}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/]{22}==):([A-Za-z0-9+/]{43}=)")

DUMMY_HASH = (
    f"scrypt:{_N}:{_R}:{_P}:{b64encode(bytes(SALT_BYTES)).decode()}:{b64encode(bytes(_HASH_BYTES)).decode()}"
)
"""Checked if an account has no passphrase, so that the response time does not reveal which accounts exist."""


@dataclass(frozen=True, slots=True)
class PassphraseHash:
    """A member's passphrase as stored."""

    account: AccountId
    hash: str


@dataclass(frozen=True, slots=True)
class PassphraseGone:
    """The account no longer has a passphrase."""

    account: AccountId


def is_fit(passphrase: str) -> bool:
    """Whether it is acceptable as a new passphrase: 8 to 128 characters after Unicode normalization."""
    return (
        len(passphrase) <= PASSPHRASE_CHARS_MAX
        and PASSPHRASE_CHARS_MIN <= len(_one_form(passphrase)) <= PASSPHRASE_CHARS_MAX
    )


def hash_passphrase(passphrase: str, salt: bytes) -> str:
    """Hash for storage, with its salt and cost parameters, so that the cost can be raised later. `salt` is
    SALT_BYTES random bytes, new for each hash."""
    assert len(salt) == SALT_BYTES, "a salt of its own for each hash"
    raw = _scrypt(passphrase, salt, _N, _R, _P)
    return f"scrypt:{_N}:{_R}:{_P}:{b64encode(salt).decode()}:{b64encode(raw).decode()}"


def is_right(passphrase: str, kept: str) -> bool:
    """Whether `kept` is a hash of this passphrase; Unicode forms are normalized. Never raises: False for an
    overlong passphrase or a damaged hash."""
    match = _KEPT.fullmatch(kept)
    if match is None or len(passphrase) > PASSPHRASE_CHARS_MAX:
        return False
    derived = derive_key(passphrase, b64decode(match[4]), (int(match[1]), int(match[2]), int(match[3])))
    return derived is not None and hmac.compare_digest(derived, b64decode(match[5]))


def is_hash(text: object) -> TypeGuard[str]:
    """Whether it has the form of a stored hash."""
    return isinstance(text, str) and _KEPT.fullmatch(text) is not None


def derive_key(passphrase: str, salt: bytes, cost: tuple[int, int, int] = COST) -> bytes | None:
    """32 bytes that only this passphrase gives with this salt: a hash, or a key to encrypt with. None for an overlong
    passphrase or cost parameters that scrypt does not have, or that would block the node."""
    n, r, p = cost
    if n < 2 or n & (n - 1) or not r or not p or 128 * n * r > _MEMORY_MAX or n * p > _WORK_MAX:
        return None
    return None if len(passphrase) > PASSPHRASE_CHARS_MAX else _scrypt(passphrase, salt, n, r, p)


def _scrypt(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    text = _one_form(passphrase).encode("utf-8", "surrogatepass")
    return Scrypt(salt=salt, length=_HASH_BYTES, n=n, r=r, p=p).derive(text)


def _one_form(passphrase: str) -> str:
    return unicodedata.normalize("NFKC", passphrase)

"""The file format age, version 1, with X25519 recipients (https://age-encryption.org/v1), and its keys in Bech32.

A backup is encrypted for recovery keys that the community holds on paper: a node has only their public part. Any
program for age opens it with such a key.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.errors import NodeError

KEY_BYTES = 32
CHUNK_BYTES = 64 * 1024
"""Of plain text in each encrypted chunk."""
TAG_BYTES = 16
HEADER_LINES_MAX = 64
LINE_BYTES_MAX = 1_024
RECIPIENTS_MAX = 8
RECIPIENTS_BYTES_MAX = 16_384
"""Of the file with recipients."""
TYPED_CHARS_MAX = 300
"""Of a typed key, with the spaces between its groups."""
_VERSION = b"age-encryption.org/v1"
_KIND = b"X25519"
_INFO = b"age-encryption.org/v1/X25519"
_FILE_KEY_BYTES = 16
_NONCE_BYTES = 16
_COLUMNS = 64
_IDENTITY, _RECIPIENT = "age-secret-key-", "age"
"""Human-readable parts of a secret and a public key in Bech32."""
_GROUP_CHARS = 4

Random = Callable[[int], bytes]
"""Returns so many random bytes."""


class WritableFile(Protocol):
    def write(self, data: bytes, /) -> object: ...


class ReadableFile(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class UnreadableBackup(NodeError):
    """The file is no backup, is damaged, or is encrypted for another key."""


def _damaged(where: str) -> UnreadableBackup:
    return UnreadableBackup(f"the backup is damaged: {where}", "use another copy of it, or an older backup")


# --- Keys -------------------------------------------------------------------------------------


def recovery_key(secret: bytes) -> str:
    """A recovery key as text, with a checksum: ``AGE-SECRET-KEY-1`` and 58 characters."""
    return _bech32(_IDENTITY, secret).upper()


def in_groups(key: str) -> str:
    """A recovery key in groups of four, to be read and typed."""
    head, rest = key[: len(_IDENTITY) + 1], key[len(_IDENTITY) + 1 :]
    groups = [rest[at : at + _GROUP_CHARS] for at in range(0, len(rest), _GROUP_CHARS)]
    return " ".join([head, *groups])


def recipient_of(secret: bytes) -> str:
    """The public part of a recovery key as text: ``age1`` and 58 characters."""
    return recipient_text(X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())


def recipient_text(recipient: bytes) -> str:
    """A public key as text."""
    return _bech32(_RECIPIENT, recipient)


def read_recovery_key(typed: str) -> bytes:
    """The secret of a key that was typed, in any case, with or without spaces and dashes. Lines that start with ``#``
    are comments, as in a key file of age. Raises ValueError with the reason."""
    lines = [line for line in typed.splitlines() if not line.lstrip().startswith("#")]
    text = "".join("".join(lines).split())
    if len(text) > TYPED_CHARS_MAX:
        raise ValueError("this is too long for a recovery key")
    plain = text.lower().replace("-", "")
    head = _IDENTITY.replace("-", "") + "1"
    if not plain.startswith(head):
        raise ValueError("a recovery key starts with AGE-SECRET-KEY-1")
    return _unbech32(_IDENTITY, f"{_IDENTITY}1{plain[len(head) :]}")


def read_recipients(text: str) -> tuple[bytes, ...]:
    """Public keys, one on each line; lines that start with ``#`` are comments. Raises ValueError with the line."""
    found: dict[bytes, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            found[_unbech32(_RECIPIENT, line.strip())] = None
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if not found:
        raise ValueError("it has no key")
    if len(found) > RECIPIENTS_MAX:
        raise ValueError(f"it has {len(found)} keys; at most {RECIPIENTS_MAX} are possible")
    return tuple(found)


# --- Writing ----------------------------------------------------------------------------------


class AgeWriter:
    """Encrypts what is written, in chunks, for all of `recipients`. The file is complete after `finish` only."""

    def __init__(self, out: WritableFile, recipients: Sequence[bytes], random: Random) -> None:
        assert 0 < len(recipients) <= RECIPIENTS_MAX, "read by `read_recipients`"
        file_key, nonce = random(_FILE_KEY_BYTES), random(_NONCE_BYTES)
        stanzas = b"".join(_stanza(each, file_key, random(KEY_BYTES)) for each in recipients)
        header = _VERSION + b"\n" + stanzas + b"---"
        out.write(header + b" " + _base64(_header_mac(file_key, header)) + b"\n" + nonce)
        self._out, self._cipher = out, ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
        self._waiting, self._number = bytearray(), 0

    def write(self, data: bytes) -> int:
        self._waiting += data
        # The last chunk is marked as such, so a full one waits for more.
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        self._put(bytes(self._waiting), is_last=True)

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        self._out.write(self._cipher.encrypt(_chunk_nonce(self._number, is_last=is_last), chunk, None))
        self._number += 1


def _stanza(recipient: bytes, file_key: bytes, ephemeral: bytes) -> bytes:
    secret = X25519PrivateKey.from_private_bytes(ephemeral)
    share = secret.public_key().public_bytes_raw()
    wrap = _wrap_key(secret, X25519PublicKey.from_public_bytes(recipient), share + recipient)
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    return b"-> " + _KIND + b" " + _base64(share) + b"\n" + _base64(body) + b"\n"


# --- Reading ----------------------------------------------------------------------------------


class AgeReader:
    """Decrypts a file. Each byte that `read` returns was authenticated, with its position; only after b"" is it known
    that nothing is missing. Raises UnreadableBackup."""

    def __init__(self, file: ReadableFile, secret: bytes) -> None:
        stanzas, header, mac = _read_header(file)
        file_key = _unwrapped(stanzas, X25519PrivateKey.from_private_bytes(secret))
        if not hmac.compare_digest(mac, _header_mac(file_key, header)):
            raise _damaged("its first lines were changed")
        nonce = file.read(_NONCE_BYTES)
        if len(nonce) != _NONCE_BYTES:
            raise _damaged("it ends too early")
        self._file, self._cipher = file, ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
        self._ready, self._number, self._is_over = b"", 0, False
        self._ahead = file.read(CHUNK_BYTES + TAG_BYTES)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end of the complete file."""
        while not self._ready and not self._is_over:
            self._ready = self._next()
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _next(self) -> bytes:
        sealed, self._ahead = self._ahead, self._file.read(CHUNK_BYTES + TAG_BYTES)
        self._is_over = not self._ahead
        try:
            chunk = self._cipher.decrypt(_chunk_nonce(self._number, is_last=self._is_over), sealed, None)
        except InvalidTag as error:
            where = (
                "it ends too early, or its end was changed" if self._is_over else "bytes in it were changed"
            )
            raise _damaged(where) from error
        if not chunk and self._number:
            raise _damaged("its end was changed")
        self._number += 1
        return chunk


_Stanza = tuple[list[bytes], bytes]
"""Arguments, and the body."""


def _read_header(file: ReadableFile) -> tuple[list[_Stanza], bytes, bytes]:
    """Stanzas, the bytes that the MAC covers, and the MAC."""
    first = file.readline(LINE_BYTES_MAX)
    if first != _VERSION + b"\n":
        raise UnreadableBackup(
            "this file is no backup: it does not start as a file of age",
            "give a file that 'procomu backup' made",
        )
    stanzas, covered = [], bytearray(first)
    lines = 0
    while (line := file.readline(LINE_BYTES_MAX)).startswith(b"-> "):
        if not line.endswith(b"\n"):
            raise _damaged("its first lines cannot be read")
        covered += line
        arguments = line.removesuffix(b"\n").split(b" ")[1:]
        body = bytearray()
        while True:
            lines += 1
            part = file.readline(LINE_BYTES_MAX)
            covered += part
            body += part.removesuffix(b"\n")
            if lines > HEADER_LINES_MAX or not part.endswith(b"\n") or len(part) > _COLUMNS + 1:
                raise _damaged("its first lines cannot be read")
            if len(part) <= _COLUMNS:
                break
        stanzas.append((arguments, _unbase64(bytes(body))))
    if not line.startswith(b"--- ") or not line.endswith(b"\n"):
        raise _damaged("its first lines cannot be read")
    return stanzas, bytes(covered) + b"---", _unbase64(line[4:-1])


def _unwrapped(stanzas: Sequence[_Stanza], secret: X25519PrivateKey) -> bytes:
    recipient = secret.public_key().public_bytes_raw()
    for arguments, body in stanzas:
        if arguments[:1] != [_KIND]:
            continue
        if len(arguments) != 2 or len(body) != _FILE_KEY_BYTES + TAG_BYTES:
            raise _damaged("its first lines cannot be read")
        share = _unbase64(arguments[1])
        try:
            wrap = _wrap_key(secret, X25519PublicKey.from_public_bytes(share), share + recipient)
        except ValueError as error:  # another length, or a point of low order
            raise _damaged("its first lines cannot be read") from error
        try:
            return ChaCha20Poly1305(wrap).decrypt(bytes(12), body, None)
        except InvalidTag:
            continue  # for another recipient
    raise UnreadableBackup(
        "this backup is encrypted for another recovery key: it is another community's, or the key was replaced since",
        "give the recovery key whose sheet has the same public key as the node had then",
    )


# --- Primitives -------------------------------------------------------------------------------


def _hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt or None, info).derive(key)


def _wrap_key(secret: X25519PrivateKey, public: X25519PublicKey, salt: bytes) -> bytes:
    return _hkdf(secret.exchange(public), salt, _INFO)


def _header_mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_hkdf(file_key, b"", b"header"), header, "sha256")


def _chunk_nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _base64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    """Without padding, in canonical form."""
    try:
        data = b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise _damaged("its first lines cannot be read") from error
    if _base64(data) != text:
        raise _damaged("its first lines cannot be read")
    return data


# Bech32 (BIP 173): five bits a character, and a checksum that detects up to four wrong characters.

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK_CHARS = 6
_KEY_CHARS = 52


def _polymod(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            check ^= factor if top >> bit & 1 else 0
    return check


def _expanded(part: str) -> list[int]:
    return [*(ord(letter) >> 5 for letter in part), 0, *(ord(letter) & 31 for letter in part)]


def _bech32(part: str, data: bytes) -> str:
    number = int.from_bytes(data, "big") << 4  # 256 bits in 52 characters, with four bits of zeros
    values = [number >> 5 * place & 31 for place in reversed(range(_KEY_CHARS))]
    check = _polymod([*_expanded(part), *values, *[0] * _CHECK_CHARS]) ^ 1
    values += [check >> 5 * place & 31 for place in reversed(range(_CHECK_CHARS))]
    return f"{part}1{''.join(_ALPHABET[value] for value in values)}"


def _unbech32(part: str, text: str) -> bytes:
    """Raises ValueError with the reason."""
    head = f"{part}1"
    if not text.startswith(head):
        raise ValueError(f"a key of this kind starts with {head}")
    letters = text[len(head) :]
    if not set(letters) <= set(_ALPHABET):
        wrong = next(letter for letter in letters if letter not in _ALPHABET)
        raise ValueError(f"the character {wrong!r} is in no key; 1, b, i and o are never used")
    if len(letters) != _KEY_CHARS + _CHECK_CHARS:
        raise ValueError(
            f"a key has {_KEY_CHARS + _CHECK_CHARS} characters after {head}, this one {len(letters)}"
        )
    values = [_ALPHABET.index(letter) for letter in letters]
    number = 0
    for value in values[:_KEY_CHARS]:
        number = number << 5 | value
    if _polymod([*_expanded(part), *values]) != 1 or number & 15:
        raise ValueError("a character is wrong: the key's checksum does not match")
    return (number >> 4).to_bytes(KEY_BYTES, "big")

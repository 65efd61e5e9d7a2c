"""Files of age: as the program age writes and reads them, and every change of a byte is noticed."""

import json
from base64 import b64decode, b64encode
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from node.backup.age import (
    CHUNK_BYTES,
    RECIPIENTS_MAX,
    AgeReader,
    UnreadableBackup,
    in_groups,
    read_recipients,
    read_recovery_key,
    recipient_of,
    recovery_key,
)
from tests.docs.backup_vectors import FOLDER, OTHER_SECRET, PLAIN, SECRET, sealed, vectors

KEY = recovery_key(SECRET)
OTHERS = [bytes([number]) * 32 for number in range(10)]


def opened(sealed_file: bytes, secret: bytes = SECRET, piece: int = 9_999) -> bytes:
    reader, found = AgeReader(BytesIO(sealed_file), secret), b""
    while part := reader.read(piece):
        found += part
    return found


def test_the_vectors_are_written_as_before():
    assert json.loads((FOLDER / "age.json").read_text()) == vectors()


def test_a_file_of_the_program_age_is_read():
    known = json.loads((FOLDER / "age.json").read_text())
    assert known["plain_by_age"].encode() == opened(b64decode(known["made_by_age"]))


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
@pytest.mark.parametrize("plain", PLAIN.values(), ids=PLAIN)
def test_each_of_several_keys_opens_what_was_written(plain, secret):
    assert plain == opened(sealed(plain, SECRET, OTHER_SECRET), secret)


@pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_sizes_around_whole_chunks(size):
    plain = bytes(at % 256 for at in range(size))
    assert plain == opened(sealed(plain, SECRET), piece=CHUNK_BYTES)


def test_another_key_opens_nothing():
    with pytest.raises(UnreadableBackup, match="another recovery key"):
        opened(sealed(b"x", OTHER_SECRET))


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_noticed(at, bit):
    damaged = bytearray(sealed(b"Vall Alta" * 100, SECRET))
    damaged[at % len(damaged)] ^= 1 << bit
    with pytest.raises(UnreadableBackup):
        opened(bytes(damaged))


@given(cut=st.integers(0, 140_000))
def test_a_file_that_ends_early_is_noticed(cut):
    whole = sealed(b"\x01" * (2 * CHUNK_BYTES), SECRET)
    with pytest.raises(UnreadableBackup):
        opened(whole[: cut % len(whole)])


def test_a_missing_chunk_and_swapped_chunks_are_noticed():
    whole = sealed(b"\x01" * CHUNK_BYTES + b"\x02" * CHUNK_BYTES + b"\x03", SECRET)
    sealed_chunk = CHUNK_BYTES + 16
    first = len(whole) - 17 - 2 * sealed_chunk
    one, two = whole[first : first + sealed_chunk], whole[first + sealed_chunk : first + 2 * sealed_chunk]
    for changed in (whole[:first] + two + whole[-17:], whole[:first] + two + one + whole[-17:], whole + b"x"):
        with pytest.raises(UnreadableBackup, match="damaged"):
            opened(changed)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"PK\x03\x04",
        b"age-encryption.org/v2\n",
        b"age-encryption.org/v1\n",
        b"age-encryption.org/v1\n--- \n",
        b"age-encryption.org/v1\n-> X25519\n\n--- AAAA\n",
        b"age-encryption.org/v1\n-> X25519 AAAA\nAAAA\n--- AAAA\n",
        b"age-encryption.org/v1\n-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n--- AAAA\n",
        b"age-encryption.org/v1\n" + b"-> x\n\n" * 100 + b"--- AAAA\n",
        b"age-encryption.org/v1\n-> x\n" + (b"A" * 64 + b"\n") * 100,
        b"age-encryption.org/v1\n-> " + b"x" * 5_000,
    ],
)
def test_other_files_get_a_clear_error(start):
    with pytest.raises(UnreadableBackup) as refused:
        opened(start)
    assert refused.value.fix


def with_stanza(stanza: bytes) -> bytes:
    """A file with one more stanza, by somebody who has the public key: its MAC is right."""
    whole = sealed(b"Vall Alta", SECRET)
    header, rest = whole.split(b"\n---", 1)
    first, _, others = header.partition(b"\n")
    secret = X25519PrivateKey.from_private_bytes(SECRET)
    share, body = others.removeprefix(b"-> X25519 ").split(b"\n")
    wrap = secret.exchange(X25519PublicKey.from_public_bytes(b64decode(share + b"=")))
    salt = b64decode(share + b"=") + secret.public_key().public_bytes_raw()
    key = HKDF(SHA256(), 32, salt, b"age-encryption.org/v1/X25519").derive(wrap)
    file_key = ChaCha20Poly1305(key).decrypt(bytes(12), b64decode(body + b"=="), None)
    changed = first + b"\n" + stanza + others + b"\n---"
    mac = HMAC(HKDF(SHA256(), 32, None, b"header").derive(file_key), SHA256())
    mac.update(changed)
    return changed + b" " + b64encode(mac.finalize()).rstrip(b"=") + b"\n" + rest.split(b"\n", 1)[1]


@pytest.mark.parametrize(
    "stanza", [b"", b"-> other x y\n\n", b"-> x " + b"y" * 1_000 + b"\n" + b"A" * 64 + b"\nAA\n"]
)
def test_stanzas_of_other_types_are_ignored(stanza):
    assert b"Vall Alta" == opened(with_stanza(stanza))


@pytest.mark.parametrize(
    "stanza",
    [
        b"-> x " + b"A" * 1_023 + b"\n",
        b"-> x\n" + b"A" * 68 + b"\n\n",
        b"-> x\n" + (b"A" * 64 + b"\n") * 70 + b"\n",
        b"-> x\nAB\n",
        b"-> x\nAA==\n",
        b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n",
        b"-> X25519 " + b"A" * 42 + b"\n" + b"A" * 43 + b"\n",
        b"-> X25519 x y\n" + b"A" * 43 + b"\n",
        b"-> X25519\n" + b"A" * 43 + b"\n",
        b"x\n",
    ],
    ids=lambda stanza: stanza[:30].decode(),
)
def test_malformed_stanzas_are_refused_even_with_the_right_mac(stanza):
    with pytest.raises(UnreadableBackup, match="first lines cannot be read"):
        opened(with_stanza(stanza))


@pytest.mark.parametrize(
    "typed",
    [
        KEY,
        KEY.lower(),
        in_groups(KEY),
        in_groups(KEY).replace(" ", "\n"),
        KEY.replace("-", ""),
        f"# created: 2026\n# public key: age1\n{KEY}\n",
        "-".join(in_groups(KEY).split()),
    ],
)
def test_a_recovery_key_is_read_as_people_type_it(typed):
    assert SECRET == read_recovery_key(typed)


@given(at=st.integers(0, 57), letter=st.sampled_from("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"))
def test_every_wrong_character_of_a_recovery_key_is_noticed(at, letter):
    start = len("AGE-SECRET-KEY-1")
    typed = KEY[: start + at] + letter + KEY[start + at + 1 :]
    if typed == KEY:
        assert SECRET == read_recovery_key(typed)
    else:
        with pytest.raises(ValueError, match="checksum"):
            read_recovery_key(typed)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "starts with"),
        ("AGE-SECRET-KEY-1", "58 characters"),
        (KEY[:-1], "this one 57"),
        (KEY[:20] + "B" + KEY[21:], "'b' is in no key"),
        (recipient_of(SECRET), "starts with AGE-SECRET-KEY-1"),
        ("x" * 1_000, "too long"),
    ],
)
def test_what_is_no_recovery_key_is_refused_with_the_reason(typed, said):
    with pytest.raises(ValueError, match=said):
        read_recovery_key(typed)


def test_a_file_with_public_keys_has_comments_and_several_keys():
    text = f"# ours\n\n{recipient_of(SECRET)}\n  {recipient_of(OTHER_SECRET)}\n{recipient_of(SECRET)}\n"
    assert 2 == len(read_recipients(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key"),
        ("# only\n", "no key"),
        (f"\n{KEY}\n", "line 2: "),
        ("age1qqqq\n", "58 characters"),
        ("\n".join(map(recipient_of, OTHERS)), f"at most {RECIPIENTS_MAX}"),
    ],
)
def test_a_file_without_usable_public_keys_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        read_recipients(text)

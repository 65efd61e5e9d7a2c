"""Passphrases are stored hashed, and checked so that nobody learns which accounts have one."""

import pytest

from node.accounts.member_passphrases import PASSPHRASE_CHARS_MAX, hash_passphrase, is_fit, is_right

SALT = bytes(range(16))
KEPT = hash_passphrase("three goats on a hill", SALT)


@pytest.mark.parametrize(
    ("passphrase", "fit"),
    [
        ("1234567", False),
        ("12345678", True),
        ("ホテルの朝ごはん", True),
        ("e\u0301" * 4, False),
        ("x" * PASSPHRASE_CHARS_MAX, True),
        ("x" * (PASSPHRASE_CHARS_MAX + 1), False),
        ("\ufdfa" * 100, False),
    ],
)
def test_the_only_requirement_is_length(passphrase, fit):
    assert fit is is_fit(passphrase)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "three goats on a hill",
        KEPT[:-1],
        KEPT.replace("scrypt", "plain"),
        KEPT.replace(":16384:8:5:", ":16383:8:5:"),
        KEPT.replace(":16384:8:5:", ":67108864:8:5:"),
        KEPT.replace(":16384:8:5:", ":16384:0:5:"),
        KEPT.replace(":16384:8:5:", ":16384:8:99:"),
    ],
)
def test_a_damaged_row_is_wrong_at_once_and_never_an_error(kept):
    assert not is_right("three goats on a hill", kept)


def test_a_passphrase_that_is_too_long_is_refused_without_hashing():
    assert not is_right("x" * 1_000_000, KEPT)


def test_old_hashes_may_have_other_cost_parameters():
    assert not is_right("three goats on a hill", KEPT.replace(":16384:8:5:", ":1024:8:1:"))


@pytest.mark.parametrize("salt", ["=" * 24, "A" * 23 + "=", "A=" * 12])
def test_a_stored_hash_with_damaged_base64_is_of_no_passphrase(salt: str) -> None:
    assert not is_right("four plain old words", f"scrypt:2:1:1:{salt}:{'A' * 43}=")
    assert not is_right("four plain old words", f"scrypt:2:1:1:{'A' * 22}==:{'=' * 44}")

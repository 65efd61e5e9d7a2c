"""Passphrases are stored hashed, and checked so that nobody learns which accounts have one."""

import statistics
import time

import pytest

from node.accounts.passphrases import (
    DUMMY_HASH,
    PASSPHRASE_CHARS_MAX,
    hash_passphrase,
    is_fit,
    is_right,
)

SALT = bytes(range(16))
KEPT = hash_passphrase("three goats on a hill", SALT)


def test_the_right_passphrase_is_right_and_another_is_not():
    assert is_right("three goats on a hill", KEPT)
    assert not is_right("three goats on a hil", KEPT)
    assert not is_right("", KEPT)


def test_the_stored_row_contains_nothing_of_the_passphrase():
    assert "goats" not in KEPT
    assert hash_passphrase("three goats on a hill", bytes(16)) != KEPT


def test_composed_and_decomposed_accents_are_the_same():
    assert is_right("cafe\u0301 sol al matí", hash_passphrase("café sol al matí", SALT))
    assert is_right("ｗｉｄｅ letters", hash_passphrase("wide letters", SALT))


def test_no_passphrase_matches_the_dummy_hash():
    assert not is_right("", DUMMY_HASH)
    assert not is_right("three goats on a hill", DUMMY_HASH)


def test_an_account_without_a_passphrase_takes_as_long_as_one_with():
    def cost(kept: str) -> float:
        samples = []
        for _ in range(5):
            began = time.process_time()
            is_right("a guess of somebody", kept)
            samples.append(time.process_time() - began)
        return statistics.median(samples)

    assert 0.5 < cost(DUMMY_HASH) / cost(KEPT) < 2


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


def test_any_input_is_at_most_wrong():
    assert not is_right("\ud800", KEPT)

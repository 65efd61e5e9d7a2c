"""Passphrase hashes with the cost that the node uses."""

import statistics
import time

from node.accounts.member_passphrases import DUMMY_HASH, hash_passphrase, is_right
from tests.unit.node.accounts.test_member_passphrases import KEPT, SALT


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


def test_any_input_is_at_most_wrong():
    assert not is_right("\ud800", KEPT)

"""A locked key opens with its passphrase, and with nothing else, whatever is changed in what is stored."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.accounts.member_passphrases import PASSPHRASE_CHARS_MAX, SALT_BYTES
from node.app.locked_key import LockedKey, is_locked_key, lock_key, unlock_key
from node.identity import own_node_id
from tests.examples import examples
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.use_cases import make_passphrases_cheap

SALT = b"s" * SALT_BYTES


@pytest.fixture(autouse=True, scope="module")
def cheap() -> object:
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_passphrases_cheap(monkeypatch)
        yield


@given(
    st.text(max_size=PASSPHRASE_CHARS_MAX),
    st.text(max_size=PASSPHRASE_CHARS_MAX),
    st.binary(min_size=16, max_size=16),
)
@settings(max_examples=examples(60), deadline=None)
def test_only_its_passphrase_opens_it(passphrase: str, other: str, salt: bytes) -> None:
    """Two that are the same after Unicode normalization are one."""
    locked = lock_key(key_of("rosa"), passphrase, salt)
    opened = unlock_key(locked, passphrase)
    assert opened is not None
    assert own_node_id(opened) == locked.key == id_of("rosa")
    wrong = unlock_key(locked, other + "x" if other + "x" != passphrase else other + "y")
    assert wrong is None


def test_normalization_forms_of_a_passphrase_are_one() -> None:
    assert unlock_key(lock_key(key_of("rosa"), "cafe\u0301 amb llet", SALT), "caf\u00e9 amb llet") is not None


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_what_is_damaged_opens_nothing_and_raises_nothing(data: st.DataObject) -> None:
    box = lock_key(key_of("rosa"), "four plain old words", SALT).box
    at = data.draw(st.integers(0, len(box) - 1))
    changed = box[:at] + data.draw(st.characters(max_codepoint=126)) + box[at + 1 :]
    opened = unlock_key(LockedKey(id_of("rosa"), changed), "four plain old words")
    assert opened is None or own_node_id(opened) == id_of("rosa")
    sealed = box.rindex(":") + 1
    assert opened is None or at < sealed or changed == box


def test_a_box_of_another_key_does_not_open() -> None:
    locked = replace(lock_key(key_of("rosa"), "four plain old words", SALT), key=id_of("pau"))
    assert unlock_key(locked, "four plain old words") is None


@pytest.mark.parametrize("cost", ["99999999:99:99", "3:8:5", "0:0:0"])
def test_costs_that_would_block_the_node_are_not_paid(cost: str) -> None:
    _, _, _, _, salt, sealed = lock_key(key_of("rosa"), "four plain old words", SALT).box.split(":")
    assert (
        unlock_key(LockedKey(id_of("rosa"), f"scrypt:{cost}:{salt}:{sealed}"), "four plain old words") is None
    )


def test_the_form_of_a_locked_key() -> None:
    locked = lock_key(key_of("rosa"), "four plain old words", SALT)
    assert is_locked_key(locked.key, locked.box)
    for key, box in ((locked.key, "x"), ("x", locked.box), (None, locked.box), (locked.key, 7)):
        assert not is_locked_key(key, box)


def test_the_secret_is_not_in_it() -> None:
    locked = lock_key(key_of("rosa"), "four plain old words", SALT)
    assert key_of("rosa").private_bytes_raw().hex() not in repr(locked)

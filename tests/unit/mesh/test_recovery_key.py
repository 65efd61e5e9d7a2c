"""Recovery keys on paper: read as they were written, and every mistake is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.recovery_key import read_recovery_text, recovery_text

KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS, st.sampled_from(["{}", " {} \n"]), st.booleans())
def test_a_key_is_read_as_it_was_written(secret: bytes, around: str, is_capital: bool) -> None:
    text = around.format(recovery_text(secret))
    assert secret == read_recovery_text(text.upper().replace(" ", "-") if is_capital else text)


@given(KEYS, st.integers(0, 68), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_wrong_letter_is_found(secret: bytes, at: int, letter: str) -> None:
    text = recovery_text(secret)
    wrong = text[:at] + letter + text[at + 1 :]
    if text[at] not in {letter, " "}:
        with pytest.raises(ValueError, match="wrong or missing"):
            read_recovery_text(wrong)


@given(st.text())
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"recovery key|wrong or missing"):
        read_recovery_text(typed)

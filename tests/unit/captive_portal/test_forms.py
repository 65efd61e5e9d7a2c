"""A form counts only when it is whole and was given to the very device that sends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.forms import JOIN, LEAVE, Form, is_same_origin, is_token, read_form, token_for

ANA, BEN = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
SECRET = bytes(range(32))
TOKEN = "0123456789abcdef" * 2


def test_a_whole_form_is_read() -> None:
    assert Form(TOKEN, "2025-03") == read_form(f"terms=2025-03&token={TOKEN}".encode())


def test_a_version_with_spaces_and_accents_survives() -> None:
    assert Form(TOKEN, "maig é") == read_form(f"terms=maig+%C3%A9&token={TOKEN}".encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"terms=1",
        f"token={TOKEN}".encode(),
        f"token={TOKEN}&token={TOKEN}&terms=1".encode(),
        f"token={TOKEN}&terms=1&terms=1".encode(),
        b"token=&terms=1",
        f"token={TOKEN}0&terms=1".encode(),
        f"token={TOKEN}&terms={'1' * 65}".encode(),
        f"token={TOKEN}&terms=1&".encode() + b"&".join(b"x%d=1" % n for n in range(9)),
        f"token={TOKEN}&terms=%ff".encode(),
        b"\xff\xfe\x00",
        b'{"token":"1","terms":"1"}',
        b"--boundary\r\ncontent-disposition: form-data",
    ],
)
def test_a_form_with_a_field_missing_twice_or_too_long_is_none(body: bytes) -> None:
    assert read_form(body) is None


@given(st.binary(max_size=500))
def test_no_body_breaks_the_door(body: bytes) -> None:
    form = read_form(body)
    assert form is None or len(form.token) == 32


def test_a_token_is_good_for_one_device_one_purpose_and_one_secret() -> None:
    token = token_for(SECRET, JOIN, ANA)
    assert is_token(SECRET, JOIN, ANA, token)
    assert 32 == len(token)
    assert not is_token(SECRET, JOIN, BEN, token)
    assert not is_token(SECRET, LEAVE, ANA, token)
    assert not is_token(bytes(32), JOIN, ANA, token)


@given(st.text(max_size=40))
def test_no_guess_is_a_token(guess: str) -> None:
    assert not is_token(SECRET, JOIN, ANA, guess)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "expected"),
    [
        (None, None, True),
        ("null", None, True),
        ("http://login.example", None, True),
        ("http://login.example:80", "same-origin", True),
        ("https://LOGIN.example.", None, True),
        (None, "none", True),
        ("http://evil.example", None, False),
        ("http://login.example.evil.example", None, False),
        ("http://user@login.example", None, False),
        ("http://[", None, False),
        ("", None, False),
        ("http://login.example", "cross-site", False),
        (None, "same-site", False),
    ],
)
def test_a_form_on_another_site_is_not_ours(
    origin: str | None, fetch_site: str | None, expected: bool
) -> None:
    assert expected == is_same_origin("login.example", origin, fetch_site)

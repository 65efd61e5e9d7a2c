"""A form is accepted only when complete, and only from the device to which it was given."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.forms import JOIN, LEAVE, Tokens, boot_name, read_form, read_query

ANA, BEN = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
SECRET = bytes(range(32))
TOKEN = "0123456789abcdef" * 2
BOOT, OTHER_BOOT = boot_name("one boot"), boot_name("another boot")
DAY_MINUTES = 1_440


def test_a_complete_form_is_read() -> None:
    assert {"token": TOKEN, "terms": "2025-03"} == read_form(f"terms=2025-03&token={TOKEN}".encode(), "terms")


def test_a_version_with_spaces_and_accents_survives() -> None:
    form = read_form(f"terms=maig+%C3%A9&token={TOKEN}".encode(), "terms")
    assert form is not None
    assert "maig é" == form["terms"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"terms=1",
        f"token={TOKEN}".encode(),
        f"token={TOKEN}&token={TOKEN}&terms=1".encode(),
        f"token={TOKEN}&terms=1&terms=1".encode(),
        f"token={TOKEN}&terms=1&unknown=1".encode(),
        b"token=&terms=1",
        f"token={TOKEN}0&terms=1".encode(),
        f"token={TOKEN.upper()}&terms=1".encode(),
        f"token={TOKEN}&terms={'1' * 65}".encode(),
        f"token={TOKEN}&terms=1&".encode() + b"&".join(b"x%d=1" % n for n in range(9)),
        f"token={TOKEN}&terms=%ff".encode(),
        f"token={TOKEN}&terms=1%00".encode(),
        f"token={TOKEN}&terms=1%0AAccepted".encode(),
        b"\xff\xfe\x00",
        b'{"token":"1","terms":"1"}',
        b"--boundary\r\ncontent-disposition: form-data",
    ],
)
def test_a_form_with_a_missing_duplicate_malformed_or_long_field_is_refused(body: bytes) -> None:
    assert read_form(body, "terms") is None


@pytest.mark.parametrize(
    ("name", "value", "is_read"),
    [
        ("device", "02:00:00:00:00:0a", True),
        ("device", "02:00:00:00:00:0A", False),
        ("device", "../../etc", False),
        ("instead_of", "", False),
        ("number", "17", True),
        ("number", "-1", False),
        ("number", "9999999999", False),
        ("number", "١٢", False),
        ("yes", "yes", True),
        ("yes", "no", True),
        ("yes", "maybe", False),
        ("name", "Bens Telefon é", True),
        ("name", "a\nb", False),
        ("name", "a\u2028b", False),
        ("name", "x" * 41, False),
        ("text", "line\r\nline", True),
        ("text", "x\x1b[2J", False),
        ("text", "é" * 1_000, True),
        ("text", "é" * 1_001, False),
        ("passphrase", " with spaces ", True),
        ("passphrase", "p" * 129, False),
    ],
)
def test_each_field_has_a_format_and_a_limit(name: str, value: str, is_read: bool) -> None:
    body = urlencode({"token": TOKEN, name: value}).encode()
    assert is_read is (read_form(body, name) is not None)


def test_line_ends_are_normalized_for_every_browser() -> None:
    form = read_form(urlencode({"token": TOKEN, "text": "a\r\nb"}).encode(), "text")
    assert form is not None
    assert "a\nb" == form["text"]


def test_optional_fields_may_be_present() -> None:
    assert read_form(f"token={TOKEN}".encode(), also=("device",)) is not None
    assert read_form(f"token={TOKEN}&device=02:00:00:00:00:0a".encode(), also=("device",)) is not None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("code=7K3M-9Q2W-4X1Z", {"code": "7K3M-9Q2W-4X1Z"}),
        ("code=7k3m+9q2w", {"code": "7k3m 9q2w"}),
        ("card=PROCOMU1.eyJ_-.c2ln", {"card": "PROCOMU1.eyJ_-.c2ln"}),
        ("lang=pt-BR&done=named", {"lang": "pt-BR", "done": "named"}),
        ("code=<script>", {}),
        ("code=%22%3E%3Cscript%3E", {}),
        ("code=" + "A" * 41, {}),
        ("lang=$(reboot)&code=7K3M", {"code": "7K3M"}),
        ("fas=`id`", {}),
        ("code=%ff", {}),
        ("&".join(["code=A"] * 9), {}),
        ("code=" + "A" * 5_000, {}),
    ],
)
def test_a_query_string_gives_only_values_of_the_right_format(query: str, expected: dict) -> None:
    assert expected == read_query(query)


@given(st.binary(max_size=500))
def test_no_body_raises(body: bytes) -> None:
    form = read_form(body, "terms")
    assert form is None or len(form["token"]) == 32


@given(st.text(max_size=300))
def test_no_address_raises(query: str) -> None:
    assert read_query(query).keys() <= {"code", "card", "lang", "done"}


def tokens(minute: int = 100, boot: str = BOOT, secret: bytes = SECRET) -> Tokens:
    return Tokens(secret, boot, minute)


def test_a_token_of_a_former_secret_is_old_and_never_good() -> None:
    made = Tokens(b"f" * 32, BOOT, 100).token(JOIN, ANA)
    after = Tokens(SECRET, BOOT, 100, (b"f" * 32,))
    assert "old" == after.judge(JOIN, ANA, made)
    assert ["foreign"] * 2 == [after.judge(LEAVE, ANA, made), after.judge(JOIN, BEN, made)]
    assert "foreign" == Tokens(SECRET, BOOT, 100, (b"g" * 32,)).judge(JOIN, ANA, made)
    assert "good" == after.judge(JOIN, ANA, after.token(JOIN, ANA))


def test_a_token_is_valid_for_one_device_one_purpose_and_one_secret() -> None:
    token = tokens().token(JOIN, ANA)
    assert "good" == tokens().judge(JOIN, ANA, token)
    assert 32 == len(token)
    assert "foreign" == tokens().judge(JOIN, BEN, token)
    assert "foreign" == tokens().judge(LEAVE, ANA, token)
    assert "foreign" == tokens(secret=bytes(32)).judge(JOIN, ANA, token)


@given(st.integers(0, 60 * DAY_MINUTES), st.integers(0, 60 * DAY_MINUTES))
def test_a_token_is_valid_for_24_hours_and_then_recognized_as_expired(made: int, age: int) -> None:
    token = tokens(made).token(JOIN, ANA)
    assert ("good" if age <= 24 * 60 else "old") == tokens(made + age).judge(JOIN, ANA, token)
    assert "old" == tokens(made + age, OTHER_BOOT).judge(JOIN, ANA, token)


def test_a_token_is_valid_up_to_the_last_minute_of_its_24_hours() -> None:
    token = tokens(7).token(JOIN, ANA)
    assert "good" == tokens(7 + 24 * 60).judge(JOIN, ANA, token)
    assert "old" == tokens(7 + 24 * 60 + 1).judge(JOIN, ANA, token)


def test_a_token_from_the_future_is_not_valid() -> None:
    assert "old" == tokens(99).judge(JOIN, ANA, tokens(100).token(JOIN, ANA))


@given(st.integers(0, 31), st.sampled_from("0123456789abcdef"))
def test_no_digit_of_a_token_can_be_changed(place: int, digit: str) -> None:
    """Including those that encode its age."""
    token = tokens().token(JOIN, ANA)
    changed = token[:place] + digit + token[place + 1 :]
    assert ("good" if changed == token else "foreign") == tokens().judge(JOIN, ANA, changed)


@given(st.text(max_size=45))
def test_no_guessed_token_is_valid(guess: str) -> None:
    assert "foreign" == tokens().judge(JOIN, ANA, guess)

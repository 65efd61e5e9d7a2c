"""Voucher and device codes: typos are detected; case, spaces and look-alike characters are accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.codes import (
    CODE_CHARS,
    RANDOM_BYTES,
    TYPED_CHARS_MAX,
    Code,
    CodeKind,
    Mistyped,
    make_code,
    read_code,
    shown,
)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KINDS: tuple[CodeKind, ...] = ("voucher", "device")


@st.composite
def codes(draw):
    kind = draw(st.sampled_from(KINDS))
    return make_code(draw(st.binary(min_size=RANDOM_BYTES[kind], max_size=RANDOM_BYTES[kind])), kind)


@given(codes())
def test_a_code_is_read_as_it_is_shown(code):
    assert code == read_code(shown(code)) == read_code(code.text)
    assert CODE_CHARS[code.kind] == len(code.text)
    assert set(code.text) <= set(ALPHABET)


def test_voucher_and_device_codes_have_their_documented_format():
    assert [4, 4, 4] == [len(group) for group in shown(make_code(bytes(7), "voucher")).split("-")]
    assert [5, 5] == [len(group) for group in shown(make_code(bytes(6), "device")).split("-")]


@given(codes(), st.data())
def test_every_wrong_character_is_detected(code, data):
    place = data.draw(st.integers(0, len(code.text) - 1))
    wrong = data.draw(st.sampled_from([each for each in ALPHABET if each != code.text[place]]))
    assert Mistyped("check") == read_code(code.text[:place] + wrong + code.text[place + 1 :])


@given(codes(), st.data())
def test_every_swap_of_two_characters_is_detected(code, data):
    first, second = sorted(
        data.draw(st.sets(st.integers(0, len(code.text) - 1), min_size=2, max_size=2), label="places")
    )
    letters = list(code.text)
    letters[first], letters[second] = letters[second], letters[first]
    swapped = "".join(letters)
    assert swapped == code.text or Mistyped("check") == read_code(swapped)


@given(codes(), st.data())
def test_case_spaces_dashes_and_look_alikes_are_accepted(code, data):
    alike = {"0": "0oO", "1": "1iIlL", "V": "vVuU"}
    between = st.sampled_from(["", " ", "-", "–", "—", "\u00a0", "\n", ".", "_", "\u200b"])
    typed = "".join(
        data.draw(st.sampled_from(alike.get(letter, letter + letter.lower()))) + data.draw(between)
        for letter in code.text
    )
    assert code == read_code(f"  {typed} ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_code_is_found_in_the_address_of_its_qr_code(kind):
    code = make_code(bytes(range(RANDOM_BYTES[kind])), kind)
    for address in (
        f"http://login.vall.example/?code={code.text}",
        f"https://login.vall.example/?lang=ca&code={shown(code)}#top",
        f"login.vall.example/?CODE={code.text.lower()}",
        f"http://login.vall.example/?code={shown(code).replace('-', '%2D')}",
    ):
        assert code == read_code(address)


def test_full_width_digits_are_read():
    code = make_code(bytes(7), "voucher")
    assert code == read_code(code.text.translate({ord("0"): "０"}))


@pytest.mark.parametrize("typed", ["", " ", "7K3M", "0" * 11, "0" * 13, "-" * 12])
def test_a_text_of_another_length_is_no_code(typed):
    assert Mistyped("length") == read_code(typed)


@pytest.mark.parametrize("typed", ["7K3M-9Q2W-4X1?", "пароль-вай-фай", "7K3M\x009Q2W4X1Z", "<script>alert"])
def test_other_characters_are_no_code(typed):
    assert Mistyped("characters") == read_code(typed)


def test_text_longer_than_any_address_is_not_parsed():
    code = make_code(bytes(7), "voucher")
    assert code == read_code(code.text.rjust(TYPED_CHARS_MAX))
    assert Mistyped("length") == read_code(code.text.rjust(TYPED_CHARS_MAX + 1))


@given(st.text(max_size=400))
def test_any_text_gets_a_result(typed):
    assert isinstance(read_code(typed), Code | Mistyped)


def test_a_code_has_its_promised_entropy():
    assert 55 == sum(_is_in_the_code(bit, "voucher") for bit in range(56))
    assert 45 == sum(_is_in_the_code(bit, "device") for bit in range(48))


def _is_in_the_code(bit: int, kind: CodeKind) -> bool:
    size = RANDOM_BYTES[kind]
    return make_code((1 << bit).to_bytes(size, "big"), kind) != make_code(bytes(size), kind)


@pytest.mark.parametrize(
    ("random", "kind", "text"),
    [
        (bytes(7), "voucher", "0000-0000-0000"),
        (bytes(range(1, 8)), "voucher", "7G1A-02C0-280Q"),
        (bytes(range(1, 7)), "device", "6818G-1801X"),
    ],
)
def test_printed_codes_stay_valid(random, kind, text):
    """Paper outlives a program version: another check character or alphabet would void codes that people hold."""
    assert text == shown(make_code(random, kind))
    assert make_code(random, kind) == read_code(text)

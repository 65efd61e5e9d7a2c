"""Hidden characters are refused wherever they occur; what a language needs to be written is accepted."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.characters import character_name, hidden_character, mixed_scripts

LEGAL = {
    "Catalan": "Ca l'Elisabet, col·lectiu, paral·lel, l’ús",
    "Spanish": "¿Qué pasó, señor Núñez? 1.º y 2.ª",
    "French": "Noël à l’œuvre, « ça va »",
    "French with accents of their own": unicodedata.normalize("NFD", "élève à Noël"),
    "French spaces": "Attention\u00a0: 5\u202f000",
    "Arabic": "شبكة القرية، ٢٥ ميغابت",
    "Arabic with a mark of direction": "شبكة \u200fWi-Fi\u200e في القرية",
    "Arabic letter mark": "\u061cالغرفة 12",
    "Persian non-joiner": "می\u200cخواهم",
    "Persian over vowels": "نمی\u064e\u200cخواهم",
    "Hindi joiner": "क्\u200dष",
    "Hindi non-joiner": "क्\u200cष",
    "Malayalam chillu": "ന്\u200d",
    "Sinhala": "ශ්\u200dරී",
    "Mongolian": "ᠮᠣᠩᠭ\u180bᠣᠯ",
    "Japanese": "メッシュ・ネットワークへようこそ Tシャツ",
    "Japanese variant": "葛\U000e0100城市",
    "Chinese": "社区网络：欢迎",
    "Korean": "마을 네트워크",
    "Hebrew": "רשת \u200fהכפר",
    "Russian": "Общественная сеть Wi-Fi",
    "Greek units": "10 kΩ, 5 µs",
    "emoji": "👩\u200d🌾 ❤\ufe0f 1\ufe0f\u20e3 👍🏽",
    "Tifinagh": "ⴰⵣⵓⵍ",
    "Vietnamese": "Mạng cộng đồng",
    "tabs and line ends": "a\tb\nc\r\nd",
}


@pytest.mark.parametrize("text", LEGAL.values(), ids=LEGAL)
def test_characters_that_a_language_needs_are_accepted(text: str) -> None:
    assert None is hidden_character(text)
    assert "" == mixed_scripts(text, alike_only=True)


HIDDEN = {
    "pass\u200bword": "U+200B ZERO WIDTH SPACE",
    "in\u200dvisible": "U+200D ZERO WIDTH JOINER",
    "in\u200cvisible": "U+200C ZERO WIDTH NON-JOINER",
    "é\u200dlève": "U+200D ZERO WIDTH JOINER",
    "soft\u00adhyphen": "U+00AD SOFT HYPHEN",
    "left\u200eto right": "U+200E LEFT-TO-RIGHT MARK",
    "a\u202eb": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "שלום\u202eb": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "a\u2066b": "U+2066 LEFT-TO-RIGHT ISOLATE",
    "a\u2060b": "U+2060 WORD JOINER",
    "a\ufeffb": "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    "a\u3164b": "U+3164 HANGUL FILLER",
    "a\u034fb": "U+034F COMBINING GRAPHEME JOINER",
    "a\u2028b": "U+2028 LINE SEPARATOR",
    "a\U000e0041b": "U+E0041 TAG LATIN CAPITAL LETTER A",
    "a\ufe0fb": "U+FE0F VARIATION SELECTOR-16",
    "a\x00b": "U+0000 CONTROL CHARACTER",
    "a\x85b": "U+0085 CONTROL CHARACTER",
    "a\rb": "U+000D CONTROL CHARACTER",
}


@pytest.mark.parametrize(("text", "name"), HIDDEN.items(), ids=HIDDEN.values())
def test_an_invisible_character_is_found_and_named(text: str, name: str) -> None:
    found = hidden_character(f"before\n{text}")
    assert found is not None
    assert name == found[1]
    assert ord(f"before\n{text}"[found[0]]) == int(name[2:].split(maxsplit=1)[0], 16)


def test_a_directional_mark_is_accepted_only_on_a_line_with_its_letters() -> None:
    assert hidden_character("plain\u200f line\nשלום") is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p\u0430ypal", "U+0070 LATIN SMALL LETTER P and U+0430 CYRILLIC SMALL LETTER A"),
        ("школa", "U+0448 CYRILLIC SMALL LETTER SHA"),
        ("the sch\u043e\u043el of 1", "U+043E CYRILLIC SMALL LETTER O"),
        ("a1\u0430", "U+0430 CYRILLIC SMALL LETTER A"),
        ("ana\u0301\u0430", "U+0430 CYRILLIC SMALL LETTER A"),
    ],
)
def test_a_word_of_latin_and_cyrillic_letters_is_reported_with_both(text: str, told: str) -> None:
    assert told in mixed_scripts(text)
    assert told in mixed_scripts(text, alike_only=True)


def test_names_mix_no_scripts_except_those_that_are_written_together() -> None:
    assert "GREEK SMALL LETTER OMICRON" in mixed_scripts("sch\u03bfol")
    assert "" == mixed_scripts("sch\u03bfol", alike_only=True)
    assert "MATHEMATICAL BOLD SMALL A" in mixed_scripts("\U0001d41ana")
    for text in (
        "Ana Иван",
        "Wi-Fi-роутер",
        "Tシャツ",
        "カタカナ",
        "漢字かな",
        "K팝",
        "Núñez 2ª",
        "household-17",
        "アー",
    ):
        assert "" == mixed_scripts(text), text


@given(st.text())
def test_any_text_gets_a_result(text: str) -> None:
    found = hidden_character(text)
    assert found is None or character_name(text[found[0]]) == found[1]
    mixed_scripts(text)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_plain_text_is_never_refused(text: str) -> None:
    assert (None, "") == (hidden_character(text), mixed_scripts(text))

"""Packed texts are what was packed, in every language, whatever other languages have."""

from hypothesis import given
from hypothesis import strategies as st

from node.web.packed_texts import Key, PackedTexts

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=8)
KEYS = TEXT | st.tuples(TEXT, TEXT)
LANGUAGES = st.lists(
    st.dictionaries(KEYS, st.lists(TEXT, min_size=1, max_size=6).map(tuple), max_size=8),
    min_size=1,
    max_size=4,
)


@given(LANGUAGES)
def test_each_language_has_its_own_texts_and_no_other(languages: list[dict[Key, tuple[str, ...]]]) -> None:
    numbers: dict[Key, int] = {}
    packed = [PackedTexts(texts.items(), numbers) for texts in languages]
    asked = {key for texts in languages for key in texts}
    for texts, kept in zip(languages, packed, strict=True):
        assert texts == dict(kept)
        assert len(texts) == len(kept)
        assert {key: texts.get(key) for key in asked} == {key: kept.get(key) for key in asked}


def test_a_key_that_no_language_has_is_not_there() -> None:
    assert PackedTexts([("one", ["uno"])], {}).get("two") is None


def test_a_zero_byte_in_a_translation_makes_no_further_form() -> None:
    assert ("unodos",) == PackedTexts([("one", ["uno\0dos"])], {})["one"]

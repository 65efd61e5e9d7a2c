"""Language negotiation by Accept-Language (RFC 4647 lookup), for any header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.web.language_choice import HEADER_CHARACTERS_MAX, is_tag, lookup, negotiate

OFFERED = ("en", "ar", "ca", "es", "fr", "pt-BR")


@pytest.mark.parametrize(
    ("accept", "tag"),
    [
        ("ca", "ca"),
        ("CA", "ca"),
        ("ca-ES", "ca"),
        ("ca-ES-valencia", "ca"),
        ("fr-CA, fr;q=0.9", "fr"),
        ("es;q=0.5, fr;q=0.8, ca;q=0.7", "fr"),
        ("es, fr", "es"),
        ("de, nl;q=0.9, es;q=0.1", "es"),
        ("de", "en"),
        ("", "en"),
        ("*", "en"),
        ("de, *;q=0.5", "en"),
        ("pt", "pt-BR"),
        ("pt-PT, es;q=0.5", "es"),
        ("ar-x-private", "ar"),
        ("es ; q = 0.3 , ca ;q=0.31", "ca"),
        ("es;q=0, *", "en"),
        ("en;q=0, *;q=0.1", "ar"),
        ("en;q=0", "ar"),
    ],
)
def test_the_best_match_of_the_header_is_chosen(accept: str, tag: str) -> None:
    assert negotiate(OFFERED, "en", accept=accept) == tag


@pytest.mark.parametrize(
    "accept",
    [
        "ca;q=2",
        "ca;q=nan",
        "ca;q=",
        "ca;v=1",
        "c",
        "ca_ES",
        ";q=1",
        ",,,",
        "<script>",
        "ca\x00",
        "q=1;ca",
        "ca;;",
    ],
)
def test_invalid_language_ranges_are_skipped(accept: str) -> None:
    assert negotiate(OFFERED, "es", accept=accept) == "es"
    assert negotiate(OFFERED, "es", accept=f"{accept}, fr") == "fr"


def test_a_choice_overrides_the_header() -> None:
    assert negotiate(OFFERED, "en", "ca", accept="fr") == "ca"
    assert negotiate(OFFERED, "en", "de", "ca", accept="fr") == "ca"
    assert negotiate(OFFERED, "en", "", "", accept="fr") == "fr"


def test_the_communitys_own_language_is_used_without_a_header() -> None:
    assert negotiate(OFFERED, "ca", accept="de, *") == "ca"
    assert negotiate(OFFERED, "ca", accept="zh") == "ca"


def test_a_header_is_read_up_to_its_limit_and_no_range_is_cut() -> None:
    filler = "de;q=0.1," * 12
    assert negotiate(OFFERED, "en", accept=filler + "ca") == "ca"
    far = "x" * (HEADER_CHARACTERS_MAX - 3) + ",esperanto"
    assert negotiate(OFFERED, "en", accept=far) == "en"


@given(st.text(max_size=3_000), st.sampled_from(OFFERED))
def test_any_header_gives_a_language(accept: str, own: str) -> None:
    assert negotiate(OFFERED, own, accept, accept=accept) in OFFERED


@given(st.permutations(OFFERED), st.lists(st.integers(1, 999), min_size=6, max_size=6, unique=True))
def test_the_highest_quality_wins_in_any_order(tags: list[str], weights: list[int]) -> None:
    accept = ",".join(f"{tag};q=0.{weight:03}" for tag, weight in zip(tags, weights, strict=True))
    assert negotiate(OFFERED, "en", accept=accept) == tags[weights.index(max(weights))]


def test_lookup_removes_a_single_letter_subtag_with_what_follows() -> None:
    """RFC 4647 section 3.4."""
    assert lookup(["zh", "zh-Hant"], "zh-Hant-CN-x-private1-private2") == "zh-Hant"
    assert lookup(["en-x"], "en-x-a") is None


@pytest.mark.parametrize(("text", "yes"), [("ca", True), ("pt-BR", True), ("../x", False), ("a", False)])
def test_a_language_tag_is_written_as_in_rfc_5646(text: str, yes: bool) -> None:
    assert is_tag(text) is yes


@pytest.mark.parametrize(
    ("accept", "tag"),
    [
        ("es;q=1, fr", "es"),
        ("fr, es;q=1", "fr"),
        ("fr;q=0.999, es;q=1.000", "es"),
        ("ca;q=0, de", "es"),
        ("es;q=0, de", "en"),
        ("es;q=0, *;q=0.5", "en"),
    ],
)
def test_of_equal_qualities_the_first_wins_and_quality_zero_is_excluded(accept: str, tag: str) -> None:
    assert negotiate(OFFERED, "es", accept=accept) == tag

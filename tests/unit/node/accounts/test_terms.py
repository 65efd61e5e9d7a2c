"""Terms have versions; an old version stays readable; invalid ones are refused with all reasons."""

import pytest

from node.accounts import terms
from node.accounts.terms import (
    LANGUAGES_MAX,
    TERMS_CHARS_MAX,
    Terms,
    TermsStore,
    TermsText,
    is_language,
    next_version,
    terms_findings,
)

CATALAN = TermsText("ca", "Sigues amable.")
ENGLISH = TermsText("en", "Be kind.")


def test_new_terms_are_a_new_version_and_the_old_one_stays_readable():
    store = TermsStore()
    first = store.adopt((CATALAN,), "2027-03-01", "ana")
    second = store.adopt((CATALAN, ENGLISH), "2027-03-02", "pere")
    assert second == store.current
    assert first == store.get(first.version)
    assert (second, first) == store.all()
    assert first.version != second.version


def test_a_version_number_that_people_accepted_is_not_used_again():
    assert "4" == TermsStore().adopt((CATALAN,), "", "ana", not_below="3").version


def test_saving_unchanged_terms_asks_nobody_to_accept_them_again():
    store = TermsStore()
    first = store.adopt((CATALAN,), "2027-03-01", "ana")
    (finding,) = store.adopt((CATALAN,), "2027-03-02", "ana")
    assert finding.fix
    assert first == store.current


def test_without_terms_there_are_none():
    assert TermsStore().current is None
    assert TermsStore().get("1") is None


def test_versions_are_restored_from_storage_in_order():
    store = TermsStore()
    store.take([Terms("1", (CATALAN,)), Terms("2", (ENGLISH,))])
    assert "2" == store.current.version
    assert "3" == store.adopt((CATALAN,), "", "").version


def test_the_number_of_versions_is_limited(monkeypatch):
    monkeypatch.setattr(terms, "VERSIONS_MAX", 1)
    store = TermsStore()
    store.adopt((CATALAN,), "", "")
    (finding,) = store.adopt((ENGLISH,), "", "")
    assert "1 versions" in finding.message


@pytest.mark.parametrize(
    ("taken", "version"),
    [
        ([], "1"),
        (["", "x", "v2"], "1"),
        (["2", "10", "9"], "11"),
        (["9" * 50], "1"),
        (["9" * 9], "1" + "0" * 9),
    ],
)
def test_the_next_version_is_one_more_than_any_number(taken, version):
    assert version == next_version(taken)


@pytest.mark.parametrize(
    "texts",
    [
        (),
        (CATALAN, CATALAN),
        (TermsText("ca", " \n"),),
        (TermsText("", "Be kind."),),
        (TermsText("ca", "x" * (TERMS_CHARS_MAX + 1)),),
        tuple(TermsText(f"en-{n:03}", "Be kind.") for n in range(LANGUAGES_MAX + 1)),
    ],
)
def test_each_fault_is_reported_with_what_to_do(texts):
    findings = terms_findings(texts)
    assert findings
    assert all(finding.fix for finding in findings)
    assert findings == TermsStore().adopt(texts, "", "")


def test_terms_may_be_as_long_and_as_many_as_their_limits_allow():
    texts = tuple(TermsText(f"en-{n:03}", "x" * TERMS_CHARS_MAX) for n in range(LANGUAGES_MAX))
    assert () == terms_findings(texts)


@pytest.mark.parametrize(
    "text", ["ca", "pt-BR", "zh-Hant", "ast", "es-419", "abcdefgh-abcdefgh", "en" + "-abcdefgh-x" * 3]
)
def test_languages_have_short_names(text):
    assert is_language(text)


@pytest.mark.parametrize(
    "text", ["", "c", "català", "ca_ES", "ca-", "-ca", "ca-" + "x" * 9, "abcdefghi", "1ca", "<b>", "x" * 40]
)
def test_any_other_text_is_no_language(text):
    assert not is_language(text)

"""Form fields are read within their limits, and no typed text is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.admin.fields import FormView, TypedForm
from node.errors import Finding


@pytest.mark.parametrize(
    ("typed", "read"), [("  Ana  ", "Ana"), ("Ana\r\nMas", "Ana Mas"), ("", ""), ("x" * 10, "x" * 10)]
)
def test_a_line_is_one_line(typed, read):
    form = TypedForm({"name": typed})
    assert (read, {}) == (form.line("name", 10), form.errors)


@pytest.mark.parametrize("typed", ["x" * 11, "a\x00b", "a\u202eb", "a\x1bb"])
def test_a_line_that_is_too_long_or_has_hidden_characters_is_refused_and_kept(typed):
    form = TypedForm({"name": typed})
    form.line("name", 10)
    assert ["name"] == list(form.errors)
    assert typed[:11] == form.view().value("name")


def test_a_text_keeps_its_lines():
    assert "one\ntwo\n\nthree" == TypedForm({"text": "\r\none\r\ntwo\r\rthree\n"}).text("text", 100)


def test_a_required_field_is_asked_for():
    form = TypedForm({"name": "   "})
    form.line("name", wanted="Write your name.")
    assert {"name": "Write your name."} == form.errors


@pytest.mark.parametrize(("typed", "read"), [("5", 5), (" 10 ", 10), ("", 7)])
def test_a_number_is_an_integer_or_the_default_of_an_empty_field(typed, read):
    form = TypedForm({"n": typed})
    assert (read, {}) == (form.whole("n", 5, 10, fallback=7), form.errors)


@pytest.mark.parametrize("typed", ["4", "11", "-5", "5.0", "five", "٥", "9" * 30])
def test_a_number_out_of_its_bounds_is_refused(typed):
    form = TypedForm({"n": typed})
    assert 5 == form.whole("n", 5, 10)
    assert {"n": "Write a whole number from 5 to 10."} == form.errors


def test_a_choice_is_one_of_those_offered():
    form = TypedForm({"unit": "days", "other": "weeks"})
    assert "days" == form.choice("unit", ["days", "hours"], "hours")
    assert "hours" == form.choice("missing", ["days", "hours"], "hours")
    assert {} == form.errors
    form.choice("other", ["days", "hours"], "hours")
    assert {"other": "Choose one of: days, hours."} == form.errors


@pytest.mark.parametrize(("typed", "day"), [("2026-12-31", "2026-12-31"), ("", "")])
def test_a_date_is_a_date(typed, day):
    form = TypedForm({"day": typed})
    assert (day, {}) == (form.day("day"), form.errors)


@pytest.mark.parametrize("typed", ["2026-02-30", "tomorrow", "31.12.2026"])
def test_an_invalid_date_is_refused(typed):
    form = TypedForm({"day": typed})
    form.day("day")
    assert ["day"] == list(form.errors)


def test_the_first_error_of_a_field_is_reported():
    form = TypedForm({})
    form.take(
        [Finding("x", 0, "Too large.", "make it smaller"), Finding("x", 0, "Too red.", "paint it")], "size"
    )
    assert {"size": "Too large. Make it smaller."} == form.errors


def test_an_empty_form_reports_nothing():
    assert ("", "") == (FormView().value("name"), FormView().error("name"))


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=30)))
def test_any_input_is_read_or_refused(fields):
    form = TypedForm(fields)
    line, text, number = form.line("a", 10), form.text("b", 10), form.whole("c", 1, 9, fallback=1)
    assert len(line) <= 10
    assert len(text) <= 10
    assert 1 <= number <= 9
    assert not set("\r\n\t") & set(line)
    assert all(len(value) <= 200 for value in form.values.values())


def test_a_finding_without_a_fix_ends_with_its_message() -> None:
    form = TypedForm({})
    form.take([Finding("passphrase", 0, "This is not your passphrase.", "")], "passphrase")
    assert {"passphrase": "This is not your passphrase."} == form.errors

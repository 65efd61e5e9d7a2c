"""One table of a TOML file changes, and no other line."""

import tomllib

import pytest

from node.toml_reader import read_toml
from node.toml_writer import TableLines, new_table, table_lines, with_changes, with_table, without_table

TEXT = """\
# the first
[[a]]
n = 1  # one
list = [
    "X",  # kept
    "y",
]

# the second
[[a]]
n = 2
# the end"""


def lines_of(index: int, text: str = TEXT) -> TableLines | None:
    return table_lines(text, read_toml(text, code="E01", bytes_max=10_000), "a", index)


def test_values_are_written_only_where_they_differ():
    first = lines_of(0)
    assert TEXT == with_changes(first, {"n": 1, "list": ["X", "y"], "gone": None, "empty": ""})
    assert TEXT.replace("n = 1 ", "n = 3 ") == with_changes(first, {"n": 3})
    assert TEXT.replace("n = 1 ", "n = true ") == with_changes(first, {"n": True}), "true is no number"
    assert TEXT.replace('    "y",\n', "") == with_changes(first, {"list": ["x"]}, same=str.lower)
    assert TEXT.replace("n = 2\n", "") == with_changes(lines_of(1), {"n": None})


def test_a_table_goes_with_its_lines_and_comments_stay():
    assert TEXT.replace("[[a]]\nn = 2\n", "") == without_table(lines_of(1))


@pytest.mark.parametrize("text", ["a", 'a"b', "a\\b", "a\nb", "a'''b", '"""', "# no comment"])
def test_every_text_can_be_read_again(text):
    assert {"a": [{"t": text, "l": [text]}]} == tomllib.loads(new_table("a", {"t": text, "l": [text]}))
    edited = with_table(TEXT, "b", {"t": text})
    assert (TEXT, text) == (edited[: len(TEXT)], tomllib.loads(edited)["b"][0]["t"])


def test_a_table_without_a_line_of_its_own_is_left_alone():
    assert lines_of(0, "a = [{n = 1}]\n") is None
    assert lines_of(2) is None

"""TOML files: errors have a line number, and files that are expensive to parse or have hidden characters are
refused first.
"""

import tomllib
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import parse_config
from node.governance.members import parse_members
from node.governance.parse import parse_ruleset
from node.toml_reader import (
    DEPTH_MAX,
    KEY_PARTS_MAX,
    LINE_CHARS_MAX,
    WORD_CHARS_MAX,
    TomlDocument,
    flaw,
    read_toml,
)

SECONDS_MAX = 3
"""Half a second at most on an idle machine; 73 seconds without limits."""
MANY = 58_500
"""A dotted key of 117 KB."""
LONG_KEY = ".".join("a" * (KEY_PARTS_MAX + 1))
HOSTILE = {
    "a dotted key of 117 KB": ".".join("a" * MANY) + " = 1",
    "a dotted header of 117 KB": "[" + ".".join("a" * MANY) + "]",
    "a dotted key in an inline table": "x = { " + LONG_KEY + " = 1 }",
    "a dotted key in a list of several lines": "x = [\n1,\n{ " + LONG_KEY + " = 1 },\n]",
    "quoted parts": ".".join(['"a"'] * 9) + " = 1",
    "behind a text that ends in quotes": 'x = ["""a"""""", {' + LONG_KEY + " = 1}]",
    "behind a text with an escape": 'x = ["""a\\"""" , {' + LONG_KEY + " = 1}]",
    "brackets in brackets": "x = " + "[" * 5_000,
    "tables in tables": "x = " + "{a=" * 5_000,
    "a word without end": "a" * 5_000 + " = 1",
    "a number without end": "x = " + "9" * 5_000,
    "a line without end": "# " + "x" * LINE_CHARS_MAX,
    "escaped quotes": 'x = """' + '\\"""' * 40_000,
    "open texts": 'x = """a' + "\\\\" * 60_000,
    "open quotes": "\n".join(["'''\\", '"""\\'] * 20_000),
    "spaces in a header": "x = '''\n\"\"\"'''\n[[" + " " * 16_000 + "x\n",
    "keys without end": "\n".join(f"k{n} = 1" for n in range(20_000)),
    "tables without end": "\n".join(f"[t{n}]" for n in range(20_000)),
    "too long": "# x\n" * 700_000,
    "half a pair": "x = '\ud800'",
}


@pytest.mark.parametrize("parse", [parse_ruleset, parse_members, parse_config])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_within_seconds(parse, text: str) -> None:  # type: ignore[no-untyped-def]
    began = thread_time()
    result, findings = parse(text)
    assert thread_time() - began < SECONDS_MAX
    assert result is None
    assert findings
    assert all(finding.fix for finding in findings)


def told(text: str) -> tuple[int, str]:
    found = flaw(text, "E01", 10_000)
    assert found is not None
    return found.line, found.message


def test_each_limit_is_reported_with_its_line() -> None:
    assert (2, f"A key on this line has more than {KEY_PARTS_MAX} parts with dots between.") == told(
        f"a = 1\n{LONG_KEY} = 2\n"
    )
    assert (3, "Brackets are inside brackets, more than 16 deep.") == told(
        'a = """\n"""\nb = ' + "[" * (DEPTH_MAX + 1)
    )
    assert (2, "A word on this line has 121 characters without quotes; at most 120 are read.") == told(
        "\n" + "a" * (WORD_CHARS_MAX + 1)
    )
    assert (
        1,
        "This line holds the invisible character U+200B ZERO WIDTH SPACE, which can hide what it says.",
    ) == told("# for\u200b all\n")
    assert 0 == told("a" * 10_001)[0]


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * KEY_PARTS_MAX) + " = 1",
        "x = " + "[" * DEPTH_MAX + "]" * DEPTH_MAX,
        f'why = "{LONG_KEY}"  # {LONG_KEY}',
        f'why = """\n{LONG_KEY}\n{"[" * 30}\n"""',
        f"why = '''\n{LONG_KEY} = 1'''",
        "x = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5]",
        "\ufeff# a byte order mark\r\nx = 1\r\n",
        "",
    ],
)
def test_a_file_within_the_limits_is_read(text: str) -> None:
    assert None is flaw(text, "E01", 10_000)


@given(st.text("ab.=[]{}\"'#\\\n ,", max_size=200))
def test_a_file_that_parses_quickly_and_flat_is_not_refused(text: str) -> None:
    """Compared with the parser itself: whatever it reads with few parts and brackets is accepted."""
    try:
        tomllib.loads(text)
    except ValueError:
        return
    if text.count(".") < KEY_PARTS_MAX and text.count("[") + text.count("{") <= DEPTH_MAX:
        found = flaw(text, "E01", 10_000)
        assert found is None, found


def read(text: str) -> TomlDocument:
    return read_toml(text, code="E01", bytes_max=10_000)


def test_each_key_is_found_on_its_line_also_behind_long_texts() -> None:
    file = read('top = 1\n[a]\nlong = """\nb = 2\n[c]\n"""\nb = 3\n\n[c]  # here\n"d" = 4\n')
    assert {
        ("", 0, "top"): 1,
        ("a", 0, ""): 2,
        ("a", 0, "long"): 3,
        ("a", 0, "b"): 7,
        ("c", 0, ""): 9,
        ("c", 0, "d"): 10,
    } == dict(file.lines)


def test_each_table_of_an_array_has_its_line() -> None:
    file = read("[[a]]\nb = 1\n[[a]]\nb = 2\n[c.d]\n")
    found = {("a", 0, ""): 1, ("a", 0, "b"): 2, ("a", 1, ""): 3, ("a", 1, "b"): 4, ("c.d", 0, ""): 5}
    assert found == dict(file.lines)
    assert 3 == file.line("a", 1, "missing")
    assert 0 == file.line("missing")


def test_text_inside_a_list_or_a_string_is_no_key() -> None:
    file = read('a = [\n  "x",\n  { b = 1 },\n]\nb = """#\nc = [\n"""\nc = 2\n')
    assert {("", 0, "a"): 1, ("", 0, "b"): 5, ("", 0, "c"): 8} == dict(file.lines)


def test_two_invalid_lines_are_both_reported_and_the_rest_is_read() -> None:
    file = read("[a]\nb\nc = 1\nd = = 2\n")
    assert [2, 4] == [finding.line for finding in file.findings]
    assert {"a": {"c": 1}} == file.data
    assert 3 == file.line("a", key="c")


def test_the_number_of_reported_errors_is_limited_by_the_caller() -> None:
    file = read_toml("[a]\nb\nc = 1\nd = = 2\n", code="E01", bytes_max=10_000, errors_max=1)
    assert [2] == [finding.line for finding in file.findings]
    assert {} == file.data


def test_a_duplicate_key_is_reported_with_its_line() -> None:
    file = read_toml("[a]\nb = 1\nb = 2\n", code="E01", syntax_code="E02", bytes_max=10_000)
    assert [("E02", 3)] == [(finding.code, finding.line) for finding in file.findings]


def test_reading_stops_at_a_table_with_an_invalid_header() -> None:
    """Its keys would be taken for those of the table before it."""
    file = read("[a]\nb = 1\n[c\nd = 2\n")
    assert [3] == [finding.line for finding in file.findings]
    assert {} == file.data


def test_an_unterminated_string_is_reported_once() -> None:
    assert 1 == len(read('[a]\nb = """never\nended\n').findings)


@given(st.text("ab1.=[]{}\"'#\\\n ,", max_size=200))
def test_any_text_gets_a_result_and_each_top_level_key_has_its_line(text: str) -> None:
    file = read(text)
    rows = text.split("\n")
    assert all(0 <= finding.line <= len(rows) for finding in file.findings)
    assert all(key in rows[number - 1] for (_, _, key), number in file.lines.items())

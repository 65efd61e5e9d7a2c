"""Rule files as TOML: line numbers, limits, and plain error messages."""

import pytest

from node.errors import Finding
from node.governance.document import read_document, suggestion, with_addition
from node.governance.parse import FILE_BYTES_MAX, parse_ruleset
from tests.fakes.rule_files import EXAMPLE, file_with, rule


def only(text: str):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert 1 == len(findings), findings
    return findings[0]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("a = 1\nwhen = 22:30\n", "double quotes"),
        ("a = 1\na = 2\n", "twice"),
        ("a = 1\nhello\n", "key = value"),
        ('a = 1\nb = "x\n', "close on the same line"),
        ("a = 1\nb = 1 c = 2\n", "line of its own"),
    ],
)
def test_invalid_toml_is_reported_with_its_line(text, fix):
    finding = only(text)
    assert ("E01", 2) == (finding.code, finding.line)
    assert fix in finding.fix


def test_an_open_bracket_at_the_end_is_reported_at_the_end():
    assert 2 <= only("a = 1\nb = [1,\n").line


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "\ud800", "x = 1\n" * FILE_BYTES_MAX]
)
def test_a_hostile_file_is_refused_before_it_is_parsed(text):
    assert "E01" == only(text).code


def test_invisible_bidirectional_characters_are_refused():
    finding = only(file_with(rule("a", 'share = 1\nwhy = "for \u202eall"')))
    assert "U+202E" in finding.message


def test_a_byte_order_mark_and_windows_line_ends_are_no_error():
    assert () == parse_ruleset("\ufeff" + EXAMPLE.replace("\n", "\r\n"))[1]


def test_line_numbers_are_right_below_a_multi_line_text():
    text = file_with(rule("a", 'share = 1\nwhy = """\n[[rule]]\nid = 3\n"""'), rule("b", "share = true"))
    assert line_of(text, "share = true") == only(text).line


def test_each_table_and_key_has_its_line():
    document = read_document('a = 1\n[x.y]\nb = 2\n[[r]]\nc = 3\n[[r]]\n"d" = 4\nc = 5\n', 1000)
    found = [
        document.line(*place)
        for place in (("", 0, "a"), ("x.y", 0, "b"), ("r", 0, "c"), ("r", 1, "c"), ("r", 1, "d"))
    ]
    assert [1, 3, 5, 8, 7] == found
    assert 6 == document.line("r", 1, "unknown")
    assert 0 == document.line("z")


def test_a_file_over_its_limit_is_not_read():
    finding = read_document("# " + "x" * 100, 100)
    assert "at most 100" in finding.message


def test_an_unknown_word_is_answered_with_the_nearest_or_with_all():
    assert "did you mean floor?" == suggestion("flor", ["share", "floor"])
    assert "use one of share, floor" == suggestion("zzz", ["share", "floor"])
    assert "remove it" == suggestion("zzz", [])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('share = 1\nwhy = "for \\u202eall"', "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ('share = 1\nwhy = "for \\u200ball"', "U+200B ZERO WIDTH SPACE"),
        ('share = 1\nwhy = "the sch\u043e\u043el"', "U+043E CYRILLIC SMALL LETTER O"),
        ("share = 1\n# the\u200b school", "U+200B ZERO WIDTH SPACE"),
    ],
)
def test_a_text_with_look_alike_characters_is_refused_with_its_line_and_the_character(body, named):
    text = file_with(rule("a", body))
    found = only(text)
    assert named in found.message
    assert line_of(text, body.split("\n")[1]) == found.line


def test_a_name_that_mixes_scripts_is_refused_and_prose_may_have_a_greek_unit():
    named = only(file_with(rule("sch\u043e\u043el", "share = 1")))
    assert "U+0073 LATIN SMALL LETTER S and U+043E CYRILLIC SMALL LETTER O" in named.message
    community = only(file_with().replace('"vall-baixa"', '"v\u03b1ll"'))
    assert "GREEK SMALL LETTER ALPHA" in community.message
    assert parse_ruleset(file_with(rule("a", 'share = 1\nwhy = "below 10 k\u03a9"')))[0] is not None


def test_texts_of_other_languages_are_read():
    for why in (
        "col·lectiu d'Elx",
        "señor, ¿qué?",
        "à l’œuvre",
        "للجميع في القرية",
        "می\u200cخواهم",
        "社区网络",
        "क्\u200dष",
    ):
        assert parse_ruleset(file_with(rule("a", f'share = 1\nwhy = "{why}"')))[0] is not None, why


def test_a_group_with_look_alike_characters_is_refused_with_the_character():
    found = only(file_with(rule("a", "share = 1", '"group:sch\u043e\u043el"')))
    assert "U+043E CYRILLIC SMALL LETTER O" in found.message


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ('[[rule]]\nid = "a"\nshare = 1', '[[rule]]\nid = "a"\nx = 1\nshare = 1'),
        ("[[rule]] # a\nshare = 1", "[[rule]] # a\nx = 1\nshare = 1"),
        ("[[rule]]", "[[rule]]\nx = 1"),
        ('rule = [{id = "a"}]', 'rule = [{id = "a"}]'),
    ],
)
def test_the_line_of_a_proposal_is_added_to_its_table(text, added):
    proposal = Finding("W02", 1, "No effect.", "write x = 1", "x = 1")
    assert added == with_addition(text, (Finding("W05", 1, "One only.", "look"), proposal), 1)
    assert text == with_addition(text, (proposal,), 2)
    assert text == with_addition(text, (), 1)

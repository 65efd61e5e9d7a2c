"""The difference between two rule files."""

from node.app.admin import LINES_COMPARED_MAX, LINES_SHOWN_MAX, difference
from tests.fakes.rule_files import EXAMPLE


def test_a_change_is_shown_with_the_lines_around_it():
    lines = difference(EXAMPLE, EXAMPLE.replace("share = 200", "share = 300"))
    assert "-share = 200" in lines
    assert "+share = 300" in lines
    assert len(lines) < 12


def test_no_change_is_no_difference():
    assert () == difference(EXAMPLE, EXAMPLE)


def test_a_very_long_difference_is_cut_with_a_note():
    lines = difference("", "\n".join(f"line {n} {'x' * 400}" for n in range(1000)))
    assert LINES_SHOWN_MAX + 1 == len(lines)
    assert "more lines" in lines[-1]
    assert max(map(len, lines)) <= 301


def test_files_too_long_to_compare_are_not_compared():
    assert 1 == len(difference("a", "b\n" * (LINES_COMPARED_MAX + 1)))

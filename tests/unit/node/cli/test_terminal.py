"""Tables line up for any text, and no text from outside sends terminal control sequences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli import terminal
from node.cli.terminal import Column, Terminal

PLAIN = Terminal(coloured=False)


def test_columns_fit_their_widest_value_and_numbers_are_right_aligned():
    rows = [("ana", 3), ("household-17", 12)]
    assert ["NAME          DEVICES", "ana                 3", "household-17       12"] == terminal.table(
        [Column("NAME"), Column("DEVICES", True)], rows, PLAIN
    )


def test_wide_and_combining_characters_keep_columns_aligned():
    assert [2, 1, 4] == [terminal.width(text) for text in ("村", "e\u0301", "Vall")]
    lines = terminal.table([Column("A"), Column("B")], [("村", "x"), ("ab", "y")], PLAIN)
    assert ["A   B", "村  x", "ab  y"] == lines


@given(st.lists(st.tuples(st.text(max_size=8), st.integers()), max_size=6))
def test_every_row_of_a_table_is_one_line_of_text(rows):
    lines = terminal.table([Column("A"), Column("B", True)], rows, PLAIN)
    assert 1 + len(rows) == len(lines)
    assert all(line.isprintable() for line in lines)
    assert 1 == len({terminal.width(line) for line in lines})


def test_terminal_control_sequences_in_a_name_are_removed():
    assert "?[2Jevil?" == terminal.clean("\x1b[2Jevil\n")


def test_colour_is_used_only_where_it_is_wanted():
    assert ("\x1b[31mno\x1b[0m", "no", "") == (
        Terminal(coloured=True).bad("no"),
        PLAIN.bad("no"),
        Terminal(coloured=True).bad(""),
    )


@pytest.mark.parametrize(
    ("part", "whole", "drawn"),
    [(0, 8, "░░░░"), (1, 8, "▌░░░"), (8, 8, "████"), (9, 8, "████"), (3, 0, "░░░░"), (31, 32, "███▉")],
)
def test_a_bar_shows_the_part_of_the_whole(part, whole, drawn):
    assert drawn == terminal.bar(part, whole, cells=4)

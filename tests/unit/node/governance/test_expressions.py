"""Parts of sentences: speeds, dates, selections and times."""

import pytest

from node.governance.expressions import date_words, rate_words, share_words, together_words, who_words
from node.governance.sentences import times_words
from node.governance.times import parse_times
from node.governance.value_syntax import parse_who
from node.translator import ENGLISH
from node.units import BitsPerSecond
from tests.fakes.rule_files import on


@pytest.mark.parametrize(
    ("selectors", "excluded", "each", "together"),
    [
        (["everyone"], [], "all people", "all people together"),
        (
            ["everyone"],
            ["tier:guest"],
            "all people, but not guests,",
            "all people, but not guests, together",
        ),
        (
            ["tier:elders", "tier:helper", "group:school"],
            [],
            "elders, helpers and people in the group school",
            "all elders, helpers and people in the group school together",
        ),
        (
            ["tier:member"],
            ["group:school"],
            "members, but not people in the group school,",
            "all members, but not people in the group school, together",
        ),
    ],
)
def test_selections_are_named_in_plain_words(selectors, excluded, each, together):
    who = parse_who(selectors, excluded)
    assert (each, together) == (who_words(who), together_words(who, ENGLISH))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ("daily 18:00-23:00", "every day from 18:00 to 23:00"),
        ("mon-wed,sun 08:00-09:00", "Monday to Wednesday and Sunday from 08:00 to 09:00"),
        (
            "sat 10:00-12:00; sun 14:00-15:00",
            "Saturday from 10:00 to 12:00 and Sunday from 14:00 to 15:00",
        ),
    ],
)
def test_times_use_the_names_of_days(times, expected):
    assert expected == times_words(parse_times(times), ENGLISH)


@pytest.mark.parametrize(
    ("weight", "unit", "expected"),
    [
        (100, "household", "one household"),
        (600, "person", "six people"),
        (700, "casa", "7 casas"),
        (50, "person", "half a person"),
        (25, "casa", "25 percent of a casa"),
    ],
)
def test_a_share_says_what_counts_as_one(weight, unit, expected):
    assert expected == share_words(weight, unit, ENGLISH)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (36_800_000, "36.8 Mbit/s"),
        (96_000, "96 kbit/s"),
        (1_000_001, "1000001 bit/s"),
        (10**10, "10 Gbit/s"),
        (7, "7 bit/s"),
        (404_395, "404.395 kbit/s"),
    ],
)
def test_speeds_in_sentences_are_exact(rate, expected):
    assert expected == rate_words(BitsPerSecond(rate))


def test_dates_are_written_in_full():
    assert "5 June 2026, 21:00" == date_words(on("fri 21:00").at)
    assert "5 June 2026" == date_words(on("fri 00:00").at)

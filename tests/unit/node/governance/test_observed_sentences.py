"""What observed rules would have limited, as people read it."""

from dataclasses import replace
from datetime import date

import pytest

from node.governance.observed_sentences import observed_sentence
from node.governance.rule_effects import ObservedCount
from node.web.translations import read_catalogues

COUNT = ObservedCount(
    ("top",),
    date(2026, 11, 15),
    date(2026, 11, 29),
    60,
    12,
    34 * 3600 + 300,
    41,
    90 * 3600,
    True,
    True,
    False,
)


def test_it_says_how_many_of_how_many_since_when_and_for_how_long():
    assert (
        "Would have limited 12 of 60 active accounts if nobody wanted more than they used, 41 if all wanted as much as "
        "possible. Added up over these accounts, at least 34 hours. Counted from 15 November 2026 to 29 November 2026."
        == observed_sentence(COUNT)
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(300, "5 minutes"), (3_300, "55 minutes"), (3_600, "1 hour"), (7_100, "1 hour")]
)
def test_times_are_as_long_as_at_least_counted(seconds, said):
    assert observed_sentence(replace(COUNT, low_s=seconds)).count(f"at least {said}.") == 1


def test_of_few_the_number_is_not_said_and_none_has_no_time():
    assert "limited fewer than 5 of 60" in observed_sentence(replace(COUNT, low=None, low_s=0))
    assert "limited at least 5 of 60" in observed_sentence(
        replace(COUNT, low=None, low_s=0, are_low_many=True)
    )
    nobody = observed_sentence(replace(COUNT, low=0, low_s=0))
    assert "limited 0 of 60" in nobody
    assert "Added up" not in nobody


def test_it_says_what_is_not_known():
    unstated = observed_sentence(replace(COUNT, high=None, has_high=False))
    assert "the rules do not state the speed of the line" in unstated
    assert "towards no quota" in observed_sentence(replace(COUNT, has_quota=True))
    elsewhere = observed_sentence(replace(COUNT, is_here=False))
    assert elsewhere.startswith("It does not hold at this node from 15 November 2026")
    assert "12" not in elsewhere


@pytest.mark.parametrize(
    "count",
    [
        COUNT,
        replace(COUNT, has_high=False),
        replace(COUNT, is_here=False),
        replace(COUNT, has_quota=True, low=None),
        replace(COUNT, low=None, high=None, are_low_many=True, are_high_many=True),
    ],
)
def test_each_sentence_is_in_every_language(count):
    for tag, words in read_catalogues().translations.items():
        said = observed_sentence(count, words)
        is_english = any(word in said for word in ("limited", "counted", "at least", "towards"))
        assert (tag == "en", False) == (is_english, "{" in said), said

"""The closed list of series."""

from hypothesis import given
from hypothesis import strategies as st

from node.history.packing import NAME_CHARS_MAX, SERIES_MAX
from node.history.series import (
    BOUND_KINDS,
    BY_NAME,
    OTHER_RULES,
    RULES_MAX,
    SERIES,
    combine_of,
    rule_series,
    rule_series_name,
)


def test_each_series_has_a_name_of_its_own_that_can_be_stored_and_typed() -> None:
    assert len(SERIES) == len(BY_NAME) <= SERIES_MAX // 2
    assert all(name.replace("_", "").isalpha() and name.islower() for name in BY_NAME)
    assert all(len(name) <= NAME_CHARS_MAX for name in BY_NAME)


def test_each_kind_of_limit_has_a_series_of_seconds() -> None:
    assert {("s", "sum")} == {
        (BY_NAME[f"bound_{kind}"].unit, BY_NAME[f"bound_{kind}"].combine) for kind in BOUND_KINDS
    }


def test_titles_are_not_empty_and_no_two_are_the_same() -> None:
    assert len(SERIES) == len({str(each.title) for each in SERIES} - {""})


def test_all_series_together_fit_into_a_sheet() -> None:
    assert len(SERIES) + RULES_MAX + 1 <= SERIES_MAX // 2


@given(st.text(min_size=1, max_size=80))
def test_the_series_of_a_rule_has_a_name_that_can_be_stored_whatever_the_rule_is_called(rule: str) -> None:
    name = rule_series_name(rule)
    assert name.isascii()
    assert len(name) <= NAME_CHARS_MAX
    assert name not in BY_NAME
    assert "sum" == combine_of(name)


@given(st.lists(st.text(max_size=40), unique=True, max_size=50))
def test_no_two_rules_share_a_series_but_those_beyond_the_limit(rules: list[str]) -> None:
    found = rule_series(rules)
    assert len({each.name for each in found}) == len(found) == min(len(rules), RULES_MAX + 1)
    assert (len(rules) > RULES_MAX) == (OTHER_RULES in found)


def test_how_values_are_combined_is_known_of_each_series_and_of_rules_that_ended() -> None:
    assert ["mean", "sum", "sum", "sum"] == [
        combine_of(each) for each in ("line_down", "bound_pool", "rules_other", "rule_gone")
    ]

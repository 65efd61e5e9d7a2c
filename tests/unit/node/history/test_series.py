"""The closed list of series."""

from node.history.packing import NAME_CHARS_MAX, SERIES_MAX
from node.history.series import BOUND_KINDS, BY_NAME, SERIES


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

"""When a page is said again, and when it is too old."""

import pytest

from mesh.page_age import is_older, is_to_be_said_again

TODAY = "2026-11-24"


@pytest.mark.parametrize(
    ("day", "today", "is_again"),
    [
        (TODAY, TODAY, False),
        ("2026-11-20", TODAY, False),
        ("2026-11-19", TODAY, True),
        ("2026-11-25", TODAY, True),
        ("", TODAY, True),
        (TODAY, "", False),
        ("", "", False),
    ],
)
def test_said_again_after_some_days_or_with_a_wrong_day(day, today, is_again):
    assert is_again == is_to_be_said_again(day, today)


@pytest.mark.parametrize(
    ("day", "is_too_old"), [("2026-10-25", False), ("2026-10-24", True), ("2099-01-01", False), ("", False)]
)
def test_older_than_a_number_of_days(day, is_too_old):
    assert is_too_old == is_older(day, TODAY, 30)
    assert not is_older(day, "", 30)

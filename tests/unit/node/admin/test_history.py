"""Which times of the history an address can name."""

import pytest

from node.admin.series_plots import LONGEST_S, PERIODS, seconds_of


@pytest.mark.parametrize(
    ("last", "seconds"),
    [("1h", 3600), ("24h", 86_400), ("30d", 2_592_000), ("3y", 94_608_000), ("1098d", LONGEST_S)],
)
def test_hours_days_and_years(last: str, seconds: int) -> None:
    assert seconds == seconds_of(last)


@pytest.mark.parametrize("last", ["", "0h", "30", "d", "4y", "1099d", "-1d", "1.5h", "٣d", "1h ", "99999h"])
def test_nothing_else(last: str) -> None:
    assert seconds_of(last) == 0


def test_every_period_of_the_page_is_a_time() -> None:
    assert all(seconds_of(last) for last, _ in PERIODS)

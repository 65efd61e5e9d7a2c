"""Times as yanic writes them."""

from datetime import UTC, datetime, timedelta, timezone

from node.export.times import yanic_time


def test_a_time_is_in_utc_with_its_offset_and_without_colon() -> None:
    local = datetime(2026, 11, 24, 19, 3, tzinfo=timezone(timedelta(hours=1)))
    assert yanic_time(local) == yanic_time(local.astimezone(UTC)) == "2026-11-24T18:03:00+0000"


def test_a_time_that_is_not_known_is_the_beginning_of_1970() -> None:
    assert yanic_time(None) == "1970-01-01T00:00:00+0000"

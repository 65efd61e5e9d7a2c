"""The digest of the day."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.alerts.alert_list import AlertName
from node.alerts.digest import CHANGES_MAX, DigestState, is_due
from node.alerts.states import AlertChange

EIGHT = 8 * 60


def change(name: AlertName = "backup_old") -> AlertChange:
    return AlertChange(name, "", "", True, 0, 0)


@given(st.lists(st.integers(-3_000, 3_000), max_size=60))
def test_there_is_one_a_day_at_most_however_the_clock_moves_within_it(minutes: list[int]) -> None:
    now, state, made = datetime(2026, 11, 30, 7, 0, tzinfo=UTC), DigestState(), []
    for moved in minutes:
        now += timedelta(minutes=abs(moved))
        if is_due(state, now, EIGHT):
            made.append(now.date())
            state = DigestState(now.date().isoformat())
            assert now.hour >= 8
    assert len(set(made)) == len(made)


def test_a_clock_that_was_ten_years_ahead_does_not_end_digests() -> None:
    state = DigestState("2036-11-30")
    assert is_due(state, datetime(2026, 11, 30, 8, 0, tzinfo=UTC), EIGHT)


def test_without_a_clock_or_a_time_there_is_none() -> None:
    assert not is_due(DigestState(), None, EIGHT)
    assert not is_due(DigestState(), datetime(2026, 11, 30, 23, 0, tzinfo=UTC), None)


def test_urgent_ones_were_told_at_once_and_the_others_wait_up_to_a_limit() -> None:
    state = DigestState("2026-11-30").with_changes([change(), change("line_dead")])
    assert (change(),) == state.changes
    state = state.with_changes([change()] * 300)
    assert CHANGES_MAX == len(state.changes)
    assert "2026-11-30" == state.last_day

"""Granted time over restarts and reboots: an error favours the person, but nobody gets more than was granted."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.session_leases import Lease, SavedLease, rebased_lease
from node.units import Monotonic

HOUR_MS = 3_600_000


def saved(wall: int | None = 7_200) -> SavedLease:
    return SavedLease(Lease(Monotonic(0), Monotonic(2 * HOUR_MS)), "boot-1", wall)


def left_after_reboot(each: SavedLease, *, wall_s: int | None, saved_at: int | None = HOUR_MS) -> int:
    at = None if saved_at is None else Monotonic(saved_at)
    lease = rebased_lease(each, boot="boot-2", now=Monotonic(1_000), wall_s=wall_s, saved_at=at)
    return lease.ends - 1_000


def test_a_restart_changes_nothing() -> None:
    each = saved()
    assert each.lease == rebased_lease(each, boot="boot-1", now=Monotonic(5), wall_s=None, saved_at=None)


def test_after_a_reboot_the_clock_determines_what_is_left() -> None:
    assert 1_800_000 == left_after_reboot(saved(), wall_s=5_400)


def test_without_a_clock_the_time_of_the_power_cut_does_not_count() -> None:
    assert HOUR_MS == left_after_reboot(saved(), wall_s=None)


def test_a_lease_that_ended_while_the_node_was_off_has_expired() -> None:
    assert 0 == left_after_reboot(saved(), wall_s=99_999)


def test_a_lease_that_expired_before_the_power_cut_stays_expired_when_the_clock_was_set_back() -> None:
    assert 0 == left_after_reboot(saved(), wall_s=-1_000_000, saved_at=3 * HOUR_MS)


@given(
    st.none() | st.integers(-(2**40), 2**40),
    st.none() | st.integers(0, 2**40),
    st.none() | st.integers(0, 2**40),
)
def test_nobody_gets_more_than_the_granted_time(
    wall: int | None, wall_s: int | None, saved_at: int | None
) -> None:
    assert 0 <= left_after_reboot(saved(wall), wall_s=wall_s, saved_at=saved_at) <= 2 * HOUR_MS


def test_a_lease_that_starts_later_keeps_its_length_after_a_reboot() -> None:
    late = SavedLease(Lease(Monotonic(5 * HOUR_MS), Monotonic(6 * HOUR_MS)), "boot-1", None)
    assert HOUR_MS == left_after_reboot(late, wall_s=None, saved_at=None)
    assert HOUR_MS == left_after_reboot(late, wall_s=None, saved_at=3 * HOUR_MS)

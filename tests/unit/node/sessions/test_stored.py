"""Sessions over restarts and reboots: an error favours the person."""

from dataclasses import replace

from node.sessions.stored import SavedSession, Session, rebased
from node.units import AccountId, MacAddress, Monotonic

HOUR_MS = 3_600_000


def saved(ends: int | None = 2 * HOUR_MS, wall: int | None = 7_200) -> SavedSession:
    session = Session(
        MacAddress("02:00:00:00:00:0a"), 1, AccountId("ana"), "admitted", "1", Monotonic(0),
        None if ends is None else Monotonic(ends),
    )  # fmt: skip
    return SavedSession(session, "boot-1", wall)


def after_reboot(
    each: SavedSession, *, wall_s: int | None, saved_at: int = HOUR_MS, now: int = 1_000
) -> Session:
    return rebased(each, boot="boot-2", now=Monotonic(now), wall_s=wall_s, saved_at=Monotonic(saved_at))


def test_a_restart_changes_nothing() -> None:
    each = saved()
    assert each.session == rebased(each, boot="boot-1", now=Monotonic(5), wall_s=None, saved_at=Monotonic(0))


def test_a_reboot_subtracts_the_time_that_passed_on_the_clock() -> None:
    assert 1_000 + HOUR_MS // 2 == after_reboot(saved(), wall_s=5_400).ends


def test_without_a_clock_the_time_of_the_power_cut_does_not_count() -> None:
    assert 1_000 + HOUR_MS == after_reboot(saved(), wall_s=None).ends


def test_a_clock_that_went_backwards_gives_nobody_more_than_was_left_at_the_last_write() -> None:
    assert 1_000 + HOUR_MS == after_reboot(saved(), wall_s=-1_000_000).ends


def test_a_session_that_ended_while_the_node_was_off_has_expired() -> None:
    assert "expired" == after_reboot(saved(), wall_s=9_999_999).state


def test_an_unlimited_session_is_unlimited_after_a_reboot() -> None:
    assert None is after_reboot(saved(ends=None, wall=None), wall_s=None).ends


def test_a_session_with_time_left_is_authorized_after_a_reboot() -> None:
    assert "admitted" == after_reboot(saved(), wall_s=5_400).state


def test_a_blocked_device_stays_blocked_when_its_time_is_over() -> None:
    """An expired session may be renewed by one tap; a blocked one may not."""
    for state in ("removed", "waiting", "expired"):
        each = saved()
        kept = SavedSession(replace(each.session, state=state), each.boot, each.ends_wall_s)
        assert state == after_reboot(kept, wall_s=9_999_999).state

"""Counters of a gateway: nothing is booked twice, and nothing that is missing or unlikely is booked."""

from hypothesis import given
from hypothesis import strategies as st

from node.gateways.counters import (
    LATE_MS,
    LINE_MAX,
    ClientCounters,
    ReportedCounters,
    count_report,
    logged_in,
)
from node.units import NO_USAGE, BitsPerSecond, Bytes, Monotonic, Usage

MINUTE = 60_000
SOME = st.integers(0, 10**7)


def usage(down: int, up: int) -> Usage:
    return Usage(Bytes(down), Bytes(up))


def counted(before: ClientCounters, down: int | None, up: int | None, now: int = MINUTE, run: int = 0):
    return count_report(before, ReportedCounters(down, up), run=run, now=Monotonic(now))


@given(st.lists(st.tuples(SOME, SOME)))
def test_what_a_gateway_counts_is_booked_once(steps):
    at, down, up, booked = ClientCounters(), 0, 0, NO_USAGE
    for number, (more_down, more_up) in enumerate(steps):
        down, up = down + more_down, up + more_up
        found = counted(at, down, up, number * MINUTE)
        again = counted(found.after, down, up, number * MINUTE)
        assert NO_USAGE == again.added
        at, booked = again.after, booked + found.added
    assert usage(down, up) == booked


@given(st.lists(st.tuples(SOME, SOME), min_size=1), st.data())
def test_replayed_reports_change_nothing(steps, data):
    at, reports, booked, down, up = ClientCounters(), [], NO_USAGE, 0, 0
    for more_down, more_up in steps:
        down, up = down + more_down, up + more_up
        reports.append((down, up))
        for each in (reports[-1], data.draw(st.sampled_from(reports))):
            found = counted(at, *each)
            at, booked = found.after, booked + found.added
    assert usage(down, up) == booked


def test_lower_counters_are_ignored_and_told():
    before = counted(ClientCounters(), 5_000, 500).after
    found = counted(before, 4_999, 900, 2 * MINUTE)
    assert (before, NO_USAGE, "lower") == (found.after, found.added, found.finding)


def test_a_gateway_that_began_again_at_zero_is_added():
    before = counted(ClientCounters(), 5_000, 500).after
    found = counted(before, 700, 70, 2 * MINUTE, run=1)
    assert (usage(700, 70), "restarted") == (found.added, found.finding)
    assert usage(300, 30) == counted(found.after, 1_000, 100, 3 * MINUTE, run=1).added


def test_so_is_a_client_that_logged_in_again():
    before = logged_in(counted(ClientCounters(), 5_000, 500).after, Monotonic(MINUTE))
    assert usage(700, 70) == counted(before, 700, 70, 2 * MINUTE).added
    # More than before, although it began at zero: seen by the start of the gateway's program.
    assert usage(6_000, 600) == counted(before, 6_000, 600, 2 * MINUTE, run=1).added


def test_a_second_login_in_the_same_session_adds_nothing():
    before = logged_in(counted(ClientCounters(), 5_000, 500).after, Monotonic(MINUTE))
    assert usage(1_000, 100) == counted(before, 6_000, 600, 2 * MINUTE).added


def test_a_program_that_started_again_and_kept_its_counters_adds_the_difference():
    before = counted(ClientCounters(), 5_000, 500).after
    assert usage(10, 1) == counted(before, 5_010, 501, 2 * MINUTE, run=1).added


@given(st.none() | SOME, st.none() | SOME, SOME, SOME)
def test_missing_fields_are_never_booked(down, up, had_down, had_up):
    before = counted(ClientCounters(), had_down, had_up).after
    added = counted(before, down, up, 2 * MINUTE, run=1).added
    assert added.down == 0 or down is not None
    assert added.up == 0 or up is not None


@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20), st.integers(0, 10**9))
def test_no_report_books_more_than_the_line_can_carry(down, up, elapsed):
    before = counted(ClientCounters(), 0, 0, 0).after
    found = counted(before, down, up, elapsed)
    most = LINE_MAX * (elapsed + LATE_MS) // 8_000
    assert 0 <= found.added.down <= most
    assert 0 <= found.added.up <= most


def test_a_jump_by_terabytes_is_capped_once_and_told():
    before = counted(ClientCounters(), 0, 0, 0).after
    found = counted(before, 5 * 10**12, 0, MINUTE)
    assert ("jump", LINE_MAX * 2 * 60 // 8) == (found.finding, found.added.down)
    assert usage(10, 0) == counted(found.after, 5 * 10**12 + 10, 0, 2 * MINUTE).added


def test_the_line_may_be_slower():
    before = counted(ClientCounters(), 0, 0, 0).after
    reported = ReportedCounters(10**9, 0)
    found = count_report(before, reported, run=0, now=Monotonic(MINUTE), line=BitsPerSecond(8_000_000))
    assert 120_000_000 == found.added.down


def test_a_clock_that_goes_back_caps_as_if_no_time_had_passed():
    before = counted(ClientCounters(), 0, 0, 10 * MINUTE).after
    assert LINE_MAX * 60 // 8 == counted(before, 10**13, 0, 0).added.down

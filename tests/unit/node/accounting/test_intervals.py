"""Usage in intervals of five minutes: what counts towards which interval, and what is left out."""

from node.accounting.intervals import (
    ACTIVE_BYTES,
    INTERVAL_S,
    UNSAVED_MAX,
    IntervalMeter,
    IntervalUsage,
    active,
)
from node.units import NO_USAGE, AccountId, Bytes, Monotonic, Usage

ANA, BEN = AccountId("ana"), AccountId("ben")
NOON_MS = 1_795_521_600_000
"""In Unix time: 24 November 2026, 12:00 UTC, at the monotonic time 0."""
NOON = NOON_MS // 1000


def usage(down: int, up: int = 0) -> Usage:
    return Usage(Bytes(down), Bytes(up))


def meter() -> IntervalMeter:
    made = IntervalMeter()
    made.count({}, Monotonic(0), NOON_MS, is_busy=False)
    return made


def count(
    meter: IntervalMeter, at_ms: int, *, set_by_ms: int = 0, is_busy: bool = False, **by_account: int
) -> None:
    used = {AccountId(account): usage(down) for account, down in by_account.items()}
    meter.count(used, Monotonic(at_ms), NOON_MS + at_ms + set_by_ms, is_busy=is_busy)


def test_usage_counts_towards_the_interval_in_which_it_was_read() -> None:
    one = meter()
    count(one, 1_000, ana=5, ben=0)
    count(one, 2_000, ana=6, ben=7, is_busy=True)
    for second in range(60, 301, 60):
        count(one, second * 1000)
    count(one, 300_000, ana=1)
    assert {
        NOON: {ANA: IntervalUsage(usage(11), True), BEN: IntervalUsage(usage(7), True)},
        NOON + INTERVAL_S: {ANA: IntervalUsage(usage(1), False)},
    } == one.unsaved()


def test_what_was_used_over_more_than_an_interval_belongs_to_none() -> None:
    one = IntervalMeter()
    count(one, 0, ana=9)  # since when is not known
    count(one, 300_001, ana=9)
    assert {} == one.unsaved()
    again = IntervalMeter()
    again.go_on_from(Monotonic(0), {})
    count(again, 300_000, ana=9)
    assert [NOON + 300] == list(again.unsaved())


def test_without_a_certain_clock_nothing_is_counted() -> None:
    one = meter()
    one.count({ANA: usage(5)}, Monotonic(1_000), None, is_busy=False)
    assert {} == one.unsaved()
    count(one, 2_000, ana=6)
    assert [{ANA: IntervalUsage(usage(6), False)}] == list(one.unsaved().values())


def test_a_clock_that_is_set_drops_what_is_not_stored() -> None:
    for set_by_ms in (-86_400_000, 86_400_000):
        one = meter()
        count(one, 1_000, ana=5)
        count(one, 2_000, set_by_ms=set_by_ms, ana=6)
        assert {} == one.unsaved()
        count(one, 3_000, set_by_ms=set_by_ms, ana=7)
        assert [usage(7)] == [each[ANA].used for each in one.unsaved().values()]


def test_a_clock_that_is_corrected_by_a_second_drops_nothing() -> None:
    one = meter()
    count(one, 1_000, ana=5)
    count(one, 2_000, set_by_ms=1_000, ana=6)
    assert [usage(11)] == [each[ANA].used for each in one.unsaved().values()]


def downs(one: IntervalMeter) -> list[dict[str, int]]:
    return [{account: each.used.down for account, each in found.items()} for found in one.unsaved().values()]


def test_an_interval_is_stored_as_a_whole_whenever_it_has_grown() -> None:
    one = meter()
    count(one, 1_000, ana=5)
    first = one.unsaved()
    count(one, 2_000, ana=6)
    assert 5 == first[NOON][ANA].used.down, "it is a copy"
    one.stored(first)
    assert [{"ana": 11}] == downs(one)
    one.stored(one.unsaved())
    assert [] == downs(one)
    count(one, 200_000, ben=1)
    assert [{"ana": 11, "ben": 1}] == downs(one)
    count(one, 400_000, ben=2)
    one.stored(one.unsaved())
    count(one, 500_000, ben=2)
    assert [{"ben": 4}] == downs(one), "the first one is over and stored"


def test_after_a_start_counting_goes_on_from_what_is_stored() -> None:
    saved = {NOON: {ANA: IntervalUsage(usage(5), True), BEN: IntervalUsage(usage(1), False)}}
    for is_late in (False, True):
        one = IntervalMeter()
        if not is_late:
            one.go_on_from(Monotonic(0), saved)
            assert [] == downs(one)
        count(one, 1_000)
        count(one, 2_000, ana=6)
        if is_late:
            one.go_on_from(Monotonic(0), saved)
        assert {
            NOON: {ANA: IntervalUsage(usage(11), True), BEN: IntervalUsage(usage(1), False)}
        } == one.unsaved()


def test_an_erased_account_is_counted_from_zero() -> None:
    one = meter()
    count(one, 1_000, ana=5, ben=1)
    one.stored(one.unsaved())
    one.erase(ANA)
    assert [] == downs(one)
    count(one, 2_000, ana=6)
    assert [{"ben": 1, "ana": 6}] == downs(one)


def test_a_disk_that_cannot_be_written_for_days_fills_no_memory() -> None:
    one = meter()
    for number in range(1, 2 * UNSAVED_MAX):
        count(one, number * 300_000, ana=5)
    kept = one.unsaved()
    assert (UNSAVED_MAX, NOON + 300 * (2 * UNSAVED_MAX - 1)) == (len(kept), max(kept))


def test_an_account_that_used_less_than_a_phone_in_a_pocket_was_not_active() -> None:
    one, other = (
        IntervalUsage(usage(ACTIVE_BYTES - 1, 1), False),
        IntervalUsage(usage(ACTIVE_BYTES - 1), True),
    )
    assert {ANA: one} == active({ANA: one, BEN: other, AccountId("cai"): IntervalUsage(NO_USAGE, False)})

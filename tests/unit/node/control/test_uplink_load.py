"""When the uplink counts as busy (congested)."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from node.control.rates import BusyCeiling, MeanRates, UplinkLoad
from node.control.rates import step as step_with
from node.governance.fair_shares import Demand, fair_rates
from node.governance.rules import DEFAULT_BUSY_THRESHOLDS, BusyThresholds
from node.units import AccountId, BitsPerSecond, Milliseconds, Monotonic, Rates

BUSY_AFTER_MS = DEFAULT_BUSY_THRESHOLDS.after

CAPACITY = Rates(BitsPerSecond(1000), BitsPerSecond(100))
HIGH, LOW = Rates(BitsPerSecond(900), BitsPerSecond(0)), Rates(BitsPerSecond(500), BitsPerSecond(10))


def step(load: UplinkLoad, rate: Rates, capacity: Rates | None, now: Monotonic) -> UplinkLoad:
    return step_with(load, MeanRates({}, {}, rate), capacity, now)


def after(rates: list[Rates], every_ms: int = 60_000) -> UplinkLoad:
    load = UplinkLoad()
    for turn, rate in enumerate(rates):
        load = step(load, rate, CAPACITY, Monotonic(turn * every_ms))
    return load


def test_a_short_burst_is_not_busy() -> None:
    assert not after([HIGH] * 5).busy


def test_five_minutes_of_high_load_are_busy() -> None:
    assert after([HIGH] * (BUSY_AFTER_MS // 60_000 + 1)).busy


def test_one_quiet_minute_starts_the_wait_again() -> None:
    assert not after([HIGH] * 4 + [LOW] + [HIGH] * 4).busy


def test_busy_ends_after_a_minute_below_the_lower_threshold() -> None:
    middle = Rates(BitsPerSecond(700), BitsPerSecond(0))
    assert after([HIGH] * 7 + [middle] * 3).busy
    assert not after([HIGH] * 7 + [LOW] * 2).busy
    assert after([HIGH] * 7 + [LOW, middle] * 9).busy
    assert after([HIGH] * 7 + [LOW] * 2, every_ms=59_999).busy


def test_a_full_upload_alone_makes_it_busy() -> None:
    assert after([Rates(BitsPerSecond(0), BitsPerSecond(95))] * 7).busy


def test_an_uplink_of_unknown_capacity_is_never_busy() -> None:
    assert UplinkLoad() == step(UplinkLoad(busy=True), HIGH, None, Monotonic(0))


def test_the_thresholds_are_eighty_and_sixty_percent_of_either_direction() -> None:
    def rates(down: int, up: int) -> Rates:
        return Rates(BitsPerSecond(down), BitsPerSecond(up))

    assert after([rates(800, 0)] * 6).busy
    assert not after([rates(799, 0)] * 60).busy
    assert after([rates(0, 80)] * 6).busy
    assert not after([rates(0, 79)] * 60).busy
    assert after([rates(800, 0)] * 6 + [rates(600, 0)] * 60).busy
    assert not after([rates(800, 0)] * 6 + [rates(599, 59)] * 2).busy


def test_five_minutes_are_five_minutes() -> None:
    assert not after([HIGH, HIGH], every_ms=299_999).busy
    assert after([HIGH, HIGH], every_ms=300_000).busy


def test_a_capacity_of_zero_in_one_direction_is_no_error() -> None:
    nothing = Rates(BitsPerSecond(0), BitsPerSecond(0))
    assert not step(UplinkLoad(), nothing, nothing, Monotonic(0)).busy


def test_a_charter_has_its_own_thresholds() -> None:
    charter = BusyThresholds(500, 300, Milliseconds(120_000))

    def after_all(permilles: list[int]) -> bool:
        load = UplinkLoad()
        for turn, permille in enumerate(permilles):
            measured = MeanRates({}, {}, Rates(BitsPerSecond(permille), BitsPerSecond(0)))
            load = step_with(load, measured, CAPACITY, Monotonic(turn * 60_000), thresholds=charter)
        return load.busy

    assert after_all([500] * 3)
    assert not after_all([500] * 2)
    assert not after_all([499] * 9)
    assert after_all([500] * 3 + [300] * 9)
    assert not after_all([500] * 3 + [299] * 2)


# --- ceilings that hold while the uplink is busy ---------------------------------------------

THRESHOLDS = replace(DEFAULT_BUSY_THRESHOLDS, after=Milliseconds(60_000))
WANTED = st.lists(st.integers(0, 1500), min_size=1, max_size=6)
LIMITS = st.lists(st.none() | st.integers(1, 1000), min_size=6, max_size=6)


def changes(wanted_by_turn: list[list[int]], limits: list[int | None]) -> list[bool]:
    """Whether the line was busy at each second, with people who want so much at each, and ceilings while it is busy."""
    load, states = UplinkLoad(), []
    for turn, wanted in enumerate(wanted_by_turn):
        tops = [
            want if limit is None or not load.busy else min(want, limit)
            for want, limit in zip(wanted, limits, strict=False)
        ]
        got = fair_rates([Demand(100, 0, top) for top in tops], CAPACITY.down)
        measured = MeanRates(
            {AccountId(str(n)): Rates(rate, BitsPerSecond(0)) for n, rate in enumerate(got)},
            {},
            Rates(BitsPerSecond(sum(got)), BitsPerSecond(0)),
        )
        ceilings = [
            BusyCeiling(Rates(BitsPerSecond(limit), BitsPerSecond(1000)), frozenset({AccountId(str(n))}))
            for n, limit in enumerate(limits)
            if limit is not None and load.busy
        ]
        load = step_with(
            load, measured, CAPACITY, Monotonic(turn * 1000), thresholds=THRESHOLDS, ceilings=ceilings
        )
        states.append(load.busy)
    return states


@given(WANTED, LIMITS)
def test_a_ceiling_that_relieves_the_line_does_not_make_it_oscillate(
    wanted: list[int], limits: list[int | None]
) -> None:
    """People who want the same all the time: the line is busy once and stays so, or never is."""
    states = changes([wanted] * 400, limits)
    assert sum(a != b for a, b in pairwise(states)) <= 1
    assert states[-1] == (sum(fair_rates([Demand(100, 0, w) for w in wanted], 1000)) >= 800)


@given(st.lists(WANTED.filter(lambda w: len(w) == 3) | st.just([0, 0, 0]), min_size=1, max_size=300), LIMITS)
def test_the_state_lasts_whatever_people_do(wanted: list[list[int]], limits: list[int | None]) -> None:
    """Between two changes is at least a minute, however the load jumps and whatever the ceilings do."""
    states = changes([each for each in wanted for _ in range(3)], limits)
    turns = [turn for turn, (a, b) in enumerate(pairwise(states)) if a != b]
    assert all(later - earlier >= 60 for earlier, later in pairwise(turns))


def test_with_the_download_over_the_line_is_not_busy_although_it_was_limited() -> None:
    states = changes([[1500, 20]] * 200 + [[0, 20]] * 120, [100, None, None, None, None, None])
    assert states[199]
    assert not states[-1]


def test_people_at_a_ceiling_together_count_with_what_they_used_before() -> None:
    guests = [AccountId("a"), AccountId("b")]
    ceiling = BusyCeiling(Rates(BitsPerSecond(100), BitsPerSecond(1000)), frozenset(guests))
    before = {guest: Rates(BitsPerSecond(450), BitsPerSecond(0)) for guest in guests}
    load = UplinkLoad(busy=True, before=before)

    def later(rate: int) -> bool:
        each = Rates(BitsPerSecond(rate), BitsPerSecond(0))
        measured = MeanRates(
            dict.fromkeys(guests, each), {}, Rates(BitsPerSecond(2 * rate), BitsPerSecond(0))
        )
        first = step_with(load, measured, CAPACITY, Monotonic(0), ceilings=[ceiling])
        return step_with(first, measured, CAPACITY, Monotonic(60_000), ceilings=[ceiling]).busy

    assert later(50)
    assert later(45)
    assert not later(44)


def test_people_at_the_ceiling_of_their_pool_count_once_although_each_has_an_own_ceiling_too() -> None:
    """Guests who share 100 and may have 80 each: below their own ceilings they still are at that of all together."""
    guests = [AccountId("a"), AccountId("b")]
    alone = [
        BusyCeiling(Rates(BitsPerSecond(80), BitsPerSecond(1000)), frozenset({guest})) for guest in guests
    ]
    together = BusyCeiling(Rates(BitsPerSecond(100), BitsPerSecond(1000)), frozenset(guests))
    before = {guest: Rates(BitsPerSecond(450), BitsPerSecond(0)) for guest in guests}

    def stays(before: dict[AccountId, Rates], *rates: int) -> bool:
        load = UplinkLoad(busy=True, before=before)
        by_account = {
            guest: Rates(BitsPerSecond(rate), BitsPerSecond(0))
            for guest, rate in zip(guests, rates, strict=True)
        }
        measured = MeanRates(by_account, {}, Rates(BitsPerSecond(sum(rates)), BitsPerSecond(0)))
        for now in (0, 60_000):
            load = step_with(load, measured, CAPACITY, Monotonic(now), ceilings=[*alone, together])
        return load.busy

    assert stays(before, 50, 50)
    assert not stays(before, 44, 45)
    assert not stays({guest: Rates(BitsPerSecond(290), BitsPerSecond(0)) for guest in guests}, 80, 15)

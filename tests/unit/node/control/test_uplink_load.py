"""When the uplink counts as busy (congested)."""

from node.control.rates import BUSY_AFTER_MS, UplinkLoad, step
from node.units import BitsPerSecond, Monotonic, Rates

CAPACITY = Rates(BitsPerSecond(1000), BitsPerSecond(100))
HIGH, LOW = Rates(BitsPerSecond(900), BitsPerSecond(0)), Rates(BitsPerSecond(500), BitsPerSecond(10))


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


def test_busy_ends_below_the_lower_threshold() -> None:
    middle = Rates(BitsPerSecond(700), BitsPerSecond(0))
    assert after([HIGH] * 7 + [middle] * 3).busy
    assert not after([HIGH] * 7 + [LOW]).busy


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
    assert not after([rates(800, 0)] * 6 + [rates(599, 59)]).busy


def test_five_minutes_are_five_minutes() -> None:
    assert not after([HIGH, HIGH], every_ms=299_999).busy
    assert after([HIGH, HIGH], every_ms=300_000).busy


def test_a_capacity_of_zero_in_one_direction_is_no_error() -> None:
    nothing = Rates(BitsPerSecond(0), BitsPerSecond(0))
    assert not step(UplinkLoad(), nothing, nothing, Monotonic(0)).busy

"""When the uplink counts as busy."""

from node.accounting.busy import BUSY_AFTER_MS, UplinkLoad, step
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


def test_busy_ends_below_the_lower_mark() -> None:
    middle = Rates(BitsPerSecond(700), BitsPerSecond(0))
    assert after([HIGH] * 7 + [middle] * 3).busy
    assert not after([HIGH] * 7 + [LOW]).busy


def test_a_full_upload_alone_makes_it_busy() -> None:
    assert after([Rates(BitsPerSecond(0), BitsPerSecond(95))] * 7).busy


def test_an_uplink_of_unknown_capacity_is_never_busy() -> None:
    assert UplinkLoad() == step(UplinkLoad(busy=True), HIGH, None, Monotonic(0))

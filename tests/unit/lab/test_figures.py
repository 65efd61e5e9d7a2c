"""The arithmetic of the demo: a wrong sum would make a slow node look fast."""

import pytest

from tests.lab.figures import TARGETS, Figures, bits_per_second, percentile, settles_below, weighted_jain

GOOD = {
    "captured_v4": True,
    "captured_v6": True,
    "leaked_bytes_before_admission": 0,
    "admit_ms_p50": 4.0,
    "admit_ms_p95": 9.0,
    "ceiling_error_percent": -0.9,
    "weighted_jain": 0.999,
    "uplink_use_percent": 98.9,
    "kill9_flow_interrupted_ms": 30.0,
    "kill9_bytes_lost": 0,
    "peer_discovery_s": 1.2,
    "peer_allowance_s": 1.8,
}
BAD = {
    "captured_v4": False,
    "captured_v6": False,
    "leaked_bytes_before_admission": 1,
    "admit_ms_p95": 50.1,
    "ceiling_error_percent": -5.1,
    "weighted_jain": 0.979,
    "uplink_use_percent": 96.9,
    "kill9_flow_interrupted_ms": 201,
    "kill9_bytes_lost": 1,
    "peer_discovery_s": 5.1,
    "peer_allowance_s": 5.1,
}


def test_a_run_that_meets_every_target_is_ok():
    figures = Figures()
    figures.took(**GOOD)
    assert {**GOOD, "ok": True} == figures.document()


@pytest.mark.parametrize("key", BAD)
def test_one_missed_target_is_not_ok_and_is_named(key):
    figures = Figures()
    figures.took(**{**GOOD, key: BAD[key]})
    assert False is figures.document()["ok"]
    assert [key] == [sentence.split()[0] for sentence in figures.unmet()]


@pytest.mark.parametrize("key", [target.key for target in TARGETS])
def test_a_missing_figure_is_null_with_its_reason_and_not_ok(key):
    figures = Figures()
    figures.took(**{name: value for name, value in GOOD.items() if name != key})
    figures.missed("the cable was unplugged", key)
    document = figures.document()
    assert (None, "the cable was unplugged", False) == (
        document[key],
        document[f"{key}_reason"],
        document["ok"],
    )


def test_a_rate_excludes_the_start():
    samples = [(0.0, 0, 0), (1.0, 10, 0), (2.0, 1_000_010, 0), (3.0, 2_000_010, 0)]
    assert 8_000_000 == bits_per_second(samples, skip_s=1.0)


def test_shares_by_weight_are_perfectly_fair_and_equal_rates_are_not():
    weights = {"ana": 100, "school": 200}
    assert 1 == pytest.approx(weighted_jain({"ana": 5e6, "school": 10e6}, weights))
    assert 0.9 == pytest.approx(weighted_jain({"ana": 5e6, "school": 5e6}, weights))


def test_the_95th_percentile_of_twenty_is_the_nineteenth():
    assert 19 == percentile(list(range(1, 21)), 95)


def test_a_flow_has_settled_only_when_it_stays_slow():
    fast, slow = 1_250_000, 25_000
    steps = [fast] * 10 + [slow] * 10 + [fast] * 5 + [slow] * 20
    samples, total = [], 0
    for number, step in enumerate(steps):
        samples.append((number / 10, total, 0))
        total += step
    assert 2.4 <= settles_below(samples, 3_000_000) <= 2.6
    assert None is settles_below(samples[:10], 3_000_000)

"""Answers to probes since the last look."""

from node.units import NO_RATES, Microseconds
from node.uplink.line import Sample
from node.uplink.probe_counts import ROUND_TRIPS_MAX, ProbeCounts
from node.uplink.queueing_delay import RoundTrip


def sample(*round_trips_us: int, lost: int = 0) -> Sample:
    answers = [
        RoundTrip(Microseconds(1_000), Microseconds(1_000 + each), None, None) for each in round_trips_us
    ]
    return Sample(NO_RATES, answers, lost=lost)


def test_each_answer_and_each_lost_probe_is_taken_once() -> None:
    counts = ProbeCounts()
    for each in (sample(20_000, 30_000), sample(lost=2), sample(40_000)):
        counts.count(each)
    assert ([20_000, 30_000, 40_000], 2) == counts.take()
    assert ([], 0) == counts.take()


def test_what_nobody_takes_does_not_fill_the_memory() -> None:
    counts = ProbeCounts()
    for _ in range(10 * ROUND_TRIPS_MAX):
        counts.count(sample(1, 2, lost=1))
    answers, lost = counts.take()
    assert ROUND_TRIPS_MAX + 3 > len(answers) + lost

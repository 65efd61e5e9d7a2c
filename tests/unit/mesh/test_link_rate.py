"""The rate of a connection, from what the kernel counts."""

import pytest

from mesh.link_rate import BULK_BYTES, LinkRate
from mesh.own_node_page import LinkCounters


def counters(sent: int, busy_ms: int) -> LinkCounters:
    return LinkCounters(2.0, 10, 0, sent, busy_ms * 1_000)


def test_bulk_says_how_fast_a_connection_is_also_when_it_became_slower() -> None:
    rate = LinkRate()
    assert 0 == rate.look(counters(0, 0))
    assert 8_000_000 == rate.look(counters(100_000, 100))
    assert 800_000 == rate.look(counters(200_000, 1_100))


def test_short_frames_only_say_that_it_is_at_least_as_fast() -> None:
    rate = LinkRate()
    assert 8_000_000 == rate.look(counters(100_000, 100))
    assert 8_000_000 == rate.look(counters(100_100, 120)), "that was a round trip"
    assert 8_000_000 == rate.look(counters(100_100 + BULK_BYTES - 1, 4_120))
    assert 10_400_000 == rate.look(counters(100_100 + BULK_BYTES - 1 + 13_000, 4_130))


@pytest.mark.parametrize("busy_ms", [0, -5])
def test_a_time_that_is_too_short_to_measure_counts_as_a_step_of_the_kernel(busy_ms: int) -> None:
    assert 80_000_000 == LinkRate().look(counters(100_000, busy_ms))


def test_counters_that_go_back_say_nothing() -> None:
    rate = LinkRate()
    rate.look(counters(100_000, 100))
    assert 8_000_000 == rate.look(counters(0, 0))

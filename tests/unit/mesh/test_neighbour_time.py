"""The time that neighbours tell: the median of those that know it best, whatever one of them says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.neighbour_time import EARLIEST_S, HOPS_MAX, LATEST_S, REPORT_MS, REPORTS_MAX, NeighbourTime
from node.units import Monotonic, NodeId
from tests.fakes.neighbours import id_of

NOW, TRUE = Monotonic(5_000), 1_795_600_000


def heard(*reports: tuple[str, int, int]) -> NeighbourTime:
    found = NeighbourTime()
    for name, unix_s, hops in reports:
        found.hear(id_of(name), unix_s, hops, NOW)
    return found


def test_time_goes_on_between_reports_and_comes_one_node_further() -> None:
    found = heard(("hill", TRUE, 2))
    assert (TRUE, 3) == found.estimate(NOW)
    assert (TRUE + 60, 3) == found.estimate(Monotonic(NOW + 60_500))


def test_one_of_three_that_lies_moves_nothing() -> None:
    for lie in (EARLIEST_S, LATEST_S - 1):
        estimate = heard(("hill", TRUE, 0), ("valley", TRUE + 1, 0), ("coast", lie, 0)).estimate(NOW)
        assert estimate in {(TRUE, 1), (TRUE + 1, 1)}


def test_those_that_know_it_themselves_go_before_those_that_were_told() -> None:
    assert (TRUE, 1) == heard(
        ("hill", TRUE + 500, 1), ("coast", TRUE + 500, 1), ("valley", TRUE, 0)
    ).estimate(NOW)


@pytest.mark.parametrize(
    ("unix_s", "hops"),
    [(0, 0), (EARLIEST_S - 1, 0), (LATEST_S, 0), (4_070_908_800, 0), (TRUE, HOPS_MAX), (2**53 - 1, 0)],
)
def test_a_clock_in_1970_or_2099_is_not_believed(unix_s: int, hops: int) -> None:
    assert heard(("hill", unix_s, hops)).estimate(NOW) is None


def test_an_old_report_is_not_used() -> None:
    assert heard(("hill", TRUE, 0)).estimate(Monotonic(NOW + REPORT_MS + 1)) is None


def test_reports_are_limited() -> None:
    found = NeighbourTime()
    for number in range(REPORTS_MAX + 10):
        found.hear(NodeId(f"{number:052d}"), TRUE, 0, NOW)
    assert REPORTS_MAX == len(found._reports)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2**53), st.integers(0, 2**20)), max_size=40))
def test_whatever_is_reported_the_estimate_is_plausible(reports: list[tuple[int, int, int]]) -> None:
    found = NeighbourTime()
    for node, unix_s, hops in reports:
        found.hear(NodeId(str(node)), unix_s, hops, NOW)
    estimate = found.estimate(NOW)
    assert estimate is None or (EARLIEST_S <= estimate[0] < LATEST_S and 1 <= estimate[1] <= HOPS_MAX)

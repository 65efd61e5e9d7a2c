"""What a power cut cost, from what the board says at its next start."""

import threading
from collections.abc import Iterator

import pytest

from tests.vm.power import Outcome, lost_seconds, run_together
from tests.vm.record import PARTS, unmet


def test_lost_are_the_seconds_since_everything_was_counted() -> None:
    samples = [(10.0, 0), (11.0, 1_000), (12.0, 2_000), (13.0, 3_000)]
    assert 2.5 == lost_seconds(samples, 13.5, 1_000)
    assert 1.5 == lost_seconds(samples, 13.5, 2_900), "part of a second counts as lost"
    assert 0.5 == lost_seconds(samples, 13.5, 9_000)
    assert 3.5 == lost_seconds(samples, 13.5, 0)


def test_without_any_count_everything_since_the_first_sample_is_lost() -> None:
    assert 3.5 == lost_seconds([(10.0, 500), (11.0, 1_000)], 13.5, 0)
    assert 0.0 == lost_seconds([], 13.5, 0)


def test_the_figures_of_the_cuts_are_those_of_the_record() -> None:
    outcome = Outcome(cuts=50, back_s=[40.0, 44.0, 60.0], lost_s=[3.0, 31.25], transferred=80_400_000)
    figures = outcome.figures(people=60)
    assert [figure.key for figure in PARTS["power"]] == list(figures)
    assert (31.2, 44.0, 80) == (figures["lost_s_max"], figures["back_s_p50"], figures["transferred_mb"])
    assert [] == unmet("power", figures)


def test_a_cut_after_which_the_board_is_not_back_is_not_met() -> None:
    figures = Outcome(cuts=3, not_back=1, back_s=[40.0], lost_s=[3.0]).figures(people=5)
    assert ["cuts is 3 (wanted: ≥ 50)", "not_back is 1 (wanted: ≤ 0)"] == unmet("power", figures)


def test_without_a_cut_under_load_the_figures_say_what_is_missing_and_why() -> None:
    figures = Outcome(not_back=1).figures(people=0)
    assert (None, "no cut under load") == (figures["lost_s_max"], figures["lost_s_max_reason"])
    assert (None, "the board was never back") == (figures["back_s_p50"], figures["back_s_p50_reason"])


class CountingRun:
    """Takes the place of `PowerCuts`."""

    def __init__(self, fails_at: int = 0) -> None:
        self.taken: list[int] = []
        self.is_stopped = threading.Event()
        self.fails_at = fails_at

    def run(self, numbers: Iterator[int], ends: float) -> None:
        for number in numbers:
            self.taken.append(number)
            if number == self.fails_at:
                raise RuntimeError("no namespace")
            if self.is_stopped.wait(0.001):
                return

    def stop(self) -> None:
        self.is_stopped.set()


def test_two_boards_share_the_cuts():
    boards = [CountingRun(), CountingRun()]
    run_together(boards, iter(range(1, 51)), 0.0)
    assert list(range(1, 51)) == sorted(boards[0].taken + boards[1].taken)
    assert all(each.taken for each in boards)


def test_when_one_board_cannot_go_on_all_end():
    boards = [CountingRun(fails_at=100), CountingRun(fails_at=100)]
    with pytest.raises(RuntimeError, match="no namespace"):
        run_together(boards, iter(range(1, 10**9)), 0.0)
    assert all(each.is_stopped.is_set() for each in boards)


def test_the_outcome_is_that_of_all_boards():
    whole = Outcome(cuts=20, lost_s=[3.0], back_s=[40.0], transferred=10**6)
    whole.add(Outcome(cuts=30, corrupt=1, lost_s=[50.0], back_s=[50.0], transferred=10**6))
    figures = whole.figures(7)
    assert (50, 1, 50.0, 45.0, 2) == tuple(
        figures[key] for key in ("cuts", "corrupt", "lost_s_max", "back_s_p50", "transferred_mb")
    )

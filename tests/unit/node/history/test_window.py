"""A stretch of one series."""

from dataclasses import replace

from node.history.window import HistoryWindow, Point

GAP = HistoryWindow("delay", "ms", 1_790_000_000, 300, (None, None))


def test_a_window_of_gaps_is_empty() -> None:
    assert GAP.is_empty
    assert replace(GAP, points=()).is_empty


def test_a_known_zero_is_no_gap() -> None:
    assert not replace(GAP, points=(None, Point(least=0, mean=0, most=0))).is_empty


def test_the_mean_is_of_what_is_known() -> None:
    assert 5 == replace(GAP, points=(Point(0, 3, 9), None, Point(0, 8, 9))).mean
    assert GAP.mean is None

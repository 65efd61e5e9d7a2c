"""Points taken together keep the extremes, and what is not known stays unknown."""

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from node.history.window import HistoryWindow, Point
from node.plots.point_groups import decimated, grouped, together
from node.plots.time_scale import time_scale

points = st.lists(
    st.one_of(st.none(), st.tuples(*(st.integers(-100, 100),) * 3).map(lambda three: Point(*sorted(three))))
)


@given(points, st.integers(1, 50))
def test_fewer_points_have_the_same_extremes(many, most) -> None:
    few = decimated(many, most)
    assert len(few) <= most
    both = together(many), together(few)
    if both[0] is None:
        assert both[1] is None
    else:
        assert both[1] is not None
        assert (both[0].least, both[0].most) == (both[1].least, both[1].most)
        assert all(each is None or each.least <= each.mean <= each.most for each in few)


def test_nothing_is_known_of_nothing() -> None:
    assert (None, None) == (together([]), together([None, None]))
    assert ((), (None, Point(1, 1, 1))) == (decimated([], 5), decimated([None, None, Point(1, 1, 1)], 2))


def test_groups_have_what_is_known_of_them() -> None:
    window = HistoryWindow("x", "count", 0, 3600, (Point(1, 2, 3), None, Point(5, 6, 7), None))
    first, second = grouped(window, time_scale(window, UTC), lambda at: at.hour // 3)
    assert (Point(1, 4, 7), 7200, None, 0) == (first.point, first.known_s, second.point, second.known_s)
    assert (0, 3) == (first.begin.hour, second.begin.hour)

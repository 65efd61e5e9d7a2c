"""Long lists are split into pages, and no row is skipped."""

from hypothesis import given
from hypothesis import strategies as st

from node.admin.fields import paginate


@given(st.integers(0, 300), st.integers(1, 60))
def test_every_row_is_on_exactly_one_page(count, size):
    rows = list(range(count))
    last = paginate(rows, 1, "/x", size=size).last
    screens = [paginate(rows, number, "/x", size=size) for number in range(1, last + 1)]
    assert rows == [row for screen in screens for row in screen.rows]
    assert "" == screens[0].earlier == screens[-1].later
    assert all(screen.later for screen in screens[:-1])


@given(st.integers(-5, 10**9))
def test_a_page_number_out_of_range_gives_the_nearest_page(number):
    screen = paginate(range(120), number, "/x")
    assert screen.number == min(max(1, number), 3)
    assert screen.rows


def test_the_search_term_is_kept_in_the_addresses():
    screen = paginate(range(120), 2, "/members", q="Ana & Pere", empty="")
    assert ("/members?q=Ana+%26+Pere&page=1", "/members?q=Ana+%26+Pere&page=3") == (
        screen.earlier,
        screen.later,
    )


def test_only_the_rows_of_the_shown_page_are_built():
    made = []
    screen = paginate(range(1_000), 3, "/x", size=10).turned(lambda row: made.append(row) or str(row))
    assert list(range(20, 30)) == made
    assert ("20", 1_000) == (screen.rows[0], screen.whole)

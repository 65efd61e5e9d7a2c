"""The pages of one author of kinds other than usage: what is kept, whatever the order of arrival."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import other_pages
from mesh.other_pages import OTHER_BYTES_MAX, OTHER_PAGES_MAX, OtherPages
from mesh.page_format import Page
from tests.fakes.mesh_exchange import an_other_page


def held(*pages: Page) -> OtherPages:
    found = OtherPages()
    for page in pages:
        found.hold(page)
    return found


@pytest.mark.parametrize(
    ("offered", "age"),
    [(an_other_page(seq=8), "newer"), (an_other_page(seq=6), "older"), (an_other_page(seq=7), "same"),
     (an_other_page(seq=7, body=b"{}"), "conflict"), (an_other_page(seq=1, incarnation="10-a"), "newer"),
     (an_other_page(seq=99, incarnation="1-a"), "older"), (an_other_page(seq=1, period="then"), "newer")],
)  # fmt: skip
def test_a_later_incarnation_is_newer_and_then_a_higher_number(offered: Page, age: str) -> None:
    assert age == held(an_other_page(seq=7)).age(offered)


def test_a_page_of_a_later_incarnation_takes_the_place_of_the_earlier_one() -> None:
    before, after = an_other_page(seq=7), an_other_page(seq=1, incarnation="10-a")
    found = held(before)
    assert (f"{before.incarnation}/{before.label}",) == found.hold(after)
    assert found.is_superseded(before.incarnation, before.label)
    assert found.held(before.incarnation, before.label) is None
    assert [after.raw] == found.all()


def test_an_older_page_and_a_page_that_is_held_change_nothing() -> None:
    found = held(an_other_page(seq=7))
    for page in (an_other_page(seq=6), an_other_page(seq=7)):
        assert () == found.hold(page)
    assert [an_other_page(seq=7).raw] == found.all()


def test_small_pages_are_limited_in_number_and_those_of_the_lowest_period_leave_first() -> None:
    pages = [an_other_page(seq=number, period=f"{number:04d}") for number in range(1, OTHER_PAGES_MAX + 3)]
    found = held(*pages)
    assert {page.raw for page in pages[2:]} == set(found.all())
    assert found.hold(pages[0]) is None


def test_large_pages_are_limited_in_bytes() -> None:
    found = held(*(an_other_page(seq=n, period=f"{n:04d}", body=b"x" * 60_000) for n in range(1, 9)))
    assert OTHER_BYTES_MAX // 2 < sum(map(len, found.all())) <= OTHER_BYTES_MAX


PAGES = st.lists(
    st.builds(
        lambda period, seq, life, size: an_other_page(
            period=period, seq=seq, incarnation=f"{life}-a", body=b"x" * (size * 1000)
        ),
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(0, 5),
    ),
    max_size=12,
)


@given(PAGES, st.randoms())
def test_two_nodes_that_tell_each_other_keep_the_same_pages(pages: list[Page], chance: object) -> None:
    """Within a limit that some of them exceed; each has received them in an order of its own."""
    limit = pytest.MonkeyPatch()
    limit.setattr(other_pages, "OTHER_BYTES_MAX", 9_000)
    try:
        mixed = list(pages)
        chance.shuffle(mixed)  # type: ignore[attr-defined]
        left, right = held(*pages), held(*mixed)
        by_raw = {page.raw: page for page in pages}
        for _ in range(4):
            for one, other in ((left, right), (right, left)):
                for raw in one.all():
                    other.hold(by_raw[raw])
        assert sorted(left.all()) == sorted(right.all())
    finally:
        limit.undo()


def test_the_page_of_a_label_is_found_whatever_its_incarnation() -> None:
    later, other = an_other_page(incarnation="10-a"), an_other_page(period="then")
    found = held(an_other_page(), later, other)
    assert (later.raw, other.raw) == (found.page(later.label), found.page(other.label))
    assert found.page("weather/now/0001") is None

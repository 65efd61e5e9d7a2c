"""Pages that are read again, and the order of a start."""

import pytest

from mesh.page_format import page_digest
from mesh.page_reading import in_order, is_that_page
from mesh.page_versions import StoredPage
from tests.contracts.test_mesh_hostile_authors import HILL, page

PAGE = page({"ana": 1}, 7)
KEY = (HILL, "1-a", PAGE.label)


@pytest.mark.parametrize(
    "other",
    [
        page({"ana": 2}, 7),
        page({"ana": 1}, 8),
        page({"ana": 1}, 7, part=1),
        page({"ana": 1}, 7, incarnation="2-a"),
    ],
)
def test_only_the_version_that_is_held_counts(other: object) -> None:
    wanted = StoredPage(KEY, 7, page_digest(PAGE))
    assert is_that_page(PAGE.raw, wanted)
    assert not is_that_page(other.raw, wanted)  # type: ignore[attr-defined]
    assert not any(is_that_page(raw, wanted) for raw in (None, b"", PAGE.raw[:-1], PAGE.raw.split(b"\n")[0]))


def test_of_each_author_the_highest_page_comes_first_and_other_records_are_no_pages() -> None:
    days = ("2026-11-24", "2026-11-23", "unknown")
    names = [f"a/{life}/usage/{day}/0000" for day in days for life in ("10-x", "9-x")]
    assert names == in_order([*sorted(names), "booked", "reserved", "a/b", "a/b/c/d/e/f"])
    others = [name.replace("a/", "b/", 1) for name in names]
    assert [*others, *names] == in_order(sorted([*names, *others]))

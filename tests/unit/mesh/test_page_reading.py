"""Pages that are read again, and the order of a start."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.exchange import Exchange
from mesh.page_format import page_digest
from mesh.page_reading import PageReader, highest_first, is_that_page
from mesh.page_versions import StoredPage
from node.errors import StorageSlow, StorageTrouble
from tests.contracts.test_mesh_hostile_authors import HILL, page
from tests.fakes import neighbours
from tests.fakes.neighbours import FakePageCache

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


def test_of_an_author_the_highest_page_comes_first_and_other_records_are_no_pages() -> None:
    days = ("2026-11-24", "2026-11-23", "unknown")
    names = [f"a/{life}/usage/{day}/0000" for day in days for life in ("10-x", "9-x")]
    assert names == highest_first([*sorted(names), "booked", "reserved", "a/b", "a/b/c/d/e/f"])


@given(st.dictionaries(st.sampled_from(["a", "aa", "b", "booked"]), st.integers(1, 8)), st.integers(1, 4))
async def test_names_come_by_author_however_many_are_loaded_at_once(
    pages: dict[str, int], together: int
) -> None:
    cache = FakePageCache()
    by_author = {
        author: ["booked"]
        if author == "booked"
        else [f"{author}/1-a/usage/2026-11-0{day}/0000" for day in range(count)]
        for author, count in pages.items()
    }
    cache.records = {name: b"" for names in by_author.values() for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "NAMES_TOGETHER", together)
        found = [names async for names in PageReader(cache, Exchange("the-village", frozenset)).names()]
    assert [*(by_author[author] for author in sorted(by_author)), []] == found


async def test_names_that_cannot_be_read_have_no_end() -> None:
    class Failing(FakePageCache):
        async def names(self, after: str = "") -> list[str]:
            if after:
                raise StorageTrouble("the disk does not answer", "look at it")
            return ["a/1-a/usage/2026-11-01/0000", "b/1-a/usage/2026-11-01/0000"]

    reader = PageReader(Failing(), Exchange("the-village", frozenset))
    assert [["a/1-a/usage/2026-11-01/0000"]] == [names async for names in reader.names()]
    assert "the disk does not answer" in reader.trouble


async def test_a_start_waits_for_a_page_cache_that_is_slow_and_not_for_one_that_fails() -> None:
    class CacheThatIsSlow(FakePageCache):
        asked = 0

        async def read(self, names: Iterable[str]) -> dict[str, bytes]:
            self.asked += 1
            if self.asked < 3:
                raise StorageSlow("it has not answered for 3 s", "look at its disk")
            return await super().read(names)

    cache = CacheThatIsSlow()
    cache.records = {"booked": b"x"}
    assert [b"x"] == await PageReader(cache, Exchange("the-village", frozenset)).records(
        ["booked", "changes"]
    )
    assert cache.asked == 3

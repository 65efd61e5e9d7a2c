"""Of which stored pages a start merges the usage again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.pages import changes_record, reservation
from mesh.unbooked_pages import BOOKED, MANY, UnbookedPages, booked_record
from node.storage import usage_tables

NAMES = [f"author-{number}/1-a/usage/2026-11-24/0000" for number in range(8)]
STEPS = st.lists(
    st.tuples(st.sampled_from(["merge", "keep", "record", "start"]), st.integers(0, 7)), max_size=40
)


@given(STEPS)
def test_a_page_whose_usage_is_not_stored_is_never_left_out(steps: list[tuple[str, int]]) -> None:
    """The disk has the usage of the versions in `kept`, the last stored version of each page, and the record with them."""
    pages = UnbookedPages()
    pages.all_were_seen()
    record, stored = pages.record(), dict[str, int]()
    merged, kept = dict[str, int](), set[tuple[str, int]]()
    for version, (step, number) in enumerate(steps):
        if step == "merge":
            pages.merged(NAMES[number])
            merged[NAMES[number]] = version
        elif step == "keep":
            kept |= set(merged.items())
            pages.booked(pages.merges)
        elif step == "record":
            record, stored = pages.record(), {**stored, **merged}
        else:
            pages, merged = UnbookedPages(record), {}
            pages.all_were_seen()
            for each in sorted(stored.items()):
                assert each in kept or pages.includes(each[0])
                if pages.includes(each[0]):
                    pages.merged(each[0])
                    merged[each[0]] = each[1]


def test_what_is_merged_while_usage_is_being_stored_stays() -> None:
    pages = UnbookedPages()
    pages.all_were_seen()
    pages.merged(NAMES[0])
    pages.merged(NAMES[1])
    before = pages.merges
    pages.merged(NAMES[1])
    pages.booked(before)
    assert [False, True, False] == [pages.includes(name) for name in NAMES[:3]]


def test_pages_that_were_not_loaded_stay_in_the_record_until_they_are_merged() -> None:
    pages = UnbookedPages()
    pages.all_were_seen()
    pages.merged(NAMES[0])
    again = UnbookedPages(pages.record())
    again.all_were_seen()
    again.booked(again.merges)
    last = UnbookedPages(again.record())
    assert last.includes(NAMES[0])
    last.merged(NAMES[0])
    last.booked(last.merges)
    assert not last.includes(NAMES[0])


def test_many_pages_are_to_be_booked_when_hardly_any_come_still() -> None:
    pages = UnbookedPages()
    pages.all_were_seen()
    for number in range(MANY - 1):
        pages.merged(f"author/1-a/usage/2026-11-24/{number}")
    assert not pages.are_many(0)
    pages.merged(NAMES[0])
    assert pages.are_many(0)
    assert pages.are_many(MANY // 10)
    assert not pages.are_many(MANY // 10 + 1)
    pages.booked(pages.merges)
    assert not pages.are_many(0)


NO_RECORDS = [
    None,
    b"",
    b"{}",
    b'{"is":"booked"}',
    b'{"is":"booked","except":7}',
    b'["booked"]',
    b"\xff",
    b"a\npage",
]
NO_RECORDS += [
    b'{"is":"booked","except":"%"}',
    b'{"is":"booked","except":""}\n',
    reservation("1-a", 7),
    changes_record([]),
]


@pytest.mark.parametrize("record", NO_RECORDS)
def test_without_a_record_all_pages_are_merged_and_none_is_written(record: bytes | None) -> None:
    pages = UnbookedPages(record)
    assert pages.includes(NAMES[0])
    assert pages.record() is None
    assert booked_record([record or b""]) is None
    pages.all_were_seen()
    assert not pages.includes(NAMES[0])
    assert booked_record([b"a\npage", pages.record() or b""]) == pages.record()


def test_the_storage_knows_the_record_by_its_name() -> None:
    assert BOOKED == usage_tables.BOOKED

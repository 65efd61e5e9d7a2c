"""A node's own pages: split by accounts, rewritten only where something changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.exchange import PAGE_KIND
from mesh.messages import FRAME_BYTES_MAX, decode
from mesh.page_format import NUMBER_MAX, Page
from mesh.page_kinds import page_content
from mesh.page_versions import DAYS_MAX
from mesh.pages import ROWS_PER_PART, UsagePages, read_reservation, reservation
from mesh.usage_kind import PageContent, usage_rows
from node.accounting.ledger import UsageBucket
from node.identity import verify
from node.units import AccountId, Usage
from tests.fakes.neighbours import TODAY, bucket, id_of, key_of

HILL = id_of("hill")


def pages_of(incarnation: str = "life-1") -> UsagePages:
    return UsagePages(key_of("hill"), "the-village", incarnation)


def note(pages: UsagePages, account: str, down: int, day: str = TODAY) -> None:
    pages.note(day, AccountId(account), bucket(down))


def rows(page: Page) -> dict[str, UsageBucket]:
    found = usage_rows(page.body)
    assert isinstance(found, tuple)
    return dict(found)


def said(page: Page) -> PageContent:
    found = page_content(page)
    assert isinstance(found, PageContent)
    return found


def test_booked_usage_is_signed_and_numbered() -> None:
    pages = pages_of()
    note(pages, "ana", 5)
    [page] = pages.write()
    assert (HILL, "life-1", TODAY, 0, 1) == (page.author, page.incarnation, page.period, page.part, page.seq)
    assert {"ana": bucket(5)} == rows(page)
    assert verify(HILL, PAGE_KIND, page.signed, page.signature)


def test_nothing_is_written_without_new_usage() -> None:
    pages = pages_of()
    note(pages, "ana", 5)
    list(pages.write())
    note(pages, "ana", 5)
    note(pages, "ana", 4)
    assert 0 == pages.changed_count
    assert [] == list(pages.write())


def test_a_day_of_ten_thousand_accounts_is_split_and_one_change_rewrites_one_page() -> None:
    pages = pages_of()
    for number in range(10_000):
        note(pages, f"guest-{number:05d}", 1)
    assert -(-10_000 // ROWS_PER_PART) == len(list(pages.write()))
    note(pages, "guest-04321", 2)
    [page] = pages.write()
    assert bucket(2) == rows(page)["guest-04321"]


def test_each_day_has_its_pages() -> None:
    pages = pages_of()
    for day in ("2026-11-23", "2026-11-24", "unknown"):
        note(pages, "ana", 5, day)
    assert ["2026-11-23", "2026-11-24", "unknown"] == sorted(page.period for page in pages.write())


def test_after_a_restart_the_numbers_continue_and_only_changes_are_written() -> None:
    before = pages_of()
    note(before, "ana", 5)
    note(before, "ben", 6)
    [page] = before.write()
    after = pages_of()
    after.adopt(page, said(page))
    note(after, "ana", 5)
    assert 0 == after.changed_count
    note(after, "ben", 7)
    [news] = after.write()
    assert 2 == news.seq
    assert {"ana": bucket(5), "ben": bucket(7)} == rows(news)


@pytest.mark.parametrize(("author", "incarnation"), [("valley", "life-1"), ("hill", "life-0")])
def test_pages_of_others_and_of_earlier_incarnations_are_not_continued(author: str, incarnation: str) -> None:
    other = UsagePages(key_of(author), "the-village", incarnation)
    note(other, "ana", 5)
    [page] = other.write()
    pages = pages_of()
    pages.adopt(page, said(page))
    assert 0 == pages.seq
    note(pages, "ben", 7)
    [own] = pages.write()
    assert {"ben": bucket(7)} == rows(own), "nothing of the other page"


@pytest.mark.parametrize(
    ("account", "down"), [("", 1), ("x" * 65, 1), ("bell\a", 1), ("ana", NUMBER_MAX + 1), ("ana", -1)]
)
def test_usage_that_the_format_cannot_hold_does_not_stop_the_rest(account: str, down: int) -> None:
    pages = pages_of()
    note(pages, account, down)
    note(pages, "ben", 6)
    [page] = pages.write()
    assert {"ben": bucket(6)} == rows(page)


def test_old_days_leave_memory() -> None:
    pages = pages_of()
    for number in range(DAYS_MAX + 10):
        note(pages, "ana", 1, f"20{number:02d}-01-01")
    note(pages, "ana", 1, "unknown")
    assert DAYS_MAX == len(list(pages.write()))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 50)), max_size=40), st.data())
def test_the_newest_pages_always_add_up_to_the_ledger(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    """However often pages are written in between, and after restarts from its own pages."""
    usage_ledger: dict[str, UsageBucket] = {}
    page_cache: dict[str, Page] = {}
    pages = pages_of()
    for account, down in steps:
        usage_ledger[account] = bucket(usage_ledger.get(account, bucket(0)).uplink.down + down)
        pages.note(TODAY, AccountId(account), usage_ledger[account])
        if data.draw(st.booleans()):
            page_cache.update({page.label: page for page in pages.write()})
        if data.draw(st.booleans()):
            pages = pages_of()
            for page in page_cache.values():
                pages.adopt(page, said(page))
            for known, total in usage_ledger.items():
                pages.note(TODAY, AccountId(known), total)
    page_cache.update({page.label: page for page in pages.write()})
    assert usage_ledger == {
        account: total for page in page_cache.values() for account, total in rows(page).items()
    }


def test_numbers_are_reserved_for_one_incarnation_of_the_ledger() -> None:
    record = reservation("life-1", 1000)
    assert 1000 == read_reservation(record, "life-1")
    assert read_reservation(record, "life-2") is None


@pytest.mark.parametrize(
    "record", [b"", b"\xff", b"[1]", b'{"is":"root"}', b"{}\n{}\n00", b" " * 300 + b"{}"]
)
def test_other_records_reserve_nothing(record: bytes) -> None:
    assert read_reservation(record, "life-1") is None


def test_our_own_page_decodes_to_itself() -> None:
    pages = pages_of()
    note(pages, "ana", 5)
    [page] = pages.write()
    assert page == decode(page.raw)


def past_page(pages: UsagePages) -> tuple[Page, PageContent]:
    [page] = pages.write()
    return page, said(page)


def test_usage_of_earlier_incarnations_is_absorbed_by_this_one_and_declared_so() -> None:
    old, pages = pages_of("1-a"), pages_of("2-b")
    note(old, "ana", 5)
    [page] = old.write()
    pages.take_in(page, [("1-a", AccountId("ana"), bucket(5))])
    first, past = past_page(pages)
    assert ("past", "2-b", TODAY, 1) == (first.kind, first.incarnation, first.period, first.seq)
    assert PageContent((("1-a", AccountId("ana"), bucket(5)),), ()) == past
    second, past = past_page(pages)
    assert (
        PageContent((("1-a", AccountId("ana"), bucket(5)),), (("1-a", "usage/2026-11-24/0000", 1),)) == past
    )
    assert (first.label, 2) == (second.label, second.seq)
    assert [] == list(pages.write())


def test_after_a_restart_pages_about_earlier_incarnations_continue_in_the_same_parts() -> None:
    before = pages_of("2-b")
    before.note_past(TODAY, "1-a", AccountId("ana"), bucket(5))
    page, past = past_page(before)
    pages = pages_of("2-b")
    pages.adopt(page, past)
    pages.note_past(TODAY, "1-a", AccountId("ana"), bucket(5))
    pages.past.cover("1-a", "usage/2026-11-24/0000", 3)
    assert [] == list(pages.write())
    later, past = past_page(pages)
    assert (page.label, page.seq + 1) == (later.label, later.seq)
    pages.past.cover("1-a", "usage/2026-11-24/0000", 2)
    assert [] == list(pages.write())
    assert 0 == pages.changed_count


def test_the_largest_pages_about_earlier_incarnations_fit_into_a_frame() -> None:
    pages = pages_of("9" * 15 + "-" + "b" * 16)
    most = UsageBucket(Usage(NUMBER_MAX, NUMBER_MAX), Usage(NUMBER_MAX, NUMBER_MAX))
    for number in range(1_000):
        incarnation = f"{number:015d}-" + "a" * 16
        pages.note_past(TODAY, incarnation, AccountId(f"{number:04d}".ljust(64, "x")), most)
        pages.past.cover(incarnation, f"usage/{TODAY}/{number:04d}", NUMBER_MAX)
    written = [*pages.write(), *pages.write()]
    assert {1_000} == {len({row[0] for page in written for row in said(page).rows})}
    assert {1_000} == {len({cover[0] for page in written for cover in said(page).covers})}
    assert max(len(page.raw) for page in written) <= FRAME_BYTES_MAX


def test_old_days_of_earlier_incarnations_leave_memory() -> None:
    pages = pages_of("2-b")
    for month in (8, 9, 10):
        for day in range(1, 29):
            pages.note_past(f"2026-{month:02d}-{day:02d}", "1-a", AccountId("ana"), bucket(1))
    days = [page.period for _ in range(DAYS_MAX) for page in pages.write()]
    assert DAYS_MAX == len(days)
    assert sorted(days, reverse=True) == days, "one in each writing, the newest first"
    assert 0 == pages.changed_count

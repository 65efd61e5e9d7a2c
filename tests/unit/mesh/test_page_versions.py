"""Which pages a node holds, and the limits of that collection."""

import pytest

from mesh import page_versions
from mesh.exchange import PAGE_KIND
from mesh.messages import decode
from mesh.page_format import Page, assemble_page, page_digest, page_head
from mesh.page_kinds import page_content
from mesh.page_versions import HoldResult, PageCollection
from mesh.pages import UsagePages
from mesh.usage_kind import PageContent, usage_body
from node.identity import sign
from node.units import AccountId
from tests.fakes.neighbours import bucket, id_of, key_of

HILL = id_of("hill")
EVERYBODY = frozenset({HILL, id_of("valley")})


def page(
    down: int = 1,
    *,
    seq: int = 1,
    incarnation: str = "life-1",
    day: str = "2026-11-24",
    author: str = "hill",
    account: str = "ana",
) -> Page:
    pages = UsagePages(key_of(author), "the-village", incarnation)
    pages.seq = seq - 1
    pages.note(day, AccountId(account), bucket(down))
    return next(pages.write())


def days_of(month: int) -> list[str]:
    return [f"2026-{month:02d}-{day:02d}" for day in range(1, 29)]


def held(*pages: Page) -> PageCollection:
    found = PageCollection()
    for each in pages:
        hold(found, each)
    return found


def hold(found: PageCollection, each: Page, *covers: tuple[str, str, int]) -> HoldResult | None:
    said = page_content(each)
    assert isinstance(said, PageContent)
    return found.hold(each, PageContent(said.rows, covers))


@pytest.mark.parametrize(
    ("offered", "age"),
    [(page(2, seq=8), "newer"), (page(2, seq=6), "older"), (page(1, seq=7), "same"), (page(2, seq=7), "conflict"),
     (page(9, seq=1, day="2026-11-25"), "newer"), (page(9, seq=1, incarnation="life-2"), "newer")],
)  # fmt: skip
def test_a_page_with_a_higher_number_of_the_same_stream_is_newer(offered: Page, age: str) -> None:
    assert age == held(page(1, seq=7)).age(offered)


def test_nodes_with_the_same_pages_have_the_same_root_in_any_order_of_arrival() -> None:
    pages = [page(n, seq=n, day=day) for n, day in enumerate(days_of(11), start=1)]
    assert held(*pages).root(EVERYBODY) == held(*reversed(pages)).root(EVERYBODY)
    assert held(*pages).root(EVERYBODY) != held(*pages[1:]).root(EVERYBODY)


def test_pages_of_a_node_that_left_the_list_do_not_count() -> None:
    both = held(page(), page(author="valley"))
    assert held(page()).root(EVERYBODY) == both.root(frozenset({HILL}))


def test_of_two_pages_with_one_number_every_node_keeps_the_same() -> None:
    left, right = page(1, seq=7), page(2, seq=7)
    assert held(left, right).root(EVERYBODY) == held(right, left).root(EVERYBODY)
    kept = held(left, right).held((HILL, "life-1"), left.label)
    assert kept is not None
    assert max(page_digest(left), page_digest(right)) == kept.digest


def test_the_newest_days_of_a_stream_are_kept() -> None:
    pages = [page(seq=n, day=day) for n, day in enumerate(days_of(8) + days_of(9) + days_of(10), start=1)]
    found = held(*pages)
    assert page_versions.DAYS_MAX == len(found.listed((HILL, "life-1")))
    assert not found.has_room(pages[0])
    assert found.has_room(pages[-1])


def test_a_node_whose_clock_once_ran_ahead_can_still_publish() -> None:
    found = held(page(day="2099-01-01"), *(page(day=day) for day in days_of(9) + days_of(10)))
    assert found.has_room(page(day="2026-11-24"))


def test_pages_without_a_day_are_dropped_first() -> None:
    found = held(page(day="unknown"), *(page(day=day) for day in days_of(9) + days_of(10) + days_of(11)))
    assert "usage/unknown/0000" not in [label for label, _, _ in found.listed((HILL, "life-1"))]


def test_of_too_many_incarnations_those_with_the_highest_numbers_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_versions, "INCARNATIONS_MAX", 3)
    incarnations = [page(incarnation=f"{number}-x") for number in (2, 3, 9, 10, 11)]
    for order in (incarnations, incarnations[::-1]):
        found = PageCollection()
        for each in order:
            if found.has_room(each):
                hold(found, each)
        assert ["10-x", "11-x", "9-x"] == [incarnation for _, incarnation, _ in found.streams(EVERYBODY)]


def past_page(
    seq: int, *covers: tuple[str, str, int], incarnation: str = "2-b", day: str = "2026-11-24"
) -> Page:
    pages = UsagePages(key_of("hill"), "the-village", incarnation)
    pages.seq = seq - 1
    for cover in covers:
        pages.past.cover(*cover)
    pages.past.note(day, "1-a", AccountId("ana"), bucket(1))
    assert 1 == len(list(pages.write()))
    pages.past.note(day, "1-a", AccountId("ana"), bucket(2))
    pages.seq = seq - 1
    return next(pages.write())


def test_a_page_absorbed_by_a_later_incarnation_is_dropped_and_not_accepted_again() -> None:
    old, newer, other = (
        page(5, seq=7, incarnation="1-a"),
        page(6, seq=8, incarnation="1-a"),
        page(1, incarnation="1-a", day="2026-11-25"),
    )
    for order in ((old, other), (other, old)):
        found = held(*order, page(incarnation="2-b"))
        kept = found.hold(*read(past_page(2, ("1-a", old.label, 7))))
        assert kept == HoldResult((old.name,))
        assert [other.label] == [label for label, _, _ in found.listed((HILL, "1-a"))]
        assert ("older", "newer") == (found.age(old), found.age(newer))
        found.hold(*read(past_page(3, ("1-a", other.label, 1), day="2026-11-25")))
        assert ["2-b"] == [incarnation for _, incarnation, _ in found.streams(EVERYBODY)]
        assert ("older", "older", "newer") == (found.age(old), found.age(other), found.age(newer))


def read(page: Page) -> tuple[Page, PageContent]:
    said = page_content(page)
    assert isinstance(said, PageContent)
    return page, said


def test_a_page_may_be_held_again_when_no_page_declares_it_absorbed_any_more() -> None:
    """Otherwise nodes that heard of it would never agree with those that did not."""
    old = page(5, seq=7, incarnation="1-a")
    found = held(old)
    found.hold(*read(past_page(1, ("1-a", old.label, 7))))
    found.hold(*read(past_page(1, ("1-a", old.label, 7), incarnation="3-c")))
    assert "older" == found.age(old)
    found.hold(*read(past_page(2)))
    assert "older" == found.age(old)
    found.hold(*read(past_page(2, incarnation="3-c")))
    assert "newer" == found.age(old)


def test_no_incarnation_absorbs_a_later_one_itself_or_another_nodes() -> None:
    foreign = page(author="valley", incarnation="1-a")
    pages = [page(incarnation="2-b"), page(incarnation="2-c"), page(incarnation="1-a")]
    found = held(*pages, foreign)
    covers = [(incarnation, pages[0].label, 100) for incarnation in ("1-a", "2-b", "2-c")]
    found.hold(*read(past_page(1, *covers)))
    assert ["2-b", "2-c"] == [
        incarnation for author, incarnation, _ in found.streams(EVERYBODY) if author == HILL
    ]
    assert "same" == found.age(foreign)


def part(number: int, rows: int, *, seq: int = 1, day: str = "2026-11-24") -> Page:
    buckets = {AccountId(f"{number:03d}-{row:04d}"): bucket(1) for row in range(rows)}
    head = page_head(
        community="the-village", author=HILL, incarnation="life-1", period=day, part=number, seq=seq
    )
    signed = head + b"\n" + usage_body(buckets)
    found = decode(assemble_page(signed, sign(key_of("hill"), PAGE_KIND, signed)))
    assert isinstance(found, Page)
    return found


def labels(found: PageCollection) -> list[str]:
    return [label for label, _, _ in found.listed((HILL, "life-1"))]


@pytest.fixture
def a_hundred_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_versions, "AUTHOR_ROWS_MAX", 100)
    monkeypatch.setattr(page_versions, "AUTHOR_DAY_ROWS_MAX", 70)


@pytest.mark.usefixtures("a_hundred_rows")
def test_pages_of_the_oldest_days_are_evicted_when_an_author_exceeds_the_limit() -> None:
    days = [part(0, 40, day=day) for day in days_of(11)[:4]]
    for order in (days, days[::-1]):
        found = held(*order)
        assert [each.label for each in days[2:]] == labels(found)
    found = held(*days[:2])
    assert HoldResult((days[0].name,), is_full=True) == hold(found, days[2])
    assert hold(found, days[0]) is None
    assert [each.label for each in days[1:3]] == labels(found)


@pytest.mark.usefixtures("a_hundred_rows")
def test_one_day_has_only_a_part_of_an_authors_limit() -> None:
    parts = [part(number, 30) for number in range(4)]
    for order in (parts, parts[::-1]):
        assert [each.label for each in parts[2:]] == labels(held(*order, part(0, 20, day="2026-11-23")))[1:]


@pytest.mark.usefixtures("a_hundred_rows")
def test_a_page_that_does_not_fit_does_not_replace_its_predecessor() -> None:
    found = held(part(0, 20), part(1, 40))
    assert hold(found, part(0, 40, seq=2)) is None
    assert [(part(0, 20).label, 1), (part(1, 40).label, 1)] == [
        (label, seq) for label, seq, _ in found.listed((HILL, "life-1"))
    ]
    assert HoldResult() == hold(found, part(0, 30, seq=3))


def test_small_and_padded_pages_count_as_more_rows_than_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    small = [part(number, 1) for number in range(3)]
    monkeypatch.setattr(page_versions, "AUTHOR_DAY_ROWS_MAX", 2 * page_versions.ROWS_OF_A_PAGE_MIN)
    assert 2 == len(labels(held(*small)))
    head, body, _ = part(3, 1).raw.split(b"\n")
    signed = head + b"\n" + body.replace(b"{", b"{" + b" " * 60_000)
    padded = decode(assemble_page(signed, sign(key_of("hill"), PAGE_KIND, signed)))
    assert isinstance(padded, Page)
    monkeypatch.setattr(page_versions, "AUTHOR_DAY_ROWS_MAX", 400)
    assert hold(held(), padded) is None


def test_withdrawn_rows_are_listed_as_changed_until_they_are_settled() -> None:
    found = held(page(5, seq=1))
    hold(found, page(6, seq=2))
    assert [] == found.changed()
    hold(found, page(4, seq=3))
    hold(found, page(9, seq=1, author="valley"))
    assert [(HILL, "2026-11-24", 16)] == found.changed()
    hold(found, page(9, seq=4, account="ben"))
    found.settle(HILL, "2026-11-24", 16)
    assert [(HILL, "2026-11-24", 16)] == found.changed(), "what changed meanwhile"
    found.settle(HILL, "2026-11-24", 16)
    assert [] == found.changed()


def test_nothing_is_known_of_a_stream_that_never_arrived() -> None:
    assert [] == PageCollection().listed((HILL, "life-1"))
    assert PageCollection().held((HILL, "life-1"), "usage/2026-11-24/0000") is None

"""Which pages a node holds, and that nobody can make it hold more."""

import pytest

from mesh import collection
from mesh.collection import PageCollection
from mesh.messages import Page, page_digest
from mesh.pages import UsagePages
from node.units import AccountId, NodeId
from tests.fakes.neighbours import cell, id_of, key_of

HILL = id_of("hill")
EVERYBODY = frozenset({HILL, id_of("valley")})


def page(
    down: int = 1,
    *,
    seq: int = 1,
    life: str = "life-1",
    day: str = "2026-11-24",
    author: str = "hill",
    account: str = "ana",
) -> Page:
    pages = UsagePages(key_of(author), "the-village", life)
    pages.seq = seq - 1
    pages.note(day, AccountId(account), cell(down))
    return next(pages.write())


def days_of(month: int) -> list[str]:
    return [f"2026-{month:02d}-{day:02d}" for day in range(1, 29)]


def held(*pages: Page) -> PageCollection:
    found = PageCollection()
    for each in pages:
        found.hold(each)
    return found


@pytest.mark.parametrize(
    ("offered", "age"),
    [(page(2, seq=8), "newer"), (page(2, seq=6), "older"), (page(1, seq=7), "same"), (page(2, seq=7), "conflict"),
     (page(9, seq=1, day="2026-11-25"), "newer"), (page(9, seq=1, life="life-2"), "newer")],
)  # fmt: skip
def test_a_page_is_newer_by_its_number_within_its_name(offered: Page, age: str) -> None:
    assert age == held(page(1, seq=7)).age(offered)


def test_two_nodes_that_hold_the_same_have_one_root_in_whatever_order_it_came() -> None:
    pages = [page(n, seq=n, day=day) for n, day in enumerate(days_of(11), start=1)]
    assert held(*pages).root(EVERYBODY) == held(*reversed(pages)).root(EVERYBODY)
    assert held(*pages).root(EVERYBODY) != held(*pages[1:]).root(EVERYBODY)


def test_who_is_not_on_the_list_any_more_counts_for_nothing() -> None:
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
    assert collection.DAYS_MAX == len(found.listed((HILL, "life-1")))
    assert not found.has_room(pages[0])
    assert found.has_room(pages[-1])


def test_a_node_whose_clock_ran_ahead_once_can_still_publish() -> None:
    found = held(page(day="2099-01-01"), *(page(day=day) for day in days_of(9) + days_of(10)))
    assert found.has_room(page(day="2026-11-24"))


def test_pages_without_a_day_give_way_first() -> None:
    found = held(page(day="unknown"), *(page(day=day) for day in days_of(9) + days_of(10) + days_of(11)))
    assert "usage/unknown/0000" not in [label for label, _, _ in found.listed((HILL, "life-1"))]


def test_of_more_lives_than_are_kept_those_with_the_highest_numbers_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collection, "LIVES_MAX", 3)
    lives = [page(life=f"{number}-x") for number in (2, 3, 9, 10, 11)]
    for order in (lives, lives[::-1]):
        found = PageCollection()
        for each in order:
            if found.has_room(each):
                found.hold(each)
        assert ["10-x", "11-x", "9-x"] == [life for _, life, _ in found.streams(EVERYBODY)]


def test_a_page_that_a_later_life_has_taken_in_is_dropped_and_not_taken_again() -> None:
    old, newer, other = (
        page(5, seq=7, life="1-a"),
        page(6, seq=8, life="1-a"),
        page(1, life="1-a", day="2026-11-25"),
    )
    latest = page(life="2-b")
    for order in ((old, other), (other, old)):
        found = held(*order, latest)
        found.hold(latest, [("1-a", old.label, 7)])
        assert [other.label] == [label for label, _, _ in found.listed((HILL, "1-a"))]
        assert ("older", "newer") == (found.age(old), found.age(newer))
        found.hold(latest, [("1-a", other.label, 1), ("1-a", old.label, 3)])
        assert ["2-b"] == [life for _, life, _ in found.streams(EVERYBODY)]
        assert ("older", "older", "newer") == (found.age(old), found.age(other), found.age(newer))


def test_no_life_takes_in_a_later_one_or_itself_or_anybody_elses() -> None:
    foreign = page(author="valley", life="1-a")
    pages = [page(life="2-b"), page(life="2-c"), page(life="1-a")]
    found = held(*pages, foreign)
    for life in ("2-b", "2-c", "1-a"):
        found.hold(pages[0], [(life, pages[0].label, 100)])
    assert ["2-b", "2-c"] == [life for author, life, _ in found.streams(EVERYBODY) if author == HILL]
    assert "same" == found.age(foreign)


def test_what_is_known_to_be_taken_in_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "COVERS_MAX", 10)
    found = held(page(life="2-b"))
    days = days_of(9)
    found.hold(page(life="2-b"), [("1-a", f"usage/{day}/0000", 1) for day in days])
    taken_in = [day for day in days if found.is_covered((HILL, "1-a"), f"usage/{day}/0000", 1)]
    assert days[-10:] == taken_in


def test_a_node_that_writes_too_much_loses_its_oldest_pages_and_the_names_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names stay, so that neighbours do not send the same pages again and again."""
    monkeypatch.setattr(collection, "AUTHOR_BYTES_MAX", 3 * len(page().raw) + 100)
    days = days_of(11)[:5]
    found = held(*(page(day=day) for day in days))
    kept = [found.held((HILL, "life-1"), f"usage/{day}/0000") for day in days]
    assert [True, True, False, False, False] == [each is not None and each.raw is None for each in kept]
    assert "same" == found.age(page(day=days[0]))
    found.hold(page(5, seq=2, day=days[0]))
    assert 5 == len(found.listed((HILL, "life-1")))


def test_the_oldest_pages_are_not_looked_for_with_each_page_that_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hostile author sends small ones without end: 60,000 are sorted in 30 ms."""
    looked: list[NodeId] = []
    forget = PageCollection._forget_oldest

    def count(found: PageCollection, author: NodeId) -> None:
        looked.append(author)
        forget(found, author)

    monkeypatch.setattr(collection, "AUTHOR_BYTES_MAX", 24 * len(page().raw))
    monkeypatch.setattr(PageCollection, "_forget_oldest", count)
    held(*(page(day=day) for day in days_of(11)[:30]), *(page(day=day) for day in days_of(12)[:30]))
    assert 0 < len(looked) <= 12


def test_nothing_is_known_of_a_stream_that_never_came() -> None:
    assert [] == PageCollection().listed((HILL, "life-1"))
    assert PageCollection().held((HILL, "life-1"), "usage/2026-11-24/0000") is None

"""Which pages a node holds, and that nobody can make it hold more."""

import pytest

from mesh import collection
from mesh.collection import PageCollection
from mesh.messages import Page, page_digest
from mesh.pages import UsagePages
from node.units import AccountId
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


def test_three_lives_of_a_nodes_books_are_kept_those_with_the_newest_days() -> None:
    lives = [page(life=f"life-{n}", day=f"2026-11-2{n}") for n in range(5)]
    for order in (lives, lives[::-1]):
        found = PageCollection()
        for each in order:
            if found.has_room(each):
                found.hold(each)
        assert ["life-2", "life-3", "life-4"] == [life for _, life, _ in found.streams(EVERYBODY)]


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


def test_nothing_is_known_of_a_stream_that_never_came() -> None:
    assert [] == PageCollection().listed((HILL, "life-1"))
    assert PageCollection().held((HILL, "life-1"), "usage/2026-11-24/0000") is None

"""A contest is heard, answered where its author reads it, and erased with them."""

import pytest

from node.membership import contests
from node.membership.contests import CONTESTS_OPEN_MAX, Contest, ContestGone, Contests

DAY = "2027-03-01"


def test_its_author_reads_the_answer():
    many = Contests()
    contest = many.add("ana", "night", "I work at night.", DAY)
    answered = many.answer(contest.number, "We talk about it on Friday.", "2027-03-02")
    assert (answered,) == many.of("ana")
    assert ("We talk about it on Friday.", "2027-03-02") == (answered.answer, answered.answered_day)
    assert () == many.of("pere")


def test_three_wait_for_an_answer_and_no_more():
    many = Contests()
    for _ in range(CONTESTS_OPEN_MAX):
        assert many.has_room("ana")
        many.add("ana", "night", "Why?", DAY)
    assert not many.has_room("ana")
    assert many.has_room("pere")
    many.answer(1, "So.", DAY)
    assert many.has_room("ana")


def test_the_node_keeps_so_many_and_no_more(monkeypatch):
    monkeypatch.setattr(contests, "CONTESTS_MAX", 1)
    many = Contests()
    many.add("ana", "night", "Why?", DAY)
    assert not many.has_room("pere")
    with pytest.raises(AssertionError):
        many.add("pere", "night", "Why?", DAY)


def test_strangers_under_ever_new_addresses_silence_no_member(monkeypatch):
    monkeypatch.setattr(contests, "CONTESTS_OF_GUESTS_MAX", 2)
    many = Contests()
    for number in range(2):
        many.add(f"guest-{number}", "night", "Noise.", DAY)
    assert not many.has_room("guest-2")
    assert many.has_room("pere")
    assert many.has_room("voucher-abc")


def test_who_answers_finds_the_oldest_without_an_answer_first():
    many = Contests()
    for account in ("a", "b", "c", "d"):
        many.add(account, "night", "Why?", DAY)
    many.answer(1, "So.", DAY)
    many.answer(3, "So.", DAY)
    assert [2, 4, 3, 1] == [contest.number for contest in many.all()]


def test_an_answer_to_nothing_is_none():
    assert Contests().answer(1, "So.", DAY) is None


def test_erasing_takes_it_away_and_its_number_is_not_given_again():
    many = Contests()
    many.take([Contest(7, "ana", DAY, "night", "Why?")])
    assert (ContestGone(7),) == many.forget([7, 8])
    assert () == many.of("ana") == many.forget([7])
    assert many.get(7) is None
    assert 8 == many.add("ana", "night", "Why?", DAY).number


def test_erasing_one_leaves_the_others():
    many = Contests()
    for text in ("one", "two"):
        many.add("ana", "night", text, DAY)
    many.forget([1])
    assert ["two"] == [contest.text for contest in many.of("ana")]
    many.forget([2])
    assert () == many.of("ana")


def test_the_author_reads_the_newest_first():
    many = Contests()
    for text in ("one", "two"):
        many.add("ana", "night", text, DAY)
    assert ["two", "one"] == [contest.text for contest in many.of("ana")]

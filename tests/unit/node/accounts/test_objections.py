"""An objection is stored, answered where its author reads it, and erased with its author."""

import pytest

from node.accounts import objections
from node.accounts.objections import OBJECTIONS_OPEN_MAX, Objection, ObjectionGone, Objections

DAY = "2027-03-01"


def test_its_author_reads_the_answer():
    many = Objections()
    objection = many.add("ana", "night", "I work at night.", DAY)
    answered = many.answer(objection.number, "We talk about it on Friday.", "2027-03-02")
    assert (answered,) == many.of("ana")
    assert ("We talk about it on Friday.", "2027-03-02") == (answered.answer, answered.answered_day)
    assert () == many.of("pere")


def test_at_most_three_wait_for_an_answer():
    many = Objections()
    for _ in range(OBJECTIONS_OPEN_MAX):
        assert many.has_room("ana")
        many.add("ana", "night", "Why?", DAY)
    assert not many.has_room("ana")
    assert many.has_room("pere")
    many.answer(1, "So.", DAY)
    assert many.has_room("ana")


def test_the_number_of_stored_objections_is_limited(monkeypatch):
    monkeypatch.setattr(objections, "OBJECTIONS_MAX", 1)
    many = Objections()
    many.add("ana", "night", "Why?", DAY)
    assert not many.has_room("pere")
    with pytest.raises(AssertionError):
        many.add("pere", "night", "Why?", DAY)


def test_guests_with_ever_new_addresses_do_not_prevent_a_members_objection(monkeypatch):
    monkeypatch.setattr(objections, "OBJECTIONS_OF_GUESTS_MAX", 2)
    many = Objections()
    for number in range(2):
        many.add(f"guest-{number}", "night", "Noise.", DAY)
    assert not many.has_room("guest-2")
    assert many.has_room("pere")
    assert many.has_room("voucher-abc")


def test_the_oldest_unanswered_objection_is_listed_first():
    many = Objections()
    for account in ("a", "b", "c", "d"):
        many.add(account, "night", "Why?", DAY)
    many.answer(1, "So.", DAY)
    many.answer(3, "So.", DAY)
    assert [2, 4, 3, 1] == [objection.number for objection in many.all()]


def test_answering_an_unknown_objection_changes_nothing():
    assert Objections().answer(1, "So.", DAY) is None


def test_an_erased_objection_is_gone_and_its_number_is_not_used_again():
    many = Objections()
    many.take([Objection(7, "ana", DAY, "night", "Why?")])
    assert (ObjectionGone(7),) == many.forget([7, 8])
    assert () == many.of("ana") == many.forget([7])
    assert many.get(7) is None
    assert 8 == many.add("ana", "night", "Why?", DAY).number


def test_erasing_one_leaves_the_others():
    many = Objections()
    for text in ("one", "two"):
        many.add("ana", "night", text, DAY)
    many.forget([1])
    assert ["two"] == [objection.text for objection in many.of("ana")]
    many.forget([2])
    assert () == many.of("ana")


def test_the_author_reads_the_newest_first():
    many = Objections()
    for text in ("one", "two"):
        many.add("ana", "night", text, DAY)
    assert ["two", "one"] == [objection.text for objection in many.of("ana")]


def test_those_of_before_get_a_key_once_when_they_are_shared():
    many = Objections()
    many.take([Objection(7, "ana", DAY, "night", "Why?")])
    assert () == many.keyed()
    keys = iter(["a-hill", "b-hill"])
    many.new_key = lambda _account: next(keys)
    (named,) = many.keyed()
    assert ("a-hill", "hill", 7) == (named.key, named.origin, named.number)
    assert () == many.keyed()
    assert named == many.with_key("a-hill")
    assert "b-hill" == many.add("ana", "night", "Why?", DAY).key
    assert (ObjectionGone(7, "a-hill"),) == many.forget([7])
    assert many.with_key("a-hill") is None

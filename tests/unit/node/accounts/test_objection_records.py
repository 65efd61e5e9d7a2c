"""What other nodes are told of objections, and what they make of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.registry_kind import is_value
from node.accounts import objections
from node.accounts.changes import Objection, ObjectionGone, PassphraseGone
from node.accounts.objection_records import KIND, apply_objection, join_objections, objection_record
from node.accounts.objections import ANSWER_CHARS_MAX, OBJECTION_CHARS_MAX, RULE_CHARS_MAX
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, value_text
from node.units import AccountId
from tests.fakes.members import make_registry
from tests.fakes.registry_fixture import TODAY, at

ANA, KEY = AccountId("ana"), "00ff00ff00ff00ff-mcyfefpt6b3wqbrm"
FILED = Objection(3, ANA, "2027-02-01", "night", "Why?", key=KEY)
ANSWERED = replace(FILED, answer="Because.", answered_day="2027-02-02")


def told(value: dict[str, Any], key: str = KEY) -> RegistryRecord:
    return RegistryRecord(KIND, key, 1, "", value)


def record_of(objection: Objection) -> RegistryRecord:
    said = objection_record(objection, TODAY)
    assert said is not None
    return RegistryRecord(KIND, said[0], 1, said[2], said[1])


def known(registry: AccountRegistry) -> Objection:
    found = registry.objections.with_key(KEY)
    assert found is not None
    return found


def test_an_answered_one_ends_when_its_row_does_and_a_deleted_one_says_no_word() -> None:
    assert "" == record_of(FILED).until
    assert "2028-03-08" == record_of(ANSWERED).until
    assert (KEY, {}, "2028-04-04") == objection_record(ObjectionGone(3, KEY), TODAY)
    assert objection_record(PassphraseGone(ANA), TODAY) is None


@pytest.mark.parametrize("change", [replace(FILED, key=""), ObjectionGone(3)])
def test_one_without_a_key_is_not_shared(change: Objection | ObjectionGone) -> None:
    assert objection_record(change, TODAY) is None


def test_what_is_told_gets_a_number_here_and_keeps_its_key() -> None:
    registry = make_registry()
    registry.add_objection(AccountId("ben"), "", "Mine.", at())
    (row,) = apply_objection(record_of(FILED), registry, at())
    assert replace(FILED, number=2) == row == known(registry)
    assert () == apply_objection(record_of(FILED), registry, at())
    (row,) = apply_objection(record_of(ANSWERED), registry, at())
    assert replace(ANSWERED, number=2) == row
    assert record_of(FILED).value == record_of(replace(FILED, number=7)).value, "numbers are of one node"
    assert (ObjectionGone(2, KEY),) == apply_objection(told({}), registry, at())
    assert registry.objections.with_key(KEY) is None
    assert () == apply_objection(told({}), registry, at())


def test_what_a_person_wrote_is_not_changed_from_elsewhere() -> None:
    registry = make_registry()
    apply_objection(record_of(FILED), registry, at())
    apply_objection(record_of(replace(ANSWERED, text="I agree.", rule="all")), registry, at())
    assert ("Why?", "night", "Because.") == (
        known(registry).text,
        known(registry).rule,
        known(registry).answer,
    )


@pytest.mark.parametrize(
    "value",
    [{"account": "ana"}, {"account": "", "text": "x"}, {"account": 7, "text": "x"},
     {"account": "ana", "text": "x" * (OBJECTION_CHARS_MAX + 1)}, {"account": "ana", "text": "x", "day": "x" * 11},
     {"account": "ana", "text": "x", "rule": "x" * (RULE_CHARS_MAX + 1)}, {"account": "ana", "text": ["x"]},
     {"account": "ana", "text": "x", "answer": "x" * (ANSWER_CHARS_MAX + 1)},
     {"account": "ana", "text": "x", "answer": None}, {"account": "x" * 65, "text": "x"},
     {"account": "ana\u202e", "text": "x"}, {"account": "ana", "text": "x", "day": "zzzz"},
     {"account": "ana", "text": "x", "day": "2027-W05-1"}, {"account": "ana", "text": "x", "day": []},
     {"account": "ana", "text": "x", "answer": "y", "answered_day": "9999-99-99"}],
)  # fmt: skip
def test_what_cannot_be_read_changes_nothing(value: dict[str, Any]) -> None:
    registry = make_registry()
    assert () == apply_objection(told(value), registry, at())
    assert 0 == len(registry.objections)


def test_a_flood_from_elsewhere_leaves_room_for_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objections, "OBJECTIONS_OF_GUESTS_MAX", 5)
    monkeypatch.setattr(objections, "OBJECTIONS_MAX", 7)
    monkeypatch.setattr(objections, "OBJECTIONS_FILED_HERE_MIN", 0)
    registry = make_registry()
    for account in ("guest-1", "ana"):
        for number in range(9):
            apply_objection(told({"account": account, "text": "x"}, f"{account}-{number}"), registry, at())
    assert 5 == len(registry.objections.of(AccountId("guest-1")))
    assert 2 == len(registry.objections.of(ANA))


def test_other_nodes_cannot_take_the_room_of_those_that_are_filed_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(objections, "OBJECTIONS_OF_GUESTS_MAX", 6)
    monkeypatch.setattr(objections, "OBJECTIONS_MAX", 8)
    monkeypatch.setattr(objections, "OBJECTIONS_FILED_HERE_MIN", 2)
    registry = make_registry()
    for number in range(9):
        for account in ("guest-1", "guest-2", "cai"):
            apply_objection(told({"account": account, "text": "x"}, f"{account}-{number}"), registry, at())
    assert 6 == len(registry.objections)
    for account in ("ana", "ben"):
        assert registry.objections.has_room(AccountId(account))
        registry.objections.add(AccountId(account), "", "Why?", TODAY)


def test_nothing_in_a_text_turns_or_clears_the_page_on_which_it_is_read() -> None:
    registry = make_registry()
    value = {
        "account": "ana",
        "text": "a\x1b[2J\u202eb\nc",
        "rule": "n\x00",
        "answer": "\u2028d",
        "answered_day": TODAY,
    }
    apply_objection(told(value), registry, at())
    taken = known(registry)
    assert ("a [2J b\nc", "n ", " d") == (taken.text, taken.rule, taken.answer)
    raw = replace(FILED, text="a\x1b\u200cb")
    assert "a \u200cb" == record_of(raw).value["text"]
    apply_objection(record_of(raw), registry := make_registry(), at())
    assert record_of(raw) == record_of(known(registry)), "the row of another node makes no new version"


def test_the_longest_objection_fits_into_a_record() -> None:
    long = Objection(
        1, AccountId("é" * 32), TODAY, "😀" * RULE_CHARS_MAX, "😀" * OBJECTION_CHARS_MAX, key=KEY
    )
    assert is_value(record_of(replace(long, answer="😀" * ANSWER_CHARS_MAX, answered_day=TODAY)).value)
    assert is_value(record_of(replace(long, text="\x01" * OBJECTION_CHARS_MAX)).value)


values = st.just({}) | st.fixed_dictionaries(
    {"account": st.just("ana"), "text": st.just("x")},
    optional={
        "answer": st.sampled_from(["", "a", "b", None]),
        "answered_day": st.sampled_from(["", "2027", 7]),
    },
)


@given(values, values, values)
def test_of_two_values_the_same_holds_in_any_order(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert value_text(join_objections(one, two)) == value_text(join_objections(two, one))
    left = join_objections(join_objections(one, two), three)
    assert value_text(left) == value_text(join_objections(one, join_objections(two, three)))
    assert one == join_objections(one, one)


def test_deleted_goes_before_answered_and_the_first_answer_before_the_second() -> None:
    later = replace(ANSWERED, answer="Another one.", answered_day="2027-02-03")
    first, second, filed = (record_of(each).value for each in (ANSWERED, later, FILED))
    assert first == join_objections(first, second) == join_objections(filed, first)
    assert {} == join_objections({}, first)

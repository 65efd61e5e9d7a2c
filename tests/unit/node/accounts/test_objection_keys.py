"""Keys of objections: only this node makes its own, and others take no place of what a person may file here."""

from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.objection_keys import ObjectionKeys
from node.accounts.objections import OBJECTIONS_OPEN_MAX, Objection, Objections
from node.units import AccountId

ANA = AccountId("ana")
DAY = "2026-11-24"


def keys_of(secret: bytes = b"hill", origin: str = "hill") -> ObjectionKeys:
    numbers = count(1)
    return ObjectionKeys(secret * 8, origin, lambda size: next(numbers).to_bytes(size))


def shared(keys: ObjectionKeys) -> Objections:
    made = Objections()
    made.new_key, made.is_filed_here = keys.new, keys.is_made_here
    return made


@given(st.text(min_size=1, max_size=20))
def test_a_key_is_known_again_for_its_account_and_for_no_other(account: str) -> None:
    keys = keys_of()
    filed = Objection(1, AccountId(account), DAY, "night", "Why?", key=keys.new(AccountId(account)))
    assert 16 == filed.key.index("-")
    assert "hill" == filed.origin
    assert keys.is_made_here(filed)
    assert not keys.is_made_here(replace(filed, account=AccountId(f"{account}x")))
    assert not keys_of(b"vale").is_made_here(filed)


def test_what_other_nodes_file_in_the_name_of_a_person_leaves_the_person_their_places() -> None:
    """Also with keys that name this node as their origin."""
    many = shared(keys_of())
    for number in range(9):
        key = f"{number:016x}-{'hill' if number % 2 else 'liar'}"
        assert many.take_told(Objection(0, ANA, DAY, "night", "A lie", key=key)) is not None
    for _ in range(OBJECTIONS_OPEN_MAX):
        assert many.has_room(ANA)
        many.add(ANA, "night", "Why?", DAY)
    assert not many.has_room(ANA), "their own count"


def test_those_that_come_back_after_a_lost_database_count() -> None:
    before = shared(keys_of())
    filed = [before.add(ANA, "night", "Why?", DAY) for _ in range(OBJECTIONS_OPEN_MAX)]
    after = shared(keys_of())
    for each in filed:
        after.take_told(replace(each, number=0))
    assert not after.has_room(ANA)


def test_a_key_of_any_form_is_no_error() -> None:
    keys = keys_of()
    for key in ("", "x", "ñ" * 30, "0" * 16 + "-hill"):
        assert not keys.is_made_here(Objection(1, ANA, DAY, "", "Why?", key=key))

"""People find each other by the names they use."""

import pytest

from node.governance.allowance import Unit
from node.governance.roll import make_roll
from node.membership.hosts import HostNames

ROLL = make_roll(
    (Unit("ana", "member"), Unit("pere", "member"), Unit("household-17", "member"), Unit("joan-2", "member")),
    {"household-17": "Núria  and Pol", "ana": "Ana Mas", "pere": "Joan", "joan-2": "joan"},
)


@pytest.mark.parametrize(
    ("typed", "account"),
    [
        ("ana", "ana"),
        (" ANA ", "ana"),
        ("ana mas", "ana"),
        ("nu\u0301ria and  pol", "household-17"),
        ("household-17", "household-17"),
        ("maria", None),
        ("", None),
        ("a" * 1_000_000, None),
    ],
)
def test_a_member_is_found_by_account_or_name(typed, account):
    assert account == HostNames().find(typed, ROLL)


def test_a_name_that_two_have_is_nobodys():
    names = HostNames()
    assert names.find("Joan", ROLL) is None
    assert "pere" == names.find("pere", ROLL)


def test_nobody_takes_over_anothers_account_by_calling_themselves_so():
    roll = make_roll((Unit("ana", "member"), Unit("mallory", "member")), {"mallory": "Ana"})
    assert "ana" == HostNames().find("ana", roll)


def test_a_changed_roll_is_seen_at_once():
    names = HostNames()
    assert "ana" == names.find("ana", ROLL)
    assert names.find("ana", make_roll(())) is None

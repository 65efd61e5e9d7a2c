"""Members are found by the names that people use."""

import pytest

from node.accounts.member_lookup import MemberLookup
from node.governance.allowance import Unit
from node.governance.members import make_member_directory

MEMBER_DIRECTORY = make_member_directory(
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
    assert account == MemberLookup().find(typed, MEMBER_DIRECTORY)


def test_an_ambiguous_name_finds_nobody():
    names = MemberLookup()
    assert names.find("Joan", MEMBER_DIRECTORY) is None
    assert "pere" == names.find("pere", MEMBER_DIRECTORY)


def test_a_display_name_never_takes_over_another_members_account_name():
    member_directory = make_member_directory(
        (Unit("ana", "member"), Unit("mallory", "member")), {"mallory": "Ana"}
    )
    assert "ana" == MemberLookup().find("ana", member_directory)


def test_a_changed_members_file_is_used_at_once():
    names = MemberLookup()
    assert "ana" == names.find("ana", MEMBER_DIRECTORY)
    assert names.find("ana", make_member_directory(())) is None

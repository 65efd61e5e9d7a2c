"""The members file."""

from datetime import date

import pytest

from node.governance.allowance import Unit
from node.governance.members import make_member_directory, parse_members
from node.governance.rules import LATE_DUES
from node.units import AccountId, MacAddress

MEMBER_DIRECTORY = """
[[account]]
id = "household-17"
groups = ["mast-host"]
devices = ["02:11:22:33:44:55", "02-11-22-33-44-AA"]
name = "Ana and Pere"

[[account]]
id = "clinic"
tier = "service"
"""


def test_a_member_has_a_tier_groups_and_devices():
    member_directory, findings = parse_members(MEMBER_DIRECTORY)
    assert () == findings
    assert Unit(AccountId("household-17"), "member", frozenset({"mast-host"})) == member_directory.unit(
        "household-17"
    )
    assert "service" == member_directory.unit("clinic").tier
    assert "household-17" == member_directory.devices.get(MacAddress("02:11:22:33:44:aa"))
    assert ["clinic", "household-17"] == [unit.account for unit in member_directory.units]
    assert {"household-17": "Ana and Pere"} == member_directory.names


def test_each_account_has_the_devices_listed_for_it_and_no_others():
    member_directory = make_member_directory(
        (), {}, {"02:00:00:00:00:0a": "ana", "02:00:00:00:00:0b": "ben", "02:00:00:00:00:0c": "ana"}
    )
    assert ("02:00:00:00:00:0a", "02:00:00:00:00:0c") == member_directory.devices_of("ana")
    assert () == member_directory.devices_of("pere")
    assert {mac: owner for owner in ("ana", "ben") for mac in member_directory.devices_of(owner)} == dict(
        member_directory.devices
    )


def test_an_account_that_is_not_listed_is_a_guest():
    member_directory, _ = parse_members(MEMBER_DIRECTORY)
    assert Unit(AccountId("stranger"), "guest") == member_directory.unit(AccountId("stranger"))
    assert member_directory.devices.get(MacAddress("02:00:00:00:00:01")) is None


def test_an_empty_file_has_no_members():
    member_directory, findings = parse_members("# nobody yet\n")
    assert ((), ()) == (member_directory.units, findings)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('id = "a"\nteir = "x"', 3),
        ('tier = "x"', 1),
        ('id = "Ana Maria"', 2),
        ('id = "guest-abc"', 2),
        ('id = "a"\ntier = "Té"', 3),
        ('id = "a"\ngroups = ["ok", "not ok"]', 3),
        ('id = "a"\ngroups = 3', 3),
        ('id = "a"\ndevices = ["02:11"]', 3),
        ('id = "a"\ndevices = ["01:00:5e:00:00:01"]', 3),
        ('id = "a"\ndevices = ["02:11:22:33:44:55", "02:11:22:33:44:55"]', 3),
        ('id = "a"\n[[account]]\nid = "a"', 4),
        (
            'id = "a"\ndevices = ["02:11:22:33:44:55"]\n[[account]]\nid = "b"\ndevices = ["02-11-22-33-44-55"]',
            6,
        ),
        ('id = "a"\n[settings]\nx = 1', 3),
        ('id = "a', 2),
    ],
)
def test_each_wrong_line_is_reported_with_what_to_write(text, line):
    member_directory, findings = parse_members(f"[[account]]\n{text}\n")
    assert member_directory is None
    assert [("E01", line)] == [(finding.code, finding.line) for finding in findings]
    assert findings[0].fix


def test_too_many_groups_or_devices_are_refused():
    groups = ", ".join(f'"g{n}"' for n in range(21))
    devices = ", ".join(f'"02:00:00:00:00:{n:02x}"' for n in range(51))
    findings = parse_members(f'[[account]]\nid = "a"\ngroups = [{groups}]\ndevices = [{devices}]\n')[1]
    assert [3, 4] == [finding.line for finding in findings]


def test_each_word_of_a_members_name_is_in_one_script():
    for name in ("Ana Иван", "Núñez", "Noël", "محمد", "田中さん"):
        assert parse_members(f'[[account]]\nid = "a"\nname = "{name}"\n')[0] is not None
    member_directory, (finding,) = parse_members('[[account]]\nid = "a"\n\nname = "An\u0430"\n')
    assert (None, 4) == (member_directory, finding.line)
    assert "U+0430 CYRILLIC SMALL LETTER A" in finding.message


def test_dues_are_late_after_the_last_day_and_a_grace():
    member_directory, findings = parse_members(
        '[[account]]\nid = "ana"\npaid_until = "2026-12-31"\n[[account]]\nid = "ben"\n'
    )
    assert () == findings
    days = [date(2026, 12, 31), date(2027, 1, 14), date(2027, 1, 15), None]
    late = [LATE_DUES in member_directory.unit_on(AccountId("ana"), day, 14).groups for day in days]
    assert [False, False, True, False] == late
    assert [True, False] == [
        LATE_DUES in member_directory.unit_on(AccountId("ana"), day, 0).groups
        for day in (date(2027, 1, 1), date(2026, 12, 31))
    ]
    for account in ("ben", "stranger"):
        assert member_directory.unit(AccountId(account)) == member_directory.unit_on(
            AccountId(account), date(2199, 1, 1), 0
        )


def test_dues_of_a_guest_are_never_late():
    """The checks go through guests without late dues, so a node must not meet one with them."""
    member_directory, _ = parse_members(
        '[[account]]\nid = "visitor"\ntier = "guest"\ngroups = ["press"]\npaid_until = "2020-01-01"\n'
    )
    assert member_directory is not None
    visitor = member_directory.unit_on(AccountId("visitor"), date(2026, 11, 29), 0)
    assert {"press"} == visitor.groups


@pytest.mark.parametrize("value", ['"soon"', "2026-12-31", '"2026-02-30"'])
def test_a_day_of_dues_that_is_none_is_refused(value):
    member_directory, (finding,) = parse_members(f'[[account]]\nid = "ana"\npaid_until = {value}\n')
    assert member_directory is None
    assert (3, "write a day as year-month-day") == (finding.line, finding.fix[:29])

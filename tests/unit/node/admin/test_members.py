"""Parsing of the member form."""

import pytest

from node.admin.fields import TypedForm
from node.admin.members import member_values, read_member
from node.app.admin_members import MemberEntry

ANA = MemberEntry(
    "ana",
    "Ana Mas",
    "member",
    ("school", "mast-hosts"),
    ("02:00:00:00:00:aa", "02:00:00:00:00:ab"),
    "2026-12-31",
)


def test_a_member_goes_through_the_form_unchanged():
    form = TypedForm(member_values(ANA))
    assert ANA == read_member(form)
    assert {} == form.errors


def test_groups_and_devices_are_read_with_any_separator():
    form = TypedForm(
        {"account": "Ana", "groups": "a; b,c  a", "devices": "02-00-00-00-00-AA\r\n02:00:00:00:00:aa"}
    )
    member = read_member(form)
    assert (("a", "b", "c"), ("02:00:00:00:00:aa",)) == (member.groups, member.devices)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("account", ""),
        ("account", "x" * 41),
        ("name", "x" * 81),
        ("devices", "02:00 banana"),
        ("paid_until", "soon"),
    ],
)
def test_an_invalid_value_is_reported_at_its_field(field, typed):
    form = TypedForm({**member_values(ANA), field: typed})
    read_member(form)
    assert [field] == list(form.errors)

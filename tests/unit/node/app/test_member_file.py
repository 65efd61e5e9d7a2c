"""The members file changes only where it was edited."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from node.app.admin_members import MemberEntry, members_of, with_member, without_member
from node.characters import hidden_character, mixed_scripts
from node.governance.members import parse_members

FILE = """\
# The members of Vall Alta.

[[account]]
id = "ana"  # keeps the keys
name = "Ana Mas"
tier = "member"
groups = ["mast-hosts"]
devices = [
    "02-00-00-00-00-AA",  # the laptop
    "02:00:00:00:00:ab",  # the phone
]

# Pays for the mast.
[[account]]
id = "school"
tier = "anchor"
devices = "02:00:00:00:00:ac"
# nothing else is known of it
"""
ANA = MemberEntry("ana", "Ana Mas", "member", ("mast-hosts",), ("02:00:00:00:00:aa", "02:00:00:00:00:ab"))


def members(text: str) -> dict[str, MemberEntry]:
    member_directory, findings = parse_members(text)
    assert member_directory is not None, findings
    return {member.account: member for member in members_of(member_directory)}


def test_saving_an_unchanged_member_changes_no_byte():
    assert FILE == with_member(FILE, ANA, "ana")


def test_a_change_keeps_every_comment_in_place():
    changed = with_member(
        FILE,
        MemberEntry(
            "ana", "Ana", "member", ("mast-hosts", "school"), ("02:00:00:00:00:aa", "02:00:00:00:00:ad")
        ),
        "ana",
    )
    assert isinstance(changed, str)
    for comment in (
        "keeps the keys",
        "the laptop",
        "# Pays for the mast.",
        "nothing else is known",
        "# The members",
    ):
        assert comment in changed
    assert "the phone" not in changed
    assert FILE.partition("# Pays")[2] == changed.partition("# Pays")[2]


def test_everything_of_a_member_but_the_account_can_be_removed():
    changed = with_member(FILE, MemberEntry("ana"), "ana")
    assert isinstance(changed, str)
    assert MemberEntry("ana", "", "member") == members(changed)["ana"]


def test_an_account_can_be_renamed():
    changed = with_member(FILE, MemberEntry("anna", "Ana Mas", "member"), "ana")
    assert isinstance(changed, str)
    assert {"anna", "school"} == set(members(changed))
    assert "keeps the keys" in changed


def test_the_first_member_creates_the_file():
    assert '[[account]]\nid = "ana"\nname = "Ana Mas"\n' == with_member("", MemberEntry("ana", "Ana Mas"), "")


def test_removing_a_member_removes_nothing_else():
    gone = without_member(FILE, "ana")
    assert isinstance(gone, str)
    assert {"school"} == set(members(gone))
    assert "# Pays for the mast." in gone
    gone = without_member(FILE, "school")
    assert isinstance(gone, str)
    assert ANA == members(gone)["ana"]


def test_a_missing_account_is_reported():
    for told in (with_member(FILE, ANA, "pere"), without_member(FILE, "pere")):
        assert isinstance(told, tuple)
        assert "pere" in told[0].message


@pytest.mark.parametrize(
    "wrong",
    [
        MemberEntry("school"),
        MemberEntry("guest-1"),
        MemberEntry("Ana Mas"),
        MemberEntry("joan", devices=("02:00:00:00:00:aa",)),
    ],
)
def test_an_invalid_member_is_not_written(wrong):
    told = with_member(FILE, wrong, "")
    assert isinstance(told, tuple)
    assert all(finding.is_error for finding in told)


@pytest.mark.parametrize(
    "unusual",
    ['account = [{id = "ana"}, {id = "pere"}]\n', '[[ "account" ]]\nid = "ana"\n'],
)
def test_a_file_in_another_toml_style_is_left_to_be_edited_by_hand(unusual):
    told = with_member(unusual, MemberEntry("ana", "Ana"), "ana")
    assert isinstance(told, tuple)
    assert "by hand" in told[0].fix


def test_a_broken_file_is_not_changed():
    told = with_member(FILE + "nonsense", MemberEntry("joan"), "")
    assert isinstance(told, tuple)


def test_line_endings_of_another_system_are_kept():
    changed = with_member(FILE.replace("\n", "\r\n"), MemberEntry("ana", "Ana"), "ana")
    assert isinstance(changed, str)
    assert "Pays for the mast.\r\n" in changed
    assert "Ana" == members(changed)["ana"].name


MACS = st.integers(1, 200).map(lambda n: f"02:00:00:00:01:{n:02x}")
NAMES = st.sampled_from(["pere", "joan", "carme", "lluc"])
TEXT = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20).filter(
    lambda text: hidden_character(text) is None and not mixed_scripts(text)
)
WISHES = st.builds(
    MemberEntry,
    account=NAMES,
    name=TEXT,
    tier=st.sampled_from(["member", "anchor"]),
    groups=st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple),
    devices=st.lists(MACS, unique=True, max_size=3).map(tuple),
)


def test_the_day_until_which_dues_are_paid_is_written_and_taken_out():
    paid = with_member(FILE, replace(ANA, paid_until="2026-12-31"), "ana")
    assert isinstance(paid, str)
    assert 'paid_until = "2026-12-31"' in paid
    assert "2026-12-31" == members(paid)["ana"].paid_until
    assert "" == members(paid)["school"].paid_until
    assert FILE == with_member(paid, ANA, "ana")
    (finding,) = with_member(FILE, replace(ANA, paid_until="1999-12-31"), "ana")
    assert finding.is_error

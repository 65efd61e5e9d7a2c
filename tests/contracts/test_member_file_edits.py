"""Any sequence of edits of the members' file through the admin pages."""

from hypothesis import given, settings
from hypothesis import strategies as st

from node.app.admin_members import with_member, without_member
from tests.examples import examples
from tests.unit.node.app.test_member_file import FILE, WISHES, members


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.booleans(), WISHES), max_size=8))
def test_every_edit_in_the_browser_is_in_the_file_and_other_members_stay(edits):
    text, expected = FILE, members(FILE)
    for is_removal, wish in edits:
        there = wish.account in expected
        after = (
            without_member(text, wish.account)
            if is_removal
            else with_member(text, wish, wish.account if there else "")
        )
        if isinstance(after, str):
            text = after
            expected.pop(wish.account, None)
            if not is_removal:
                expected[wish.account] = wish
        else:
            taken = {
                mac for each in expected.values() if each.account != wish.account for mac in each.devices
            }
            assert (is_removal and not there) or taken & set(wish.devices), after
    found = members(text)
    assert set(expected) == set(found)
    for account, wish in expected.items():
        assert (wish.name, wish.tier, set(wish.groups), set(wish.devices)) == (
            found[account].name,
            found[account].tier,
            set(found[account].groups),
            set(found[account].devices),
        )
    for comment in ("keeps the keys", "the laptop", "# Pays for the mast.", "nothing else is known"):
        assert comment in text

"""An account list says which vouchers a batch has, and is searched as it is."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.account_list import (
    account_list,
    account_of_short,
    count_listed,
    is_listed,
    listed,
    without,
)

accounts = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=12, max_size=12).map(account_of_short)


@given(st.sets(accounts, max_size=40), accounts)
def test_a_list_holds_exactly_what_was_put_in(some, other):
    text = account_list(some)
    assert sorted(some) == list(listed(text))
    assert len(some) == count_listed(text)
    assert all(is_listed(text, each) for each in some)
    assert (other in some) == is_listed(text, other)
    assert account_list(some - {other}) == without(text, other)


@given(st.sets(accounts, min_size=1, max_size=5), st.text(max_size=20))
def test_other_accounts_are_in_no_list(some, name):
    text = account_list(some)
    assert not is_listed(text, name)
    assert text == without(text, name)
    assert text == account_list({*some, f"guest-{name}"})

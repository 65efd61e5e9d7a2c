"""An account list says which vouchers a batch has, and is searched as it is."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.account_list import (
    ListIndex,
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


@given(st.lists(st.sets(accounts, max_size=6), max_size=6), accounts)
def test_the_index_says_which_list_has_an_account(lists, other):
    texts = {number: account_list(each) for number, each in enumerate(lists, start=3)}
    index = ListIndex(texts)
    for account in {*set().union(*lists), other, account_list([other])}:
        having = [number for number, text in texts.items() if is_listed(text, account)]
        assert (having[0] if having else None) == index.number_of(account)


def test_the_end_of_one_account_and_the_beginning_of_the_next_are_no_account():
    text = account_list(map(account_of_short, ["aaaaaabbbbbb", "ccccccdddddd"]))
    assert ListIndex({1: text}).number_of(account_of_short("bbbbbbcccccc")) is None

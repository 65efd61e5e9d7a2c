"""Accounts of admins and issuers: names, and browsers that stay signed in for ninety days by the civil clock."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.app import admin_accounts
from node.app.admin_accounts import (
    ACCOUNTS_MAX,
    BROWSERS_MAX,
    PAIRING_DAYS,
    AdminAccounts,
    days_left,
    from_text,
    is_strong,
    known_browser,
    nonce_of,
    pair,
    paired,
    to_text,
    unpaired,
    used,
    with_account,
    with_grant,
    without_account,
)
from node.app.admin_sessions import Signed
from node.app.issuer_grants import Grant

ANA, LIBRARY = Signed("admin", "Ana"), Signed("issuer", "library", Grant())
TODAY = "2026-11-29"
COOKIE, OTHER_COOKIE = "cookie-" + "a" * 20, "cookie-" + "b" * 20
HASH = "scrypt:1"
KEY, NONCE = b"k" * 32, "0123456789abcdef" * 2


def after(days: int) -> str:
    return (date.fromisoformat(TODAY) + timedelta(days=days)).isoformat()


def accounts() -> AdminAccounts:
    return with_account(with_account(AdminAccounts(), ANA, HASH, TODAY), LIBRARY, HASH, TODAY)


def with_phone() -> AdminAccounts:
    return pair(accounts(), "Ana", COOKIE, "Firefox, Android", TODAY)


@pytest.mark.parametrize("spelt", ["Ana", "ana", " ANA ", "Ａｎａ"])
def test_a_name_is_found_in_every_spelling(spelt):
    found = accounts().find(spelt)
    assert found is not None
    assert ANA == found.signed


def test_two_spellings_are_one_account():
    state = with_account(accounts(), Signed("admin", "ANA"), "scrypt:2", after(3))
    assert 2 == len(state.accounts)
    found = state.find("Ana")
    assert found is not None
    assert ("ANA", "scrypt:2", TODAY) == (found.signed.name, found.passphrase_hash, found.since_day)


def test_a_new_passphrase_signs_its_browsers_out():
    assert paired(with_phone(), COOKIE, TODAY) is not None
    assert paired(with_account(with_phone(), ANA, "scrypt:2", TODAY), COOKIE, TODAY) is None


def test_a_removed_account_has_no_browser_left():
    state = without_account(with_phone(), "ana")
    assert state.find("Ana") is None
    assert () == state.browsers
    assert LIBRARY == state.accounts[0].signed
    assert accounts() == without_account(accounts(), "nobody")


@given(st.integers(-4000, 4000))
def test_a_browser_is_paired_for_ninety_days(days):
    """Also when the clock was set back in between."""
    assert (days < PAIRING_DAYS) == (paired(with_phone(), COOKIE, after(days)) is not None)


def test_no_pairing_ends_while_the_clock_is_unknown():
    assert paired(with_phone(), COOKIE, "") is not None


def test_a_pairing_that_began_without_a_clock_counts_from_the_first_known_day():
    state = pair(accounts(), "Ana", COOKIE, "", "")
    browser = paired(state, COOKIE, after(400))
    assert browser is not None
    state = used(state, browser, after(400))
    assert paired(state, COOKIE, after(400 + PAIRING_DAYS - 1)) is not None
    assert paired(state, COOKIE, after(400 + PAIRING_DAYS)) is None


def test_a_clock_that_was_years_ahead_does_not_make_a_pairing_years_longer():
    state = pair(accounts(), "Ana", COOKIE, "", after(3000))
    browser = paired(state, COOKIE, TODAY)
    assert browser is not None
    state = used(state, browser, TODAY)
    assert paired(state, COOKIE, after(PAIRING_DAYS - 1)) is not None
    assert paired(state, COOKIE, after(PAIRING_DAYS)) is None


def test_use_is_recorded_once_a_day():
    browser = paired(with_phone(), COOKIE, TODAY)
    assert browser is not None
    assert used(with_phone(), browser, TODAY) == with_phone()
    later = used(with_phone(), browser, after(1))
    assert after(1) == later.browsers[0].used_day
    assert TODAY == later.browsers[0].began_day


def test_the_browser_unused_for_longest_gives_way_to_a_new_one_of_its_own_account():
    state = pair(accounts(), "library", OTHER_COOKIE, "", TODAY)
    for number in range(BROWSERS_MAX + 1):
        state = pair(state, "Ana", f"cookie-{number:020}", "", after(number))
    assert paired(state, f"cookie-{0:020}", after(9)) is None
    assert paired(state, f"cookie-{1:020}", after(9)) is not None
    assert paired(state, OTHER_COOKIE, after(9)) is not None, "another account's browser stays"


def test_a_browser_is_signed_out_by_its_mark():
    state = pair(with_phone(), "Ana", OTHER_COOKIE, "", TODAY)
    (phone, _) = state.browsers
    state = unpaired(state, phone.mark)
    assert paired(state, COOKIE, TODAY) is None
    assert paired(state, OTHER_COOKIE, TODAY) is not None
    assert paired(state, phone.mark, TODAY) is None


def test_an_issuers_limits_can_change_without_a_new_passphrase():
    state = pair(accounts(), "library", COOKIE, "", TODAY)
    changed = with_grant(state, replace(LIBRARY, name="Library", grant=Grant(per_day=7)))
    found = changed.find("library")
    assert found is not None
    assert ("library", 7, HASH) == (found.signed.name, found.signed.grant.per_day, found.passphrase_hash)
    assert paired(changed, COOKIE, TODAY) is not None
    assert state == with_grant(state, Signed("admin", "nobody"))
    assert state == with_grant(state, Signed("admin"))


def test_there_is_a_limit_of_accounts():
    state = AdminAccounts()
    for number in range(ACCOUNTS_MAX + 1):
        state = with_account(state, Signed("admin", f"admin {number}"), HASH, TODAY)
    assert ACCOUNTS_MAX == len(state.accounts)
    assert admin_accounts.is_full(state)
    changed = with_account(state, Signed("admin", "admin 3"), "scrypt:2", TODAY)
    assert "scrypt:2" == changed.find("admin 3").passphrase_hash


@pytest.mark.parametrize(
    ("passphrase", "is_taken"),
    [
        ("four plain old words", True),
        ("пароль-длинный", True),
        ("too short", False),
        ("aaaaaaaaaaaaaa", False),
        ("ababababababab", False),
        ("Ana Mas Puig", False),
        ("x" * 200, False),
    ],
)
def test_a_passphrase_must_be_long_and_not_the_name(passphrase, is_taken):
    assert is_taken == is_strong(passphrase, "ana mas puig")


def test_a_known_browser_is_known_for_its_own_name_only():
    value = known_browser(KEY, "Ana", NONCE)
    assert NONCE == nonce_of(KEY, " ana", value)
    for key, name, text in (
        (KEY, "Ben", value),
        (b"x" * 32, "Ana", value),
        (KEY, "Ana", value[:-1] + "g"),
        (KEY, "Ana", ""),
    ):
        assert "" == nonce_of(key, name, text)


@given(st.text(max_size=120))
def test_no_text_passes_for_a_known_browser(text):
    assert "" == nonce_of(KEY, "Ana", text)


def test_a_restart_keeps_accounts_and_browsers():
    state = with_account(with_phone(), replace(LIBRARY, grant=Grant(per_day=7)), HASH, "")
    assert state == from_text(to_text(state))


def test_neither_cookies_nor_passphrases_are_stored():
    assert COOKIE not in to_text(with_phone())


@given(
    st.text()
    | st.builds(json.dumps, st.dictionaries(st.sampled_from(["accounts", "browsers"]), st.integers()))
)
def test_a_damaged_record_has_no_account(text):
    assert AdminAccounts() == from_text(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["role", "name", "grant", "passphrase", "since"]), inner)
    ),
    max_leaves=20,
)


@given(st.integers(0, 1), st.integers(0, 4), JSON)
def test_a_modified_record_raises_nothing(which, field, value):
    stored = json.loads(to_text(with_phone()))
    if which:
        stored["browsers"][0][field] = value
    else:
        stored["accounts"][0][("role", "name", "grant", "passphrase", "since")[field]] = value
    state = from_text(json.dumps(stored))
    assert len(state.accounts) <= 2
    for browser in state.browsers:
        days_left(browser, TODAY)
        assert state.find(browser.name) is not None

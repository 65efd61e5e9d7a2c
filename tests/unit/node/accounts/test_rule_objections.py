"""How many objections are enough, and which ones count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.rule_objections import (
    RuleObjection,
    RuleObjectionGone,
    RuleObjections,
    are_kept,
    objections_needed,
)
from node.units import AccountId

ACCOUNTS = [AccountId(name) for name in ("ana", "ben", "cai", "dot", "eva", "fin")]
VERSION, OTHER = (4, "f4"), (5, "f5")


def objection(account: AccountId, version: tuple[int, str] = VERSION, text: str = "") -> RuleObjection:
    return RuleObjection(account, *version, "2026-11-24", text)


@given(st.integers(0, 20_000))
def test_a_fifth_is_enough_less_is_not_and_one_alone_never_is(accounts: int) -> None:
    needed = objections_needed(accounts)
    assert needed >= 2
    assert 5 * needed >= accounts, "at least a fifth"
    assert needed == 2 or 5 * (needed - 1) < accounts, "one less would be less than a fifth"
    assert needed <= objections_needed(accounts + 1), "more members, no fewer objections"


steps = st.one_of(
    st.tuples(st.just("object"), st.sampled_from(ACCOUNTS), st.sampled_from([VERSION, OTHER])),
    st.tuples(st.just("take back"), st.sampled_from(ACCOUNTS), st.sampled_from([VERSION, OTHER])),
    st.tuples(st.just("leave"), st.sampled_from(ACCOUNTS), st.just(VERSION)),
    st.tuples(st.just("keep only"), st.just(ACCOUNTS[0]), st.sampled_from([VERSION, OTHER])),
)


@given(st.lists(steps, max_size=30), st.sets(st.sampled_from(ACCOUNTS)))
def test_each_member_counts_once_for_each_version_that_they_object_to(story, members) -> None:
    store, model = RuleObjections(), set[tuple[AccountId, tuple[int, str]]]()
    for what, account, version in story:
        if what == "object":
            store.put(objection(account, version))
            model.add((account, version))
        elif what == "take back":
            number = version[0]
            gone = (RuleObjectionGone(account, number),) * ((account, version) in model)
            assert gone == store.forget(account, number)
            model.discard((account, version))
        elif what == "leave":
            left = {each for each in model if each[0] == account}
            gone = store.forget_account(account)
            assert {(each.account, each.version) for each in gone} == {(a, v[0]) for a, v in left}
            model -= left
        else:
            gone = store.forget_others([version])
            others = {each for each in model if each[1] != version}
            assert {(each.account, each.version) for each in gone} == {(a, v[0]) for a, v in others}
            model -= others
    for account in ACCOUNTS:
        assert {v[0] for a, v in model if a == account} == {each.version for each in store.of(account)}
    for version in (VERSION, OTHER):
        expected = {account for account, v in model if v == version}
        assert expected == {each.account for each in store.to(*version)}
        assert expected & members == {each.account for each in store.standing(*version, members)}
        assert len(store.standing(*version, members)) <= len(members)


def test_a_version_with_the_same_number_and_another_text_starts_without_objections() -> None:
    store = RuleObjections()
    store.put(objection(ACCOUNTS[0]))
    assert () == store.to(VERSION[0], "another text")
    assert 1 == len(store.to(*VERSION))


@pytest.mark.parametrize(
    ("today", "kept"),
    [("2026-12-01", True), ("2026-12-31", True), ("2027-01-01", False), ("unknown", True), ("", True)],
)
def test_what_stopped_a_version_is_kept_for_thirty_days(today: str, kept: bool) -> None:
    assert kept == are_kept("2026-12-01T06:00:00+01:00", today)

"""Accounts that previews treat alike: classes are never split into parts of fewer than five."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from node.governance.account_classes import GROUP_MIN, AccountClasses, as_treated, combined, stand_ins
from node.units import AccountId

HOMES = [AccountId(f"home-{number:02}") for number in range(24)]
CLASSES = st.dictionaries(st.sampled_from(HOMES), st.integers(0, 4))
OF_ALL = st.fixed_dictionaries({home: st.integers(0, 3) for home in HOMES})


def classes(*sizes: int) -> dict[AccountId, int]:
    """Of the first homes, so many in each class."""
    numbers = [number for number, size in enumerate(sizes) for _ in range(size)]
    return dict(zip(HOMES, numbers, strict=False))


def test_without_anything_told_a_part_of_few_is_treated_as_the_largest() -> None:
    assert {} == stand_ins({}, classes(10))
    assert {} == stand_ins({}, classes(5, 19))
    assert {HOMES[20]: HOMES[0]} == stand_ins({}, classes(20, 1))
    assert dict.fromkeys(HOMES[20:], HOMES[0]) == stand_ins({}, classes(20, 2, 2))
    assert dict.fromkeys(HOMES[4:12], HOMES[0]) == stand_ins({}, classes(4, 4, 4)), "no part is large"


def test_an_account_that_two_drafts_treat_apart_from_all_others_is_treated_as_by_the_first() -> None:
    told = classes(10, 14)
    one_more, one_less = classes(11, 13), classes(9, 15)
    assert {HOMES[10]: HOMES[11]} == stand_ins(told, one_more)
    assert {HOMES[9]: HOMES[0]} == stand_ins(told, one_less)
    for draft in (one_more, one_less):
        assert told == as_treated(draft, stand_ins(told, draft))
    assert {} == stand_ins(told, classes(5, 19)), "five of ten differ"


def test_three_drafts_do_not_tell_of_one_account_together() -> None:
    told: AccountClasses = {}
    for group in (HOMES[:5], HOMES[5:10], HOMES[:11]):
        draft = {home: int(home in group) for home in HOMES}
        replaced = stand_ins(told, draft)
        told = combined(told, as_treated(draft, replaced))
    assert {HOMES[10]: HOMES[11]} == replaced
    assert [5, 5, 14] == sorted(Counter(told.values()).values())


def test_an_account_that_was_not_active_before_splits_nothing() -> None:
    told = classes(10, 10)
    draft = told | {HOMES[20]: 1, HOMES[21]: 0}
    assert {} == stand_ins(told, draft)
    joint = combined(told, draft)
    assert {joint[HOMES[0]], joint[HOMES[10]]} == set(joint.values())
    assert joint[HOMES[20]] == joint[HOMES[10]]
    assert {HOMES[21]: HOMES[0]} == stand_ins(joint, classes(10, 12) | {HOMES[21]: 2})


def test_an_account_that_is_no_longer_active_does_not_make_a_class_large() -> None:
    told = classes(8, 16)
    active = {home: number for home, number in told.items() if home not in HOMES[3:8]}
    assert dict.fromkeys(HOMES[:3], HOMES[8]) == stand_ins(told, active)


@given(OF_ALL, st.lists(CLASSES, max_size=6))
def test_no_draft_splits_a_class_of_what_was_told_into_parts_of_few(
    first: AccountClasses, drafts: list[AccountClasses]
) -> None:
    told: AccountClasses = as_treated(first, stand_ins({}, first))
    for draft in drafts:
        replaced = stand_ins(told, draft)
        treated = as_treated(draft, replaced)
        assert treated.keys() == draft.keys()
        if len(draft) >= GROUP_MIN:
            assert all(size >= GROUP_MIN for size in Counter(treated.values()).values())
        parts = Counter((told[home], treated[home]) for home in draft)
        for number in {told[home] for home in draft}:
            sizes = [size for (of, _), size in parts.items() if of == number]
            assert len(sizes) == 1 or min(sizes) >= GROUP_MIN
        assert {} == stand_ins(told, treated) or len(draft) < GROUP_MIN, "nothing is left to treat otherwise"
        told = combined(told, treated)


@given(OF_ALL, OF_ALL)
def test_accounts_in_one_class_of_both_are_in_one_class_of_these_combined(
    one: AccountClasses, other: AccountClasses
) -> None:
    joint = combined(one, other)
    for a in HOMES:
        for b in HOMES:
            assert (joint[a] == joint[b]) == (one[a] == one[b] and other[a] == other[b])
    assert joint == combined(joint, one) == combined(joint, joint)

"""What nodes tell each other about vouchers is the same on every node, in whatever order it is heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.session_leases import Lease, SavedLease
from node.accounts.account_list import account_of_short
from node.accounts.voucher_records import (
    END_MAX,
    VoucherFacts,
    batch_key,
    batch_of_key,
    batch_until,
    facts_to_tell,
    join_batches,
    join_vouchers,
    voucher_facts,
    voucher_until,
    voucher_value,
)
from node.accounts.vouchers import Batch, SavedVoucher, Voucher
from node.units import Milliseconds, Monotonic

DAY_PASS = Batch(7, "day-pass", Milliseconds(86_400_000), 3, "2026-11-24", "admin")
ACCOUNT = account_of_short("abcdefghijkl")

days = st.sampled_from(["", "2026-11-24", "2026-11-25"])
facts = st.builds(
    lambda is_used, end, day, is_revoked: VoucherFacts(
        is_used, end if is_used else 0, day if is_used else "", is_revoked
    ),
    st.booleans(),
    st.sampled_from([0, 1, 1_795_000_000, END_MAX]),
    days,
    st.booleans(),
)
wild = st.dictionaries(
    st.sampled_from(["end", "used", "revoked", "more"]),
    st.one_of(st.none(), st.booleans(), st.integers(-1, END_MAX + 1), st.text(max_size=3), days),
)
values = st.one_of(facts.map(voucher_value), wild)


@given(facts)
def test_a_value_says_the_facts(said):
    assert said == voucher_facts(voucher_value(said))


@pytest.mark.parametrize("join", [join_vouchers, join_batches])
@given(one=values, two=values, three=values)
def test_two_records_of_one_version_become_one_in_any_order(join, one, two, three):
    assert join(one, two) == join(two, one)
    assert join(one, join(two, three)) == join(join(one, two), three)
    assert one == join(one, one)


@given(facts, facts)
def test_the_earlier_end_and_a_revocation_win(one, two):
    joined = voucher_facts(join_vouchers(voucher_value(one), voucher_value(two)))
    known = [each.ends_s for each in (one, two) if each.ends_s]
    assert min(known, default=0) == joined.ends_s
    assert (one.is_used or two.is_used, one.is_revoked or two.is_revoked) == (
        joined.is_used,
        joined.is_revoked,
    )


@given(facts, wild)
def test_a_value_that_no_node_writes_gives_way(said, other):
    good = voucher_value(said)
    if voucher_facts(other) is None:
        assert good == join_vouchers(good, other) == join_vouchers(other, good)
    assert {"revoked": True} == join_batches({"revoked": True}, {"revoked": 1, "more": []})


@pytest.mark.parametrize(
    "value",
    [
        {"end": -1},
        {"end": END_MAX + 1},
        {"end": True},
        {"end": 1.5},
        {"end": 1, "used": "2026-13-01"},
        {"end": 1, "used": "20261124xx"},
        {"used": "2026-11-24"},
        {"revoked": 1},
        {"revoked": False},
        {"end": 1, "more": 1},
    ],
)
def test_what_no_node_writes_is_not_believed(value):
    assert voucher_facts(value) is None


def saved(*, ends_s: int | None = None, used: bool = True, **more: object) -> SavedVoucher:
    lease = SavedLease(Lease(Monotonic(0), Monotonic(9)), "boot-1", ends_s) if used else None
    return SavedVoucher(
        Voucher("f" * 64, 7, ACCOUNT, None, used_day="2026-11-24" if used else "", **more), lease
    )


def test_a_voucher_that_nobody_used_or_revoked_is_not_talked_about():
    assert facts_to_tell(saved(used=False), None) is None
    assert VoucherFacts(is_revoked=True) == facts_to_tell(saved(used=False, is_revoked=True), None)
    assert VoucherFacts() == facts_to_tell(saved(used=False), VoucherFacts(is_revoked=True)), "restored"


def test_the_node_of_the_first_use_says_the_end():
    known = VoucherFacts(True, 1_795_000_000, "2026-11-23")
    assert 1_795_009_000 == facts_to_tell(saved(ends_s=1_795_009_000), known).ends_s
    assert known == facts_to_tell(saved(ends_s=1_795_009_000, used_elsewhere=True), known)
    revoked = facts_to_tell(saved(ends_s=5, used_elsewhere=True, is_revoked=True), known)
    assert VoucherFacts(True, 1_795_000_000, "2026-11-23", True) == revoked


@given(st.integers(-59, 59))
def test_an_end_converted_from_another_boot_is_the_same(moved):
    known = VoucherFacts(True, 1_795_000_000, "2026-11-24")
    assert known == facts_to_tell(saved(ends_s=1_795_000_000 + moved), known)


def test_an_end_that_is_not_known_yet_is_0():
    assert VoucherFacts(True, 0, "2026-11-24") == facts_to_tell(saved(), None)
    assert VoucherFacts(True, 0, "2026-11-24") == facts_to_tell(saved(ends_s=-5), None), "the clock was wrong"


def test_a_record_is_kept_longer_than_any_row():
    used = VoucherFacts(True, 1_795_521_600, "2026-11-23")
    assert "2026-12-04" == voucher_until(used, DAY_PASS, "")
    assert "2027-12-30" == voucher_until(VoucherFacts(is_revoked=True), DAY_PASS, "2026-11-29")
    assert "2027-12-31" == voucher_until(VoucherFacts(True), DAY_PASS, "")
    assert "2027-12-30" == batch_until(DAY_PASS, "")
    undated = Batch(7, "day-pass", Milliseconds(86_400_000), 3, "", "admin")
    assert ("", "2028-01-04") == (batch_until(undated, ""), batch_until(undated, "2026-11-29"))
    assert "" == batch_until(undated, "9999-12-30")


def test_a_batch_has_one_name_on_all_nodes():
    origin = "a" * 52
    here = Batch(3, "day-pass", Milliseconds(1), 0, "", "", origin=origin, origin_number=7)
    assert f"{origin}/7" == batch_key(origin, DAY_PASS) == batch_key("b" * 52, here)
    assert (origin, 7) == batch_of_key(f"{origin}/7")
    assert [None] * 4 == [batch_of_key(key) for key in ("", "/7", f"{origin}/", f"{origin}/{'9' * 12}")]

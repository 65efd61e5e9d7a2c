"""Vouchers of other nodes: known by their accounts until somebody types a code, and never fresh a second time."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts import voucher_store
from node.accounts.account_list import account_list, account_of_short, listed
from node.accounts.codes import Code
from node.accounts.voucher_store import IssueResult, VoucherStore
from node.accounts.vouchers import Batch, SavedVoucher, first_end_possible_s, voucher_state
from node.units import AccountId, Milliseconds, Monotonic, NodeId, Now

DAY_MS = 86_400_000
ISSUED_S = 1_803_859_200
"""2027-03-01 00:00 UTC."""
HILL = NodeId("a" * 52)
DAY_PASS = Batch(0, "day-pass", Milliseconds(DAY_MS), 3, "2027-03-01", "")


def at(now: int = 0, wall_s: int | None = ISSUED_S, boot: str = "boot-1") -> Now:
    return Now(Monotonic(now), boot, wall_s, "2027-03-01" if wall_s is not None else "")


def store(seed: int = 7) -> VoucherStore:
    return VoucherStore(lambda: (b"k" * 32,), Random(seed).randbytes)


def issued(count: int = 3, seed: int = 7) -> tuple[VoucherStore, tuple[Code, ...], Batch]:
    """Vouchers at another node, and their list as this node hears it."""
    there = store(seed)
    made = there.issue(replace(DAY_PASS, issued_by="admin", note="fair"), count, "2027-03-01")
    assert isinstance(made, IssueResult)
    heard = replace(DAY_PASS, origin=HILL, origin_number=1, accounts=there.list_of(1))
    return there, made.codes, heard


def accounts_of(there: VoucherStore, codes: tuple[Code, ...]) -> list[AccountId]:
    return [there.find(code).account for code in codes]


def test_a_code_of_another_node_is_found_by_its_account():
    there, codes, heard = issued()
    here = store(8)
    (batch,) = here.hear_batch(heard)
    assert replace(heard, number=1) == batch == here.batches[1]
    assert accounts_of(there, codes) == [here.find(code).account for code in codes]
    assert 3 == len(here)
    assert {"unused": 3} == here.counts(1, Monotonic(0))
    assert here.of_account(here.find(codes[0]).account) is None, "it is nobody's yet"
    assert (batch,) == here.rows()
    assert () == here.hear_batch(heard), "nothing new"


def test_a_first_use_here_is_as_that_of_an_own_voucher():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    used, (row,) = here.use(here.find(codes[0]), at(5))
    assert (DAY_MS + 5, False) == (used.lease.ends, row.voucher.used_elsewhere)
    assert used == here.find(codes[0]) == here.of_account(used.account)
    assert {"day-pass"} == here.groups_of(used.account)
    assert {"used": 1, "unused": 2} == here.counts(1, Monotonic(5))
    again = store(9)
    again.take(here.batches.values(), [row], at(6), None)
    assert used == again.find(codes[0])


def test_what_is_heard_of_a_use_leaves_the_rest_of_its_time():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    account = here.find(codes[0]).account
    (row,) = here.hear_use(account, ISSUED_S + 86_400, "2027-03-01", at(7_000, ISSUED_S + 3_600))
    voucher = here.find(codes[0])
    assert (7_000 + DAY_MS - 3_600_000, "2027-03-01", True) == (
        voucher.lease.ends,
        voucher.used_day,
        voucher.used_elsewhere,
    )
    assert ISSUED_S + 86_400 == row.lease.ends_wall_s
    assert () == here.hear_use(account, ISSUED_S + 86_430, "2027-03-01", at(9_000, ISSUED_S + 3_602)), (
        "the same, but for a boot"
    )
    view = here.view(voucher, Monotonic(7_000))
    assert ("used", 82_800, True) == (view.state, view.seconds_left, view.used_elsewhere)


def test_of_a_use_long_ago_nothing_is_left():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    here.hear_use(here.find(codes[0]).account, ISSUED_S + 86_400, "", at(7_000, ISSUED_S + 10 * 86_400))
    assert "ended" == voucher_state(here.find(codes[0]), Monotonic(7_000))


@pytest.mark.parametrize("ends_s", [0, 1, ISSUED_S - 1])
def test_an_end_by_no_clock_or_a_wrong_one_counts_from_when_it_is_heard(ends_s):
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    account = here.find(codes[0]).account
    here.hear_use(account, ends_s, "", at(7_000))
    assert 7_000 + DAY_MS == here.find(codes[0]).lease.ends
    assert () == here.hear_use(account, ends_s, "", at(9_000)), "and goes on"
    here.hear_use(account, ISSUED_S + 50_000, "2027-03-01", at(10_000, ISSUED_S + 3))
    assert 10_000 + 49_997_000 == here.find(codes[0]).lease.ends


def test_a_node_without_a_clock_counts_from_when_it_heard_until_it_knows():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    here.hear_use(here.find(codes[0]).account, ISSUED_S + 86_400, "", at(1_000, None))
    assert 1_000 + DAY_MS == here.find(codes[0]).lease.ends
    (row,) = here.clock_known(at(2_000, ISSUED_S + 80_000))
    assert 2_000 + 6_400_000 == here.find(codes[0]).lease.ends
    assert ISSUED_S + 86_400 == row.lease.ends_wall_s


@given(st.integers(0, 7_258_118_400), st.integers(0, 4_102_444_800), st.booleans())
def test_no_record_gives_more_than_the_whole_time(ends_s, wall_s, is_used):
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    account = here.find(codes[0]).account
    if is_used:
        here.use(here.find(codes[0]), at(0, wall_s))
    here.hear_use(account, ends_s, "", at(5_000, wall_s))
    lease = here.find(codes[0]).lease
    assert 5_000 <= max(lease.ends, 5_000) <= 5_000 + DAY_MS


def test_a_revocation_elsewhere_and_its_undo_hold_here():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    account = here.find(codes[1]).account
    assert 1 == len(here.hear_revoked(account, is_revoked=True))
    assert "revoked" == voucher_state(here.find(codes[1]), Monotonic(0))
    assert () == here.hear_revoked(account, is_revoked=True)
    assert 1 == len(here.hear_revoked(account, is_revoked=False))
    assert "unused" == voucher_state(here.find(codes[1]), Monotonic(0))
    assert () == here.hear_revoked(account_of_short("b" * 12), is_revoked=True), "of no voucher"
    assert () == here.hear_use(AccountId("guest-x"), 0, "", at())


def test_a_revoked_batch_has_no_valid_voucher_and_its_ended_ones_stay_ended():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    here.use(here.find(codes[0]), at(0))
    now = Monotonic(DAY_MS)
    here.use(here.find(codes[1]), at(DAY_MS))
    turned = here.revoke_batch(1, now)
    assert (2, [True]) == (turned.count, [row.is_revoked for row in turned.changes])
    assert {"ended": 1, "revoked": 2} == here.counts(1, now)
    assert (0, ()) == (here.revoke_batch(1, now).count, here.revoke_batch(1, now).changes)
    back = here.restore_batch(1, now)
    assert (2, {"ended": 1, "used": 1, "unused": 1}) == (back.count, here.counts(1, now))
    assert here.hear_batch_revoked(1, is_revoked=True) == (here.batches[1],)
    assert () == here.hear_batch_revoked(1, is_revoked=True)


def test_one_voucher_of_a_revoked_batch_can_be_restored_alone():
    there, codes, _ = issued()
    there.revoke_batch(1, Monotonic(0))
    rows = there.restore([there.find(codes[0]).fingerprint], Monotonic(0))
    assert {"unused": 1, "revoked": 2} == there.counts(1, Monotonic(0))
    again = store(9)
    batches = [row for row in rows if isinstance(row, Batch)]
    vouchers = {row.voucher.fingerprint: row for row in there.rows() if isinstance(row, SavedVoucher)}
    vouchers |= {row.voucher.fingerprint: row for row in rows if isinstance(row, SavedVoucher)}
    again.take(batches, vouchers.values(), at(), None)
    assert {"unused": 1, "revoked": 2} == again.counts(1, Monotonic(0)), "as it was stored"


def test_a_list_only_gets_shorter():
    there, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    kept = replace(heard, accounts=account_list(accounts_of(there, codes)[1:]))
    assert [kept.accounts] == [row.accounts for row in here.hear_batch(kept)]
    assert here.find(codes[0]) is None
    assert () == here.hear_batch(heard), "an old page"
    assert here.find(codes[0]) is None


def test_a_forgotten_voucher_does_not_come_back_with_an_old_page():
    there, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    accounts = accounts_of(there, codes)
    for account in accounts:
        here.hear_use(account, ISSUED_S + 86_400, "", at(0, ISSUED_S + 9 * 86_400))
    assert () == here.forget(accounts, at(1))
    assert ([None] * 3, 0, True) == ([here.find(code) for code in codes], len(here), here.is_empty(1))
    assert () == here.hear_batch(heard)
    assert [None] * 3 == [here.find(code) for code in codes]
    assert () == here.forget((), at(1), [1])
    assert {} == here.batches


def test_the_list_of_an_old_batch_is_dropped_and_vouchers_in_use_stay():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    here.use(here.find(codes[0]), at(0))
    assert () == here.forget((), at(1), [1])
    assert ["used", None, None] == [
        voucher_state(found, Monotonic(1)) if (found := here.find(code)) else None for code in codes
    ]


def test_a_batch_that_a_neighbour_gives_back_after_a_loss_is_an_own_one():
    there, codes, _ = issued()
    lost = store(9)
    given_back = replace(DAY_PASS, number=5, accounts=there.list_of(1))
    (batch,) = lost.hear_batch(given_back)
    assert (5, None) == (batch.number, batch.origin)
    assert accounts_of(there, codes) == [lost.find(code).account for code in codes]
    made = lost.issue(replace(DAY_PASS, issued_by="admin"), 1, "2027-03-01")
    assert isinstance(made, IssueResult)
    assert 6 == made.batch.number
    assert lost.list_of(5) == there.list_of(1)


def test_a_batch_that_this_node_forgot_is_not_given_back():
    there, _, _ = issued()
    heard = replace(DAY_PASS, number=1, accounts=there.list_of(1))
    kept = store(9)
    kept.take([replace(DAY_PASS, number=1)], (), at(), None)
    assert {} == kept.batches, "storage keeps its number only"
    assert () == kept.hear_batch(heard)
    assert 0 == len(kept)


def test_an_ended_voucher_leaves_the_list_that_others_read_and_stays_here():
    there, codes, _ = issued()
    there.use(there.find(codes[0]), at(0))
    account, ends_s = there.find(codes[0]).account, ISSUED_S + 86_400
    assert there.list_of(1) == there.list_without_ended(1, ends_s)
    assert [*listed(there.list_without_ended(1, ends_s + 1))] == [
        each for each in listed(there.list_of(1)) if each != account
    ]
    assert "ended" == voucher_state(there.find(codes[0]), Monotonic(2 * DAY_MS))


def test_the_end_of_an_ended_voucher_is_not_moved_by_a_reboot():
    there, codes, _ = issued(1)
    _, (row,) = there.use(there.find(codes[0]), at(0))
    again = store(9)
    (later,) = again.take(there.batches.values(), [row], at(50, ISSUED_S + 9 * 86_400, "boot-2"), None)
    assert ISSUED_S + 86_400 == row.lease.ends_wall_s == later.lease.ends_wall_s
    assert "ended" == voucher_state(again.find(codes[0]), Monotonic(50))
    (corrected,) = again.clock_corrected(at(60, ISSUED_S, "boot-2"))
    assert ISSUED_S - 1 == corrected.lease.ends_wall_s, "the clock was ahead: it stays ended"


def test_a_number_that_comes_again_for_other_vouchers_is_another_batch():
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    _, others, second = issued(seed=20)
    (batch,) = here.hear_batch(second)
    assert (2, 2) == (batch.number, here.number_here(HILL, 1))
    assert [1, 2] == [here.find(code).batch for code in (codes[0], others[0])]


def test_vouchers_of_all_nodes_count_towards_the_limit(monkeypatch):
    monkeypatch.setattr(voucher_store, "VOUCHERS_MAX", 5)
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    assert here.hear_batch(issued(seed=30)[2]) is None
    (finding,) = here.findings(replace(DAY_PASS, issued_by="admin"), 3)
    assert "3 vouchers" in finding.message
    assert () == here.findings(replace(DAY_PASS, issued_by="admin"), 2)
    assert here.find(codes[0]) is not None


def test_one_other_node_leaves_room_for_the_rest(monkeypatch):
    monkeypatch.setattr(voucher_store, "VOUCHERS_OF_NODE_MAX", 5)
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    _, _, more = issued(seed=30)
    assert here.hear_batch(replace(more, origin_number=2)) is None
    assert here.hear_batch(replace(more, origin=NodeId("b" * 52))), "of a third node"
    assert isinstance(here.issue(replace(DAY_PASS, issued_by="admin"), 9, "2027-03-01"), IssueResult)
    here.forget([], at(1), [here.find(codes[0]).batch])
    assert here.hear_batch(replace(issued(seed=31)[2], origin_number=2)), "there is room again"


def test_a_voucher_with_a_row_of_its_own_is_in_no_list_of_another_node():
    there, codes, heard = issued()
    assert () == there.hear_batch(heard), "also if its own node says so"
    one = there.find(codes[0])
    assert [1] == [*there.batches]
    assert one == there.find(codes[0])


def test_the_first_end_that_is_possible_is_by_the_day_of_issue():
    assert ISSUED_S == first_end_possible_s(DAY_PASS)
    assert [0, 0] == [first_end_possible_s(replace(DAY_PASS, issued_day=day)) for day in ("", "soon")]


@given(
    st.lists(
        st.sampled_from(["use", "hear", "revoke", "restore", "batch", "back", "forget", "page"]), max_size=12
    )
)
def test_whatever_happens_every_voucher_is_in_one_state(events):
    _, codes, heard = issued()
    here = store(8)
    here.hear_batch(heard)
    now = 0
    for number, event in enumerate(events):
        now += 3_600_000
        code, when = codes[number % 3], at(now, ISSUED_S + now // 1000)
        found = here.find(code)
        name = found.fingerprint if found is not None else "gone"
        match event:
            case "use" if found is not None and voucher_state(found, when.now) == "unused":
                here.use(found, when)
            case "hear" if found is not None:
                here.hear_use(found.account, ISSUED_S + 90_000, "", when)
            case "revoke":
                here.revoke([name], when.now)
            case "restore":
                here.restore([name], when.now)
            case "batch":
                here.revoke_batch(1, when.now)
            case "back":
                here.restore_batch(1, when.now)
            case "forget":
                here.forget([name], when)
            case _:
                here.hear_batch(heard)
        counts = here.counts(1, when.now)
        assert len(here.of_batch(1)) == sum(counts.values()) == len(here)
        assert {*listed(here.batches[1].accounts)} >= {each.account for each in here.of_batch(1)}
        seen = [here.find(each) for each in codes]
        states = [voucher_state(each, when.now) for each in seen if each is not None]
        ended = sum(1 for each in states if each == "revoked") - counts["revoked"]
        assert 0 <= ended <= counts["ended"], "an ended voucher of a revoked batch is counted as ended"

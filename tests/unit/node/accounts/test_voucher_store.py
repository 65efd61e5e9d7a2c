"""Vouchers start when they are first used, end at their promised time, and survive a power cut."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts import voucher_store as voucher_module
from node.accounts import vouchers as voucher_forms
from node.accounts.codes import Code
from node.accounts.voucher_store import IssueResult, VoucherStore
from node.accounts.vouchers import Batch, SavedVoucher, Voucher, voucher_state
from node.units import Milliseconds, Monotonic, Now

DAY_MS = 86_400_000
DAY_PASS = Batch(0, "day-pass", Milliseconds(DAY_MS), 3, "", "admin", "fair")


def at(now: int = 0, boot: str = "boot-1", wall_s: int | None = 1_000_000) -> Now:
    return Now(Monotonic(now), boot, wall_s, "2027-03-01" if wall_s is not None else "")


def store() -> VoucherStore:
    return VoucherStore(lambda: (b"k" * 32,), Random(7).randbytes)


def issue(vouchers: VoucherStore, count: int = 2, wish: Batch = DAY_PASS) -> IssueResult:
    done = vouchers.issue(wish, count, "2027-03-01")
    assert isinstance(done, IssueResult)
    return done


def use(vouchers: VoucherStore, code: Code, when: Now) -> tuple[Voucher, tuple[SavedVoucher, ...]]:
    voucher = vouchers.find(code)
    assert voucher is not None
    return vouchers.use(voucher, when)


class StoreOnDisk:
    """What storage would hold, row by row."""

    def __init__(self) -> None:
        self.batches: dict[int, Batch] = {}
        self.vouchers: dict[str, SavedVoucher] = {}

    def save(self, rows: object) -> None:
        for row in rows:
            if isinstance(row, Batch):
                self.batches[row.number] = row
            else:
                self.vouchers[row.voucher.fingerprint] = row

    def start(self, when: Now, saved_at: int | None) -> VoucherStore:
        vouchers = store()
        last = None if saved_at is None else Monotonic(saved_at)
        self.save(vouchers.take(self.batches.values(), self.vouchers.values(), when, last))
        return vouchers


def ends(vouchers: VoucherStore, code: Code) -> int:
    voucher = vouchers.find(code)
    assert voucher is not None
    assert voucher.lease is not None
    return voucher.lease.ends


def test_issued_codes_are_found_and_are_all_different():
    vouchers = store()
    done = issue(vouchers, 24)
    assert 24 == len(vouchers) == len({code.text for code in done.codes})
    assert all(vouchers.find(code) is not None for code in done.codes)
    assert 24 == len({vouchers.find(code).account for code in done.codes})


def test_codes_of_each_secret_that_is_kept_are_found_and_new_ones_are_for_the_newest():
    keys = [b"1" * 32]
    vouchers = VoucherStore(lambda: tuple(reversed(keys)), Random(7).randbytes)
    by_key = {}
    for number in (2, 3, 4):
        by_key[keys[-1]] = issue(vouchers, 3).codes
        keys.append(bytes([number]) * 32)
    for key, codes in by_key.items():
        assert all(
            voucher_forms.voucher_fingerprint(key, code) == vouchers.find(code).fingerprint for code in codes
        )
    removed = VoucherStore(lambda: (keys[0],), Random(7).randbytes)
    removed.take(
        vouchers.batches.values(),
        [row for row in vouchers.rows() if isinstance(row, SavedVoucher)],
        at(),
        None,
    )
    found = {key: [removed.find(code) is not None for code in codes] for key, codes in by_key.items()}
    assert [[True] * 3, [False] * 3, [False] * 3] == list(found.values()), (
        "who knows the first only cannot tell"
    )


def test_no_code_is_in_a_stored_row():
    done = issue(store(), 24)
    assert not any(code.text in repr(done.changes) for code in done.codes)


def test_an_invalid_order_changes_nothing():
    vouchers = store()
    assert [] == [each for each in vouchers.issue(DAY_PASS, 0, "") if not each.is_error]
    assert 0 == len(vouchers) == len(vouchers.batches)


def test_no_more_vouchers_are_issued_than_can_be_stored(monkeypatch):
    monkeypatch.setattr(voucher_module, "VOUCHERS_MAX", 5)
    vouchers = store()
    issue(vouchers, 5)
    (finding,) = vouchers.issue(DAY_PASS, 1, "")
    assert "5 vouchers" in finding.message
    assert finding.fix


def test_two_codes_never_make_one_account():
    """A random source that repeats itself is drawn from until the code is new."""
    draws = iter([b"a" * 7, b"a" * 7, b"b" * 7])
    vouchers = VoucherStore(lambda: (b"k" * 32,), lambda _: next(draws))
    assert 2 == len({code.text for code in issue(vouchers, 2).codes})


def test_a_voucher_starts_when_it_is_first_used():
    vouchers = store()
    code, _ = issue(vouchers).codes
    used, rows = use(vouchers, code, at(5_000))
    assert 5_000 + DAY_MS == used.lease.ends
    assert "2027-03-01" == used.used_day
    assert [1_000_000 + DAY_MS // 1000] == [row.lease.ends_wall_s for row in rows]


def test_a_second_use_does_not_restart_it():
    vouchers = store()
    code, _ = issue(vouchers).codes
    first, _ = use(vouchers, code, at(5_000))
    assert (first, ()) == use(vouchers, code, at(70_000))


def test_the_group_of_a_batch_is_the_group_of_its_accounts():
    vouchers = store()
    code, _ = issue(vouchers).codes
    voucher = vouchers.find(code)
    assert {"day-pass"} == vouchers.groups_of(voucher.account)
    assert frozenset() == vouchers.groups_of("ana")
    assert voucher == vouchers.of_account(voucher.account)
    assert vouchers.of_account("") is None


def test_a_batch_counts_its_vouchers_in_each_state():
    vouchers = store()
    done = issue(vouchers, 4)
    use(vouchers, done.codes[0], at(0))
    use(vouchers, done.codes[1], at(DAY_MS))
    vouchers.revoke([vouchers.find(done.codes[2]).fingerprint], Monotonic(DAY_MS))
    assert {"ended": 1, "used": 1, "revoked": 1, "unused": 1} == vouchers.counts(1, Monotonic(DAY_MS))


def test_revoking_reports_whose_sessions_end_and_can_be_undone():
    vouchers = store()
    done = issue(vouchers, 3)
    used, _ = use(vouchers, done.codes[0], at(0))
    names = [voucher.fingerprint for voucher in vouchers.of_batch(1)]
    withdrawn = vouchers.revoke([*names, "unknown"], Monotonic(1))
    assert (used.account,) == withdrawn.accounts
    assert {"revoked": 3} == vouchers.counts(1, Monotonic(1))
    assert () == vouchers.revoke(names, Monotonic(1)).fingerprints
    assert 3 == len(vouchers.restore(withdrawn.fingerprints, Monotonic(1)))
    assert used == vouchers.find(done.codes[0])
    assert () == vouchers.restore(withdrawn.fingerprints, Monotonic(1))


def test_a_revoked_row_keeps_its_lease_for_the_undo():
    disk, vouchers = StoreOnDisk(), store()
    done = issue(vouchers, 1)
    disk.save(done.changes)
    _, rows = use(vouchers, done.codes[0], at(0))
    disk.save(rows)
    disk.save(vouchers.revoke([vouchers.find(done.codes[0]).fingerprint], Monotonic(1)).changes)
    again = disk.start(at(2), 1)
    assert "revoked" == voucher_state(again.find(done.codes[0]), Monotonic(2))
    assert DAY_MS == ends(again, done.codes[0])


def test_an_ended_voucher_does_not_restart_when_the_clock_is_set_back():
    disk, vouchers = StoreOnDisk(), store()
    done = issue(vouchers)
    disk.save(done.changes)
    disk.save(use(vouchers, done.codes[0], at(0, wall_s=9_000_000))[1])
    disk.save(use(vouchers, done.codes[1], at(DAY_MS // 2, wall_s=9_000_000))[1])
    disk.save(vouchers.clock_corrected(at(DAY_MS, wall_s=1_000_000)))
    again = disk.start(at(0, "boot-2", 1_000_010), DAY_MS)
    assert ["ended", "used"] == [voucher_state(again.find(code), Monotonic(0)) for code in done.codes]
    assert DAY_MS // 2 - 10_000 == ends(again, done.codes[1])


def test_deleted_vouchers_leave_nothing():
    vouchers = store()
    done = issue(vouchers, 2)
    used, _ = use(vouchers, done.codes[0], at(0))
    over = at(DAY_MS)
    assert () == vouchers.forget([voucher.fingerprint for voucher in vouchers.of_batch(1)], over)
    assert () == vouchers.forget(["unknown"], over)
    assert 0 == len(vouchers)
    assert vouchers.find(done.codes[0]) is None
    assert vouchers.of_account(used.account) is None
    assert () == vouchers.of_batch(1)
    assert {} == vouchers.batches
    assert 2 == issue(vouchers).batch.number


def in_use() -> tuple[StoreOnDisk, Code]:
    """A day pass that was first used at time 0 of boot-1, as storage holds it."""
    disk, vouchers = StoreOnDisk(), store()
    done = issue(vouchers, 1)
    disk.save(done.changes)
    disk.save(use(vouchers, done.codes[0], at(0))[1])
    return disk, done.codes[0]


def test_a_restart_changes_no_remaining_time():
    disk, code = in_use()
    assert DAY_MS == ends(disk.start(at(7_000), 6_000), code)


def test_after_a_reboot_the_time_of_the_power_cut_counts():
    disk, code = in_use()
    again = disk.start(at(50, "boot-2", 1_000_000 + 3_600), 1_000)
    assert 50 + DAY_MS - 3_600_000 == ends(again, code)


def test_without_a_clock_the_time_until_the_last_write_counts():
    disk, code = in_use()
    assert 50 + DAY_MS - 1_000 == ends(disk.start(at(50, "boot-2", None), 1_000), code)


def test_once_the_clock_is_known_the_power_cut_counts_after_all():
    disk, code = in_use()
    again = disk.start(at(50, "boot-2", None), 1_000)
    disk.save(again.clock_known(at(60_000, "boot-2", 1_000_000 + 3_600)))
    assert 60_000 + DAY_MS - 3_600_000 == ends(again, code)
    assert ends(again, code) == ends(disk.start(at(70_000, "boot-2", None), 60_000), code)
    assert () == again.clock_known(at(61_000, "boot-2", 1_000_000 + 3_601))


def test_a_crash_before_the_clock_is_known_loses_nothing_of_that():
    disk, code = in_use()
    disk.start(at(50, "boot-2", None), 1_000)
    again = disk.start(at(30_000, "boot-2", None), 20_000)
    again.clock_known(at(60_000, "boot-2", 1_000_000 + 3_600))
    assert 60_000 + DAY_MS - 3_600_000 == ends(again, code)


def test_a_voucher_that_ended_during_the_power_cut_ends_once_the_clock_is_known():
    disk, code = in_use()
    again = disk.start(at(50, "boot-2", None), 1_000)
    again.clock_known(at(60_000, "boot-2", 9_000_000))
    assert "ended" == voucher_state(again.find(code), Monotonic(60_000))


def test_many_reboots_without_a_clock_do_not_restart_the_day():
    disk, code = in_use()
    vouchers = disk.start(at(0, "boot-2", None), 3_600_000)
    for boot in range(3, 10):
        vouchers = disk.start(at(0, f"boot-{boot}", None), 3_600_000)
    assert DAY_MS - 8 * 3_600_000 == ends(vouchers, code)


def test_a_voucher_first_used_without_a_clock_gets_its_end_by_the_clock_later():
    disk, vouchers = StoreOnDisk(), store()
    done = issue(vouchers, 1)
    disk.save(done.changes)
    disk.save(use(vouchers, done.codes[0], at(0, wall_s=None))[1])
    (row,) = vouchers.clock_known(at(10_000, wall_s=2_000_000))
    assert 2_000_000 + (DAY_MS - 10_000) // 1000 == row.lease.ends_wall_s
    assert DAY_MS == ends(vouchers, done.codes[0])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["use", "revoke", "restore", "restart", "reboot", "clock"]),
            st.integers(0, DAY_MS),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_no_voucher_lasts_longer_than_its_batch_says(events):
    """In time during which the node was on, with any events between; with a clock, in elapsed time."""
    disk = StoreOnDisk()
    vouchers, on_ms, now, boot, wall_ms = store(), 0, 0, 1, 1_000_000_000
    done = issue(vouchers, 1)
    disk.save(done.changes)
    (code,) = done.codes
    first_on = first_wall = None
    for kind, passed, has_clock in events:
        now, on_ms, wall_ms = now + passed, on_ms + passed, wall_ms + passed
        if kind == "reboot":
            boot, saved_at, now = boot + 1, now, 0
            wall_ms += DAY_MS
        when = at(now, f"boot-{boot}", wall_ms // 1000 if has_clock else None)
        if kind == "use" and voucher_state(vouchers.find(code), when.now) in {"unused", "used"}:
            disk.save(use(vouchers, code, when)[1])
            first_on = on_ms if first_on is None else first_on
            first_wall = wall_ms if first_wall is None else first_wall
        elif kind == "revoke":
            disk.save(vouchers.revoke([vouchers.find(code).fingerprint], when.now).changes)
        elif kind == "restore":
            disk.save(vouchers.restore([vouchers.find(code).fingerprint], when.now))
        elif kind == "restart":
            vouchers = disk.start(when, now)
        elif kind == "reboot":
            vouchers = disk.start(when, saved_at)
        if when.wall_s is not None:
            disk.save(vouchers.clock_known(when))
        voucher = vouchers.find(code)
        if voucher_state(voucher, now) == "used":
            left_ms = voucher.lease.ends - now
            assert on_ms + left_ms <= first_on + DAY_MS
            if all(has_clock for _, _, has_clock in events):
                rounded_ms = 1_000 * len(events)
                assert wall_ms + left_ms <= first_wall + DAY_MS + rounded_ms


def test_issued_vouchers_are_restored_from_storage():
    disk, vouchers = StoreOnDisk(), store()
    done = issue(vouchers, 3)
    disk.save(done.changes)
    again = disk.start(at(1), None)
    assert vouchers.of_batch(1) == again.of_batch(1)
    assert {1: replace(DAY_PASS, number=1, issued_day="2027-03-01")} == again.batches
    assert 2 == issue(again, 1).batch.number


def test_an_unknown_clock_settles_nothing():
    with pytest.raises(AssertionError):
        store().clock_known(at(wall_s=None))


def test_a_voucher_whose_batch_is_lost_admits_nobody_and_raises_nothing():
    done = issue(before := store())
    kept = [row for row in done.changes if isinstance(row, SavedVoucher)]
    after = store()
    assert () == after.take((), kept, at(), None)
    assert [None, None] == [after.find(code) for code in done.codes]
    assert before.find(done.codes[0]) is not None


def test_deleted_vouchers_use_no_memory():
    vouchers = store()
    done = issue(vouchers)
    assert () == vouchers.forget([vouchers.find(code).fingerprint for code in done.codes], at())
    kept = (vouchers._by_fingerprint, vouchers._by_account, vouchers._by_batch, vouchers.batches)
    assert [0, 0, 0, 0] == [len(each) for each in kept]

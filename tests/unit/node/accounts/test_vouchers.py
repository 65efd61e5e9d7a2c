"""The value of a voucher, and the limits for issuing."""

from dataclasses import replace

import pytest

from node.accounting.session_leases import Lease
from node.accounts.codes import make_code
from node.accounts.vouchers import (
    BATCH_MAX,
    DEVICES_MAX,
    ISSUER_CHARS_MAX,
    LASTS_MAX,
    LASTS_MIN,
    NOTE_CHARS_MAX,
    Batch,
    Voucher,
    batch_findings,
    voucher_account,
    voucher_fingerprint,
    voucher_state,
)
from node.characters import is_name
from node.units import Milliseconds, Monotonic

KEY = b"k" * 32
CODE = make_code(bytes(range(7)), "voucher")
DAY_PASS = Batch(0, "day-pass", Milliseconds(86_400_000), 3, "", "admin")


def voucher(**changes) -> Voucher:
    name = voucher_fingerprint(KEY, CODE)
    return replace(Voucher(name, 1, voucher_account(name)), **changes)


def test_every_node_of_the_community_derives_the_same_account_from_a_code():
    assert voucher_account(voucher_fingerprint(KEY, CODE)) == voucher_account(voucher_fingerprint(KEY, CODE))
    assert voucher_fingerprint(KEY, CODE) != voucher_fingerprint(b"x" * 32, CODE)
    assert voucher_account(voucher_fingerprint(KEY, CODE)).startswith("voucher-")


def test_a_vouchers_account_name_reveals_nothing_of_its_code_or_fingerprint():
    account = voucher_account(voucher_fingerprint(KEY, CODE))
    assert is_name(account)
    assert account.removeprefix("voucher-")[:8] not in voucher_fingerprint(KEY, CODE)
    assert CODE.text.lower() not in account


def test_the_stored_row_does_not_contain_the_code():
    assert CODE.text not in repr(voucher())


@pytest.mark.parametrize(
    ("changes", "now", "state"),
    [
        ({}, 5, "unused"),
        ({"lease": Lease(Monotonic(0), Monotonic(10))}, 9, "used"),
        ({"lease": Lease(Monotonic(0), Monotonic(10))}, 10, "ended"),
        ({"is_revoked": True}, 5, "revoked"),
        ({"lease": Lease(Monotonic(0), Monotonic(10)), "is_revoked": True}, 50, "revoked"),
    ],
)
def test_a_voucher_is_unused_used_ended_or_revoked(changes, now, state):
    assert state == voucher_state(voucher(**changes), Monotonic(now))


@pytest.mark.parametrize("count", [1, 24, BATCH_MAX])
def test_a_valid_order_has_no_findings(count):
    assert () == batch_findings(DAY_PASS, count)


@pytest.mark.parametrize(
    "changes",
    [
        {"lasts_ms": LASTS_MIN, "devices_max": 0},
        {"lasts_ms": LASTS_MAX, "devices_max": DEVICES_MAX},
        {"note": "x" * NOTE_CHARS_MAX, "issued_by": "x" * ISSUER_CHARS_MAX},
    ],
)
def test_an_order_just_within_the_limits_is_issued(changes):
    assert () == batch_findings(replace(DAY_PASS, **changes), 1)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({}, BATCH_MAX + 1),
        ({"group": "Day pass"}, 1),
        ({"group": ""}, 1),
        ({"lasts_ms": LASTS_MIN - 1}, 1),
        ({"lasts_ms": LASTS_MAX + 1}, 1),
        ({"devices_max": -1}, 1),
        ({"devices_max": DEVICES_MAX + 1}, 1),
        ({"note": "x" * (NOTE_CHARS_MAX + 1)}, 1),
        ({"issued_by": "x" * (ISSUER_CHARS_MAX + 1)}, 1),
    ],
)
def test_each_limit_has_a_finding_that_says_what_to_do(changes, count):
    (finding,) = batch_findings(replace(DAY_PASS, **changes), count)
    assert finding.fix
    assert finding.is_error


def test_all_errors_are_reported_at_once():
    assert 3 == len(batch_findings(replace(DAY_PASS, group="?", devices_max=99), 0))

"""Vouchers as admins and issuers see them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.accounts.vouchers import VoucherView
from node.app.admin_sessions import ADMIN, Signed
from node.app.admin_vouchers import (
    PRINTABLE_MAX,
    AdminVouchersService,
    IssuedBatch,
    PrintableCodes,
    VoucherOrder,
)
from node.app.idempotency import SHOWN_MS
from node.app.issuer_grants import Grant
from node.app.views import CodeTyped
from node.errors import UNSTORED, Finding, StorageTrouble
from node.units import Milliseconds
from tests.fakes.admin_pages import PHONE, admin_app
from tests.fakes.use_cases import DAY_MS, TODAY, UseCases

ISSUER = Signed("issuer", "library")
COOKIE = "cookie-" + "a" * 20
ORDER = VoucherOrder(3, "day-pass", Milliseconds(DAY_MS), 2, "the fair")


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with admin_app(tmp_path) as opened:
        yield opened


@pytest.fixture
def vouchers(app: UseCases) -> AdminVouchersService:
    return app.admin.vouchers


async def issued(
    vouchers: AdminVouchersService, signed: Signed = ADMIN, order: VoucherOrder = ORDER
) -> IssuedBatch:
    made = await vouchers.issue(signed, order, COOKIE, vouchers.idempotency_key(COOKIE))
    assert isinstance(made, IssuedBatch), made
    return made


async def test_issued_vouchers_are_stored_before_they_are_shown(app, vouchers):
    made = await issued(vouchers)
    assert (3, "admin", "the fair") == (len(made.codes), made.batch.issued_by, made.batch.note)
    kept = app.node.repository.registry.kept
    assert (1, 3) == (len(kept.batches), len(kept.vouchers))
    async with app.node.life() as again:
        assert await again.join(PHONE, CodeTyped(made.codes[0]))


async def test_one_idempotency_key_issues_one_batch(app, vouchers):
    idempotency_key = vouchers.idempotency_key(COOKIE)
    first = await vouchers.issue(ADMIN, ORDER, COOKIE, idempotency_key)
    assert first == await vouchers.issue(ADMIN, ORDER, COOKIE, idempotency_key)
    app.node.pass_time(SHOWN_MS)
    late = await vouchers.issue(ADMIN, ORDER, COOKIE, idempotency_key)
    assert isinstance(late, tuple)
    assert 1 == len(app.loop.registry.vouchers.batches)


async def test_an_invalid_order_does_not_use_up_its_idempotency_key(app, vouchers):
    idempotency_key = vouchers.idempotency_key(COOKIE)
    wrong = VoucherOrder(0, "No Group", Milliseconds(1), 99, "")
    findings = await vouchers.issue(ADMIN, wrong, COOKIE, idempotency_key)
    assert isinstance(findings, tuple)
    assert 4 == len(findings)
    assert isinstance(await vouchers.issue(ADMIN, ORDER, COOKIE, idempotency_key), IssuedBatch)


async def test_nothing_is_shown_while_nothing_can_be_stored(app, vouchers):
    idempotency_key = vouchers.idempotency_key(COOKIE)
    app.node.repository.full = True
    (finding,) = await vouchers.issue(ADMIN, ORDER, COOKIE, idempotency_key)  # type: ignore[misc]
    assert UNSTORED == finding.code
    app.node.repository.full = False
    assert isinstance(await vouchers.issue(ADMIN, ORDER, COOKIE, idempotency_key), IssuedBatch)
    assert 1 == len(app.loop.registry.vouchers.batches)


async def test_an_issuer_sees_their_own_batches_only(app, vouchers):
    theirs, own = await issued(vouchers), await issued(vouchers, ISSUER)
    assert [own.batch.number] == [batch.number for batch in vouchers.batches(ISSUER)]
    assert [2, 1] == [batch.number for batch in vouchers.batches(ADMIN)]
    assert isinstance(vouchers.find(ISSUER, theirs.codes[0]), Finding)
    assert isinstance(await vouchers.revoke_batch(ISSUER, theirs.batch.number, back=False), Finding)
    assert isinstance(await vouchers.revoke_voucher(ISSUER, theirs.codes[0], back=False), Finding)
    assert isinstance(vouchers.find(ISSUER, own.codes[0]), VoucherView)
    assert vouchers.find(Signed("issuer", "school"), own.codes[0]) == vouchers.find(ISSUER, theirs.codes[0])


async def test_revoking_is_counted_and_can_be_undone(app, vouchers):
    made = await issued(vouchers)
    await vouchers.revoke_voucher(ADMIN, made.codes[0], back=False)
    assert 2 == await vouchers.revoke_batch(ADMIN, 1, back=False)
    assert {"revoked": 3} == vouchers.counts(1)
    assert 3 == await vouchers.revoke_batch(ADMIN, 1, back=True)
    assert {"unused": 3} == vouchers.counts(1)


async def test_a_revocation_that_is_not_stored_is_not_reported_as_permanent(app, vouchers):
    made = await issued(vouchers)
    app.node.repository.full = True
    with pytest.raises(StorageTrouble, match="the data folder is full"):
        await vouchers.revoke_batch(ADMIN, made.batch.number, back=False)
    assert {"revoked": 3} == vouchers.counts(1)


async def test_a_voucher_in_use_has_its_remaining_time(app, vouchers):
    made = await issued(vouchers)
    await app.join(PHONE, CodeTyped(made.codes[0]))
    app.node.pass_time(DAY_MS // 2)
    view = vouchers.find(ADMIN, made.codes[0])
    assert isinstance(view, VoucherView)
    assert ("used", DAY_MS // 2_000, TODAY) == (view.state, view.seconds_left, view.used_day)
    await app.pass_time(DAY_MS)
    assert {"ended": 1, "unused": 2} == vouchers.counts(1)


async def test_groups_are_those_of_the_rules_and_of_earlier_batches(app, vouchers):
    await issued(vouchers, order=VoucherOrder(1, "fair", Milliseconds(DAY_MS), 0, ""))
    assert ("day-pass", "fair", "week") == vouchers.groups()


async def test_an_issuers_limits_are_enforced_whatever_the_form_says(app, vouchers):
    """Before, any issuer could issue 960 vouchers of 400 days in any group at once."""
    grant = Grant(("day-pass",), Milliseconds(2 * 86_400_000), 3, 5)
    signed = Signed("issuer", "library", grant)
    fits = VoucherOrder(3, "day-pass", Milliseconds(86_400_000), 3, "")
    for wrong in (
        replace(fits, count=6),
        replace(fits, group="members"),
        replace(fits, lasts=Milliseconds(400 * 86_400_000)),
        replace(fits, devices_max=0),
    ):
        refused = await vouchers.issue(signed, wrong, "cookie", vouchers.idempotency_key("cookie"))
        assert isinstance(refused, tuple), wrong
    assert [] == vouchers.batches(signed)
    first = await vouchers.issue(signed, fits, "cookie", vouchers.idempotency_key("cookie"))
    assert 3 == len(first.codes)
    # Another link with the same name shares the same limit.
    same = Signed("issuer", "library", replace(grant, devices_max=2))
    refused = await vouchers.issue(
        same, replace(fits, devices_max=2), "other", vouchers.idempotency_key("other")
    )
    assert ["count"] == [finding.code for finding in refused]
    assert "Left today: 2." in refused[0].message
    admin = await vouchers.issue(Signed("admin"), replace(fits, count=50), "a", vouchers.idempotency_key("a"))
    assert 50 == len(admin.codes)


# --- printing again ---


def test_codes_are_those_of_the_session_and_the_oldest_are_dropped():
    printable = PrintableCodes()
    printable.keep("ana", 1, ("a",))
    printable.keep("ben", 2, ("b",))
    assert (("a",), (), ("b",)) == (printable.of("ana", 1), printable.of("ana", 2), printable.of("ben", 2))
    printable.keep_only({"ben"})
    assert ((), ("b",)) == (printable.of("ana", 1), printable.of("ben", 2))
    printable.keep("ben", 3, ("c",) * PRINTABLE_MAX)
    assert () == printable.of("ben", 2)
    assert PRINTABLE_MAX == len(printable.of("ben", 3))
    printable.keep("ben", 4, ("d",) * (PRINTABLE_MAX + 1))
    assert () == printable.of("ben", 3)
    assert printable.of("ben", 4), "the newest batch is kept in any case"


async def test_the_console_keeps_no_codes(vouchers):
    made = await issued(vouchers)
    assert not vouchers.is_printable(COOKIE, made.batch.number)
    assert isinstance(vouchers.print_again(COOKIE, made.batch.number), Finding)

"""Application service of the admin pages for vouchers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from node.accounts.auth_result import Now
from node.accounts.codes import Code, read_code, shown
from node.accounts.ports import Change
from node.accounts.registry import AccountRegistry
from node.accounts.voucher_store import GeneratedVoucher, VoucherStore
from node.accounts.voucher_store import IssueResult as Fresh
from node.accounts.vouchers import Batch, Voucher, VoucherState, voucher_state
from node.admin.grants import beyond
from node.admin.idempotency import RANDOM_BYTES, IdempotencyKeys
from node.admin.ports import UNSTORED, IssuedBatch, VoucherOrder, VoucherView
from node.admin.signin import Signed
from node.errors import Finding, StorageTrouble
from node.units import Monotonic

Keep = Callable[[Iterable[Change]], Awaitable[None]]
"""Stores changes and puts them in force."""
Check = Callable[[], None]
"""Raises NodeError while nothing may be changed because the database has not been read yet."""
Unwritable = Callable[[], Awaitable[str]]
"""Returns why nothing can be stored now; empty when it can."""
KEY_BYTES = 32


class AdminVouchersService:
    """Implements `node.admin.ports.VouchersBackend`."""

    def __init__(
        self,
        registry: AccountRegistry,
        *,
        keep: Keep,
        check: Check,
        mint: Callable[[int], Awaitable[tuple[GeneratedVoucher, ...]]],
        instant: Callable[[], Now],
        random: Callable[[int], bytes],
        rule_groups: Callable[[], Iterable[str]],
        trouble: Callable[[Iterable[Change]], str],
    ) -> None:
        """`mint` generates that many codes in a thread, because a thousand would block the event loop; `trouble`
        returns why these changes could not be stored, empty when they are."""
        self._registry, self._vouchers = registry, registry.vouchers
        self._mint, self._keep, self._check, self._instant, self._random = mint, keep, check, instant, random
        self._rule_groups, self._trouble = rule_groups, trouble
        self._idempotency = IdempotencyKeys[Fresh](random(KEY_BYTES))

    def idempotency_key(self, cookie: str) -> str:
        return self._idempotency.idempotency_key(cookie, self._random(RANDOM_BYTES), self._instant().now)

    async def issue(
        self, signed: Signed, order: VoucherOrder, cookie: str, idempotency_key: str
    ) -> IssuedBatch | tuple[Finding, ...]:
        self._check()
        wish, minted = _wish(signed, order), tuple[GeneratedVoucher, ...]()
        is_fresh = self._idempotency.state(cookie, idempotency_key, self._instant().now) == "fresh"
        if is_fresh and (findings := self._beyond(signed, wish, order.count)):
            return findings
        if is_fresh and not self._vouchers.findings(wish, order.count):
            minted = await self._mint(order.count)
        # The idempotency key is checked again: the first of two clicks may have been faster.
        fresh = self._issue(
            signed, wish, minted, cookie=cookie, idempotency_key=idempotency_key, count=order.count
        )
        if isinstance(fresh, tuple):
            return fresh
        # Also for the second of two clicks: codes that a power cut would make worthless are never shown.
        await self._keep(fresh.changes)
        if trouble := self._trouble(fresh.changes):
            return (Finding(UNSTORED, 0, f"The vouchers cannot be stored yet: {trouble}.", _TRY_AGAIN),)
        return IssuedBatch(fresh.batch, tuple(map(shown, fresh.codes)))

    def _issue(
        self,
        signed: Signed,
        wish: Batch,
        minted: tuple[GeneratedVoucher, ...],
        *,
        cookie: str,
        idempotency_key: str,
        count: int,
    ) -> Fresh | tuple[Finding, ...]:
        """The result of the form with this idempotency key: the first one if it was submitted before."""
        at = self._instant()
        state = self._idempotency.state(cookie, idempotency_key, at.now)
        if state in {"stale", "crowded"}:
            return (_STALE if state == "stale" else _CROWDED,)
        if state == "used":
            return self._idempotency.shown(cookie, idempotency_key, at.now) or (_SHOWN_BEFORE,)
        if findings := self._beyond(signed, wish, count):
            return findings  # others issued in the same name while these were generated
        fresh = self._vouchers.issue(wish, count, at.today, minted)
        if not isinstance(fresh, tuple):
            self._idempotency.keep(cookie, idempotency_key, fresh, at.now)
        return fresh

    def _beyond(self, signed: Signed, wish: Batch, count: int) -> tuple[Finding, ...]:
        """Findings where the order exceeds the grant of this issuer's link, counting what
        was issued today in that name."""
        grant = signed.may_issue
        if grant is None:
            return ()
        today = self._instant().today
        issued = sum(
            len(self._vouchers.of_batch(number))
            for number, batch in self._vouchers.batches.items()
            if batch.issued_by == signed.label and batch.issued_day == today
        )
        return beyond(
            grant,
            group=wish.group,
            lasts=wish.lasts_ms,
            devices=wish.devices_max,
            count=count,
            issued_today=issued,
        )

    def batches(self, signed: Signed) -> Sequence[Batch]:
        whole = sorted(self._vouchers.batches.values(), key=lambda batch: -batch.number)
        return [batch for batch in whole if _may_see(signed, batch)]

    def counts(self, number: int) -> Mapping[VoucherState, int]:
        return self._vouchers.counts(number, self._instant().now)

    async def revoke_batch(self, signed: Signed, number: int, *, back: bool) -> int | Finding:
        self._check()
        batch = self._vouchers.batches.get(number)
        if batch is None or not _may_see(signed, batch):
            return Finding("voucher", 0, f"You have no batch {number}.", "choose one from the list")
        return await self._turn(self._vouchers.of_batch(number), back=back)

    def find(self, signed: Signed, typed: str) -> VoucherView | Finding:
        voucher = self._find(signed, typed)
        if isinstance(voucher, Finding):
            return voucher
        return voucher_view(self._vouchers, voucher, self._instant().now)

    async def revoke_voucher(self, signed: Signed, typed: str, *, back: bool) -> Finding | None:
        voucher = self._find(signed, typed)
        if isinstance(voucher, Finding):
            return voucher
        await self._turn((voucher,), back=back)
        return None

    def groups(self) -> tuple[str, ...]:
        issued = {batch.group for batch in self._vouchers.batches.values()}
        return tuple(sorted({*self._rule_groups(), *issued}))

    async def _turn(self, vouchers: Iterable[Voucher], *, back: bool) -> int:
        """Revokes or restores; returns how many changed. Raises StorageTrouble when the change is not on the disk."""
        names = [voucher.fingerprint for voucher in vouchers]
        now, ours = self._instant().now, self._vouchers
        changes = ours.restore(names) if back else ours.revoke(names, now).changes
        await self._keep(changes)
        if trouble := self._trouble(changes):
            raise in_memory_only(trouble)
        return len(changes)

    def _find(self, signed: Signed, typed: str) -> Voucher | Finding:
        self._check()
        code = read_code(typed)
        if not isinstance(code, Code) or code.kind != "voucher":
            return _MISTYPED
        voucher = self._vouchers.find(code)
        if voucher is None or not _may_see(signed, self._vouchers.batch_of(voucher)):
            return _UNKNOWN
        return voucher


def voucher_view(vouchers: VoucherStore, voucher: Voucher, now: Monotonic) -> VoucherView:
    """The state of `voucher` for the admin pages."""
    state, lease = voucher_state(voucher, now), voucher.lease
    left = (lease.ends - now) // 1000 if lease is not None and state == "used" else None
    return VoucherView(vouchers.batch_of(voucher), voucher.account, state, voucher.used_day, left)


def unwritable(trouble: str) -> Finding:
    """Finding for a change that is refused because the disk cannot be written."""
    message = f"The node cannot save anything right now, so nothing was changed: {trouble}."
    return Finding(UNSTORED, 0, message, "send this again when the disk can be written")


def in_memory_only(trouble: str) -> StorageTrouble:
    """Error for a change that took effect but is not on the disk."""
    return StorageTrouble(
        f"It is done, but will be lost if the node stops before the disk can be written: {trouble}.",
        "check it again when the disk can be written",
    )


def _wish(signed: Signed, order: VoucherOrder) -> Batch:
    return Batch(0, order.group, order.lasts, order.devices_max, "", signed.label, order.note)


def _may_see(signed: Signed, batch: Batch) -> bool:
    return signed.role == "admin" or batch.issued_by == signed.label


_TRY_AGAIN = "send the same form again; the same vouchers are shown once they are stored"
_STALE = Finding("ticket", 0, "This form is too old, so nothing was issued.", "check it and send it again")
_CROWDED = Finding(
    "ticket", 0, "Too many vouchers were issued recently.", "wait an hour, and issue more in one batch"
)
_SHOWN_BEFORE = Finding(
    "ticket",
    0,
    "These vouchers were issued already, and their codes are no longer shown.",
    "find their batch in the list; to issue more, send the form again",
)
_MISTYPED = Finding("voucher", 0, "This is not a voucher code.", "compare it letter by letter with the paper")
_UNKNOWN = Finding(
    "voucher", 0, "No voucher of yours has this code.", "compare it with the paper, or ask who issued it"
)

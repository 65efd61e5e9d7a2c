"""Application service of the admin pages for vouchers."""

from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.accounts.changes import Change
from node.accounts.codes import Code, read_code, shown
from node.accounts.events import EventKind
from node.accounts.voucher_store import GeneratedVoucher
from node.accounts.voucher_store import IssueResult as Fresh
from node.accounts.vouchers import (
    VOUCHER_STATES,
    Batch,
    Voucher,
    VoucherState,
    VoucherView,
    voucher_state,
)
from node.app.admin_access import AdminSession
from node.app.admin_sessions import Signed
from node.app.event_recorder import event_of
from node.app.idempotency import RANDOM_BYTES, IdempotencyKeys
from node.app.issuer_grants import beyond, span_text
from node.control.reconciler import Reconciler
from node.errors import UNSTORED, Finding, StorageTrouble
from node.governance.rules import LATE_DUES
from node.translator import gettext_lazy
from node.units import Milliseconds, NodeId, largest_unit

KEY_BYTES = 32


# --- changes by an admin ----------------------------------------------------------------


def require_recalled(reconciler: Reconciler) -> None:
    """Raises StorageTrouble while nothing may be changed because the database has not been read yet."""
    if not reconciler.persistence.recalled:
        raise StorageTrouble(
            gettext_lazy("the node could not read its stored data yet, so nothing can be changed"),
            gettext_lazy("make the data folder readable; the node tries again by itself"),
        )


async def unwritable(reconciler: Reconciler) -> Finding | None:
    """Why a change is refused now; None when the disk can be written. Raises as `require_recalled`."""
    require_recalled(reconciler)
    trouble = await reconciler.persistence.why_unwritable()
    if not trouble:
        return None
    message = gettext_lazy(
        "The node cannot save anything right now, so nothing was changed: {english}.", english=trouble
    )
    return Finding(UNSTORED, 0, message, gettext_lazy("send this again when the disk can be written"))


async def require_writable(reconciler: Reconciler) -> None:
    """As `unwritable`, but raises StorageTrouble."""
    if (refused := await unwritable(reconciler)) is not None:
        raise StorageTrouble(refused.message, refused.fix)


async def store(reconciler: Reconciler, changes: Iterable[Change]) -> None:
    """Puts the changes in force and stores them. Raises StorageTrouble when they are in force but not on the disk."""
    kept = tuple(changes)
    await reconciler.remember(kept)
    if trouble := reconciler.persistence.why_unstored(kept):
        raise StorageTrouble(
            gettext_lazy(
                "It is done, but will be lost if the node stops before the disk can be written: {english}.",
                english=trouble,
            ),
            gettext_lazy("check it again when the disk can be written"),
        )


# --- codes that can be printed again ------------------------------------------------------

PRINTABLE_MAX = 4_000
"""Codes kept for printing again, of all sessions; the oldest batches are dropped first, the newest never."""


class PrintableCodes:
    """Codes of batches for the sessions that issued them, in memory only."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, int], tuple[str, ...]] = {}

    def keep(self, session: str, batch: int, codes: tuple[str, ...]) -> None:
        self._codes[session, batch] = codes
        while len(self._codes) > 1 and sum(map(len, self._codes.values())) > PRINTABLE_MAX:
            del self._codes[next(iter(self._codes))]

    def of(self, session: str, batch: int) -> tuple[str, ...]:
        """Empty for another session, and when they were dropped."""
        return self._codes.get((session, batch), ())

    def keep_only(self, sessions: Container[str]) -> None:
        """Drops the codes of all other sessions."""
        self._codes = {key: codes for key, codes in self._codes.items() if key[0] in sessions}


# --- vouchers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoucherOrder:
    """An order for a batch of vouchers."""

    count: int
    group: str
    lasts: Milliseconds
    devices_max: int
    """Devices at once; 0 leaves it to the rules."""
    note: str


@dataclass(frozen=True, slots=True)
class IssuedBatch:
    """Vouchers with their codes, which only the session that issued them can see."""

    batch: Batch
    codes: tuple[str, ...]
    """In groups, for reading."""


class AdminVouchersService:
    """Vouchers, also those of other nodes. An issuer can only see and revoke batches that were issued here under the same
    name."""

    def __init__(
        self,
        reconciler: Reconciler,
        *,
        generate: Callable[[int], Awaitable[tuple[GeneratedVoucher, ...]]],
        random: Callable[[int], bytes],
        sessions: Callable[[str], tuple[AdminSession, ...]],
        name_of_node: Callable[[NodeId], str],
    ) -> None:
        """`generate` makes that many codes in a thread, because a thousand would block the event loop; `sessions` are all
        sessions, for a cookie that marks its own."""
        self._reconciler, self._vouchers = reconciler, reconciler.registry.vouchers
        self._generate, self._random = generate, random
        self._idempotency = IdempotencyKeys[Fresh](random(KEY_BYTES))
        self._name_of_node = name_of_node
        self._sessions, self._printable = sessions, PrintableCodes()

    def idempotency_key(self, cookie: str) -> str:
        """A new key for one order form; a form that is sent twice issues once."""
        return self._idempotency.idempotency_key(
            cookie, self._random(RANDOM_BYTES), self._reconciler.persistence.instant().now
        )

    async def issue(
        self, signed: Signed, order: VoucherOrder, cookie: str, idempotency_key: str
    ) -> IssuedBatch | tuple[Finding, ...]:
        """Issues and stores the vouchers. The same key returns the same vouchers; a bad order returns all
        findings."""
        require_recalled(self._reconciler)
        wish, generated = _wish(signed, order), tuple[GeneratedVoucher, ...]()
        is_fresh = (
            self._idempotency.state(cookie, idempotency_key, self._reconciler.persistence.instant().now)
            == "fresh"
        )
        if is_fresh and (findings := self._beyond(signed, wish, order.count)):
            return findings
        if is_fresh and not self._vouchers.findings(wish, order.count):
            generated = await self._generate(order.count)
        # The idempotency key is checked again: the first of two clicks may have been faster.
        fresh = self._issue(
            signed, wish, generated, cookie=cookie, idempotency_key=idempotency_key, count=order.count
        )
        if isinstance(fresh, tuple):
            return fresh
        # Also for the second of two clicks: codes that a power cut would make worthless are never shown.
        await self._reconciler.remember(fresh.changes)
        if trouble := self._reconciler.persistence.why_unstored(fresh.changes):
            message = gettext_lazy("The vouchers cannot be stored yet: {english}.", english=trouble)
            return (Finding(UNSTORED, 0, message, _TRY_AGAIN),)
        issued = IssuedBatch(fresh.batch, tuple(map(shown, fresh.codes)))
        if session := self._session(cookie):
            self._printable.keep(session, issued.batch.number, issued.codes)
        return issued

    def is_printable(self, cookie: str, number: int) -> bool:
        """Whether this session can print the batch again."""
        return bool(self._printable.of(self._session(cookie), number))

    def print_again(self, cookie: str, number: int) -> IssuedBatch | Finding:
        """The vouchers of a batch that this session issued, without those that somebody has used or that were revoked."""
        batch, codes = (
            self._vouchers.batches.get(number),
            self._printable.of(self._session(cookie), number),
        )
        if batch is None or not codes:
            return _NOT_PRINTABLE
        now, kept = self._reconciler.persistence.instant().now, []
        for text in codes:
            code = read_code(text)
            voucher = self._vouchers.find(code) if isinstance(code, Code) else None
            if voucher is not None and voucher_state(voucher, now) == "unused":
                kept.append(text)
        return IssuedBatch(batch, tuple(kept)) if kept else _ALL_USED

    def drop_codes(self) -> None:
        """Drops the codes of sessions that have ended."""
        self._printable.keep_only({each.mark for each in self._sessions("")})

    def _session(self, cookie: str) -> str:
        """The mark of the session of `cookie`; empty without one."""
        return next((each.mark for each in self._sessions(cookie) if each.is_own), "")

    def _issue(
        self,
        signed: Signed,
        wish: Batch,
        generated: tuple[GeneratedVoucher, ...],
        *,
        cookie: str,
        idempotency_key: str,
        count: int,
    ) -> Fresh | tuple[Finding, ...]:
        """The result of the form with this idempotency key: the first one if it was submitted before."""
        at = self._reconciler.persistence.instant()
        state = self._idempotency.state(cookie, idempotency_key, at.now)
        if state in {"stale", "crowded"}:
            return (_STALE if state == "stale" else _CROWDED,)
        if state == "used":
            return self._idempotency.shown(cookie, idempotency_key, at.now) or (_SHOWN_BEFORE,)
        if findings := self._beyond(signed, wish, count):
            return findings  # others issued in the same name while these were generated
        fresh = self._vouchers.issue(wish, count, at.today, generated)
        if not isinstance(fresh, tuple):
            issued = event_of(
                self._reconciler, signed, "vouchers-issued", about=str(fresh.batch.number), count=count
            )
            fresh = replace(fresh, changes=(*fresh.changes, issued))
            self._idempotency.keep(cookie, idempotency_key, fresh, at.now)
        return fresh

    def _beyond(self, signed: Signed, wish: Batch, count: int) -> tuple[Finding, ...]:
        """Findings where the order exceeds the grant of this issuer's link, counting what
        was issued today in that name."""
        grant = signed.may_issue
        if grant is None:
            return ()
        today = self._reconciler.persistence.instant().today
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
        """The newest first."""
        whole = sorted(self._vouchers.batches.values(), key=lambda batch: -batch.number)
        return [
            batch for batch in whole if _may_see(signed, batch) and not self._vouchers.is_empty(batch.number)
        ]

    def origin(self, batch: Batch) -> str:
        """The name of the other node that issued the batch; empty for this one."""
        return "" if batch.origin is None else self._name_of_node(batch.origin)

    def counts(self, number: int) -> Mapping[VoucherState, int]:
        return self._vouchers.counts(number, self._reconciler.persistence.instant().now)

    async def revoke_batch(self, signed: Signed, number: int, *, back: bool) -> int | Finding:
        """Number of vouchers revoked now; with `back`, number of revocations undone."""
        require_recalled(self._reconciler)
        batch = self._vouchers.batches.get(number)
        if batch is None or not _may_see(signed, batch):
            message = gettext_lazy("You have no batch {number}.", number=number)
            return Finding("voucher", 0, message, gettext_lazy("choose one from the list"))
        now = self._reconciler.persistence.instant().now
        turn = self._vouchers.restore_batch if back else self._vouchers.revoke_batch
        turned = turn(number, now)
        if turned.changes:
            kind: EventKind = "batch-restored" if back else "batch-revoked"
            event = event_of(self._reconciler, signed, kind, about=str(number), count=max(1, turned.count))
            await store(self._reconciler, (*turned.changes, event))
        return turned.count

    def find(self, signed: Signed, typed: str) -> VoucherView | Finding:
        voucher = self._find(signed, typed)
        if isinstance(voucher, Finding):
            return voucher
        return self._vouchers.view(voucher, self._reconciler.persistence.instant().now)

    async def revoke_voucher(self, signed: Signed, typed: str, *, back: bool) -> Finding | None:
        voucher = self._find(signed, typed)
        if isinstance(voucher, Finding):
            return voucher
        now, ours = self._reconciler.persistence.instant().now, self._vouchers
        names = [voucher.fingerprint]
        changes = ours.restore(names, now) if back else ours.revoke(names, now).changes
        if changes:
            kind: EventKind = "voucher-restored" if back else "voucher-revoked"
            event = event_of(self._reconciler, signed, kind, account=voucher.account)
            await store(self._reconciler, (*changes, event))
        return None

    def groups(self) -> tuple[str, ...]:
        """Groups that the rules mention, and those of earlier batches."""
        issued = {batch.group for batch in self._vouchers.batches.values()}
        named = {
            group for rule in self._reconciler.active_ruleset.ruleset.every_rule for group in rule.who.groups
        }
        return tuple(sorted((named | issued) - {LATE_DUES}))

    def _find(self, signed: Signed, typed: str) -> Voucher | Finding:
        require_recalled(self._reconciler)
        code = read_code(typed)
        if not isinstance(code, Code) or code.kind != "voucher":
            return _MISTYPED
        voucher = self._vouchers.find(code)
        if voucher is None or not _may_see(signed, self._vouchers.batches[voucher.batch]):
            return _UNKNOWN
        return voucher


def _wish(signed: Signed, order: VoucherOrder) -> Batch:
    return Batch(0, order.group, order.lasts, order.devices_max, "", signed.label, order.note)


def _may_see(signed: Signed, batch: Batch) -> bool:
    return signed.role == "admin" or batch.issued_by == signed.label


_TRY_AGAIN = gettext_lazy("send the same form again; the same vouchers are shown once they are stored")
_STALE = Finding(
    "ticket",
    0,
    gettext_lazy("This form is too old, so nothing was issued."),
    gettext_lazy("check it and send it again"),
)
_CROWDED = Finding(
    "ticket",
    0,
    gettext_lazy("Too many vouchers were issued recently."),
    gettext_lazy("wait an hour, and issue more in one batch"),
)
_SHOWN_BEFORE = Finding(
    "ticket",
    0,
    gettext_lazy("These vouchers were issued already, and their codes are no longer shown."),
    gettext_lazy("find their batch in the list; to issue more, send the form again"),
)
_NOT_PRINTABLE = Finding(
    "voucher",
    0,
    gettext_lazy("The codes of this batch are no longer known here."),
    gettext_lazy("if its sheet is lost, revoke the batch and issue a new one"),
)
_ALL_USED = Finding(
    "voucher",
    0,
    gettext_lazy("Every voucher of this batch is used or revoked."),
    gettext_lazy("issue new ones"),
)
_MISTYPED = Finding(
    "voucher",
    0,
    gettext_lazy("This is not a voucher code."),
    gettext_lazy("compare it letter by letter with the paper"),
)
_UNKNOWN = Finding(
    "voucher",
    0,
    gettext_lazy("No voucher of yours has this code."),
    gettext_lazy("compare it with the paper, or ask who issued it"),
)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One batch in the list."""

    batch: Batch
    lasts: str
    counts: tuple[tuple[str, int], ...]
    """Number of vouchers in each state, in a fixed order, zeros included."""
    origin: str = ""
    """The name of the other node that issued it; empty for this one."""

    @property
    def whole(self) -> int:
        return sum(count for _, count in self.counts)


def batch_line(batch: Batch, counts: Mapping[VoucherState, int], origin: str = "") -> BatchLine:
    of_states = tuple((state, counts.get(state, 0)) for state in VOUCHER_STATES)
    return BatchLine(batch, span_text(batch.lasts_ms), of_states, origin)


@dataclass(frozen=True, slots=True)
class Span:
    """A duration as a whole number of its largest exact unit: ``day``, ``hour`` or ``minute``."""

    number: int
    unit: str


def span(duration: Milliseconds) -> Span:
    """``90 minutes``, ``4 hours``, ``1 day``; parts of a minute are dropped."""
    return Span(*largest_unit(Milliseconds(duration - duration % 60_000)))

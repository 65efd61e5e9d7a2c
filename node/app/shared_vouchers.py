"""Vouchers are of the community: one issued at any node is valid at every other, for what is left of its time.

Lists of vouchers come in batch pages, and what became of each voucher in registry records. A list and a record can arrive
in any order, and from different nodes.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from mesh.batch_kind import BatchContent, BatchSaid, batch_part
from mesh.page_age import is_older
from node.accounts.account_list import listed
from node.accounts.changes import Batch, Change, SavedVoucher
from node.accounts.registry_record import RegistryRecord, Value
from node.accounts.voucher_records import (
    BATCH_RECORD,
    LISTED_DAYS,
    STALE_DAYS,
    UNUSED_DAYS,
    VOUCHER_RECORD,
    VoucherFacts,
    account_of_key,
    batch_key,
    batch_of_key,
    batch_until,
    batch_value,
    facts_to_tell,
    is_batch_revoked,
    join_batches,
    join_vouchers,
    voucher_facts,
    voucher_key,
    voucher_until,
    voucher_value,
)
from node.accounts.vouchers import LEASE_MOVES_S, is_end_earlier
from node.app.shared_registry import Said, SharedRegistry
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.translator import ngettext_lazy
from node.units import AccountId, Milliseconds, NodeId

WAITING_MAX = 64
"""Pages with lists for which there is no room now, kept to be tried again; others are, after a restart."""
TOGETHER = 100
"""Records looked at before other tasks run: about 2 ms."""
LOOK_EVERY_S = 600.0
"""Between two looks for lists that can be taken in now, and for ends that a wrong clock moved."""


class SharedVouchers:
    """Implements `mesh.ports.SharedBatches`. Used only from the event loop's thread."""

    def __init__(self, own: NodeId, reconciler: Reconciler, shared: SharedRegistry, clock: Clock) -> None:
        self._own, self._reconciler, self._clock = own, reconciler, clock
        self._shared, self._records = shared, shared.records
        self._vouchers = reconciler.registry.vouchers
        self.woken: Callable[[], None] = lambda: None
        self._heard: dict[tuple[NodeId, int], BatchContent] = {}
        """Pages that were not taken in yet, or not whole, by author and part."""
        self._to_store: dict[int, None] = {}
        """Numbers of batches whose list is not stored as it is."""
        self._to_apply: dict[AccountId, None] = {}
        """Vouchers whose record is to be applied again."""
        self._to_tell: dict[AccountId, None] = {}
        """Vouchers whose record is to be put again."""
        self._beyond = 0
        self._has_news = asyncio.Event()
        shared.register(
            VOUCHER_RECORD, self._voucher_said, self._apply_voucher, join=join_vouchers, is_plentiful=True
        )
        shared.register(BATCH_RECORD, self._batch_said, self._apply_batch, join=join_batches)

    async def run(self) -> None:
        """Until cancelled: take in what the pages of other nodes say."""
        clock, looked_s = asyncio.get_running_loop(), 0.0
        while True:
            self._has_news.clear()
            await self._take_all()
            if clock.time() - looked_s >= LOOK_EVERY_S:
                looked_s = clock.time()
                self._store_lists()
                self._check_ends()
            await self._apply_again()
            self._tell_again()
            await self._reconciler.persistence.save()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._has_news.wait()
            except TimeoutError:
                continue

    # --- for the mesh ---------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        return self._shared.generation

    def today(self) -> str:
        return self._shared.today()

    def own(self) -> Iterator[BatchSaid]:
        """The batches that this node issued, as it says them. A voucher that ended more than a day ago is not in them."""
        before_s = (self._reconciler.persistence.instant().wall_s or 0) - LISTED_DAYS * 86_400
        for number, batch in self._vouchers.batches.items():
            accounts = self._vouchers.list_without_ended(number, before_s) if batch.origin is None else ""
            if accounts:
                lasts, devices = batch.lasts_ms, batch.devices_max
                yield BatchSaid(number, batch.issued_day, batch.group, lasts, devices, accounts)

    def take(self, author: NodeId, content: BatchContent) -> None:
        for part in {batch_part(each.number) for each in content.batches}:
            self._heard[author, part] = content
        self._has_news.set()

    def warnings(self) -> tuple[str, ...]:
        if not self._beyond:
            return ()
        return (
            ngettext_lazy(
                "{number} batch of vouchers of other nodes is not valid here, because this node keeps as many as it can: "
                "issue fewer; vouchers are forgotten 30 days after their end, or 400 days after their issue if nobody used "
                "them",
                "{number} batches of vouchers of other nodes are not valid here, because this node keeps as many as it can: "
                "issue fewer; vouchers are forgotten 30 days after their end, or 400 days after their issue if nobody used "
                "them",
                self._beyond,
            ),
        )

    # --- lists ----------------------------------------------------------------------------------

    async def _take_all(self) -> None:
        """Those that cannot be taken in yet are tried again later."""
        heard, self._heard = self._heard, {}
        beyond = 0
        for (author, part), content in heard.items():
            left = 0
            for each in content.batches:
                left += not self._take(author, each, content.day)
                await asyncio.sleep(0)
            beyond += left
            if left and (author, part) not in self._heard and len(self._heard) < WAITING_MAX:
                self._heard[author, part] = content
        self._beyond = beyond

    def _take(self, author: NodeId, said: BatchSaid, day: str) -> bool:
        """False if there is no room for it."""
        is_own, today = author == self._own, self.today()
        known = None if is_own else self._vouchers.number_here(author, said.number)
        if known is None and (
            is_older(day, today, STALE_DAYS) or is_older(said.issued_day, today, UNUSED_DAYS)
        ):
            return True
        heard = Batch(
            number=said.number if is_own else 0,
            group=said.group,
            lasts_ms=Milliseconds(said.lasts_ms),
            devices_max=said.devices_max,
            issued_day=said.issued_day,
            issued_by="",
            origin=None if is_own else author,
            origin_number=0 if is_own else said.number,
            accounts=said.accounts,
        )
        rows = self._vouchers.hear_batch(heard)
        if rows is None:
            return False
        for batch in rows:
            self._to_store[batch.number] = None
            if batch.number != known:
                self._store_lists()
                self._keep(self._known_of(batch))
        return True

    def _store_lists(self) -> None:
        """A new list at once. One that got shorter later: its page is read again after a crash, and a node could make it
        shorter each second."""
        numbers, self._to_store = self._to_store, {}
        self._keep(self._vouchers.batches[number] for number in numbers if number in self._vouchers.batches)

    def _known_of(self, batch: Batch) -> Iterable[Change]:
        """What records that came before it say of a batch and its vouchers."""
        record = self._records.effective(BATCH_RECORD, batch_key(self._own, batch))
        revoked = is_batch_revoked(record.value) if record is not None else None
        of_batch = (
            () if revoked is None else self._vouchers.hear_batch_revoked(batch.number, is_revoked=revoked)
        )
        return chain(of_batch, *(self._hear_record(account) for account in listed(batch.accounts)))

    def _keep(self, changes: Iterable[Change]) -> None:
        self._reconciler.persistence.pending.add(tuple(changes))

    # --- records --------------------------------------------------------------------------------

    def _voucher_said(self, change: Change) -> Said | None:
        key = voucher_key(change.voucher.account) if isinstance(change, SavedVoucher) else ""
        if (
            not isinstance(change, SavedVoucher)
            or not key
            or change.voucher.batch not in self._vouchers.batches
        ):
            return None
        before = self._records.effective(VOUCHER_RECORD, key)
        known = voucher_facts(before.value) if before is not None else None
        facts = facts_to_tell(change, known)
        if facts is None:
            return None
        self._compare(change, known)
        until, today = (
            voucher_until(facts, self._vouchers.batches[change.voucher.batch], self.today()),
            self.today(),
        )
        if before is None and until and until < today:
            return None  # it was forgotten, here and elsewhere
        return self._same(before, voucher_value(facts)) or (key, voucher_value(facts), until)

    def _batch_said(self, change: Change) -> Said | None:
        if not isinstance(change, Batch):
            return None
        if change.origin is None:
            self.woken()
        key = batch_key(self._own, change)
        before = self._records.effective(BATCH_RECORD, key)
        if before is None and not change.is_revoked:
            return None
        value = batch_value(is_revoked=change.is_revoked)
        return self._same(before, value) or (key, value, batch_until(change, self.today()))

    @staticmethod
    def _same(before: RegistryRecord | None, value: Value) -> Said | None:
        """What the record in effect says, if it has this value: it ends on the day that it was given."""
        return (
            (before.key, before.value, before.until) if before is not None and before.value == value else None
        )

    def _compare(self, saved: SavedVoucher, known: VoucherFacts | None) -> None:
        """A clock that was corrected moved the end of a voucher that another node says."""
        if not saved.voucher.used_elsewhere or saved.lease is None or known is None or not known.ends_s:
            return
        if abs((saved.lease.ends_wall_s or 0) - known.ends_s) >= LEASE_MOVES_S:
            self._to_apply[saved.voucher.account] = None
            self._has_news.set()

    async def _apply_voucher(self, record: RegistryRecord) -> None:
        rows = self._hear_record(account_of_key(record.key))
        if rows:
            await self._reconciler.remember(rows)

    async def _apply_batch(self, record: RegistryRecord) -> None:
        named, revoked = batch_of_key(record.key), is_batch_revoked(record.value)
        if named is None or revoked is None:
            return
        number = self._number_of(*named)
        rows = self._vouchers.hear_batch_revoked(number, is_revoked=revoked) if number is not None else ()
        if rows:
            await self._reconciler.remember(rows)

    def _number_of(self, origin: NodeId, number: int) -> int | None:
        if origin != self._own:
            return self._vouchers.number_here(origin, number)
        batch = self._vouchers.batches.get(number)
        return number if batch is not None and batch.origin is None else None

    def _hear_record(self, account: AccountId) -> tuple[SavedVoucher, ...]:
        """Do what the record in effect says of this voucher; returns its row if that changes it."""
        record = self._records.effective(VOUCHER_RECORD, voucher_key(account))
        facts = voucher_facts(record.value) if record is not None else None
        if facts is None:
            return ()
        used: tuple[SavedVoucher, ...] = ()
        if is_end_earlier(self._vouchers.saved_of(account), facts.ends_s):
            self._to_tell[account] = None
            self._has_news.set()
        elif facts.is_used:
            at = self._reconciler.persistence.instant()
            used = self._vouchers.hear_use(account, facts.ends_s, facts.used_day, at)
        return (*used, *self._vouchers.hear_revoked(account, is_revoked=facts.is_revoked))[-1:]

    def _check_ends(self) -> None:
        """This node's clock may have been wrong when it heard of an end."""
        self._to_apply |= dict.fromkeys(self._vouchers.used_elsewhere())

    async def _apply_again(self) -> None:
        accounts, self._to_apply = self._to_apply, {}
        for number, account in enumerate(accounts):
            rows = self._hear_record(account)
            if rows:
                await self._reconciler.remember(rows)
            elif number % TOGETHER == 0:
                await asyncio.sleep(0)

    def _tell_again(self) -> None:
        """Two first uses in a split: this node says the earlier one again, if the later one was changed more often."""
        accounts, self._to_tell = self._to_tell, {}
        rows = (self._vouchers.saved_of(account) for account in accounts)
        self._keep(row for row in rows if row is not None)

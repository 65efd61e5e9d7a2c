"""Observe, decide, apply: the one loop that makes the kernel agree with who is here and what the rules say.

The loop's thread owns who is here; one worker thread reads and books, another applies. Portal and mesh hand in
what happened and wait for the next plan to stand.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from captive_portal import guests
from node.accounting import busy
from node.accounting.ledger import Cell, CellKey, Ledger
from node.accounting.meter import baseline
from node.accounting.periods import DAY_UNKNOWN
from node.enforcement.plan import Gate, KernelFeatures, TrafficPlan
from node.enforcement.ports import Kernel
from node.errors import KernelRefused, StorageTrouble
from node.governance.allowance import Allowance, Moment
from node.governance.roll import Roll
from node.membership.entrances import Instant
from node.membership.ports import Change
from node.membership.register import Register
from node.reconcile.enactment import Enactment
from node.reconcile.keeper import Keeper, Troubles, nothing_to_keep
from node.reconcile.kernel_thread import KernelThread
from node.reconcile.measure import Measured, Question, measure
from node.reconcile.ports import Clock, Memory
from node.reconcile.presence import GUESTS_MAX
from node.reconcile.rates import Unrated
from node.reconcile.room import NoRoom, Occupant, who_leaves
from node.reconcile.rulebook import Rulebook
from node.reconcile.standing import Standing
from node.reconcile.superseded import LOOK_EVERY, superseded
from node.units import NO_RATES, AccountId, MacAddress, Milliseconds, Monotonic, NodeId, Rates

log = logging.getLogger(__name__)

TICK_S = 1.0
BOOK_EVERY_MS = 30_000
"""At most this much is at risk in a power cut; nothing is in a crash, because the counters live in the kernel."""

KERNEL_HANGS = KernelRefused(
    "the kernel has not answered an earlier call of this node",
    "the node waits for it and goes on by itself; if it never answers, restart this computer",
)


class Reconcile:
    """The node's heart. `run` may be started again after trouble: everything is looked at anew."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        memory: Memory,
        clock: Clock,
        gate: Gate,
        node: NodeId,
        rulebook: Rulebook,
        roll: Roll,
        register: Register,
        guest_account: Callable[[MacAddress], AccountId],
        session_ms: Milliseconds | None,
        guests_max: int = GUESTS_MAX,
        on_booked: Callable[[Mapping[CellKey, Cell]], None] = lambda _changed: None,
        keep_pages: Callable[[], Awaitable[None]] = nothing_to_keep,
        tell: Callable[[Mapping[str, object]], None] = lambda _event: None,
        tick_s: float = TICK_S,
    ) -> None:
        self._kernel, self._clock, self._gate = kernel, clock, gate
        self._on_booked, self._tell, self._tick_s = on_booked, tell, tick_s
        self.node, self.register, self.ledger = node, register, Ledger()
        self.standing = Standing(
            rulebook=rulebook,
            roll=roll,
            register=register,
            ledger=self.ledger,
            clock=clock,
            guest_account=guest_account,
            session_ms=session_ms,
            guests_max=guests_max,
        )
        self.presence = self.standing.presence
        self.rates: Mapping[AccountId, Rates] = {}
        self.mark_rates: Mapping[int, Rates] = {}
        self.uplink_rate = NO_RATES
        self.load = busy.UplinkLoad()
        self.features: KernelFeatures | None = None
        self.troubles = Troubles()
        self.keeper = self._make_keeper(memory, keep_pages)
        self.ready = asyncio.Event()
        self._merges: deque[tuple[CellKey, Cell]] = deque()
        self._opened: tuple[str, tuple[tuple[CellKey, Cell], ...]] | None = None
        self._unpublished: dict[CellKey, Cell] = {}
        self._enactment = Enactment(
            kernel,
            clock,
            plan=lambda: self.standing.plan(gate),
            remember=self.keeper.save,
            troubles=self.troubles,
        )
        self._applying, self._reading = KernelThread("kernel-apply"), KernelThread("kernel-read")
        self._keep, self._hurry = asyncio.Event(), asyncio.Event()
        self._rated_ms: Monotonic | None = None
        self._unrated = Unrated()
        self._looked_ms = Monotonic(0)
        self._released: set[MacAddress] = set()

    def _make_keeper(self, memory: Memory, keep_pages: Callable[[], Awaitable[None]]) -> Keeper:
        return Keeper(
            memory,
            self._clock,
            node=self.node,
            presence=self.presence,
            ledger=self.ledger,
            register=self.register,
            troubles=self.troubles,
            new_name=lambda: secrets.token_hex(8),
            report=log.warning,
            keep_pages=keep_pages,
        )

    # --- what others ask -----------------------------------------------------------------

    @property
    def rulebook(self) -> Rulebook:
        return self.standing.rulebook

    @property
    def roll(self) -> Roll:
        return self.standing.roll

    @property
    def allowances(self) -> Mapping[AccountId, Allowance]:
        """Of everyone here, without what is left of quotas."""
        return self.standing.allowances

    def account_of(self, mac: MacAddress) -> AccountId:
        """The account in the roll, or else the one that its person came into, or else the device's own."""
        return self.standing.account_of(mac)

    def moment(self) -> Moment:
        return self.standing.moment()

    def instant(self) -> Instant:
        return self.keeper.instant(self._clock.monotonic())

    def today(self) -> str:
        return self._clock.today()

    def allowance(self, account: AccountId) -> Allowance:
        """What the account may use now, whether it is here or not."""
        return self.standing.allowance_at(account, self.moment())

    def allowance_at(self, account: AccountId, moment: Moment) -> Allowance:
        """What the account may use at another moment, with what it has used until now."""
        return self.standing.allowance_at(account, moment)

    async def admit(
        self,
        mac: MacAddress,
        terms: str,
        *,
        changes: Iterable[Change] = (),
        instead_of: MacAddress | None = None,
    ) -> NoRoom | None:
        """Lets the device in, into the account that it belongs to. Returns when the session and these changes of the
        register are stored and the device may pass, or with NoRoom when the account has too many devices on. Raises
        KernelRefused."""
        now, presence, kept = self._clock.monotonic(), self.presence, tuple(changes)
        self.keeper.pending.add(kept)
        moved = self._reconsider(now, [each for each in self.standing.touched(kept) if each != mac])
        leaving = self._who_leaves(mac, instead_of, now)
        if isinstance(leaving, NoRoom):
            await (self._after_change(moved) if moved else self.keeper.save())
            return leaving
        for each in leaving:
            presence.handle(each, guests.Left(), now)
        ends = self.standing.visit_end(mac, now)
        lasts_ms = None if ends is None else Milliseconds(max(0, ends - now))
        presence.handle(mac, guests.TermsAccepted(terms, lasts_ms), now)
        if presence.is_admitted(mac):
            await self._after_change((mac, *leaving, *moved))
            self._tell({"event": "admitted", "mac": mac, "account": presence.seats[mac].account})
        return None

    async def leave(self, mac: MacAddress) -> None:
        await self._end(mac, guests.Left())

    async def remove(self, mac: MacAddress, because: str) -> None:
        await self._end(mac, guests.RemovedByAdmin(because))

    async def pardon(self, mac: MacAddress) -> None:
        await self._end(mac, guests.Pardoned())

    async def remember(self, changes: Iterable[Change]) -> None:
        """What changed in the register: stored when this returns, or, while the data folder cannot be written, kept
        and tried again. Whoever belongs to another account by it does so at once; who belongs to none any more
        because a voucher was revoked is out."""
        kept = tuple(changes)
        self.keeper.pending.add(kept)
        moved = self._reconsider(self._clock.monotonic(), self.standing.touched(kept))
        await (self._after_change(moved) if moved else self.keeper.save())

    async def erase(
        self, mac: MacAddress, account: AccountId, *, is_last: bool, changes: Iterable[Change] = ()
    ) -> None:
        """Ends the visit, and forgets the device; when it is the last one of its account also what that used, this
        month's at its end. Whom an admin removed is remembered as that."""
        self.keeper.pending.add(changes)
        await self.leave(mac)
        # Whoever accepts once more in the same moment is here, too.
        is_here = not self.presence.handle(mac, guests.Discarded(), self._clock.monotonic())
        self.keeper.erase(None if is_here else mac, account, self.instant().today if is_last else "")
        await self.keeper.save()

    def merge(self, key: CellKey, cell: Cell) -> None:
        """A cell of another node; it counts from the next reading on."""
        self._merges.append((key, cell))

    async def adopt(self, rulebook: Rulebook, roll: Roll) -> None:
        """New rules or a new roll: in force when this returns."""
        others = tuple(self.presence.seats) if self.standing.adopt(rulebook, roll) else ()
        moved = self._reconsider(self._clock.monotonic(), others)
        self.standing.evaluate_all()
        await self._after_change(moved)
        self._tell(
            {"event": "rules", "fingerprint": rulebook.fingerprint, "rejected": len(rulebook.rejected)}
        )

    # --- the loop ------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled; on the way out everything booked so far is stored."""
        if self._applying.is_busy or self._reading.is_busy:
            self._enactment.note(KERNEL_HANGS)
        async with self._applying.open() as applier, self._reading.open() as reader:
            await self._begin(applier)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._enactment.run(applier))
                    tasks.create_task(self._tick_loop(reader))
                    tasks.create_task(self._keep_loop())
            finally:
                await self.keeper.flush(self._clock.monotonic())

    async def _begin(self, applier: ThreadPoolExecutor) -> None:
        loop, now = asyncio.get_running_loop(), self._clock.monotonic()
        standing = await loop.run_in_executor(applier, self._kernel.observe, now)
        if not standing.stands:
            # The gate is shut before anything else is looked at, so that nobody passes meanwhile.
            await loop.run_in_executor(applier, self._kernel.apply, TrafficPlan(self._gate), now)
        self.features = await loop.run_in_executor(applier, self._kernel.probe)
        self.presence.keep_clear_of(standing.marks)
        await self.keeper.recall(now, standing)
        if not standing.stands:
            # Our own counters begin: that is stored before they count anything, or a crash would lose it.
            ours = await loop.run_in_executor(applier, self._kernel.read)
            self.keeper.counted(baseline(ours), self.keeper.day_to_book(self.today()))
            await self.keeper.flush(now)
        self.keeper.has_news()
        self._reconsider(now, tuple(self.presence.seats))
        passing = {admission.mark for admission in self.presence.admitted().values()}
        # Whoever may not pass any more still has bytes in the kernel that nobody has booked.
        self.presence.retiring.update({m: c for m, c in standing.marks.items() if m not in passing})
        self.presence.heard |= dict.fromkeys(passing, now)
        self.standing.evaluate_all()
        await self._enactment.first(applier)
        self.ready.set()

    async def _tick_loop(self, reader: ThreadPoolExecutor) -> None:
        loop, watched = asyncio.get_running_loop(), self._kernel.fileno()
        if watched >= 0:
            loop.add_reader(watched, self._look_up)
        try:
            await self._tick_for_ever(reader)
        finally:
            if watched >= 0:
                loop.remove_reader(watched)

    def _look_up(self) -> None:
        """Somebody changed the packet filter: if it was not us, nobody may pass meanwhile for a whole second."""
        if self._kernel.was_disturbed():
            self._hurry.set()

    async def _tick_for_ever(self, reader: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._hurry.clear()
            await self._tick(reader)
            due = max(due + self._tick_s, loop.time() - self._tick_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), max(0.0, due - loop.time()))

    async def _tick(self, reader: ThreadPoolExecutor) -> None:
        now = self._clock.monotonic()
        self._end_leases(now)
        self._end_superseded(now)
        if not await self._open_days():
            self._keep.set()
            return
        stopped = frozenset(self.presence.retiring) if self._enactment.is_done else frozenset()
        version, question = self._enactment.version, self._question(now)
        reading = asyncio.get_running_loop().run_in_executor(
            reader, measure, self._kernel, self.ledger, question
        )
        try:
            await asyncio.wait({reading})
        finally:
            # Also when we are told to stop meanwhile: what the thread has booked must be known as booked.
            if not reading.done():
                await asyncio.wait({reading})
            self._take_reading(
                reading, question, now, stopped if version == self._enactment.version else frozenset()
            )
        if self.keeper.is_due(now, BOOK_EVERY_MS):
            self._keep.set()

    async def _open_days(self) -> bool:
        """The clock was set back, or is known at last: days are needed that are in the database alone. False while
        they cannot be read; the kernel goes on counting."""
        since = self.keeper.opens_since()
        if since >= self.ledger.open_since:
            return True
        try:
            self._opened = since, tuple((await self.keeper.stored_cells(since)).items())
        except StorageTrouble as trouble:
            self.keeper.note(trouble)
            return False
        return True

    def _take_reading(
        self, reading: "asyncio.Future[Measured]", question: Question, now: Monotonic, stopped: frozenset[int]
    ) -> None:
        try:
            measured = reading.result()
        except KernelRefused as refused:
            # Our table is gone: look at what stands, and say the whole plan again.
            self._enactment.note(refused)
            self._merges.extendleft(reversed(question.merges))
            self._enactment.say_all_again()
        else:
            self._take(measured, now, read_last=stopped)

    async def _keep_loop(self) -> None:
        """A slow disk delays nobody but this."""
        while True:
            await self._keep.wait()
            self._keep.clear()
            now, retiring = self._clock.monotonic(), len(self.presence.retiring)
            await self.keeper.flush(now)
            self._release()
            news = self.keeper.has_news()
            if news or len(self.presence.retiring) != retiring:
                # Who came in before the memory could be read may belong elsewhere, or stay for a shorter time.
                for mac in self._reconsider(now, tuple(self.presence.seats)) if news else ():
                    self.standing.welcome(mac)
                self._enactment.change()
            await self.keeper.forget(now)

    def _question(self, now: Monotonic) -> Question:
        came = [self._merges.popleft() for _ in range(len(self._merges))]
        merges = [(key, cell) for key, cell in came if not self.keeper.is_erased(key)]
        opened, self._opened = self._opened, None
        return Question(
            merges=tuple(merges),
            baseline=self.keeper.baseline,
            seats=dict(self.presence.by_mark),
            guests=dict(self.presence.guests),
            unit=self.standing.unit,
            ruleset=self.rulebook.ruleset,
            evaluator=self.standing.evaluator,
            moment=self.moment(),
            day=self.today(),
            booked_day=self.keeper.day_to_book(self.today()),
            writer=self.keeper.writer,
            busy=self.load.busy,
            unrated=self._unrated,
            elapsed_ms=0 if self._rated_ms is None else now - self._rated_ms,
            forget_before=self.keeper.days_to_forget(),
            opened=opened,
            open_since="" if self.today() == DAY_UNKNOWN else self.keeper.opens_since(),
            erased=self.keeper.accounts_to_erase(),
        )

    def _take(self, measured: Measured, now: Monotonic, *, read_last: frozenset[int]) -> None:
        booked = measured.booked
        self.keeper.counted(booked.baseline, booked.day)
        self.keeper.keep(measured.merged.items())
        self.keeper.keep(booked.changed.items())
        self._take_rates(measured, now)
        self.presence.read_last |= read_last
        self.presence.hear(booked.by_mark, now)
        if self.standing.take(measured) or self.troubles.kernel:
            self._enactment.change()
        self._publish(booked.changed)

    def _take_rates(self, measured: Measured, now: Monotonic) -> None:
        if self._rated_ms is None:
            self._rated_ms = now  # nobody knows in which time the bytes of the first reading were used
            return
        self._unrated = measured.unrated
        if measured.rates is None:
            return
        self._rated_ms, self._unrated = now, Unrated()
        self.rates, self.mark_rates = measured.rates.by_account, measured.rates.by_mark
        self.uplink_rate = measured.rates.uplink
        self.load = busy.step(self.load, self.uplink_rate, self.rulebook.ruleset.shaped, now)

    def _publish(self, changed: Mapping[CellKey, Cell]) -> None:
        """Tells of own cells. Those of a day that is not stored yet wait until it is: after a crash they would be
        booked once more, on another day."""
        waiting = {**self._unpublished, **changed}
        told = {key: cell for key, cell in waiting.items() if self.keeper.may_be_told(key)}
        self._unpublished = {key: cell for key, cell in waiting.items() if key not in told}
        if told:
            self._on_booked(told)

    def _end_leases(self, now: Monotonic) -> None:
        ended = self.standing.ended(now)
        for mac in ended:
            self.presence.handle(mac, guests.TimedOut(), now)
            self._tell({"event": "expired", "mac": mac, "account": self.presence.seats[mac].account})
        if ended:
            self._enactment.change()

    def _end_superseded(self, now: Monotonic) -> None:
        """Once a minute: devices in whose place another one has come."""
        if now - self._looked_ms < LOOK_EVERY:
            return
        self._looked_ms = now
        comfortable = self.presence.guests_max * 3 // 4
        stays = self.presence.stays(now, lambda mac: self.roll.account_of(mac) is not None)
        gone = superseded(stays, now, comfortable)
        for mac in gone:
            self.presence.handle(mac, guests.Left(), now)
            self._tell({"event": "superseded", "mac": mac, "account": self.presence.seats[mac].account})
        if gone:
            log.info("%d visits ended early: another device had taken their place", len(gone))
            self._released.update(gone)
            self._enactment.change()

    def _release(self) -> None:
        """What is known of devices that were superseded leaves memory once it is stored and their last bytes are."""
        presence = self.presence
        here = {mac for mac in self._released if mac in presence.seats and not presence.is_admitted(mac)}
        presence.forget_ended(here - presence.unsaved, self._clock.monotonic())
        self._released = {mac for mac in here if mac in presence.seats}

    def _reconsider(self, now: Monotonic, macs: Collection[MacAddress]) -> tuple[MacAddress, ...]:
        """After the register may have changed: those of them whose visit is cut short, or belongs elsewhere now."""
        sooner, moved = self.standing.reconsider(macs, now)
        if sooner:
            self._end_leases(now)
        return sooner + moved

    # --- changes -------------------------------------------------------------------------

    async def _end(self, mac: MacAddress, event: guests.Event) -> None:
        if self.presence.handle(mac, event, self._clock.monotonic()):
            await self._after_change((mac,))
            self._tell({"event": "stopped", "mac": mac, "account": self.presence.seats[mac].account})

    async def _after_change(self, macs: Iterable[MacAddress]) -> None:
        """Returns when the change is remembered and stands in the kernel."""
        for mac in macs:
            self.standing.welcome(mac)
        await self._enactment.wait(self._enactment.change())

    def _who_leaves(
        self, mac: MacAddress, instead_of: MacAddress | None, now: Monotonic
    ) -> tuple[MacAddress, ...] | NoRoom:
        account = self.account_of(mac)
        most, presence = self.standing.devices_max(account), self.presence
        if most is None or isinstance(presence.state(mac), guests.Removed):
            return ()
        others = (each for each in presence.admitted_of(account) if each != mac)
        occupants = (Occupant(each, presence.idle_ms(each, now)) for each in others)
        return who_leaves(occupants, most, self.rulebook.ruleset.joining.when_full, instead_of)

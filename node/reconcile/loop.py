"""Observe, decide, apply: the one loop that makes the kernel agree with who is here and what the rules say.

The loop's thread owns who is here; one worker thread reads and books, another applies. Portal and mesh hand in
what happened and wait for the next plan to stand.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from captive_portal import guests
from node.accounting import busy
from node.accounting.ledger import Cell, CellKey, Ledger
from node.enforcement.plan import Gate, KernelFeatures, TrafficPlan
from node.enforcement.ports import Kernel
from node.enforcement.shares import floors_scaled_permille
from node.errors import KernelRefused
from node.governance.allowance import Allowance, Moment
from node.governance.evaluate import Evaluator
from node.governance.roll import Roll
from node.reconcile.intent import pools, shaped_classes
from node.reconcile.keeper import Keeper, Troubles
from node.reconcile.measure import Measured, Question, measure, quotas_used
from node.reconcile.ports import Clock, Memory
from node.reconcile.presence import Presence
from node.reconcile.rulebook import Rulebook
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, NodeId, Rates

log = logging.getLogger(__name__)

TICK_S = 1.0
STAND_S = 8.0
"""Nobody waits longer for a change to stand: by then the person is told, and the node goes on trying."""
BOOK_EVERY_MS = 30_000
"""At most this much is at risk in a power cut; nothing is in a crash, because the counters live in the kernel."""


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
        guest_account: Callable[[MacAddress], AccountId],
        session_ms: Milliseconds | None,
        on_booked: Callable[[Mapping[CellKey, Cell]], None] = lambda _changed: None,
        tell: Callable[[Mapping[str, object]], None] = lambda _event: None,
        tick_s: float = TICK_S,
    ) -> None:
        self._kernel, self._clock, self._gate = kernel, clock, gate
        self._guest_account, self._session_ms = guest_account, session_ms
        self._on_booked, self._tell, self._tick_s = on_booked, tell, tick_s
        self.node, self.rulebook, self.roll = node, rulebook, roll
        self.evaluator = Evaluator(rulebook.ruleset)
        self.presence = Presence(self.account_of)
        self.ledger = Ledger()
        self.allowances: dict[AccountId, Allowance] = {}
        self.rates: dict[AccountId, Rates] = {}
        self.mark_rates: dict[int, Rates] = {}
        self.uplink_rate = Rates(0, 0)  # type: ignore[arg-type]
        self.load = busy.UplinkLoad()
        self.features: KernelFeatures | None = None
        self.troubles = Troubles()
        self.keeper = Keeper(
            memory,
            clock,
            node=node,
            presence=self.presence,
            ledger=self.ledger,
            troubles=self.troubles,
            new_name=lambda: secrets.token_hex(8),
            report=log.warning,
        )
        self.ready = asyncio.Event()
        self._merges: deque[tuple[CellKey, Cell]] = deque()
        self._version_wanted = self._version_applied = 0
        self._look_again = False
        self._dirty, self._keep, self._hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._applied = asyncio.Condition()
        self._last_ms: Monotonic | None = None

    # --- what others ask -----------------------------------------------------------------

    def account_of(self, mac: MacAddress) -> AccountId:
        """The account in the roll, or else the device's own guest account."""
        return self.roll.account_of(mac) or self._guest_account(mac)

    def moment(self) -> Moment:
        return Moment(self._clock.civil(), self._clock.state())

    def today(self) -> str:
        return self._clock.today()

    def allowance(self, account: AccountId) -> Allowance:
        """What the account may use now, whether it is here or not."""
        return self.allowance_at(account, self.moment())

    def allowance_at(self, account: AccountId, moment: Moment) -> Allowance:
        """What the account may use at another moment, with what it has used until now."""
        used = quotas_used(self.rulebook.ruleset, self.ledger, account, self.today())
        return self.evaluator.evaluate(self.roll.unit(account), moment, used)

    async def admit(self, mac: MacAddress, terms: str) -> None:
        """Returns when the session is stored and the device may pass. Raises KernelRefused."""
        now = self._clock.monotonic()
        self.presence.handle(mac, guests.TermsAccepted(terms, self._session_ms), now, terms=terms)
        if isinstance(self.presence.state(mac), guests.Admitted):
            await self._after_change((mac,))
            self._tell({"event": "admitted", "mac": mac, "account": self.presence.seats[mac].account})

    async def leave(self, mac: MacAddress) -> None:
        await self._end(mac, guests.Left())

    async def remove(self, mac: MacAddress, because: str) -> None:
        await self._end(mac, guests.RemovedByAdmin(because))

    def merge(self, key: CellKey, cell: Cell) -> None:
        """A cell of another node; it counts from the next reading on."""
        self._merges.append((key, cell))

    async def adopt(self, rulebook: Rulebook, roll: Roll) -> None:
        """New rules or a new roll: in force when this returns."""
        changed_roll = roll != self.roll
        self.rulebook, self.roll = rulebook, roll
        self.evaluator = Evaluator(rulebook.ruleset)
        moved = self.presence.rebind() if changed_roll else ()
        self._evaluate_all()
        await self._after_change(moved)
        self._tell(
            {"event": "rules", "fingerprint": rulebook.fingerprint, "rejected": len(rulebook.rejected)}
        )

    # --- the loop ------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled; on the way out everything booked so far is stored."""
        with ThreadPoolExecutor(1, "kernel-apply") as applier, ThreadPoolExecutor(1, "kernel-read") as reader:
            await self._begin(applier)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._stand_loop(applier))
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
        self.keeper.unsaved.update(self.presence.rebind())
        passing = {admission.mark for admission in self.presence.admitted().values()}
        # Whoever may not pass any more still has bytes in the kernel that nobody has booked.
        self.presence.retiring.update({m: c for m, c in standing.marks.items() if m not in passing})
        self._evaluate_all()
        version = self._change()
        await loop.run_in_executor(applier, self._kernel.apply, self._plan(), now)
        await self._applied_now(version)
        self.ready.set()

    async def _stand_loop(self, applier: ThreadPoolExecutor) -> None:
        """Remember, then make it true, then tell whoever waits; everything that came in meanwhile goes together."""
        loop = asyncio.get_running_loop()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            version, plan = self._version_wanted, self._plan()
            await self.keeper.save_sessions()
            trouble: KernelRefused | None = None
            try:
                if self._look_again:
                    self._look_again = False
                    await loop.run_in_executor(applier, self._kernel.observe, self._clock.monotonic())
                await loop.run_in_executor(applier, self._kernel.apply, plan, self._clock.monotonic())
            except KernelRefused as refused:
                trouble = refused
            self._kernel_trouble(trouble)
            await self._applied_now(None if trouble is not None else version)

    async def _applied_now(self, version: int | None) -> None:
        """Tell whoever waits; None when the plan was refused."""
        async with self._applied:
            self._version_applied = self._version_applied if version is None else version
            self._applied.notify_all()

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
        stopped = (
            frozenset(self.presence.retiring)
            if self._version_applied == self._version_wanted
            else frozenset()
        )
        version, question = self._version_wanted, self._question(now)
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
                reading, question, now, stopped if version == self._version_wanted else frozenset()
            )
        if self.keeper.is_due(now, BOOK_EVERY_MS):
            self._keep.set()

    def _take_reading(
        self, reading: "asyncio.Future[Measured]", question: Question, now: Monotonic, stopped: frozenset[int]
    ) -> None:
        try:
            measured = reading.result()
        except KernelRefused as refused:
            # Our table is gone: look at what stands, and say the whole plan again.
            self._kernel_trouble(refused)
            self._merges.extendleft(reversed(question.merges))
            self._look_again = True
            self._change()
        else:
            self._take(measured, now, read_last=stopped)

    async def _keep_loop(self) -> None:
        """A slow disk delays nobody but this."""
        while True:
            await self._keep.wait()
            self._keep.clear()
            now, retiring = self._clock.monotonic(), len(self.presence.retiring)
            await self.keeper.flush(now)
            if len(self.presence.retiring) != retiring:
                self._change()
            await self.keeper.forget(now)

    def _question(self, now: Monotonic) -> Question:
        merges = [self._merges.popleft() for _ in range(len(self._merges))]
        return Question(
            merges=tuple(merges),
            baseline=self.keeper.baseline,
            seats=dict(self.presence.by_mark),
            guests=dict(self.presence.guests),
            roll=self.roll,
            ruleset=self.rulebook.ruleset,
            evaluator=self.evaluator,
            moment=self.moment(),
            day=self.today(),
            writer=self.keeper.writer,
            busy=self.load.busy,
            elapsed_ms=0 if self._last_ms is None else now - self._last_ms,
            forget_before=self.keeper.days_to_forget(),
        )

    def _take(self, measured: Measured, now: Monotonic, *, read_last: frozenset[int]) -> None:
        booked = measured.booked
        self.keeper.baseline = booked.baseline
        self.keeper.keep(measured.merged.items())
        self.keeper.keep(booked.changed.items())
        if self._last_ms is not None:
            self.rates, self.mark_rates, self.uplink_rate = (
                measured.rates,
                measured.mark_rates,
                measured.uplink_rate,
            )
        self._last_ms = now
        self.load = busy.step(self.load, self.uplink_rate, self.rulebook.ruleset.shaped, now)
        self.presence.read_last |= read_last
        if measured.evaluator is self.evaluator:
            changed = measured.allowances != self.allowances
            # Who came in while the turn was under way keeps what they were given at the door.
            missing = self.allowances.keys() - measured.allowances.keys()
            newcomers = missing & self.presence.accounts_here() if missing else missing
            kept = {account: self.allowances[account] for account in newcomers}
            self.allowances = {**measured.allowances, **kept}
            for pool in pools(self.allowances.values()):
                self.presence.minor(pool)
            if changed or self.troubles.kernel:
                self._change()
        if booked.changed:
            self._on_booked(booked.changed)

    def _end_leases(self, now: Monotonic) -> None:
        ended = [
            mac
            for mac, guest in self.presence.guests.items()
            if isinstance(guest, guests.Admitted) and guest.until is not None and guest.until <= now
        ]
        for mac in ended:
            self.presence.handle(mac, guests.Tick(), now)
            self._tell({"event": "expired", "mac": mac, "account": self.presence.seats[mac].account})
        if ended:
            self.keeper.unsaved.update(ended)
            self._change()

    # --- changes -------------------------------------------------------------------------

    async def _end(self, mac: MacAddress, event: guests.Event) -> None:
        if mac in self.presence.seats and self.presence.handle(mac, event, self._clock.monotonic()):
            await self._after_change((mac,))
            self._tell({"event": "stopped", "mac": mac, "account": self.presence.seats[mac].account})

    async def _after_change(self, macs: Iterable[MacAddress]) -> None:
        """Returns when the change is remembered and stands in the kernel."""
        for mac in macs:
            self.keeper.unsaved.add(mac)
            account = self.presence.seats[mac].account
            if self._is_admitted(mac) and account not in self.allowances:
                self.allowances[account] = self._standing(account)
                for pool in pools((self.allowances[account],)):
                    self.presence.minor(pool)
        await self._stand(self._change())

    def _change(self) -> int:
        self._version_wanted += 1
        self._dirty.set()
        return self._version_wanted

    async def _stand(self, version: int) -> None:
        """Wait until a plan of at least this version stands. Raises KernelRefused when the kernel does not take it."""
        try:
            async with asyncio.timeout(STAND_S), self._applied:
                while self._version_applied < version:
                    await self._applied.wait()
                    if self._version_applied < version and self.troubles.kernel:
                        raise KernelRefused(
                            self.troubles.kernel, "the node tries again by itself every second"
                        )
        except TimeoutError as error:
            raise KernelRefused("the node is busy or starting again", "try again in a moment") from error

    def _standing(self, account: AccountId) -> Allowance:
        used = quotas_used(self.rulebook.ruleset, self.ledger, account, self.today())
        return self.evaluator.standing(self.roll.unit(account), self.moment(), used)

    def _evaluate_all(self) -> None:
        self.allowances = {account: self._standing(account) for account in self.presence.accounts_here()}
        for pool in pools(self.allowances.values()):
            self.presence.minor(pool)

    def _plan(self) -> TrafficPlan:
        admitted = self.presence.admitted()
        shared = self.rulebook.ruleset.shaped
        here = {self.presence.seats[mac].account for mac in admitted}
        allowed = ((account, self.allowances[account]) for account in here if account in self.allowances)
        classes = shaped_classes(allowed, self.presence.minors, shared=shared is not None)
        return TrafficPlan(self._gate, admitted, dict(self.presence.retiring), shared, classes)

    def floors_kept_permille(self) -> int:
        """1000 while the floors of everyone here fit the uplink."""
        plan = self._plan()
        return floors_scaled_permille(plan.classes.values(), plan.uplink)

    def _is_admitted(self, mac: MacAddress) -> bool:
        return isinstance(self.presence.guests.get(mac), guests.Admitted)

    def _kernel_trouble(self, trouble: KernelRefused | None) -> None:
        told = str(trouble) if trouble is not None else ""
        if told != self.troubles.kernel:
            log.error("%s", told) if told else log.info("the kernel agrees with the plan again")
        self.troubles.kernel = told

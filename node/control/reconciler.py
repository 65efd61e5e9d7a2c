"""The reconciliation loop: observes the kernel, evaluates the rules, applies the plan.

The event loop owns the session table; one worker thread reads counters and books usage, another applies plans. The
portal and the mesh submit changes and wait until the next plan is applied.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from node.accounting.ledger import Ledger, UsageBucket, UsageKey
from node.accounting.meter import baseline
from node.accounting.periods import DAY_UNKNOWN
from node.accounting.undated import Dated, Dating
from node.accounts.changes import Change
from node.accounts.registry import AccountRegistry
from node.control import rates
from node.control.accounting_cycle import CycleInput, CycleResult, RemoteUsage, run_cycle
from node.control.applier import PlanApplier
from node.control.effective_policy import EffectivePolicy
from node.control.event_loop_lag import EventLoopLag
from node.control.eviction import to_evict
from node.control.kernel_thread import KernelThread
from node.control.persistence import PersistenceQueue, nothing_to_keep
from node.control.ports import Clock, Prober, Repository, Troubles
from node.control.rates import Unrated
from node.control.uplink_rate_control import UplinkRateControl
from node.enforcement.plan import FirewallConfig, Kernel, KernelFeatures, TrafficPlan
from node.errors import KernelRefused, StorageTrouble
from node.governance.allowance import Allowance
from node.governance.members import MemberDirectory
from node.governance.rules import ActiveRuleset
from node.sessions import state as session_state
from node.sessions.device_limit import DeviceLimitReached
from node.sessions.table import GUESTS_MAX, LOOK_EVERY, superseded
from node.units import NO_RATES, AccountId, MacAddress, Milliseconds, Monotonic, NodeId, Rates

log = logging.getLogger(__name__)

TICK_S = 1.0
BOOK_EVERY_MS = 55_000
"""Interval between bookings: the most usage that a power cut can lose. A crash loses none, because the
counters are in the kernel."""

KERNEL_HANGS = KernelRefused(
    "the kernel has not answered an earlier call of this node",
    "the node waits for it and goes on by itself; if it never answers, restart this computer",
)


class Reconciler:
    """The reconciliation loop. `run` may be called again after a failure: it reads the state of the kernel again."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        repository: Repository,
        clock: Clock,
        prober: Prober,
        firewall: FirewallConfig,
        node: NodeId,
        active_ruleset: ActiveRuleset,
        member_directory: MemberDirectory,
        registry: AccountRegistry,
        guest_account: Callable[[MacAddress], AccountId],
        session_ms: Milliseconds | None,
        node_name: str = "",
        machine: str = "",
        guests_max: int = GUESTS_MAX,
        on_booked: Callable[[Mapping[UsageKey, UsageBucket]], None] = lambda _changed: None,
        keep_pages: Callable[[], Awaitable[None]] = nothing_to_keep,
        publish_event: Callable[[Mapping[str, object]], None] = lambda _event: None,
        report_alive: Callable[[], None] = lambda: None,
        tick_s: float = TICK_S,
    ) -> None:
        self._kernel, self._firewall, self.clock, self._clock = kernel, firewall, clock, clock
        self._on_booked, self._publish_event, self._tick_s = on_booked, publish_event, tick_s
        self._report_alive = report_alive
        self.node, self.registry, self.ledger = node, registry, Ledger()
        self.effective_policy = EffectivePolicy(
            active_ruleset=active_ruleset,
            member_directory=member_directory,
            registry=registry,
            ledger=self.ledger,
            clock=clock,
            guest_account=guest_account,
            session_ms=session_ms,
            node_name=node_name,
            guests_max=guests_max,
        )
        self.session_table = self.effective_policy.session_table
        self.mark_rates: Mapping[int, Rates] = {}
        self.uplink_rate = NO_RATES
        self.load = rates.UplinkLoad()
        self.features: KernelFeatures | None = None
        self.troubles = Troubles()
        self.persistence = self._make_persistence(repository, keep_pages, machine)
        self.ready = asyncio.Event()
        self.remote_usage = RemoteUsage()
        self._opened: tuple[str, tuple[tuple[UsageKey, UsageBucket], ...]] | None = None
        self._unpublished: dict[UsageKey, UsageBucket] = {}
        self._plan_applier = PlanApplier(
            kernel,
            clock,
            draft=lambda: self.effective_policy.draft(firewall),
            took=self.effective_policy.take_plan,
            ahead=self.effective_policy.plan_ahead,
            remember=self.persistence.save,
            troubles=self.troubles,
        )
        self.uplink_rate_control = UplinkRateControl(
            kernel, clock, prober, policy=self.effective_policy, resync=self._plan_applier.resync
        )
        self._applying, self._reading = KernelThread("kernel-apply"), KernelThread("kernel-read")
        self._keep, self._hurry, self.lag = asyncio.Event(), asyncio.Event(), EventLoopLag()
        self._rated_ms: Monotonic | None = None
        self._unrated = Unrated()
        self._looked_ms = Monotonic(0)
        self._released: set[MacAddress] = set()

    def _make_persistence(
        self, repository: Repository, keep_pages: Callable[[], Awaitable[None]], machine: str
    ) -> PersistenceQueue:
        return PersistenceQueue(
            repository,
            self._clock,
            node=self.node,
            session_table=self.session_table,
            ledger=self.ledger,
            registry=self.registry,
            troubles=self.troubles,
            new_name=lambda: secrets.token_hex(8),
            report=log.warning,
            keep_pages=keep_pages,
            machine=machine,
            sliding_days=lambda: self.effective_policy.evaluator.sliding_days,
            keeps_intervals=lambda: bool(self.active_ruleset.ruleset.preview_by),
        )

    # --- queries and requests ------------------------------------------------------------

    @property
    def active_ruleset(self) -> ActiveRuleset:
        return self.effective_policy.active_ruleset

    @property
    def member_directory(self) -> MemberDirectory:
        return self.effective_policy.member_directory

    @property
    def rates(self) -> Mapping[AccountId, Rates]:
        return self.effective_policy.in_use

    def account_of(self, mac: MacAddress) -> AccountId:
        """The account in the member directory, else the one the device is bound to, else the
        device's own guest account."""
        return self.effective_policy.account_of(mac)

    def today(self) -> str:
        return self._clock.today()

    def allowance(self, account: AccountId) -> Allowance:
        """What the account may use now; it needs no session."""
        return self.effective_policy.allowance_at(account, self.effective_policy.moment())

    async def admit(
        self,
        mac: MacAddress,
        terms: str,
        *,
        changes: Iterable[Change] = (),
        instead_of: MacAddress | None = None,
        ends_by: Monotonic | None = None,
    ) -> DeviceLimitReached | None:
        """Authorizes the device for the account that it belongs to, at most until `ends_by`. Returns when the session and
        these registry changes are stored and applied, or with DeviceLimitReached when the account has too many active
        devices. Raises KernelRefused."""
        now, session_table, kept = self._clock.monotonic(), self.session_table, tuple(changes)
        policy = self.effective_policy
        self.persistence.pending.add(kept)
        moved = self._reconsider(now, [each for each in policy.touched(kept) if each != mac])
        account = policy.account_of(mac)
        allowance = policy.policy_for(account)
        most = policy.devices_max(account, allowance)
        leaving = () if most is None else to_evict(policy, mac, most, instead_of, now)
        if isinstance(leaving, DeviceLimitReached):
            await (self._after_change(moved) if moved else self.persistence.save())
            return leaving
        for each in leaving:
            event = session_state.LoggedOff() if each == instead_of else session_state.Superseded()
            session_table.handle(each, event, now)
        ends = policy.session_end(account, allowance, now)
        if ends_by is not None:
            ends = ends_by if ends is None else min(ends, ends_by)
        lasts_ms = None if ends is None else Milliseconds(max(0, ends - now))
        session_table.handle(mac, session_state.SessionGranted(terms, lasts_ms), now)
        if session_table.is_admitted(mac):
            entered = session_table.session_entries[mac].account
            await self._after_change((mac, *leaving, *moved))
            self._publish_event({"event": "admitted", "mac": mac, "account": entered})
        return None

    async def leave(self, mac: MacAddress) -> None:
        await self._end((mac,), session_state.LoggedOff())

    async def block(
        self, mac: MacAddress, because: str, until: Monotonic | None = None, *more: MacAddress
    ) -> None:
        """`more`: devices that are blocked in the same transaction."""
        await self._end((mac, *more), session_state.BlockedByAdmin(because, until))

    async def grant(self, mac: MacAddress, lasts_ms: Milliseconds) -> None:
        """An authorized device has a session of so long from now on, on the terms that it accepted."""
        if self.session_table.is_admitted(mac):
            granted = session_state.SessionGranted(self.session_table.session_entries[mac].terms, lasts_ms)
            self.session_table.handle(mac, granted, self._clock.monotonic())
            await self._after_change((mac,))

    async def unblock(self, mac: MacAddress) -> None:
        await self._end((mac,), session_state.Unblocked())

    async def remember(self, changes: Iterable[Change]) -> None:
        """Stores registry changes; while the data folder cannot be written they are queued. Devices that belong to
        another account because of them are moved at once; the session of a revoked voucher ends."""
        kept = tuple(changes)
        self.persistence.pending.add(kept)
        moved = self._reconsider(self._clock.monotonic(), self.effective_policy.touched(kept))
        await (self._after_change(moved) if moved else self.persistence.save())

    async def erase(
        self, mac: MacAddress, account: AccountId, *, is_last: bool, changes: Iterable[Change] = ()
    ) -> None:
        """Ends the session and erases the device; `is_last` of its account: the account's usage too, this month's at
        the end of the month. The record of a blocked device is kept."""
        self.persistence.pending.add(changes)
        await self.leave(mac)
        # The device may have been authorized again in the same moment; then its entry stays.
        is_here = not self.session_table.handle(mac, session_state.Discarded(), self._clock.monotonic())
        self.persistence.erase(
            None if is_here else mac, account, self.persistence.instant().today if is_last else ""
        )
        await self.persistence.save()

    def merge(self, key: UsageKey, bucket: UsageBucket) -> None:
        """Queues a usage bucket of another node; it counts from the next reading on."""
        self.remote_usage.merge(key, bucket)

    def recount(self, node: NodeId, day: str, buckets: Mapping[UsageKey, UsageBucket]) -> None:
        """Queues the complete usage of another node on a day, which replaces what it said before."""
        self.remote_usage.recount(node, day, buckets)

    async def kept(self) -> None:
        """Returns when everything merged and recounted so far is stored."""
        stored = asyncio.Event()
        self.remote_usage.waiting.append(stored.set)
        await stored.wait()

    async def adopt(self, active_ruleset: ActiveRuleset, member_directory: MemberDirectory) -> None:
        """Puts new rules or a new member directory in force. Returns when they are applied."""
        others = (
            tuple(self.session_table.session_entries)
            if self.effective_policy.adopt(active_ruleset, member_directory)
            else ()
        )
        moved = self._reconsider(self._clock.monotonic(), others)
        self.effective_policy.evaluate_all()
        await self._after_change(moved)
        self._publish_event(
            {
                "event": "rules",
                "fingerprint": active_ruleset.fingerprint,
                "rejected": len(active_ruleset.rejected),
            }
        )

    # --- the loop ------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until cancelled; on exit everything booked so far is stored. Calls `report_alive` here and on each
        tick, for a watchdog."""
        self._report_alive()
        if self._applying.is_busy or self._reading.is_busy:
            self._plan_applier.note(KERNEL_HANGS)
        async with self._applying.open() as applier, self._reading.open() as reader:
            await self._begin(applier)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._plan_applier.run(applier))
                    tasks.create_task(self._tick_loop(reader))
                    tasks.create_task(self._keep_loop())
                    tasks.create_task(self.uplink_rate_control.run(applier))
            finally:
                if self.remote_usage.metered and not self._reading.is_busy:
                    await self._tick(reader)  # a gateway may never report these bytes again
                await self.persistence.flush(self._clock.monotonic())

    async def _begin(self, applier: ThreadPoolExecutor) -> None:
        loop, now = asyncio.get_running_loop(), self._clock.monotonic()
        standing = await loop.run_in_executor(applier, self._kernel.observe, now)
        if not standing.stands:
            # Block all traffic first, so that no device passes while the state is restored.
            await loop.run_in_executor(applier, self._kernel.apply, TrafficPlan(self._firewall), now)
        self.features = await loop.run_in_executor(applier, self._kernel.probe)
        self.session_table.keep_clear_of(standing.marks)
        await self.persistence.recall(now, standing)
        if not standing.stands:
            # New counters begin: this is stored before they count anything, or a crash would lose their bytes.
            ours = await loop.run_in_executor(applier, self._kernel.read)
            self.persistence.counted(baseline(ours), self.persistence.day_to_book(self.today()))
            await self.persistence.flush(now)
        self.persistence.has_news()
        self._reconsider(now, tuple(self.session_table.session_entries))
        passing = {admission.mark for admission in self.session_table.admitted().values()}
        # Sessions that are no longer authorized may still have uncounted bytes in the kernel.
        self.session_table.retiring.update({m: c for m, c in standing.marks.items() if m not in passing})
        self.session_table.heard |= dict.fromkeys(passing, now)
        self.effective_policy.evaluate_all()
        await self._plan_applier.first(applier)
        self.ready.set()

    async def _tick_loop(self, reader: ThreadPoolExecutor) -> None:
        loop, watched = asyncio.get_running_loop(), self._kernel.fileno()
        if watched >= 0:
            loop.add_reader(watched, self._look_up)
        try:
            await self._tick_forever(reader)
        finally:
            if watched >= 0:
                loop.remove_reader(watched)

    def _look_up(self) -> None:
        """nft changed. If another program did it, reapply now instead of waiting for the next tick."""
        if self._kernel.was_disturbed():
            self._hurry.set()

    async def _tick_forever(self, reader: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._hurry.clear()
            await self._tick(reader)
            self._report_alive()
            # After a hurried turn the next one is at most an interval away, however many there were.
            due = min(max(due, loop.time() - 2 * self._tick_s), loop.time()) + self._tick_s
            await self.lag.wait(self._hurry, due)

    async def _tick(self, reader: ThreadPoolExecutor) -> None:
        now = self._clock.monotonic()
        self._end_leases(now)
        self._end_superseded(now)
        if not await self._open_days():
            self._keep.set()
            return
        stopped = frozenset(self.session_table.retiring) if self._plan_applier.is_done else frozenset()
        version, question = self._plan_applier.version, self._question(now)
        reading = asyncio.get_running_loop().run_in_executor(
            reader, run_cycle, self._kernel, self.ledger, question
        )
        try:
            await asyncio.wait({reading})
        finally:
            # Also on cancellation: what the thread has booked must be recorded as booked.
            if not reading.done():
                await asyncio.wait({reading})
            self._take_reading(
                reading, question, now, stopped if version == self._plan_applier.version else frozenset()
            )
        if self.persistence.is_due(now, BOOK_EVERY_MS):
            self._keep.set()

    async def _open_days(self) -> bool:
        """Loads days from the database after the clock was set back or became known. False while they cannot be
        read; the kernel keeps counting."""
        since = self.persistence.opens_since()
        if since >= self.ledger.open_since:
            return True
        try:
            self._opened = since, tuple((await self.persistence.stored_buckets(since)).items())
        except StorageTrouble as trouble:
            self.persistence.note(trouble)
            return False
        return True

    def _take_reading(
        self,
        reading: "asyncio.Future[CycleResult]",
        question: CycleInput,
        now: Monotonic,
        stopped: frozenset[int],
    ) -> None:
        if reading.exception() is not None:
            # Whatever it was: the mesh does not send this usage again, and waits until it is stored.
            self.remote_usage.give_back(question.remote_usage)
        try:
            measured = reading.result()
        except KernelRefused as refused:
            # The table is gone: read the state of the kernel and apply the whole plan.
            self._plan_applier.note(refused)
            self._plan_applier.resync()
        else:
            self.persistence.recount(question.remote_usage.recounts)
            self.persistence.undated.dated(question.dating)
            self._take(measured, now, read_last=stopped)
            self.persistence.write_buffer.stored_with(*question.remote_usage.with_storage)

    async def _keep_loop(self) -> None:
        """Writes to the database in a task of its own, so that a slow disk delays nothing else."""
        while True:
            await self._keep.wait()
            self._keep.clear()
            now, retiring = self._clock.monotonic(), len(self.session_table.retiring)
            await self.persistence.flush(now, is_all=False)
            self._release()
            news = self.persistence.has_news()
            if news or len(self.session_table.retiring) != retiring:
                # Sessions authorized before the database was read may belong to other accounts or end sooner.
                for mac in self._reconsider(now, tuple(self.session_table.session_entries)) if news else ():
                    self.effective_policy.welcome(mac)
                self._plan_applier.change()
            await self.persistence.forget(now)

    def _question(self, now: Monotonic) -> CycleInput:
        erased = self.persistence.accounts_to_erase()
        booked_day = self.persistence.day_to_book(self.today())
        remote_usage = self.remote_usage.without(self.persistence.erased.bars_late, erased, booked_day)
        self.remote_usage = RemoteUsage()
        opened, self._opened = self._opened, None
        accounts = {session_entry.account for session_entry in self.session_table.by_mark.values()}
        return CycleInput(
            remote_usage=remote_usage,
            baseline=self.persistence.baseline,
            session_entries=dict(self.session_table.by_mark),
            guests=dict(self.session_table.guests),
            unit=self.effective_policy.unit,
            evaluator=self.effective_policy.evaluator,
            moment=self.effective_policy.moment(),
            day=self.today(),
            booked_day=booked_day,
            writer=self.persistence.writer,
            busy=self.load.busy,
            unrated=self._unrated,
            elapsed_ms=0 if self._rated_ms is None else now - self._rated_ms,
            forget_before=self.persistence.days_to_forget(),
            opened=opened,
            open_since="" if self.today() == DAY_UNKNOWN else self.persistence.opens_since(),
            erased=erased,
            dating=self._dating(now),
            undated=self.persistence.erased.undated(accounts | remote_usage.metered.keys(), booked_day),
        )

    def _dating(self, now: Monotonic) -> Dating | None:
        if not self.persistence.recalled or self.today() == DAY_UNKNOWN:
            return None
        return self.persistence.undated.dating(
            now,
            self._clock.civil(),
            since=self.persistence.opens_since(),
            rest_of=self.persistence.writer.incarnation,
            stays=frozenset(note.account for note in self.persistence.erased),
        )

    def _take(self, measured: CycleResult, now: Monotonic, *, read_last: frozenset[int]) -> None:
        booked = measured.booked
        self.persistence.counted(booked.baseline, booked.day)
        if measured.dated is not None:
            self._take_dated(measured.dated)
        self.persistence.undated.count(booked.of_accounts, booked.changed, now, busy=self.load.busy)
        self.persistence.keep(measured.merged.items())
        self.persistence.keep(booked.changed.items())
        self.persistence.write_buffer.interval_meter.count(
            booked.of_accounts, now, self._interval_ms(), is_busy=self.load.busy
        )
        self._take_rates(measured, now)
        self.session_table.read_last |= read_last
        woke, slept = self.session_table.hear(booked.by_mark, now), self.session_table.find_idle(now)
        if self.effective_policy.take(measured) or self.troubles.kernel or woke or slept:
            self._plan_applier.change()
        self._publish(booked.changed)

    def _take_dated(self, dated: Dated) -> None:
        self.persistence.recount({(self.node, DAY_UNKNOWN): dated.left})
        self.persistence.keep(dated.buckets.items())
        kept = {k: each for k, each in self._unpublished.items() if k.day != DAY_UNKNOWN or k in dated.left}
        self._unpublished = kept | dated.buckets

    def _interval_ms(self) -> int | None:
        """Unix time for usage in intervals; None while none is kept, or the time is not certain."""
        is_certain = self.active_ruleset.ruleset.preview_by and self._clock.state() == "synced"
        return int(self._clock.civil().timestamp() * 1000) if is_certain else None

    def _take_rates(self, measured: CycleResult, now: Monotonic) -> None:
        if self._rated_ms is None:
            self._rated_ms = now  # the interval of the first reading is not known
            return
        self._unrated = measured.unrated
        if measured.rates is None:
            return
        self._rated_ms, self._unrated = now, Unrated()
        self.effective_policy.take_rates(measured.rates.by_account)
        self.mark_rates = measured.rates.by_mark
        self.uplink_rate = measured.rates.uplink
        policy = self.effective_policy
        self.load = rates.step(
            self.load,
            measured.rates,
            policy.present,
            now,
            thresholds=policy.active_ruleset.ruleset.charter.busy,
            ceilings=policy.busy_ceilings(),
        )
        if policy.take_load(busy=self.load.busy):
            self._hurry.set()  # the next cycle evaluates the rules of a busy uplink, or without them

    def _publish(self, changed: Mapping[UsageKey, UsageBucket]) -> None:
        """Passes this node's usage buckets on to the mesh. Those of a day that is not stored yet wait until it is:
        after a crash they would be booked again, on another day."""
        waiting = {**self._unpublished, **changed}
        published = {key: bucket for key, bucket in waiting.items() if self.persistence.may_be_published(key)}
        self._unpublished = {key: bucket for key, bucket in waiting.items() if key not in published}
        if published:
            self._on_booked(published)

    def _end_leases(self, now: Monotonic) -> None:
        ended = self.effective_policy.ended(now)
        for mac in ended:
            self.session_table.handle(mac, session_state.TimedOut(), now)
            self._publish_event(
                {"event": "expired", "mac": mac, "account": self.session_table.session_entries[mac].account}
            )
        paused = self.effective_policy.blocks_over(now)
        for mac in paused:
            self.session_table.handle(mac, session_state.Unblocked(), now)
        if ended or paused:
            self._plan_applier.change()

    def _end_superseded(self, now: Monotonic) -> None:
        """Once a minute: ends sessions whose device was replaced by another one."""
        if now - self._looked_ms < LOOK_EVERY:
            return
        self._looked_ms = now
        comfortable = self.session_table.guests_max * 3 // 4
        is_listed = self.member_directory.devices.__contains__
        gone = superseded(self.session_table.stays(now, is_listed, comfortable), now, comfortable)
        for mac in gone:
            self.session_table.handle(mac, session_state.Superseded(), now)
            account = self.session_table.session_entries[mac].account
            self._publish_event({"event": "superseded", "mac": mac, "account": account})
        if gone:
            log.info("%d sessions ended early: another device had replaced theirs", len(gone))
            self._released.update(gone)
            self._plan_applier.change()

    def _release(self) -> None:
        """Removes superseded sessions from memory once they and their last bytes are stored."""
        session_table = self.session_table
        here = {
            mac
            for mac in self._released
            if mac in session_table.session_entries and not session_table.is_admitted(mac)
        }
        session_table.forget_ended(here - session_table.unsaved, self._clock.monotonic())
        self._released = {mac for mac in here if mac in session_table.session_entries}

    def _reconsider(self, now: Monotonic, macs: Collection[MacAddress]) -> tuple[MacAddress, ...]:
        """After a change of accounts: the devices whose session ends sooner or moved to another account."""
        if not macs:
            return ()
        sooner, moved = self.effective_policy.reconsider(macs, now)
        if sooner:
            self._end_leases(now)
        return sooner + moved

    # --- changes -------------------------------------------------------------------------

    async def _end(self, macs: tuple[MacAddress, ...], event: session_state.Event) -> None:
        now, entries = self._clock.monotonic(), self.session_table.session_entries
        if ended := [mac for mac in macs if self.session_table.handle(mac, event, now)]:
            # Their last bytes may be stored meanwhile, and the entries be gone.
            stopped = [{"event": "stopped", "mac": mac, "account": entries[mac].account} for mac in ended]
            await self._after_change(ended)
            for each in stopped:
                self._publish_event(each)

    async def _after_change(self, macs: Iterable[MacAddress]) -> None:
        """Returns when the change is stored and applied to the kernel."""
        for mac in macs:
            self.effective_policy.welcome(mac)
        await self._plan_applier.wait(self._plan_applier.change())

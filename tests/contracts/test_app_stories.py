"""Random sequences of events with kills at any moment: the real loop, account registry and database."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.accounting.periods import DAY_UNKNOWN
from node.app.views import Admitted, CodeTyped, Entry, Full, Refused, TermsAccepted
from node.errors import StorageTrouble
from node.governance.members import parse_members
from node.storage.database import Store
from node.storage.repository import StoredRepository
from node.units import AccountId, MacAddress
from tests.fakes.reconciler_fixture import until
from tests.fakes.use_cases import HOUR_MS, MEMBERS, AppFixture, UseCases, _say_nothing

PEOPLE = [MacAddress(f"02:00:00:00:00:{number:02x}") for number in range(1, 6)]
ROLLS = [MEMBERS, MEMBERS + f'[[account]]\nid = "new"\ndevices = ["{PEOPLE[0]}"]\n']


class FailingRepository(StoredRepository):
    """The real database; while `full`, nothing can be written, and `reads` says whether anything can be read."""

    def __init__(self, store: Store, state: "DiskState") -> None:
        super().__init__(store)
        self._state = state

    async def recall(self, buckets_since: str = "") -> Any:
        self._state.check()
        return await super().recall(buckets_since)

    async def book(self, booking: Any) -> None:
        self._state.check()
        await super().book(booking)

    async def save_sessions(self, saved: Any, minors: Any, day: str, changes: Any = ()) -> None:
        self._state.check()
        await super().save_sessions(saved, minors, day, changes)

    async def erase(self, mac: Any, account: Any, until_day: str) -> None:
        self._state.check()
        await super().erase(mac, account, until_day)

    async def forget(self, *, used_before: str, **more: Any) -> Any:
        before = dict(await self.buckets(since=""))
        forgotten = await super().forget(used_before=used_before, **more)
        over = {note.account: note.until_day for note in forgotten.erased if note.is_over}
        for key in before.keys() - dict(await self.buckets(since="")).keys():
            is_erased = key.account in over and (key.day == DAY_UNKNOWN or key.day <= over[key.account])
            if is_erased or key.day < used_before:
                self._state.forgotten += before[key].uplink.total
        return forgotten


@dataclass
class DiskState:
    full: bool = False
    forgotten: int = 0
    """Bytes of days that are no longer kept, or up to the day of an erasure whose month is over."""

    def check(self) -> None:
        if self.full:
            raise StorageTrouble("the data folder is full", "make room")


@dataclass
class Paper:
    """A voucher as the person who bought it knows it."""

    code: str
    lasts_ms: int
    devices_max: int
    batch: int
    used_at: int | None = None
    """End in elapsed real time, whether the node is on or not."""
    is_revoked: bool = False
    is_use_unsaved: bool = False

    def is_over(self, real_ms: int) -> bool:
        return self.is_revoked or (self.used_at is not None and real_ms - self.used_at >= self.lasts_ms)


@dataclass
class Story:
    """The application, and the facts that must hold."""

    street: AppFixture
    disk: DiskState
    app: UseCases | None = None
    papers: list[Paper] = field(default_factory=list)
    holds: dict[MacAddress, Paper] = field(default_factory=dict)
    """Devices told that they joined by a voucher, and unchanged since."""
    unsaved: set[MacAddress] = field(default_factory=set)
    """Those of them, and of the blocked, whose write failed on a full disk."""
    removed: set[MacAddress] = field(default_factory=set)
    sent: Counter[AccountId] = field(default_factory=Counter)
    at_risk: int = 0
    """Bytes that a power cut may have lost."""
    owners: dict[int, AccountId] = field(default_factory=dict)
    """Owners of the marks that the kernel counts while the node is down."""
    is_blurred: bool = False
    """Owners of bytes that a kill with a full disk left unstored."""
    real_ms: int = 0
    off_ms: int = 0
    """How long the node was off while its clock was unknown."""
    is_stored_undated: bool = False
    """The clock was unknown when the disk became full, so that what is stored has no time."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def here(self) -> UseCases:
        assert self.app is not None
        return self.app

    async def open(self) -> None:
        self.app = await self.stack.enter_async_context(self.street.life())

    async def kill(self) -> None:
        self.owners = self.owned()
        self.here.loop.persistence.flush = _say_nothing  # type: ignore[method-assign,assignment]
        await self.stack.aclose()
        self.stack, self.app = AsyncExitStack(), None
        if self.disk.full:
            # The kernel still holds marks of devices that came and went while nothing could be stored.
            self.at_risk, self.is_blurred = sum(self.sent.values()), True
            for mac in self.unsaved:
                self.holds.pop(mac, None)
                self.removed.discard(mac)
            for paper in self.papers:
                if paper.is_use_unsaved:
                    paper.used_at = None  # the node could not store it, and had reported that
        self.forget_unsaved()

    def send(self, mac: MacAddress, amount: int) -> None:
        plan = self.street.kernel.plan
        admission = plan.admitted.get(mac) if plan is not None else None
        if self.street.kernel.send(mac, down=amount):
            assert admission is not None
            owners = self.owners if self.app is None else self.owned()
            self.sent[owners[admission.mark]] += amount

    def owned(self) -> dict[int, AccountId]:
        return {
            mark: session_entry.account
            for mark, session_entry in self.here.loop.session_table.by_mark.items()
        }

    # --- events --------------------------------------------------------------------------

    async def issue(self, hours: int, devices_max: int) -> None:
        if not self.here.loop.persistence.recalled:
            return
        (code,) = await self.here.codes(lasts_ms=hours * HOUR_MS, devices_max=devices_max)
        batch = max(self.here.loop.registry.vouchers.batches)
        if not self.disk.full:
            self.papers.append(Paper(code, hours * HOUR_MS, devices_max, batch))

    async def enter(self, who: int, which: int, ticks: int) -> None:
        """Join; with `ticks` 0 wait for the response, otherwise the node is killed that soon after the request."""
        mac = PEOPLE[who]
        paper = self.papers[which % len(self.papers)] if self.papers else None
        entry: Entry = TermsAccepted() if paper is None or which == 0 else CodeTyped(paper.code)
        if ticks:
            await self.killed_while(self.here.portal.admit(mac, entry, "1"), ticks)
            return self.look_again(mac)
        came = await self.here.portal.admit(mac, entry, "1")
        if isinstance(came, Refused):
            assert came.reason in {"code-ended", "code-revoked", "removed", "memory"}, came
            assert paper is not None or came.reason in {"removed", "memory"}
            if came.reason == "code-ended":
                assert paper is not None
                assert paper.used_at is not None
                assert self.real_ms - paper.used_at >= paper.lasts_ms - 1_000, "no voucher is shortened"
            return None
        held = self.holds.get(mac)
        if isinstance(came, Full) and held is not None and held.is_over(self.real_ms):
            del self.holds[mac]  # an ended code is not entered again
        if isinstance(came, Admitted):
            self.look_again(mac)
            if self.disk.full:
                self.unsaved.add(mac)
        return None

    def look_again(self, mac: MacAddress) -> None:
        """Read a device's account again after its own action or an uncertain result."""
        self.holds.pop(mac, None)
        if self.app is None or not self.here.loop.persistence.recalled:
            return
        vouchers = self.here.loop.registry.vouchers
        account = self.here.loop.account_of(mac)
        for paper in self.papers:
            (voucher,) = vouchers.of_batch(paper.batch)
            if voucher.lease is not None and paper.used_at is None:
                paper.used_at, paper.is_use_unsaved = self.real_ms, self.disk.full
            if voucher.account == account and not paper.is_revoked:
                self.holds[mac] = paper

    async def all_enter(self, which: int, removed: int) -> None:
        """All devices enter the same code at once, and an admin blocks one of them meanwhile."""
        code = self.papers[which % len(self.papers)].code if self.papers else "none"
        async with asyncio.TaskGroup() as tasks:
            for mac in PEOPLE:
                tasks.create_task(self.here.portal.admit(mac, CodeTyped(code), "1"))
            await asyncio.sleep(0)
            await self.remove(removed, 0)
        for mac in PEOPLE:
            self.look_again(mac)
            if self.disk.full:
                self.unsaved.add(mac)

    async def swap(self, who: int, which: int, other: int) -> None:
        """A device finds an account full and chooses which device is evicted."""
        if not self.papers:
            return
        mac, code = PEOPLE[who], CodeTyped(self.papers[which % len(self.papers)].code)
        came = await self.here.portal.admit(mac, code, "1")
        if isinstance(came, Full):
            await self.here.portal.admit(mac, TermsAccepted(), "1", instead_of=PEOPLE[other])
        self.look_again(mac)
        if self.disk.full:
            self.unsaved.add(mac)

    async def leave(self, who: int) -> None:
        await self.here.portal.leave(PEOPLE[who])

    async def erase(self, who: int) -> None:
        await self.here.portal.erase(PEOPLE[who])
        self.holds.pop(PEOPLE[who], None)
        self.at_risk = sum(self.sent.values())  # usage of earlier months is erased, as requested

    async def remove(self, who: int, pardon: int) -> None:
        mac = PEOPLE[who]
        if pardon:
            await self.here.loop.unblock(mac)
            self.removed.discard(mac)
        else:
            await self.here.loop.block(mac, "spam")
            self.removed.add(mac)
        if self.disk.full:
            self.unsaved.add(mac)

    async def revoke(self, which: int, back: int) -> None:
        if not self.papers or not self.here.loop.persistence.recalled:
            return
        paper, loop = self.papers[which % len(self.papers)], self.here.loop
        vouchers = loop.registry.vouchers
        names = [each.fingerprint for each in vouchers.of_batch(paper.batch)]
        now = self.street.clock.now
        await loop.remember(vouchers.restore(names, now) if back else vouchers.revoke(names, now).changes)
        paper.is_revoked = vouchers.of_batch(paper.batch)[0].is_revoked
        if self.disk.full:  # not guaranteed to survive a kill
            self.disk.full = False
            await loop.persistence.save()
        for mac in PEOPLE:
            self.look_again(mac)

    async def member_directory(self, which: int) -> None:
        member_directory, _ = parse_members(ROLLS[which])
        assert member_directory is not None
        self.street.member_directory = member_directory
        await self.here.loop.adopt(self.street.book, member_directory)
        self.look_again(PEOPLE[0])

    async def transfer(self, who: int, amount: int) -> None:
        self.send(PEOPLE[who], amount)

    async def wait(self, minutes: int) -> None:
        self.let_pass(minutes * 60_000)
        await self.settle()

    async def fill(self, full: int) -> None:
        if full and not self.disk.full:
            self.is_stored_undated = self.street.clock.trust == "unknown"
        self.disk.full = bool(full)
        if not full:
            await self.write()
            self.forget_unsaved()

    async def clock(self, state: int, days: int) -> None:
        """The clock becomes unknown, or known and set to another day. The node notices at the latest at its
        next write.
        """
        clock = self.street.clock
        if state and clock.trust == "synced" and not self.disk.full and self.here.loop.persistence.recalled:
            clock.wall += timedelta(days=days)
        clock.trust = "synced" if state else "unknown"
        if not state and not self.here.loop.persistence.recalled:
            self.off_ms = 10**12  # how long the node was off can no longer be known
        if not self.disk.full:
            await self.write()

    async def crash(self, who: int, amount: int) -> None:
        """The loop crashes; traffic continues without it."""
        await self.kill()
        self.send(PEOPLE[who], amount)
        await self.open()

    async def power_cut(self, hours: int) -> None:
        await self.settle()
        if self.disk.full:
            self.at_risk = sum(self.sent.values())
            if self.is_stored_undated or self.street.clock.trust == "unknown":
                self.off_ms = 10**12  # as above
        else:
            await self.write()
        await self.kill()
        if self.street.clock.trust == "unknown":
            self.off_ms += hours * HOUR_MS + 60_000
        self.street.power_cut(hours * HOUR_MS)
        self.real_ms += hours * HOUR_MS
        await self.open()

    async def write(self) -> None:
        """The node has written everything, and the kernel holds the result."""
        loop, street = self.here.loop, self.street
        self.let_pass(56_000)
        await until(lambda: not loop.persistence.is_due(street.clock.now, 55_000))
        await loop.adopt(street.book, street.member_directory)

    def let_pass(self, milliseconds: int) -> None:
        self.street.pass_time(milliseconds)
        self.real_ms += milliseconds
        is_noted = self.here.loop.persistence.recalled and not self.disk.full
        if self.street.clock.trust == "unknown" and not is_noted:
            self.off_ms += milliseconds

    def forget_unsaved(self) -> None:
        self.unsaved.clear()
        for paper in self.papers:
            paper.is_use_unsaved = False

    async def killed_while(self, doing: Awaitable[object], ticks: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_quietly(doing))
            for _ in range(ticks):
                await asyncio.sleep(0)
            asking.cancel()
        await self.kill()
        await self.open()

    # --- invariants ----------------------------------------------------------------------

    def account(self, mac: MacAddress) -> AccountId | None:
        return self.here.portal.guest(mac).account

    async def settle(self) -> None:
        """Everything that the kernel has counted is booked."""
        loop = self.here.loop
        for _ in range(2):
            before = loop.persistence.baseline
            await until(lambda before=before: loop.persistence.baseline is not before)  # type: ignore[misc]

    def check(self) -> None:
        loop, kernel = self.here.loop, self.street.kernel
        passing = {mac for mac in PEOPLE if kernel.send(mac)}
        if not loop.persistence.recalled:
            return  # sessions of before are not loaded yet
        assert not passing & self.removed, "whom an admin removed never passes"
        for paper in self.papers:
            (voucher,) = loop.registry.vouchers.of_batch(paper.batch)
            on = passing & set(loop.session_table.devices_of(voucher.account))
            assert not paper.devices_max or len(on) <= paper.devices_max
            assert not (on and paper.is_revoked)
            if on and paper.used_at is not None:
                assert self.real_ms - paper.used_at <= paper.lasts_ms + self.off_ms, "none lasts longer"
        for mac, paper in self.holds.items():
            (voucher,) = loop.registry.vouchers.of_batch(paper.batch)
            assert voucher.account == loop.account_of(mac), "nobody shows a code twice"

    async def check_books(self) -> None:
        await self.fill(0)
        await self.settle()
        booked: Counter[AccountId] = Counter()
        for key, bucket in (await self.here.loop.persistence.buckets("")).items():
            booked[key.account] += bucket.uplink.total
        assert sum(booked.values()) <= sum(self.sent.values()), "nothing is counted twice"
        at_risk = self.at_risk + self.disk.forgotten
        assert sum(booked.values()) >= sum(self.sent.values()) - at_risk, "nothing is lost"
        if not at_risk and not self.is_blurred:
            assert +booked == +self.sent, "nothing is booked to anybody else"


async def _quietly(doing: Awaitable[object]) -> None:
    await doing


@asynccontextmanager
async def told() -> AsyncIterator[Story]:
    with tempfile.TemporaryDirectory() as folder:
        path, disk, stores = Path(folder), DiskState(), list[Store]()

        def reopen() -> StoredRepository:
            for store in stores:
                store.close()
            stores[:] = [Store(path / "procomu.db")]
            return FailingRepository(stores[-1], disk)

        story = Story(AppFixture(reopen, path), disk)
        await story.open()
        try:
            yield story
        finally:
            await story.stack.aclose()
            for store in stores:
                store.close()


type Event = tuple[str, tuple[int, ...]]
SMALL = st.integers(0, 4)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just("issue"), st.tuples(st.integers(1, 5), st.integers(0, 2))),
    st.tuples(st.just("enter"), st.tuples(SMALL, SMALL, st.just(0))),
    st.tuples(st.just("enter"), st.tuples(SMALL, SMALL, st.just(0))),
    st.tuples(st.just("enter"), st.tuples(SMALL, SMALL, st.integers(1, 12))),
    st.tuples(st.just("all_enter"), st.tuples(SMALL, SMALL)),
    st.tuples(st.just("swap"), st.tuples(SMALL, SMALL, SMALL)),
    st.tuples(st.just("leave"), st.tuples(SMALL)),
    st.tuples(st.just("erase"), st.tuples(SMALL)),
    st.tuples(st.just("remove"), st.tuples(SMALL, st.integers(0, 1))),
    st.tuples(st.just("revoke"), st.tuples(SMALL, st.integers(0, 1))),
    st.tuples(st.just("member_directory"), st.tuples(st.integers(0, 1))),
    st.tuples(st.just("transfer"), st.tuples(SMALL, st.integers(1, 1_000))),
    st.tuples(st.just("transfer"), st.tuples(SMALL, st.integers(1, 1_000))),
    st.tuples(st.just("wait"), st.tuples(st.integers(1, 200))),
    st.tuples(st.just("fill"), st.tuples(st.integers(0, 1))),
    st.tuples(st.just("clock"), st.tuples(st.integers(0, 1), st.integers(-300, 300))),
    st.tuples(st.just("crash"), st.tuples(SMALL, st.integers(1, 1_000))),
    st.tuples(st.just("power_cut"), st.tuples(st.integers(0, 3))),
)

JOINS: Event = ("enter", (0, 0, 0))
USES: Event = ("transfer", (0, 470))
ERASED: list[Event] = [JOINS, ("erase", (0,)), JOINS]
NOT_READ: list[Event] = [("fill", (1,)), ("crash", (0, 59)), USES, ("wait", (1,)), ("fill", (0,))]
"""Used before and after the list of erasures cannot be read at a start."""


@settings(deadline=None)
@given(st.lists(EVENTS, min_size=15, max_size=60))
@example([*ERASED, ("clock", (1, -163)), USES, ("crash", (0, 59)), ("clock", (1, 91))])
@example([*ERASED, ("clock", (1, -163)), USES, ("erase", (0,)), JOINS, USES, ("crash", (0, 59))])
@example([*ERASED, ("clock", (1, -163)), *NOT_READ])
@example([*ERASED, ("clock", (0, 0)), *NOT_READ])
@example([*ERASED, USES, ("wait", (1,)), ("clock", (1, 90)), *[("wait", (200,))] * 4])
def test_nothing_is_lost_or_invented_in_any_sequence(events: list[Event]) -> None:
    async def tell() -> None:
        async with told() as story:
            for name, numbers in events:
                happen: Callable[..., Awaitable[None]] = getattr(story, name)
                await happen(*numbers)
                story.check()
            await story.check_books()

    asyncio.run(tell())

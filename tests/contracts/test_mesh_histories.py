"""Losses of the databases of several nodes: no byte is counted twice on any node, and a byte is missing in the
end only if no database and no neighbour held it when it was lost.

Real loops, repositories, pages and exchanges; the kernel's counters are fake. Nodes talk when the history says so.
A node is killed, its database is left alone, deleted, damaged or restored from an older copy, and the machine goes
on or restarts; meanwhile devices send.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import replicator as replicas
from mesh.messages import decode
from mesh.page_format import Page
from mesh.past_kind import past_of
from mesh.replicator import Replicator
from mesh.usage_kind import usage_rows
from node.accounting.ledger import EMPTY_BUCKET, UsageBucket, UsageKey, highest
from node.app.mesh_usage import MeshUsage
from node.control.active_ruleset import load_active_ruleset
from node.control.reconciler import Reconciler
from node.enforcement.plan import FirewallConfig
from node.governance.rules import ActiveRuleset
from node.storage.database import Store
from node.storage.repository import StoredPageCache, StoredRepository
from node.units import AccountId, MacAddress
from tests.examples import examples
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import guest_account, make_registry
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.prober import FakeProber
from tests.fakes.reconciler_fixture import MEMBER_DIRECTORY, RULES, until
from tests.fakes.repository import FakeClock

PHONES = [MacAddress(f"02:00:00:00:00:0{number}") for number in (1, 2)]
NAMES = ("hill", "valley", "coast")
DAY_MS = 24 * 3_600_000
Knowledge = dict[UsageKey, UsageBucket]


class WatchedReplica(Replicator):
    """Tells whether it has anything to write, so that no test has to guess how long that takes."""

    is_writing = False

    async def _write_pages(self) -> None:
        self.is_writing = True
        await super()._write_pages()
        self.is_writing = False

    def has_written(self) -> bool:
        return not self.is_writing and not self._booked.is_set()


class HistoryNode:
    """One node: its folder, kernel and clock, and its running parts while it runs."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.node, self.folder = name, id_of(name), folder
        self.kernel, self.clock, self.seed = FakeKernel(), FakeClock(), 0
        self.clock.now = self.kernel.now
        self.sent: Counter[AccountId] = Counter()
        self.lost: Counter[AccountId] = Counter()
        self.saved: Path | None = None
        (folder / "data").mkdir(parents=True)
        (folder / "run").mkdir()
        assert MEMBER_DIRECTORY is not None
        book = load_active_ruleset(RULES, MEMBER_DIRECTORY)
        assert isinstance(book, ActiveRuleset)
        self.book = book

    @property
    def database(self) -> Path:
        return self.folder / "data" / "procomu.db"

    async def start(self) -> None:
        assert MEMBER_DIRECTORY is not None
        self.seed += 1
        self.stack = AsyncExitStack()
        self.store = Store(self.database)
        self.loop = Reconciler(
            prober=FakeProber(),
            kernel=self.kernel,
            repository=StoredRepository(self.store, self.folder / "run" / "bookings"),
            clock=self.clock,
            firewall=FirewallConfig("lan0", "wan0", 2080),
            node=self.node,
            active_ruleset=self.book,
            member_directory=MEMBER_DIRECTORY,
            registry=make_registry(lambda: self.loop.member_directory, seed=self.seed),
            guest_account=guest_account,
            session_ms=None,
            on_booked=self._booked,
            keep_pages=self._keep_pages,
            tick_s=0.003,
        )
        self.replica = WatchedReplica(
            key=key_of(self.name),
            community="the-village",
            roster=lambda: frozenset(map(id_of, NAMES)),
            usage_ledger=MeshUsage(self.loop),
            page_cache=StoredPageCache(self.store, self.clock.today),
            woken=lambda: None,
            on_usage_changed=lambda: None,
        )
        tasks = await self.stack.enter_async_context(asyncio.TaskGroup())
        self.running = [tasks.create_task(self.loop.run())]
        await asyncio.wait_for(self.loop.ready.wait(), 20)
        await self.replica.restore()
        self.running.append(tasks.create_task(self.replica.run()))
        for mac in PHONES:
            await self.loop.admit(mac, "1")

    def _booked(self, changed: dict[UsageKey, UsageBucket]) -> None:
        self.replica.publish((k.incarnation, k.day, k.account, bucket) for k, bucket in changed.items())

    async def _keep_pages(self) -> None:
        await self.replica.persist_pages()

    async def kill(self) -> None:
        self.loop.persistence.flush = _say_nothing  # type: ignore[method-assign, assignment]
        for task in self.running:
            task.cancel()
        await self.stack.aclose()
        self.store.close()

    def send(self, who: int, amount: int) -> None:
        if self.kernel.send(PHONES[who], down=amount):
            self.sent[guest_account(PHONES[who])] += amount

    async def settle(self) -> None:
        """Everything that the kernel has counted is booked and written, and every page that came is merged."""
        for _ in range(2):
            before = self.loop.persistence.baseline
            await until(lambda before=before: self.loop.persistence.baseline is not before)  # type: ignore[misc]
        await until(self.replica.has_written)

    async def write(self) -> None:
        """Usage of other nodes, too."""
        self.loop.persistence.write_buffer.waiting.append(lambda: None)
        self.clock.pass_time(56_000)
        await until(lambda: not self.loop.persistence.is_due(self.clock.now, 55_000))

    async def recount(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            counting = tasks.create_task(self.replica.recount())
            while not counting.done():
                await self.settle()
                await self.write()

    async def knows(self) -> Knowledge:
        """Usage in its ledger and in the pages that it holds, which are merged again at its start."""
        await self.settle()
        found = dict(await self.loop.persistence.buckets(""))
        for raw in [raw for name in NAMES for raw in await self.replica.held_of(id_of(name))]:
            page = decode(raw)
            assert isinstance(page, Page)
            for key, bucket in buckets_of(page):
                found[key] = highest(found.get(key, EMPTY_BUCKET), bucket)
        return found


def buckets_of(page: Page) -> list[tuple[UsageKey, UsageBucket]]:
    if page.kind == "past":
        past = past_of(page.body, page.period)
        return [
            (UsageKey(page.author, incarnation, who, page.period), bucket)
            for incarnation, who, bucket in past.rows
        ]  # type: ignore[union-attr]
    return [
        (UsageKey(page.author, page.incarnation, who, page.period), c) for who, c in usage_rows(page.body)
    ]  # type: ignore[misc]


async def _say_nothing(_now: object, *, is_all: bool = True) -> bool:
    return False


def joined(*knowledge: Knowledge) -> Knowledge:
    found: Knowledge = {}
    for each in knowledge:
        for key, bucket in each.items():
            found[key] = highest(found.get(key, EMPTY_BUCKET), bucket)
    return found


def counted(knowledge: Knowledge, place: HistoryNode) -> Counter[AccountId]:
    found: Counter[AccountId] = Counter()
    for key, bucket in knowledge.items():
        if key.node == place.node:
            found[key.account] += bucket.uplink.total
    return +found


class History:
    """Three nodes and everything that happens to them."""

    def __init__(self, folder: Path) -> None:
        self.places = [HistoryNode(name, folder / name) for name in NAMES]

    async def send(self, at: int, who: int, amount: int) -> None:
        self.places[at].send(who, amount)

    async def write(self, at: int) -> None:
        await self.places[at].settle()
        await self.places[at].write()

    async def save(self, at: int) -> None:
        """Copy the whole data folder."""
        place = self.places[at]
        await self.write(at)
        place.saved = place.folder / "saved"
        shutil.rmtree(place.saved, ignore_errors=True)
        await asyncio.to_thread(shutil.copytree, place.folder / "data", place.saved)

    async def pass_days(self, days: int) -> None:
        for place in self.places:
            place.clock.pass_time(days * DAY_MS)
            await place.settle()

    async def talk(self, left: int, right: int) -> None:
        a, b = self.places[left], self.places[right]
        if a is b:
            return
        for each, other in ((a, b), (b, a)):
            await each.settle()
            each.replica.publish(None)
            each.replica.exchange.greet(other.node)
        for _ in range(4):
            for each, other in ((a, b), (b, a)):
                await each.settle()
                each.replica.exchange.begin_round(other.node)
            while await pump(a, b) or await pump(b, a):
                await asyncio.sleep(0)
        for each, other in ((a, b), (b, a)):
            each.replica.exchange.part(other.node)
            await each.settle()

    async def recount(self, at: int) -> None:
        """Usage that no page reports any more is withdrawn, while pages that report it may be on their way."""
        await self.places[at].recount()

    async def crash(self, at: int, who: int, amount: int, days: int) -> None:
        """The node is killed while the kernel goes on counting."""

        def go_on(place: HistoryNode) -> None:
            place.send(who, amount)
            place.clock.pass_time(days * DAY_MS)

        await self._restart(at, go_on)

    async def power_cut(self, at: int) -> None:
        """Bytes that were counted and not stored are lost with the counters."""
        place = self.places[at]
        await self.write(at)
        await self._restart(at, self._off)
        assert place.kernel.plan is not None

    def _off(self, place: HistoryNode) -> None:
        place.kernel.vanish()
        place.clock.reboot(60_000)
        place.kernel.now = place.clock.now
        shutil.rmtree(place.folder / "run")
        (place.folder / "run").mkdir()

    async def lose(self, at: int, how: int, who: int, amount: int) -> None:
        """The database is deleted, emptied or full of garbage; devices send before the node is back."""

        def spoil(place: HistoryNode) -> None:
            folder = place.folder / "data"
            if how == 0:
                shutil.rmtree(folder)
                folder.mkdir()
            elif how == 1:
                place.database.write_bytes(b"")
            else:
                raw = bytearray(place.database.read_bytes())
                raw[100 : len(raw) // 2] = b"\x55" * (len(raw) // 2 - 100)
                place.database.write_bytes(bytes(raw))
            for log in folder.glob("procomu.db-*"):
                log.unlink()

        await self._restart(at, spoil, is_loss=True)
        self.places[at].send(who, amount)

    async def put_back(self, at: int, is_off: int) -> None:
        """The data folder is as it was saved, with the counters intact or after the machine was off."""
        place = self.places[at]
        if place.saved is None:
            return

        def restore(place: HistoryNode) -> None:
            assert place.saved is not None
            shutil.rmtree(place.folder / "data")
            shutil.copytree(place.saved, place.folder / "data")
            if is_off:
                self._off(place)

        await self._restart(at, restore, is_loss=True)

    async def _restart(
        self, at: int, meanwhile: Callable[[HistoryNode], None], *, is_loss: bool = False
    ) -> None:
        place = self.places[at]
        others = [each for each in self.places if each is not place]
        rest = joined(*[await each.knows() for each in others])
        before = joined(rest, await place.knows())
        await place.kill()
        await asyncio.to_thread(meanwhile, place)
        await place.start()
        after = joined(rest, await place.knows())
        for each in others:  # bytes that only this node held, in memory or in what was lost
            each.lost += counted(before, each) - counted(after, each)
        if is_loss:
            place.lost = place.sent - counted(after, place)

    async def check(self) -> None:
        for _ in range(3):
            for left, right in ((0, 1), (1, 2), (0, 2)):
                await self.talk(left, right)
                await self.recount(left)
                await self.recount(right)
        for origin in self.places:
            expected = +(origin.sent - origin.lost)
            got = [counted(await place.loop.persistence.buckets(""), origin) for place in self.places]
            assert all(each == got[0] for each in got), f"all agree about {origin.name}"
            assert got[0] <= origin.sent, f"nothing of {origin.name} is counted twice"
            assert expected == got[0], f"{origin.name} lost {origin.lost}"


async def pump(left: HistoryNode, right: HistoryNode) -> bool:
    is_busy = False
    while frame := await left.replica.next_frame(right.node):
        await right.replica.take(left.node, decode(frame))
        is_busy = True
    return is_busy


AT, WHO, AMOUNT = st.integers(0, 2), st.integers(0, 1), st.integers(1, 1_000)
EVENTS: st.SearchStrategy[tuple[str, tuple[int, ...]]] = st.one_of(
    st.tuples(st.just("send"), st.tuples(AT, WHO, AMOUNT)),
    st.tuples(st.just("send"), st.tuples(AT, WHO, AMOUNT)),
    st.tuples(st.just("send"), st.tuples(AT, WHO, AMOUNT)),
    st.tuples(st.just("talk"), st.tuples(AT, AT)),
    st.tuples(st.just("talk"), st.tuples(AT, AT)),
    st.tuples(st.just("recount"), st.tuples(AT)),
    st.tuples(st.just("write"), st.tuples(AT)),
    st.tuples(st.just("save"), st.tuples(AT)),
    st.tuples(st.just("pass_days"), st.tuples(st.integers(0, 2))),
    st.tuples(st.just("crash"), st.tuples(AT, WHO, AMOUNT, st.integers(0, 1))),
    st.tuples(st.just("power_cut"), st.tuples(AT)),
    st.tuples(st.just("lose"), st.tuples(AT, st.integers(0, 2), WHO, AMOUNT)),
    st.tuples(st.just("put_back"), st.tuples(AT, st.integers(0, 1))),
)


async def tell(events: list[tuple[str, tuple[int, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        for place in history.places:
            await place.start()
        try:
            for name, numbers in events:
                happen: Callable[..., Awaitable[None]] = getattr(history, name)
                await happen(*numbers)
            await history.check()
        finally:
            for place in history.places:
                await place.kill()


@pytest.fixture(autouse=True, scope="module")
def pages_are_written_at_once() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr(replicas, "PUBLISH_EVERY_S", 0.002)
    yield
    patch.undo()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "events",
    [
        # Many incarnations in one day, each sent to a neighbour.
        [step for n in range(6) for step in (("send", (0, 0, 100)), ("talk", (0, 1)), ("lose", (0, n % 3, 0, 10)))],
        # A node continues its incarnation while its neighbours know more of it.
        [("send", (0, 0, 40)), ("save", (0,)), ("send", (0, 0, 60)), ("talk", (0, 1)), ("put_back", (0, 0)),
         ("send", (0, 0, 7)), ("talk", (0, 1)), ("talk", (1, 2))],
        [("send", (0, 0, 40)), ("save", (0,)), ("send", (0, 0, 60)), ("talk", (0, 1)), ("pass_days", (1,)),
         ("put_back", (0, 0)), ("send", (0, 0, 7)), ("crash", (0, 0, 3, 0)), ("talk", (0, 2))],
        # Sent and not stored, and then the next day begins.
        [("send", (0, 0, 40)), ("write", (0,)), ("send", (0, 0, 20)), ("talk", (0, 1)), ("crash", (0, 0, 3, 1)),
         ("talk", (1, 2))],
        # Restored from a copy after a power cut.
        [("send", (0, 0, 40)), ("save", (0,)), ("send", (0, 0, 60)), ("talk", (0, 1)), ("put_back", (0, 1)),
         ("talk", (0, 1)), ("send", (0, 0, 7)), ("talk", (1, 2))],
        # Only one neighbour held it, and restarted before the author lost everything.
        [("send", (2, 0, 172)), ("talk", (2, 1)), ("power_cut", (1,)), ("pass_days", (2,)), ("lose", (2, 0, 0, 240))],
        # A lost database is restored after fewer writes than it had seen.
        [*[("write", (0,))] * 3, ("save", (0,)), ("send", (0, 0, 40)), ("talk", (0, 1)), ("lose", (0, 0, 0, 60)),
         ("talk", (0, 2)), ("put_back", (0, 0)), ("write", (0,))],
        # Only one neighbour held it, and was offline.
        [("send", (0, 0, 40)), ("talk", (0, 2)), ("lose", (0, 0, 0, 5)), ("talk", (0, 1)), ("lose", (0, 1, 0, 5)),
         ("talk", (1, 2)), ("crash", (2, 1, 9, 0)), ("talk", (0, 2))],
    ],
)  # fmt: skip
async def test_histories_that_failed_before(events: list[tuple[str, tuple[int, ...]]]) -> None:
    await tell(events)


HISTORIES = given(st.lists(EVENTS, min_size=5, max_size=25))


@settings(deadline=None, max_examples=examples(15, few=5), derandomize=True)
@HISTORIES
def test_totals_are_exact_on_all_nodes_in_any_history(events: list[tuple[str, tuple[int, ...]]]) -> None:
    asyncio.run(tell(events))


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@HISTORIES
def test_totals_are_exact_on_all_nodes_in_many_random_histories(
    events: list[tuple[str, tuple[int, ...]]],
) -> None:
    asyncio.run(tell(events))

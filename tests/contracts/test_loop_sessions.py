"""Every row of the sessions' transition table, taken by the real loop and portal; and the kernel lets pass exactly the
devices that the table has as admitted, after any calls in any order."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captive_portal import guests
from captive_portal.ports import CodeTyped, Entry, TermsAccepted
from node.enforcement.plan import TrafficPlan
from node.reconcile.keeper import FORGET_EVERY_MS
from node.units import MacAddress, Monotonic
from tests.contracts.house import ANA, BEN, HOUR_MS, House, Neighbourhood, _say_nothing
from tests.contracts.test_loop import until
from tests.docs.sessions_diagram import ARROWS, Arrow
from tests.fakes.kernel import FakeKernel
from tests.fakes.memory import FakeMemory

VISIT_MS = 4 * HOUR_MS
"""As long as `Neighbourhood` has `session_ms`."""


class OrderedKernel(FakeKernel):
    """Notes admissions that it is told of before they are stored."""

    def __init__(self, memory: FakeMemory) -> None:
        super().__init__()
        self.memory, self.unstored = memory, list[MacAddress]()
        self.is_strict = True

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        states = {mac: saved.session.state for mac, saved in self.memory.sessions.items()}
        if self.is_strict:
            self.unstored += [mac for mac in plan.admitted if states.get(mac) != "admitted"]
        super().apply(plan, now)


class Node:
    """A node that is killed and started again, with what people and admins do at it."""

    def __init__(self, folder: Path) -> None:
        self.memory = FakeMemory()
        self.street = Neighbourhood(lambda: self.memory, folder)
        self.street.kernel = self.kernel = OrderedKernel(self.memory)
        self._house: House | None = None
        self._stack = AsyncExitStack()

    @property
    def house(self) -> House:
        assert self._house is not None
        return self._house

    async def start(self) -> None:
        self._house = await self._stack.enter_async_context(self.street.life())

    async def kill(self) -> None:
        self.house.loop.keeper.flush = _say_nothing  # type: ignore[method-assign,assignment]
        await self._stack.aclose()
        self._stack, self._house = AsyncExitStack(), None

    async def settle(self) -> None:
        """No visit is overdue, the last plan stands in the kernel, and its counters have been read since."""
        loop = self.house.loop
        await until(lambda: not loop.standing.ended(self.street.clock.now) and loop._enactment.is_done)
        before = loop.keeper.baseline
        await until(lambda: loop.keeper.baseline is not before)

    # --- what happens ---

    async def accept(self, mac: MacAddress) -> None:
        await self._admit(mac, TermsAccepted())

    async def type_code(self, mac: MacAddress) -> None:
        (code,) = await self.house.codes(lasts_ms=HOUR_MS)
        await self._admit(mac, CodeTyped(code))

    async def _admit(self, mac: MacAddress, entry: Entry) -> None:
        await self.house.portal.admit(mac, entry, "1")

    async def leave(self, mac: MacAddress) -> None:
        await self.house.portal.leave(mac)

    async def erase(self, mac: MacAddress) -> None:
        account = self.house.loop.account_of(mac)
        await self.house.loop.erase(mac, account, is_last=True)

    async def remove(self, mac: MacAddress) -> None:
        await self.house.loop.remove(mac, "noise")

    async def pardon(self, mac: MacAddress) -> None:
        await self.house.loop.pardon(mac)

    async def revoke(self, _mac: MacAddress) -> None:
        vouchers = self.house.loop.register.vouchers
        names = [each.fingerprint for batch in vouchers.batches for each in vouchers.of_batch(batch)]
        await self.house.loop.remember(vouchers.revoke(names, self.street.clock.now).changes)

    async def wait(self, _mac: MacAddress) -> None:
        self.street.pass_time(VISIT_MS)

    async def write(self, _mac: MacAddress) -> None:
        """Last bytes are read and stored, and their marks forgotten."""
        keeper = self.house.loop.keeper
        for _ in range(2):
            self.street.pass_time(31_000)
            await until(lambda: self.memory.full or not keeper.is_due(self.street.clock.now, 30_000))
            await self.settle()

    async def forget(self, mac: MacAddress) -> None:
        """The node forgets what it need not keep, as it does several times a day."""
        for _ in range(2):
            await self.write(mac)
            self.street.pass_time(FORGET_EVERY_MS)
        await self.write(mac)

    async def fill_disk(self, _mac: MacAddress) -> None:
        self.memory.full, self.kernel.is_strict = True, False

    async def free_disk(self, mac: MacAddress) -> None:
        self.memory.full = False
        await self.write(mac)
        self.kernel.is_strict = True

    async def crash(self, _mac: MacAddress) -> None:
        await self.kill()
        await self.start()

    async def crash_and_free_disk(self, _mac: MacAddress) -> None:
        await self.kill()
        self.memory.full = False
        await self.start()

    async def stand_still(self, _mac: MacAddress) -> None:
        """Nothing runs until long after every visit."""
        await self.kill()
        self.street.pass_time(VISIT_MS)
        await self.start()


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Arrow]]:
    """Every row that is taken meanwhile, as (state, event, state)."""
    taken: set[Arrow] = set()
    step = guests.step

    def recording(state: guests.Guest, event: guests.Event, now: Monotonic) -> guests.Outcome:
        after, effects = step(state, event, now)
        if effects:
            taken.add((type(state).__name__, type(event).__name__, type(after).__name__))
        return after, effects

    with monkeypatch.context() as patch:
        patch.setattr(guests, "step", recording)
        yield taken


IN_BY_ANOTHER_MARK = ("accept", "leave", "write", "fill_disk", "accept", "crash_and_free_disk")
STORIES: dict[Arrow, tuple[str, ...]] = {
    ("Waiting", "TermsAccepted", "Admitted"): ("accept",),
    ("Waiting", "RemovedByAdmin", "Removed"): ("remove",),
    ("Waiting", "Restored", "Admitted"): ("accept", "crash"),
    ("Waiting", "Restored", "Expired"): ("accept", "stand_still"),
    ("Waiting", "Restored", "Removed"): ("remove", "crash"),
    ("Waiting", "FoundInKernel", "Admitted"): ("fill_disk", "accept", "crash"),
    ("Waiting", "Discarded", "Waiting"): ("accept", "erase"),
    ("Admitted", "TermsAccepted", "Admitted"): ("accept", "accept"),
    ("Admitted", "Left", "Waiting"): ("accept", "leave"),
    ("Admitted", "TimedOut", "Expired"): ("accept", "wait"),
    ("Admitted", "Shortened", "Admitted"): ("type_code", "revoke"),
    ("Admitted", "RemovedByAdmin", "Removed"): ("accept", "remove"),
    ("Expired", "TermsAccepted", "Admitted"): ("accept", "wait", "accept"),
    ("Expired", "Left", "Waiting"): ("accept", "wait", "leave"),
    ("Expired", "RemovedByAdmin", "Removed"): ("accept", "wait", "remove"),
    ("Expired", "FoundInKernel", "Admitted"): IN_BY_ANOTHER_MARK,
    ("Expired", "Discarded", "Waiting"): ("accept", "wait", "forget"),
    ("Removed", "RemovedByAdmin", "Removed"): ("remove", "remove"),
    ("Removed", "Pardoned", "Waiting"): ("remove", "pardon"),
}


def test_every_row_of_the_table_has_a_story() -> None:
    assert STORIES.keys() == ARROWS


@pytest.mark.parametrize("arrow", STORIES, ids=" ".join)
async def test_the_loop_takes_every_row_of_the_table(
    arrow: Arrow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    *before, last = STORIES[arrow]
    node = Node(tmp_path)
    await node.start()
    with recorded(monkeypatch) as taken:
        for call in before:
            await getattr(node, call)(BEN)
            await node.settle()
        assert arrow not in taken, "the last call takes it"
        await getattr(node, last)(BEN)
        await node.settle()
    await node.kill()
    assert arrow in taken


CALLS = (
    "accept", "accept", "type_code", "leave", "erase", "remove", "pardon", "revoke", "wait", "write", "forget",
    "fill_disk", "free_disk", "crash", "crash_and_free_disk", "stand_still",
)  # fmt: skip
stories = st.lists(st.tuples(st.sampled_from(CALLS), st.sampled_from([ANA, BEN])), min_size=10, max_size=25)


def told(story: list[tuple[str, MacAddress]], folder: Path, check: Callable[[Node], None]) -> None:
    """`check` after each call, once it stands in the kernel."""

    async def tell() -> None:
        node = Node(folder)
        await node.start()
        for call, mac in story:
            await getattr(node, call)(mac)
            await node.settle()
            check(node)
        await node.kill()

    asyncio.run(tell())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("node")


@settings(deadline=None)
@given(story=stories)
def test_the_kernel_lets_pass_exactly_who_is_admitted(
    story: list[tuple[str, MacAddress]], folder: Path
) -> None:
    def check(node: Node) -> None:
        presence = node.house.loop.presence
        for mac in (ANA, BEN):
            assert isinstance(presence.state(mac), guests.Admitted) == node.kernel.send(mac)

    told(story, folder, check)


@settings(deadline=None)
@given(story=stories)
def test_a_change_is_stored_before_the_kernel_is_told(
    story: list[tuple[str, MacAddress]], folder: Path
) -> None:
    def check(node: Node) -> None:
        assert not node.kernel.unstored
        loop = node.house.loop
        if not node.memory.full and loop.keeper.recalled and not loop.troubles.storage:
            stored = {mac: saved.session for mac, saved in node.memory.sessions.items()}
            for mac in loop.presence.seats:
                assert loop.presence.session(mac).state == stored[mac].state

    told(story, folder, check)

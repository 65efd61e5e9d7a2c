"""Every row of the session transition table, taken by the real loop and portal; the kernel admits exactly the
devices that the table calls admitted, after any calls in any order.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.app.views import CodeTyped, Entry, TermsAccepted
from node.control.persistence import FORGET_EVERY_MS
from node.control.plan_draft import PlanDraft
from node.control.reconciler import Reconciler
from node.enforcement.plan import TrafficPlan
from node.sessions import state as session_state
from node.units import MacAddress, Monotonic
from tests.docs.sessions_diagram import ARROWS, Arrow
from tests.fakes.kernel import FakeKernel
from tests.fakes.reconciler_fixture import until
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, BEN, CAI, HOUR_MS, AppFixture, UseCases, _say_nothing

VISIT_MS = 4 * HOUR_MS
"""As long as `session_ms` of the fixture."""


class NotingRepository(FakeRepository):
    """Notes which devices were stored as admitted at any time since the last plan was made."""

    def __init__(self) -> None:
        super().__init__()
        self.admitted = set[MacAddress]()

    def plan_made(self) -> None:
        self.admitted = set()
        self._note()

    async def save_sessions(self, *saved: Any) -> None:
        await super().save_sessions(*saved)
        self._note()

    def _note(self) -> None:
        self.admitted |= {mac for mac, saved in self.sessions.items() if saved.session.state == "admitted"}


class OrderedKernel(FakeKernel):
    """Notes admissions that reach the kernel before they are stored. One that has ended, and was stored as such, while
    its plan was on the way to the kernel's thread is none of them."""

    def __init__(self, repository: NotingRepository) -> None:
        super().__init__()
        self.repository, self.unstored = repository, list[MacAddress]()
        self.is_strict = True
        self.delay_s = 0.0
        """Before each plan is applied."""

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        time.sleep(self.delay_s)
        if self.is_strict:
            self.unstored += [mac for mac in plan.admitted if mac not in self.repository.admitted]
        super().apply(plan, now)


class OrderedFixture(AppFixture):
    """Tells the repository when a plan is made."""

    def __init__(self, repository: NotingRepository, folder: Path) -> None:
        super().__init__(lambda: repository, folder)
        self._noting = repository

    def _loop(self) -> Reconciler:
        loop = super()._loop()
        make = loop._plan_applier._draft

        def made() -> PlanDraft:
            self._noting.plan_made()
            return make()

        loop._plan_applier._draft = made
        return loop


class RestartableNode:
    """A node that is killed and restarted, with the actions of people and admins."""

    def __init__(self, folder: Path) -> None:
        self.repository = NotingRepository()
        self.street = OrderedFixture(self.repository, folder)
        self.street.kernel = self.kernel = OrderedKernel(self.repository)
        self._app: UseCases | None = None
        self._stack = AsyncExitStack()

    @property
    def app(self) -> UseCases:
        assert self._app is not None
        return self._app

    async def start(self) -> None:
        self._app = await self._stack.enter_async_context(self.street.life())

    async def kill(self) -> None:
        self.app.loop.persistence.flush = _say_nothing  # type: ignore[method-assign,assignment]
        await self._stack.aclose()
        self._stack, self._app = AsyncExitStack(), None

    async def settle(self) -> None:
        """No session is overdue, the last plan is applied, and its counters have been read since."""
        loop = self.app.loop
        await until(
            lambda: not loop.effective_policy.ended(self.street.clock.now) and loop._plan_applier.is_done
        )
        before = loop.persistence.baseline
        await until(lambda: loop.persistence.baseline is not before)

    # --- events ---

    async def accept(self, mac: MacAddress) -> None:
        await self._admit(mac, TermsAccepted())

    async def type_code(self, mac: MacAddress) -> None:
        (code,) = await self.app.codes(lasts_ms=HOUR_MS)
        await self._admit(mac, CodeTyped(code))

    async def replace(self, mac: MacAddress) -> None:
        """Its account's newer device is in use, and the older one has been silent for hours."""
        (code,) = await self.app.codes(lasts_ms=12 * HOUR_MS)
        await self._admit(mac, CodeTyped(code))
        self.street.pass_time(3 * HOUR_MS)
        await self._admit(CAI, CodeTyped(code))
        self.street.pass_time(60_000)
        await until(lambda: not self.app.loop.session_table.is_admitted(mac))

    async def _admit(self, mac: MacAddress, entry: Entry) -> None:
        await self.app.portal.admit(mac, entry, "1")

    async def leave(self, mac: MacAddress) -> None:
        await self.app.portal.leave(mac)

    async def erase(self, mac: MacAddress) -> None:
        account = self.app.loop.account_of(mac)
        await self.app.loop.erase(mac, account, is_last=True)

    async def remove(self, mac: MacAddress) -> None:
        await self.app.loop.block(mac, "noise")

    async def pardon(self, mac: MacAddress) -> None:
        await self.app.loop.unblock(mac)

    async def revoke(self, _mac: MacAddress) -> None:
        vouchers = self.app.loop.registry.vouchers
        names = [each.fingerprint for batch in vouchers.batches for each in vouchers.of_batch(batch)]
        await self.app.loop.remember(vouchers.revoke(names, self.street.clock.now).changes)

    async def wait(self, _mac: MacAddress) -> None:
        self.street.pass_time(VISIT_MS)

    async def write(self, _mac: MacAddress) -> None:
        """Last bytes are read and stored, and their marks deleted."""
        persistence = self.app.loop.persistence
        for _ in range(2):
            self.street.pass_time(56_000)
            await until(lambda: self.repository.full or not persistence.is_due(self.street.clock.now, 55_000))
            await self.settle()

    async def forget(self, mac: MacAddress) -> None:
        """Delete what need not be kept, as the node does several times a day."""
        for _ in range(2):
            await self.write(mac)
            self.street.pass_time(FORGET_EVERY_MS)
        await self.write(mac)

    async def fill_disk(self, _mac: MacAddress) -> None:
        self.repository.full, self.kernel.is_strict = True, False

    async def free_disk(self, mac: MacAddress) -> None:
        self.repository.full = False
        await self.write(mac)
        self.kernel.is_strict = True

    async def crash(self, _mac: MacAddress) -> None:
        await self.kill()
        await self.start()

    async def crash_and_free_disk(self, _mac: MacAddress) -> None:
        await self.kill()
        self.repository.full = False
        await self.start()

    async def stand_still(self, _mac: MacAddress) -> None:
        """The node is stopped until long after the end of every session."""
        await self.kill()
        self.street.pass_time(VISIT_MS)
        await self.start()


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Arrow]]:
    """Every row that is taken meanwhile, as (state, event, state)."""
    taken: set[Arrow] = set()
    step = session_state.step

    def recording(
        state: session_state.DeviceSession, event: session_state.Event, now: Monotonic
    ) -> session_state.Outcome:
        after, effects = step(state, event, now)
        if effects:
            taken.add((type(state).__name__, type(event).__name__, type(after).__name__))
        return after, effects

    with monkeypatch.context() as patch:
        patch.setattr(session_state, "step", recording)
        yield taken


IN_BY_ANOTHER_MARK = ("accept", "leave", "write", "fill_disk", "accept", "crash_and_free_disk")
STORIES: dict[Arrow, tuple[str, ...]] = {
    ("Unauthorized", "SessionGranted", "Authorized"): ("accept",),
    ("Unauthorized", "BlockedByAdmin", "Blocked"): ("remove",),
    ("Unauthorized", "Restored", "Authorized"): ("accept", "crash"),
    ("Unauthorized", "Restored", "Expired"): ("accept", "stand_still"),
    ("Unauthorized", "Restored", "Blocked"): ("remove", "crash"),
    ("Unauthorized", "FoundInKernel", "Authorized"): ("fill_disk", "accept", "crash"),
    ("Unauthorized", "Discarded", "Unauthorized"): ("accept", "erase"),
    ("Authorized", "SessionGranted", "Authorized"): ("accept", "accept"),
    ("Authorized", "LoggedOff", "Unauthorized"): ("accept", "leave"),
    ("Authorized", "Superseded", "Unauthorized"): ("replace",),
    ("Authorized", "TimedOut", "Expired"): ("accept", "wait"),
    ("Authorized", "Shortened", "Authorized"): ("type_code", "revoke"),
    ("Authorized", "BlockedByAdmin", "Blocked"): ("accept", "remove"),
    ("Expired", "SessionGranted", "Authorized"): ("accept", "wait", "accept"),
    ("Expired", "LoggedOff", "Unauthorized"): ("accept", "wait", "leave"),
    ("Expired", "BlockedByAdmin", "Blocked"): ("accept", "wait", "remove"),
    ("Expired", "FoundInKernel", "Authorized"): IN_BY_ANOTHER_MARK,
    ("Expired", "Discarded", "Unauthorized"): ("accept", "wait", "forget"),
    ("Blocked", "BlockedByAdmin", "Blocked"): ("remove", "remove"),
    ("Blocked", "Unblocked", "Unauthorized"): ("remove", "pardon"),
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert STORIES.keys() == ARROWS


@pytest.mark.parametrize("arrow", STORIES, ids=" ".join)
async def test_the_loop_takes_every_row_of_the_table(
    arrow: Arrow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    *before, last = STORIES[arrow]
    node = RestartableNode(tmp_path)
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


def told(story: list[tuple[str, MacAddress]], folder: Path, check: Callable[[RestartableNode], None]) -> None:
    """`check` after each call, once the kernel has applied it."""

    async def tell() -> None:
        node = RestartableNode(folder)
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
def test_the_kernel_admits_exactly_the_authorized_devices(
    story: list[tuple[str, MacAddress]], folder: Path
) -> None:
    def check(node: RestartableNode) -> None:
        session_table = node.app.loop.session_table
        for mac in (ANA, BEN):
            assert isinstance(session_table.state(mac), session_state.Authorized) == node.kernel.send(mac)

    told(story, folder, check)


@settings(deadline=None)
@given(story=stories)
def test_a_change_is_stored_before_it_is_applied_to_the_kernel(
    story: list[tuple[str, MacAddress]], folder: Path
) -> None:
    def check(node: RestartableNode) -> None:
        assert not node.kernel.unstored
        loop = node.app.loop
        if not node.repository.full and loop.persistence.recalled and not loop.troubles.storage:
            stored = {mac: saved.session for mac, saved in node.repository.sessions.items()}
            for mac in loop.session_table.session_entries:
                assert loop.session_table.session(mac).state == stored[mac].state

    told(story, folder, check)


async def test_a_session_that_ends_while_its_plan_is_on_the_way_was_stored_before(tmp_path: Path) -> None:
    node = RestartableNode(tmp_path)
    await node.start()
    node.kernel.delay_s = 0.03
    for call, mac in (("accept", BEN), ("accept", ANA), ("leave", ANA), ("crash", BEN), ("wait", BEN)):
        await getattr(node, call)(mac)
        await node.settle()
    assert not node.kernel.unstored
    assert not node.kernel.send(BEN)
    await node.kill()

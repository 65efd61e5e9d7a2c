"""Whatever people and admins do at several nodes, in splits and across restarts: once all have heard all, they agree."""

import asyncio
from contextlib import AsyncExitStack

from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.app.roaming_records import BINDING, BLOCKED, SESSION, TheBlock, TheSession, read_block, read_session
from node.app.views import TermsAccepted
from node.sessions import state as session_state
from node.units import MacAddress, Monotonic
from tests.fakes.roaming_nodes import RoamingNode, exchange
from tests.fakes.use_cases import ANA, BEN, HOUR_MS

DEVICES = (ANA, BEN)
ACTS = (
    "accept", "accept", "sign_in", "leave", "remove", "block", "pause", "unblock", "hear", "hear", "wait",
    "restart", "heal", "heal",
)  # fmt: skip
stories = st.lists(
    st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.sampled_from(DEVICES)), min_size=4, max_size=12
)


class Neighbourhood:
    """Three nodes, which hear each other when a story says so."""

    def __init__(self) -> None:
        self.nodes = [RoamingNode(name) for name in "abc"]
        self._lives: dict[str, AsyncExitStack] = {}

    async def start(self, node: RoamingNode) -> None:
        self._lives[node.own] = AsyncExitStack()
        await self._lives[node.own].enter_async_context(node.life())

    async def stop(self, node: RoamingNode) -> None:
        await self._lives.pop(node.own).aclose()

    async def act(self, act: str, node: RoamingNode, mac: MacAddress) -> None:
        if act == "accept":
            await node.app.portal.admit(mac, TermsAccepted(), "1")
        elif act == "sign_in" and not isinstance(
            node.app.loop.session_table.state(mac), session_state.Blocked
        ):
            await node.app.give_passphrase()
            if node.roaming.block_of(mac) is None:
                await node.app.join_by_passphrase(mac)
        elif act == "leave":
            await node.app.portal.leave(mac)
        elif act == "remove" and node.passes(mac):
            await node.app.portal.remove_device(mac, mac)
        elif act == "block":
            await node.app.block(mac, f"noise heard by {node.own[0]}")
        elif act == "pause":
            until = Monotonic(node.fixture.clock.monotonic() + 3 * HOUR_MS // 2)
            await node.app.loop.block(mac, f"a break from {node.own[0]}", until)
        elif act == "unblock":
            await node.app.loop.unblock(mac)
        elif act == "hear":
            node.roaming.seen(mac)
        elif act == "wait":
            for each in self.nodes:
                await each.app.pass_time(HOUR_MS)
        elif act == "restart":
            node.said()
            await self.stop(node)
            await self.start(node)
        elif act == "heal":
            await exchange(*self.nodes)
        await node.settle()

    async def meet(self) -> None:
        """All have heard all, and every device is heard at every node."""
        for _ in range(2):
            await exchange(*self.nodes)
            for node in self.nodes:
                for mac in DEVICES:
                    node.roaming.asked(mac)
                await node.settle()
        await exchange(*self.nodes)


def check(place: Neighbourhood, mac: MacAddress) -> None:
    first, *others = place.nodes
    for kind in (SESSION, BINDING, BLOCKED):
        said = first.shared.records.effective(kind, first.names.newest(mac))
        assert [said] * 2 == [each.shared.records.effective(kind, each.names.newest(mac)) for each in others]
    name = first.names.newest(mac)
    block, session = (
        first.shared.records.effective(BLOCKED, name),
        first.shared.records.effective(SESSION, name),
    )
    wall_s = int(first.fixture.clock.civil().timestamp())
    said_block = None if block is None else read_block(block.value)
    is_blocked = isinstance(said_block, TheBlock) and not said_block.is_over(wall_s)
    found = None if session is None else read_session(session.value)
    is_open = isinstance(found, TheSession) and not found.is_over(wall_s) and not is_blocked
    for node in place.nodes:
        state = node.app.loop.session_table.state(mac)
        assert is_blocked == isinstance(state, session_state.Blocked), (node.own[0], state, block)
        assert is_open == node.passes(mac), (node.own[0], state, session)
    assert 1 == len({node.app.loop.account_of(mac) for node in place.nodes})


@settings(deadline=None)
@given(story=stories)
@example([("sign_in", 0, BEN), ("heal", 0, ANA), ("accept", 1, BEN)]).via(
    "an account told before the device came"
)
def test_in_the_end_all_nodes_agree_on_every_device(story: list[tuple[str, int, MacAddress]]) -> None:
    async def tell() -> None:
        place = Neighbourhood()
        for node in place.nodes:
            await place.start(node)
        try:
            for act, number, mac in story:
                await place.act(act, place.nodes[number], mac)
            await place.meet()
            for mac in DEVICES:
                check(place, mac)
        finally:
            for node in place.nodes:
                await place.stop(node)

    asyncio.run(tell())

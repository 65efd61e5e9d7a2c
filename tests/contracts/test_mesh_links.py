"""The limit of connections over real TLS: twelve nodes that know each other, a full one, and one of an earlier version."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from mesh.announcement import Address, Announcement
from mesh.link_selection import LINKS_MAX, Call
from mesh.node_kind import NodeFacts
from mesh.overlay import FULL
from mesh.service import _now
from mesh.tls_transport import Dialer, IsFull, Link, _interface, contexts
from node.units import Monotonic, NodeId
from tests.contracts.test_mesh_service import NodeFixture, rogue, until
from tests.fakes.neighbours import id_of, key_of

NAMES = tuple(f"node-{number}" for number in range(12))
CALLERS = NAMES[1:]


@contextlib.asynccontextmanager
async def segment(names: tuple[str, ...]) -> AsyncIterator[list[NodeFixture]]:
    """Nodes that have just discovered each other."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(NodeFixture(name, *names).running()) for name in names]
        for node in nodes:
            for other in nodes:
                node.mesh._found(Announcement("00000000", other.node, other.address.port), other.address)
        yield nodes


@contextlib.asynccontextmanager
async def full_node() -> AsyncIterator[tuple[NodeFixture, list[str]]]:
    """A node with eight callers; the others of NAMES, beginning with those that stand farthest from it on the ring."""
    async with NodeFixture(NAMES[0], *CALLERS).running() as node, contextlib.AsyncExitStack() as stack:
        ring = sorted(CALLERS, key=lambda name: ((id_of(name) < node.node), id_of(name)))
        inner = [*ring[:4], *ring[-4:]]
        for name in inner:
            await stack.enter_async_context(rogue(node, name))
        await until(lambda: len(node.mesh._links) == LINKS_MAX)
        yield node, ring[4:-4]


@pytest.mark.thorough
async def test_twelve_nodes_keep_eight_connections_each_at_most_and_news_reaches_all() -> None:
    async with segment(NAMES) as nodes:
        for node in nodes:
            await until(lambda node=node: len(node.mesh._links) >= 4, 20)  # type: ignore[misc]
        assert max(len(node.mesh._links) for node in nodes) <= LINKS_MAX
        nodes[0].book("ana", 5)
        for node in nodes:
            await until(lambda node=node: node.usage_ledger.used("ana") == 5, 20)  # type: ignore[misc]
        settled = list[list[set[NodeId]]]()
        while settled[-4:].count(links := [{link.node for link in node.mesh._links} for node in nodes]) < 4:
            settled.append(links)
            assert max(map(len, links)) <= LINKS_MAX
            assert len(settled) < 15, "the connections never settle"
            await asyncio.sleep(1)
        assert [] == [warning for node in nodes for warning in node.mesh.warnings()]


async def test_a_full_node_refuses_with_a_reason_and_exchanges_with_its_neighbours() -> None:
    async with full_node() as (node, outside), Dialer(contexts(key_of(outside[0]))[1]) as dialer:
        for call in (Call(LINKS_MAX), None):
            with pytest.raises(IsFull) as refused:
                await dialer.dial(node.node, node.address, call)
            assert node.node == refused.value.node
        assert LINKS_MAX == len(node.mesh._links)


async def test_a_node_that_was_refused_does_not_call_again_at_once_and_warns_of_nothing() -> None:
    async with full_node() as (node, outside), NodeFixture(outside[0], *NAMES).running() as caller:
        refusals, has_room = [], node.mesh._overlay.has_room

        def counted(*call: object) -> bool:
            refusals.append(call)
            return has_room(*call)  # type: ignore[arg-type]

        node.mesh._overlay.has_room = counted  # type: ignore[method-assign]
        caller.mesh._found(Announcement("00000000", node.node, node.address.port), node.address)
        await until(lambda: len(refusals) == 1)
        await asyncio.sleep(3)
        assert 1 == len(refusals)
        assert () == caller.mesh.warnings()


async def test_a_full_node_that_is_beyond_one_hop_was_not_called_in_vain() -> None:
    """It proved its key: it waits as any full node, and not for a day in the end."""
    page = NodeFacts("any", addresses=(Address("10.0.0.1", 7400),))
    async with full_node() as (node, outside), NodeFixture(outside[0], *NAMES).running() as caller:
        candidates, now = caller.mesh._candidates._exchange, Monotonic(0)
        assert candidates.candidate([node.node], {node.node: page}.get, now) is not None
        assert candidates.candidate([node.node], {node.node: page}.get, now) is None
        await caller.mesh._candidates._call_member(node.node, node.address)
        assert not caller.mesh._overlay.may_try(node.node, _now())
        assert candidates.candidate([node.node], {node.node: page}.get, now) is not None


async def test_a_caller_whose_place_is_beside_a_full_node_gets_in_and_another_one_is_told_why_it_leaves() -> (
    None
):
    async with NodeFixture(NAMES[0], *CALLERS).running() as node, contextlib.AsyncExitStack() as stack:
        ring = sorted(CALLERS, key=lambda name: ((id_of(name) < node.node), id_of(name)))
        links: list[Link] = [await stack.enter_async_context(rogue(node, name)) for name in ring[1:9]]
        await until(lambda: len(node.mesh._links) == LINKS_MAX)
        async with rogue(node, ring[0]):
            await until(lambda: node.mesh._links.of(id_of(ring[0])) != [])
            assert LINKS_MAX == len(node.mesh._links)
            async with asyncio.TaskGroup() as tasks:
                told = [tasks.create_task(_told(link)) for link in links]
            assert [FULL] == [each.result() for each in told if each.result()]


async def _told(link: Link) -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while await link.receive() is not None:
                pass
    return link.told


async def test_a_node_of_an_earlier_version_is_served_where_there_is_room() -> None:
    """It says nothing about itself when it calls."""
    async with NodeFixture(NAMES[0], *CALLERS).running() as node, rogue(node, NAMES[1]):
        await until(lambda: "trusted" in node.states().values())
        assert [None] == [link.call for link in node.mesh._links]


def test_a_caller_counts_on_the_interface_that_its_address_is_of() -> None:
    """The kernel says it beside the address, which has no scope in its text."""
    loopback = socket.if_nametoindex("lo")
    assert "lo" == _interface(("fe80::1", 40_000, 0, loopback))
    for elsewhere in (
        ("2001:db8::1", 40_000, 0, 0),
        ("192.0.2.1", 40_000),
        ("fe80::1", 40_000, 0, 2**31 - 1),
    ):
        assert "" == _interface(elsewhere)

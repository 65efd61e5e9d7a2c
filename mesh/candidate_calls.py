"""Calls to members' nodes of which no announcement was heard: at the addresses in their node pages, and to the hosts that
the kernel has next to this one."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from contextlib import closing

from mesh.announcement import Address
from mesh.directory import Directory
from mesh.jitter import about
from mesh.kernel_neighbours import NeighbourTables
from mesh.link_graph import groups_without
from mesh.link_selection import LINKS_MAX
from mesh.local_addresses import link_addresses, local_addresses
from mesh.neighbour_search import SEARCH_EVERY_S, NeighbourSearch
from mesh.node_kind import NodeFacts
from mesh.overlay import Overlay
from mesh.peer_exchange import CANDIDATE_EVERY_S, LINKS_ENOUGH, PeerExchange
from mesh.ports import Roster
from mesh.tls_transport import Link
from node.units import Monotonic, NodeId

GRAPH_EVERY_S = 15.0
"""Between two looks at the connections that node pages name."""


class CandidateCalls:
    """The calls of one node. `dial` returns the connection, None if none came about; `serve` handles one to its end."""

    def __init__(
        self,
        *,
        own: NodeId,
        roster: Roster,
        interfaces: Collection[str],
        port: int,
        directory: Directory,
        overlay: Overlay[Link],
        page_of: Callable[[NodeId], NodeFacts | None],
        dial: Callable[[NodeId | None, Address], Awaitable[Link | None]],
        serve: Callable[[Link], Awaitable[None]],
        now: Callable[[], Monotonic],
    ) -> None:
        self._own, self._roster, self._interfaces, self._port = own, roster, interfaces, port
        self._directory, self._overlay, self._page_of = directory, overlay, page_of
        self._dial, self._serve, self._now = dial, serve, now
        self._exchange, self._search = PeerExchange(), NeighbourSearch()

    def proved(self, node: NodeId) -> None:
        """This member's node answered a call, if only to say that it has no room."""
        self._exchange.proved(node)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._call_members(tasks))
            tasks.create_task(self._call_neighbours(tasks))
            tasks.create_task(self._follow_graph())

    async def _follow_graph(self) -> None:
        """Which nodes reach each other without this one; of use only where there are more than it can be connected to."""
        while True:
            await asyncio.sleep(about(GRAPH_EVERY_S))
            roster, said = self._roster(), dict[NodeId, frozenset[NodeId]]()
            for node in sorted(roster) if len(roster) > LINKS_MAX + 1 else ():
                page = self._page_of(node)
                if page is not None:
                    said[node] = frozenset(link.node for link in page.links)
                await asyncio.sleep(0)
            self._overlay.selection.groups = groups_without(self._own, said)

    async def _call_members(self, tasks: asyncio.TaskGroup) -> None:
        """While there are few connections: members whose node pages say where they are."""
        while True:
            await asyncio.sleep(about(CANDIDATE_EVERY_S))
            if len(self._overlay.links.nodes()) >= LINKS_ENOUGH:
                continue
            others = [
                each for each in self._roster() - {self._own} if self._overlay.may_try(each, self._now())
            ]
            random.shuffle(others)
            found = self._exchange.candidate(others, self._page_of, self._now())
            if found is not None and found[0] not in self._overlay.calling:
                self._overlay.calling.add(found[0])
                tasks.create_task(self._call_member(*found))

    async def _call_member(self, node: NodeId, address: Address) -> None:
        try:
            link = await self._dial(node, address)
            if link is not None:
                self._exchange.proved(node)
                await self._keep(link, address)
        finally:
            self._overlay.calling.discard(node)

    async def _call_neighbours(self, tasks: asyncio.TaskGroup) -> None:
        """While there is room for connections: hosts next to this one that no neighbour is known to have."""
        with closing(NeighbourTables(self._interfaces)) as kernel:
            while self._interfaces:
                await asyncio.sleep(about(SEARCH_EVERY_S))
                if len(self._overlay.links.nodes()) >= LINKS_MAX:
                    continue
                hosts = await asyncio.to_thread(kernel.read, self._now())
                host = self._search.candidate(hosts, self._known_hosts(), self._now())
                if host is not None:
                    tasks.create_task(self._call_neighbour(Address(host, self._port)))

    def _known_hosts(self) -> set[str]:
        own = (*local_addresses(self._interfaces), *link_addresses(self._interfaces))
        theirs = (address.host for peer in self._directory for address in peer.addresses)
        met = (link.met_at.rpartition(":")[0].strip("[]") for link in self._overlay.links)
        return {*own, *theirs, *met}

    async def _call_neighbour(self, address: Address) -> None:
        link = await self._dial(None, address)
        if link is None:
            return
        if link.node in self._roster():
            self._search.answered(address.host)
        await self._keep(link, address)

    async def _keep(self, link: Link, address: Address) -> None:
        if link.node != self._own:
            self._directory.meet(link.node, self._now())
            self._directory.worked(link.node, address)
        await self._serve(link)

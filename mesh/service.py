"""The mesh service of the node: discovers and authenticates neighbours and keeps everyone's pages synchronized."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh import peering
from mesh.announcement import Address, Announcement, ConfiguredPeer
from mesh.candidate_calls import CandidateCalls
from mesh.community_service import COMMUNITY_EXTENSIONS, CommunityService
from mesh.contact_warnings import contact_warnings
from mesh.directory import Directory, Peer
from mesh.discovery import Discovery, OwnService
from mesh.jitter import about
from mesh.key_copies import KeyCopies
from mesh.link_budgets import LinkBudgets
from mesh.link_selection import LinkSelection
from mesh.link_table import LinkEnd
from mesh.link_writer import LinkWriter
from mesh.local_addresses import local_addresses
from mesh.messages import (
    EXTENSIONS,
    QUIET_EXTENSION,
    Hello,
    Message,
    TimeAnswer,
    TimeRequest,
    decode,
    encode,
)
from mesh.node_certificates import is_member
from mesh.node_kind import NodeFacts
from mesh.node_summary import SUMMARY_KIND, NodeSummary, OwnSummary, SignedSummary, no_summary, summary_text
from mesh.overlay import Overlay
from mesh.own_node_page import LocalFacts, MeasuredLink, OwnNodePage
from mesh.page_format import VERSION, Malformed
from mesh.page_warnings import refused_summaries
from mesh.peering import GREETING_MAX, QUIET_SILENT_AFTER, SILENT_AFTER
from mesh.ports import NetworkTime, PageCache, PeerView, Roster, SharedRecords, UsageLedger
from mesh.replicator import OwnBucket, Replicator
from mesh.summary_exchange import SUMMARY_EXTENSION, HeardSummary, SummaryExchange
from mesh.time_exchange import TimeExchange
from mesh.tls_transport import Dialer, DialFailed, IsFull, Link, Listener, RefusedByPeer, WrongNode, contexts
from node.identity import human_form, own_node_id, sign
from node.translator import gettext_lazy
from node.units import Microseconds, Monotonic, NodeId

TICK_S = 0.5
DESCRIBE_EVERY_S = 10.0
"""Between two looks whether this node's own page is to be published."""
CHOOSE_EVERY_S, CHOOSE_AGAIN_S, FEW_LINKS = 5.0, 1.0, 2
"""Between two looks which neighbours to call, without and with a reason; and connections until there is no hurry."""
TREE_TICK_S = 1.0
"""Between two messages with names of new pages to one neighbour."""
CONFIGURED_AGAIN_S = (2.0, 60.0)
DIALS_MAX = 8
"""In parallel."""
DIALS_OF_STRANGERS_MAX = 2
"""Any host can announce nodes that do not exist; dials to members' nodes must not wait for these."""


class MeshService:
    """Everything between this node and its neighbours; `run` until cancelled.

    Call `publish` after usage was booked; `on_usage_changed` is called after usage of other nodes was merged.
    """

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        community_id: str,
        name: str,
        roster: Roster,
        usage_ledger: UsageLedger,
        page_cache: PageCache,
        machine: str = "",
        network_time: NetworkTime | None = None,
        on_usage_changed: Callable[[], None] = lambda: None,
        community: CommunityService | None = None,
        shared_records: SharedRecords | None = None,
        local_facts: Callable[[], LocalFacts] = LocalFacts,
        own_summary: Callable[[], OwnSummary] = no_summary,
        interfaces: tuple[str, ...] = (),
        port: int = 7400,
        configured_peers: tuple[ConfiguredPeer, ...] = (),
    ) -> None:
        self._key = key
        self._own = own_node_id(key)
        self._community = community_id
        self._records = community
        self._shared_records = shared_records
        self._name = name
        self._machine = machine
        self._network_time = network_time
        self._roster = roster
        self._usage_ledger = usage_ledger
        self._page_cache = page_cache
        self._on_usage_changed = on_usage_changed
        self._local_facts, self._own_summary = local_facts, own_summary
        self.on_summary: Callable[[], None] = lambda: None
        """Called when a summary may have come; set by what waits for it."""
        self._interfaces = interfaces
        self._port = port
        self._configured = configured_peers
        self._begin()

    def _begin(self) -> None:
        """Reset all state, so that nothing of a crashed run is used again."""
        if self._records is not None:
            self._records.part_all()
        self.listening_port = 0
        self._boot = secrets.token_hex(8)
        self._directory = Directory()
        self._replica = Replicator(
            key=self._key,
            community=self._community,
            roster=self._roster,
            usage_ledger=self._usage_ledger,
            page_cache=self._page_cache,
            machine=self._machine,
            shared_records=self._shared_records,
            woken=self._wake,
            on_usage_changed=self._on_usage_changed,
        )
        named = (peer.node for peer in self._configured)
        self._overlay: Overlay[Link] = Overlay(
            LinkSelection(self._own, secrets.token_bytes(8), frozenset(filter(None, named))),
            lambda _now: self._directory.callable(self._roster()),
        )
        self._links = self._overlay.links
        self._budgets = LinkBudgets()
        self._choose_at_s = 0.0
        self._tree_ticked_s = 0.0
        self._time = TimeExchange(self._network_time)
        self._summaries = SummaryExchange(
            self._own, self._roster, self._connections_said, self._signed_summary
        )
        self._own_page = OwnNodePage(self._name)
        self._candidates = CandidateCalls(
            own=self._own,
            roster=self._roster,
            interfaces=self._interfaces,
            port=self._port,
            directory=self._directory,
            overlay=self._overlay,
            page_of=self._replica.node_page,
            dial=self._try,
            serve=self._serve,
            now=_now,
        )
        self._copies = KeyCopies()
        self._dialling = self._overlay.calling
        self._wrong: dict[Address, NodeId] = {}
        self._discovery: Discovery | None = None
        self._version_warning = ""
        self._stopping = False

    # --- Public interface -------------------------------------------------------------------------

    def peers(self) -> tuple[PeerView, ...]:
        """All known neighbours, including strangers; the id of a configured one that never answered may be empty."""
        silent = [peer for peer in self._configured if peer.address not in self._overlay.answered]
        waiting = [
            PeerView(peer.node or NodeId(""), "", "heard", (str(peer.address),), None)
            for peer in silent
            if peer.node is None or self._directory.find(peer.node) is None
        ]
        return (*self._directory.views(_now()), *waiting)

    def warnings(self) -> tuple[str, ...]:
        """What prevents contact with neighbours, in words for the operator."""
        found = [*self.key_copies(), *self._replica.warnings()]
        refused = self._summaries.refused(_now()).items()
        found += (refused_summaries(self._shown(node), number) for node, number in refused)
        if self._version_warning:
            found.append(self._version_warning)
        found += contact_warnings(self._configured, self._wrong, self._directory)
        return (*found, *(self._discovery.warnings() if self._discovery else ()))

    def key_copies(self) -> tuple[str, ...]:
        """Which machines use one node key: those of this node, and those of connected neighbours."""
        return self._copies.warnings(map(self._shown, self._links.copied()), _now())

    def _shown(self, node: NodeId) -> str:
        peer = self._directory.find(node)
        return (peer.name if peer else "") or human_form(node)

    def publish(self, changed: Iterable[OwnBucket] | None = None) -> None:
        """Own usage was booked: send it, at most once per second. None reads all own buckets again."""
        self._replica.publish(changed)

    def node_pages(self) -> Mapping[NodeId, NodeFacts]:
        """What the community's nodes say of themselves, by node."""
        found = {node: self._replica.node_page(node) for node in sorted(self._roster())}
        return {node: facts for node, facts in found.items() if facts is not None}

    def ask_summaries(self, nodes: Iterable[NodeId]) -> frozenset[NodeId]:
        """Asks about those of which nothing fresh is known; returns those that were asked now."""
        asked = self._summaries.ask(nodes, _now())
        self._wake()
        return asked

    def summaries(self) -> Mapping[NodeId, HeardSummary]:
        """What the nodes were like in their last five minutes, of those that were asked and of this one."""
        return self._summaries.summaries(_now())

    def _signed_summary(self) -> SignedSummary:
        told = self._network_time.told() if self._network_time is not None else None
        values, hour_percent = self._own_summary()
        summary = NodeSummary(self._own, values, hour_percent, told[0] if told is not None else 0)
        text = summary_text(summary)
        return SignedSummary(summary, text, sign(self._key, SUMMARY_KIND, text))

    def _connections_said(self) -> Mapping[NodeId, frozenset[NodeId]]:
        return {
            node: frozenset(each.node for each in facts.links) for node, facts in self.node_pages().items()
        }

    async def persist_pages(self) -> None:
        """Store the pages received so far; a page that cannot be stored is tried again later, with a warning."""
        await self._replica.persist_pages()

    # --- Main task -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; then sends goodbyes within 3 s. Raises NodeError when the port is in use."""
        self._begin()
        await self._replica.restore()
        server, client = contexts(self._key)
        self._listener = Listener(
            server,
            welcome=self._welcome,
            converse=self._serve,
            lobby=self._records.join if self._records else None,
            has_room=lambda node, interface, call: self._overlay.has_room(node, interface, call, _now()),
        )
        async with Dialer(client) as self._dialer, self._listener.listening(self._port) as port:
            self.listening_port = port
            try:
                await self._live()
            finally:
                self.listening_port = 0
                self._stopping = True
                for link in self._links:
                    link.hang_up("goodbye")
                await self._replica.persist_pages()

    async def _live(self) -> None:
        own = OwnService(self._own, self._community, self.listening_port, self._boot)
        self._discovery = Discovery(own, self._interfaces, self._found, self._roster, self._copy_found)
        self._dials, self._dials_of_strangers = (
            asyncio.Semaphore(DIALS_MAX),
            asyncio.Semaphore(DIALS_OF_STRANGERS_MAX),
        )
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._discovery.run())
            self._tasks.create_task(self._keep_time())
            self._tasks.create_task(self._describe_itself())
            self._tasks.create_task(self._candidates.run())
            self._tasks.create_task(self._replica.run())
            if self._records is not None:
                self._records.woken = self._wake
            for peer in self._configured:
                self._tasks.create_task(self._seek(peer))

    async def _keep_time(self) -> None:
        while True:
            for node, effects in self._directory.tick(self._roster(), _now()):
                self._act(node, effects)
            self._close_silent()
            if time.monotonic() >= self._choose_at_s:
                self._call_chosen()
            self._tick_tree()
            await asyncio.sleep(TICK_S)

    async def _describe_itself(self) -> None:
        """Publish this node's page when it says something else than the one before."""
        while True:
            await asyncio.sleep(DESCRIBE_EVERY_S)
            hosts = (*local_addresses(self._interfaces), *(link.own_host for link in self._links))
            told = self._network_time.told() if self._network_time is not None else None
            body = self._own_page.look(
                self._replica.node_page(self._own),
                self._local_facts(),
                [Address(host, self.listening_port) for host in hosts],
                self._measured_links(),
                now_s=time.monotonic(),
                nodes=len(self._roster()),
                unix_s=told[0] if told is not None else 0,
            )
            if body is not None:
                self._replica.publish_node(body)

    def _measured_links(self) -> list[MeasuredLink]:
        links = [MeasuredLink(link.node, id(link), link.counters()) for link in self._links]
        for link in links:
            if link.counters is not None:
                self._directory.measured(link.node, Microseconds(round(link.counters.round_trip_ms * 1_000)))
        return links

    def _tick_tree(self) -> None:
        now = time.monotonic()
        if now - self._tree_ticked_s >= TREE_TICK_S:
            self._tree_ticked_s = now
            if self._replica.exchange.tick():
                self._wake()

    def _close_silent(self) -> None:
        """A neighbour is heard while one of its machines is; the connection of another one may be dead."""
        for link in self._links:
            if time.monotonic() - link.heard > (QUIET_SILENT_AFTER if link.is_quiet else SILENT_AFTER) / 1000:
                self._end(link, "silent")

    def _end(self, link: Link, why: str) -> None:
        if self._links.remove(link):
            self._part(link)
        link.hang_up(why)

    # --- Neighbours ----------------------------------------------------------------------------

    def _found(self, claim: Announcement, address: Address) -> None:
        if claim.node != self._own:
            self._act(claim.node, self._directory.sight(claim.node, address, _now()))

    def _act(self, node: NodeId, effects: tuple[peering.Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case peering.Dial():
                    self._call_in_turn(node)
                case peering.HangUp(why):
                    for link in self._links.of(node):
                        self._end(link, why)
                case peering.Admit():
                    self._wake()
                case peering.Dismiss():
                    for link in self._links.of(node):
                        self._part(link)
                case peering.Forget():
                    pass

    def _call_in_turn(self, node: NodeId) -> None:
        """A stranger at once; a member's node if it is chosen: at once while there are few connections, else with the next
        tick, together with others."""
        peer = self._directory.find(node)
        is_stranger = peer is not None and isinstance(peer.state, peering.Stranger)
        if is_stranger or not is_member(node, self._roster()):
            self._begin_call(node)
            return
        self._choose_at_s = min(self._choose_at_s, time.monotonic() + CHOOSE_AGAIN_S)
        if len(self._links) + len(self._dialling) < FEW_LINKS:
            self._call_chosen()

    def _call_chosen(self) -> None:
        self._choose_at_s = time.monotonic() + CHOOSE_EVERY_S
        for node in self._overlay.calls(_now()):
            self._begin_call(node)

    def _begin_call(self, node: NodeId) -> None:
        if not self._stopping and node not in self._dialling and not self._links.of(node):
            self._dialling.add(node)
            self._tasks.create_task(self._dial(node))

    def _admit(self, link: Link, can: tuple[str, ...]) -> None:
        self._replica.exchange.greet(link.name, can)
        if self._records is not None:
            self._records.greet(link.node, can)
        self._summaries.greet(link.node, takes_part=SUMMARY_EXTENSION in can, now=_now())
        link.answer(self._time.question())
        self._wake()

    def _part(self, link: Link) -> None:
        self._replica.exchange.part(link.name)
        if not all(each is link for each in self._links.of(link.node)):
            return
        self._summaries.part(link.node)
        if self._records is not None:
            self._records.part(link.node)

    def _handle(self, node: NodeId, event: peering.Event) -> None:
        self._act(node, self._directory.handle(node, event, _now()))

    async def _dial(self, node: NodeId) -> None:
        try:
            peer = self._directory.find(node)
            for address in tuple(peer.addresses) if peer else ():
                link = await self._try(node, address)
                if link is not None:
                    self._directory.worked(node, address)
                    await self._serve(link)
                    return
                self._directory.failed(node, address)
                if self._overlay.selection.is_waiting(node, _now()):
                    return  # it has no room, also at another address
            if is_member(node, self._roster()):
                self._overlay.selection.failed(node, _now())
        finally:
            self._dialling.discard(node)

    async def _try(self, node: NodeId | None, address: Address) -> Link | None:
        is_named = any(address == each.address for each in self._configured)
        is_expected = is_named or (node is not None and is_member(node, self._roster()))
        try:
            async with self._dials if is_expected else self._dials_of_strangers:
                link = await self._dialer.dial(node, address, self._overlay.call(node, is_named=is_named))
                self._wrong.pop(address, None)
                return link
        except RefusedByPeer as refused:
            if refused.node is not None and refused.node != self._own:
                peer = self._directory.meet(refused.node, _now())
                peer.refused_us, peer.met_at = True, str(address)
                if node is None and is_named:
                    self._overlay.found_at(address, refused.node)
                if isinstance(peer.state, peering.Gone):
                    self._handle(refused.node, peering.Sighted())
        except IsFull as full:
            if full.node is not None:
                self._overlay.refused(full.node, _now())
                self._candidates.proved(full.node)
        except WrongNode as wrong:
            if is_named:
                self._wrong[address] = wrong.node
        except DialFailed:
            pass
        return None

    async def _seek(self, peer: ConfiguredPeer) -> None:
        """Keep a connection to the node at a configured address."""
        least, most = CONFIGURED_AGAIN_S
        wait, address = least, peer.address
        while True:
            node = peer.node or self._overlay.answered.get(address)
            if node is None or (self._overlay.may_call(node, address, _now()) and node not in self._dialling):
                link = await self._try(peer.node, address)
                if link is not None and link.node == self._own:
                    await self._meet_own_key(link)
                elif link is not None:
                    self._overlay.found_at(address, link.node)
                    self._directory.meet(link.node, _now())
                    self._directory.worked(link.node, address)
                    wait = least
                    await self._serve(link)
            await asyncio.sleep(about(wait))
            wait = min(most, wait * 2)

    def _welcome(self, node: NodeId, met_at: str) -> bool:
        """Whether to accept an incoming connection with this proven key: members only; the others are listed on
        status pages. This node's own key is accepted for as long as it takes to see whether a copy uses it."""
        if node == self._own:
            return True
        member = is_member(node, self._roster())
        if not member:
            self._directory.meet(node, _now()).met_at = met_at
            self._handle(node, peering.Proved(False))
        return member

    async def _serve(self, link: Link) -> None:
        """Handle a connection from the proven key to its end."""
        node = link.node
        if node == self._own:
            await self._meet_own_key(link)
            return
        peer = self._directory.meet(node, _now())
        peer.met_at = link.met_at
        member = is_member(node, self._roster())
        self._handle(node, peering.Proved(member))
        if not member:
            await link.close("your key is not on our list")
            return
        peer.refused_us = False
        try:
            if await self._greet(link):
                await self._exchange_frames(link)
        finally:
            if self._links.remove(link):
                self._part(link)
                self._choose_at_s = 0.0
            if not self._links.of(node):
                self._overlay.ended(node, link.since or _now(), {link.told, link.closing}, _now())
                self._handle(node, peering.Closed())
            await link.close(link.closing or "goodbye")

    async def _meet_own_key(self, link: Link) -> None:
        """A connection with this node's own key: from itself, or from a copy of its disk in another machine."""
        theirs = await self._exchange_hellos(link)
        if isinstance(theirs, Hello) and theirs.boot != self._boot:
            self._copies.met(link.met_at, _now())
        await link.close("this is my own key")

    def _copy_found(self, address: Address) -> None:
        """A link has another machine that announces this node's key: ask it, so that both know."""
        if not self._stopping and self._own not in self._dialling:
            self._dialling.add(self._own)
            self._tasks.create_task(self._ask_copy(address))

    async def _ask_copy(self, address: Address) -> None:
        try:
            link = await self._try(self._own, address)
            if link is not None:
                await self._meet_own_key(link)
        finally:
            self._dialling.discard(self._own)

    async def _exchange_hellos(self, link: Link) -> Message | Malformed | None:
        """Sends ours; the first message of the other side, None if none came in time."""
        can = (*EXTENSIONS, SUMMARY_EXTENSION, *(COMMUNITY_EXTENSIONS if self._records is not None else ()))
        hello = Hello(VERSION, self._community, self._own, self._name, self._boot, can, self._machine)
        await link.send(encode(hello))
        try:
            async with asyncio.timeout(GREETING_MAX / 1000):
                frame = await link.receive()
        except TimeoutError:
            return None
        return decode(frame) if frame is not None else None

    async def _greet(self, link: Link) -> bool:
        """Exchange hellos; True when this link is now the one connection to a machine of a trusted neighbour."""
        theirs = await self._exchange_hellos(link)
        peer = self._directory.find(link.node)
        if not isinstance(theirs, Hello) or theirs.node != link.node or peer is None:
            return False
        if theirs.version != VERSION:
            self._version_warning = gettext_lazy(
                "{name} speaks mesh version {theirs}, we {ours}: update the older",
                name=theirs.name,
                theirs=theirs.version,
                ours=VERSION,
            )
            return False
        peer.other_community = theirs.community != self._community
        if peer.other_community:
            self._handle(link.node, peering.Introduced(False))
            return False
        return self._introduce(link, theirs, peer)

    def _introduce(self, link: Link, theirs: Hello, peer: Peer) -> bool:
        link.since = _now()
        end = LinkEnd(
            link.node, theirs.machine, theirs.boot, link.dialled, link.interface, link.since, link.call
        )
        introduced = self._overlay.introduce(link, end)
        for closed, why in introduced.closed:
            self._part(closed)
            closed.hang_up(why)
        if introduced.refused:
            link.closing = introduced.refused
            return False
        link.name = end.name
        link.heard = time.monotonic()
        peer.name, peer.boot = theirs.name, theirs.boot
        link.is_quiet = QUIET_EXTENSION in theirs.can
        self._handle(link.node, peering.Introduced(True, link.is_quiet))
        if link not in self._links:
            return False
        self._admit(link, theirs.can)
        return True

    # --- Frames -------------------------------------------------------------------------------

    async def _exchange_frames(self, link: Link) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as link.policy, asyncio.TaskGroup() as tasks:
                parts = self._replica, self._records, self._time, self._summaries
                budget = self._budgets.begin(link.node, _now())
                writer = LinkWriter(link, *parts, budget=budget, now=_now)
                writing = tasks.create_task(writer.run())
                while (frame := await link.receive()) is not None and link in self._links:
                    link.heard = time.monotonic()
                    self._handle(link.node, peering.Spoke())
                    await self._receive_frame(link, frame)
                    await asyncio.sleep(0)  # many frames may be buffered: let other tasks run in between
                writing.cancel()

    async def _receive_frame(self, link: Link, frame: bytes) -> None:
        if self._records is not None and self._records.receive(link.node, frame):
            return
        if self._summaries.receive(link.node, frame, _now()):
            self.on_summary()
            self._wake()
            return
        await self._receive(link, decode(frame))

    async def _receive(self, link: Link, message: Message | Malformed) -> None:
        match message:
            case TimeRequest() | TimeAnswer():
                link.answer(self._time.receive(link.node, message, _now()))
            case _:
                await self._replica.take(link.name, message)

    def _wake(self) -> None:
        for link in self._links:
            link.wake.set()


def _now() -> Monotonic:
    return Monotonic(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)

"""Replicates pages: publishes our own, merges those of others, and stores all in the page cache."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import batched

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.exchange import (
    CHANGES_TOO_MUCH,
    TOO_MUCH,
    Equivocated,
    Event,
    Exchange,
    PageAccepted,
    PageRefused,
    PagesEvicted,
)
from mesh.list_pages import ListPages
from mesh.messages import Message, decode
from mesh.node_kind import NODE_KIND, NODE_LABEL, NodeFacts
from mesh.page_format import Malformed, Page
from mesh.page_kind import NOW, Priority
from mesh.page_kinds import Content, is_about_usage, kind_named, page_content
from mesh.page_reading import READ_TOGETHER, PageReader, highest_first
from mesh.page_versions import StoredPage
from mesh.page_warnings import REPORTED, kept_in_memory, refused_pages, two_pages, unread_pages
from mesh.pages import UsagePages, changes_record, read_changes, read_reservation, reservation
from mesh.ports import PageCache, Roster, SharedRecords, UsageLedger
from mesh.publishing import PublishSchedule
from mesh.registry_kind import REGISTRY_KIND
from mesh.registry_pages import RegistryPages
from mesh.unbooked_pages import BOOKED, UnbookedPages, booked_record
from mesh.usage_kind import PageContent
from node.accounting.ledger import (
    EMPTY_BUCKET,
    MACHINE_CHARS_OF_INCARNATION,
    UsageBucket,
    highest,
    incarnation_machine,
    incarnation_rank,
)
from node.errors import StorageTrouble
from node.identity import own_node_id
from node.units import AccountId, NodeId

PUBLISH_EVERY_S = 1.0
PUBLISH_REST_S = 60.0
"""For usage that changes nobody's limits elsewhere."""
PERSIST_EVERY_S, PERSIST_USAGE_EVERY_S, UNSTORED_BYTES_MAX = 60.0, 7_200.0, 1_000_000
"""Stored pages only save retransmission by neighbours, so flash wear matters more: those about usage, which change each
minute, are stored every two hours, or when so much of them waits."""
CHANGES = "changes"
"""Name of the page cache's record of days to recount after a crash."""
RESERVED = "reserved"
"""Name of the record of sequence numbers that may be in use."""
SEQ_BLOCK = 1000
"""Sequence numbers reserved in the page cache ahead of use, so that none is used twice after a power failure."""
RECOUNT_EVERY_S = 60.0
"""Longer than a round, because withdrawn usage may be in other pages that are still on their way."""
BUCKETS_PER_TURN = 500
"""Buckets noted before the event loop runs other tasks: about 1 ms."""
LEDGER_AGAIN_S = 0.1
ROOM_LOOK_S, ROOM_LOOKS = 0.1, 50
"""While the disk cannot be written, pages of a neighbour come one by one, 5 s apart: it goes on to be heard."""
UNBOOKED_LOOK_S = 20.0
"""Between two looks whether many pages wait for their usage to be stored."""
LOOK_AT_REGISTRY_S = 5.0
"""Between two looks for nodes that left and records that no node says."""
OWN_STREAMS_MAX = 4
"""Own streams that may exist in parallel before the newest merges the others: each reboot starts an incarnation, and
merging sends everything again."""

type BucketKey = tuple[str, str, AccountId]
type OwnBucket = tuple[str, str, AccountId, UsageBucket]
"""Incarnation of our ledger, day, account, and usage."""


class Replicator:
    """Feeds `exchange` with our buckets and the ledger with others'; calls `woken` when frames may be queued."""

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        community: str,
        roster: Roster,
        usage_ledger: UsageLedger,
        page_cache: PageCache,
        machine: str = "",
        shared_records: SharedRecords | None = None,
        woken: Callable[[], None],
        on_usage_changed: Callable[[], None],
    ) -> None:
        self._key, self._own = key, own_node_id(key)
        self.exchange = Exchange(community, roster, self._own)
        self._community = community
        self._roster = roster
        self._usage_ledger = usage_ledger
        self._page_cache = page_cache
        self._reader = PageReader(page_cache, self.exchange)
        self._machine = machine[:MACHINE_CHARS_OF_INCARNATION]
        self._woken = woken
        self._on_usage_changed = on_usage_changed
        self._pages = UsagePages(key, community, "")
        self._reserved = 0
        self._unstored: dict[str, bytes | None] = {}
        """Pages to store, by name; None to delete the page."""
        self._changes_too_much, self._recounting, self._storing = (
            asyncio.Event(),
            asyncio.Lock(),
            asyncio.Lock(),
        )
        self._stored_changes: set[tuple[NodeId, str]] = set()
        self._unbooked = UnbookedPages()
        self._stored_booked: bytes | None = None
        self._booked = asyncio.Event()
        self._booked.set()
        self._noted: dict[BucketKey, UsageBucket] = {}
        self._read_all = True
        self._schedule = PublishSchedule(usage_ledger.open_allowance)
        self._node_pages: dict[NodeId, tuple[bytes | None, NodeFacts | None]] = {}
        """Of authors that were asked for: the page as it was read last, and what it says."""
        self._node_body: bytes | None = None
        """Of the page about this node itself, to be written next."""
        self._takes_in = False
        self._generation = page_cache.generation
        self._writing, self._registry_changed = asyncio.Lock(), asyncio.Event()
        self._registry = RegistryPages(self._own, shared_records, self.exchange, roster, random.uniform)
        self._shared_records = shared_records
        self._lists = ListPages(self._own, shared_records, self.exchange, roster, self._registry_changed.set)
        if shared_records is not None:
            shared_records.woken = self._registry_changed.set
        self._warnings: dict[str, str] = {}

    def warnings(self) -> tuple[str, ...]:
        """What prevents pages from being stored or trusted."""
        trouble = self._reader.trouble
        unread = (unread_pages(trouble),) if trouble else ()
        return (*self._warnings.values(), *unread, *self._registry.warnings(), *self._lists.warnings())

    def publish(self, changed: Iterable[OwnBucket] | None) -> None:
        """Own buckets were booked; None reads all own buckets of the ledger again."""
        if changed is None:
            self._read_all = True
        else:
            buckets = list(changed)
            self._noted.update(
                {(incarnation, day, account): bucket for incarnation, day, account, bucket in buckets}
            )
            if not self._schedule.book(buckets, asyncio.get_running_loop().time()):
                return  # with the next ones, or when the rest is due
        self._booked.set()

    def publish_node(self, body: bytes) -> None:
        """Publish this as the node page of this node."""
        self._node_body = body
        self._booked.set()

    def node_page(self, author: NodeId) -> NodeFacts | None:
        """What this node says of itself; None without a page that can be read."""
        if author not in self._roster():
            self._node_pages.pop(author, None)
            return None
        raw = self.exchange.other_of(author, NODE_LABEL)
        before, facts = self._node_pages.get(author, (None, None))
        if raw != before:
            page = decode(raw) if raw is not None else None
            said = page_content(page) if isinstance(page, Page) else None
            facts = said if isinstance(said, NodeFacts) else None
            self._node_pages[author] = raw, facts
        return facts

    def receive(self, neighbour: NodeId, frame: bytes) -> None:
        """Process one frame of a connected neighbour."""
        self.handle(neighbour, decode(frame))

    def handle(self, neighbour: NodeId, message: Message | Malformed) -> None:
        """Process one message of a connected neighbour."""
        self._act(self.exchange.receive(neighbour, message))

    async def take(self, neighbour: NodeId, message: Message | Malformed) -> None:
        """As `handle`, and waits: for the page before it, so that usage is taken back only if it was, and while too much
        usage is not stored yet."""
        if isinstance(message, Page):
            await self._wait_for_room()
            before = self.exchange.before(message)
            if before is not None:
                await self._reader.read([before])
        self.handle(neighbour, message)

    async def _wait_for_room(self) -> bool:
        """False if there is none after 5 s."""
        for _ in range(ROOM_LOOKS):
            if self._usage_ledger.has_room:
                return True
            await asyncio.sleep(ROOM_LOOK_S)
        return False

    async def next_frame(self, neighbour: NodeId, *priorities: Priority) -> bytes | None:
        """The next frame for a neighbour, of these priorities or of any; None when there is none."""
        while isinstance(found := self.exchange.next_due(neighbour, *priorities), StoredPage):
            raw = (await self._reader.read([found])).get(found)
            if raw is not None:
                return raw
        return found

    async def held_of(self, author: NodeId) -> list[bytes]:
        """The pages of one author about usage that can be read, as received."""
        return await self._reader.of_author(author)

    async def restore(self) -> None:
        """Load the pages from the page cache, once the ledger knows its incarnation."""
        incarnation = await self._incarnation()
        self._pages = UsagePages(self._key, self._community, incarnation)
        records = await self._reader.records((BOOKED, CHANGES, RESERVED))
        self._generation = self._page_cache.generation
        self._stored_booked = booked_record(records or ())
        self._unbooked = UnbookedPages(self._stored_booked)
        reserved = [read_reservation(record, incarnation) for record in records or ()]
        self._pages.seq = self._reserved = max((seq for seq in reserved if seq is not None), default=0)
        for record in records or ():
            changes = read_changes(record)
            for author, day in changes:
                if author in self._roster():
                    self.exchange.recount_later(author, day)
            self._stored_changes |= changes
        if await self._restore_pages() and records is not None:
            self._unbooked.all_were_seen()
        else:
            self._stored_booked = b"not known"

    async def _restore_pages(self) -> bool:
        """Whether all could be read."""
        is_loaded, is_writing, is_end = True, True, False
        async for names in self._reader.names():
            is_end = not names
            for some in batched(highest_first(names), READ_TOGETHER, strict=False):
                pages = await self._reader.records(some)
                is_loaded &= pages is not None
                for record in pages or ():
                    self._restore_page(record)
                    await asyncio.sleep(0)
                is_writing = is_writing and await self._wait_for_room()
        return is_loaded and is_end

    def _restore_page(self, record: bytes) -> None:
        page = decode(record)
        if not isinstance(page, Page):
            return
        for event in self.exchange.restore(page):
            match event:
                case PageAccepted(said=PageContent() as said) if not self._unbooked.includes(page.name):
                    if page.author == self._own:
                        self._recognise(page, said)
                case _:
                    self._act((event,))
        if page.author in self._roster() and not self.exchange.holds(page):
            self._unstored[page.name] = None
        elif self._unstored.get(page.name) == record:
            del self._unstored[page.name]
        self._give_to_cache(page.name, record, is_recent=False)

    def _give_to_cache(self, name: str, page: bytes, *, is_recent: bool = True) -> None:
        """It is stored, and leaves memory. Our own stay: they are written again as usage is booked, and there are few."""
        if name.partition("/")[0] != self._own:
            self.exchange.stored(name, page, is_recent=is_recent)

    async def _look_after_cache(self) -> None:
        """After another database took the place of the page cache: what is in memory is stored again, and what cannot be
        read there is no longer held."""
        generation = self._page_cache.generation
        if generation == self._generation:
            return
        for raw in self.exchange.in_memory():
            page = decode(raw)
            if isinstance(page, Page):
                self._unstored.setdefault(page.name, raw)
        if await self._reader.check_all():
            self._generation = generation

    async def run(self) -> None:
        """Until cancelled: write our pages as usage is booked, store pages and recount at intervals."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_when_booked())
            tasks.create_task(self._store_now_and_then())
            tasks.create_task(self._recount_now_and_then())
            tasks.create_task(self._write_registry())
            tasks.create_task(self._note_booked())

    async def persist_pages(self, *, with_usage: bool = True) -> None:
        """Store changes, or those of pages of other kinds; what cannot be stored now is tried again later."""
        async with self._storing:  # or a page that could not be stored could replace a newer one later
            changes = {(author, day) for author, day, _ in self.exchange.changed()}
            all_unstored, booked = self._unstored, self._unbooked.record()
            unstored = {
                name: raw for name, raw in all_unstored.items() if with_usage or not is_about_usage(name)
            }
            self._unstored = {name: raw for name, raw in all_unstored.items() if name not in unstored}
            records = dict(unstored)
            if not with_usage:  # what these records say of the pages about usage on the disk is still true
                changes, booked = self._stored_changes, self._stored_booked
            if changes != self._stored_changes:
                records[CHANGES] = changes_record(changes) if changes else None
            if booked != self._stored_booked:
                records[BOOKED] = booked
            is_stored = False
            try:
                is_stored = not records or await self._save(records)
            finally:
                if not is_stored:
                    self._unstored = unstored | self._unstored
            if is_stored:
                self._stored_changes, self._stored_booked = changes, booked
                for name, page in unstored.items():
                    if page is not None:
                        self._give_to_cache(name, page)

    async def _note_booked(self) -> None:
        """Now and then, and soon after many pages came at once."""
        waited_s, before = 0.0, self._unbooked.merges
        while True:
            await asyncio.sleep(UNBOOKED_LOOK_S)
            merges = self._unbooked.merges
            are_many, before = self._unbooked.are_many(merges - before), merges
            waited_s += UNBOOKED_LOOK_S
            if not are_many and waited_s < PERSIST_USAGE_EVERY_S:
                continue
            waited_s = 0.0
            await self._usage_ledger.kept()
            self._unbooked.booked(merges)
            if are_many:
                await self.persist_pages()

    def _act(self, events: tuple[Event, ...]) -> None:
        for event in events:
            match event:
                case PageAccepted(page, said):
                    self._accept(page, said)
                case PagesEvicted(author, names, is_full):
                    self._unstored |= dict.fromkeys(names)
                    self._registry.evicted(author, names)
                    self._lists.evicted(author, names)
                    if is_full:
                        self._warn(author, TOO_MUCH)
                case PageRefused(author, reason) if author is not None and reason in REPORTED:
                    self._warn(author, reason)
                    self._changes_too_much.set()
                case Equivocated(author, _, _):
                    self._warnings[f"two pages {author}"] = two_pages(author)
                case _:
                    pass
        self._woken()

    def _accept(self, page: Page, said: Content) -> None:
        if self.exchange.holds(page):
            self._unstored[page.name] = page.raw
        if isinstance(said, PageContent):
            self._unbooked.merged(page.name)
            self._usage_ledger.merge_page(page.author, page.period, said.rows)
            self._on_usage_changed()
        self._registry.accept(page, said)
        self._lists.accept(page)
        if page.author == self._own:
            self._recognise(page, said)

    def _warn(self, author: NodeId, reason: str) -> None:
        self._warnings[f"{reason} {author}"] = refused_pages(author, self._own, reason)

    async def _recount_now_and_then(self) -> None:
        while True:
            try:
                async with asyncio.timeout(RECOUNT_EVERY_S):
                    await self._changes_too_much.wait()
            except TimeoutError:
                for key in [key for key in self._warnings if key.startswith(CHANGES_TOO_MUCH)]:
                    del self._warnings[key]
            self._changes_too_much.clear()
            await self.recount()

    async def recount(self) -> None:
        """Remove usage from the ledger that members' pages no longer contain. Returns when this is stored; meanwhile
        an author who withdraws more than `CHANGED_ROWS_MAX` rows has to wait."""
        async with self._recounting:
            counted = [each for each in self.exchange.changed() if await self._recount_day(each[0], each[1])]
            if any(author != self._own for author, _, _ in counted):
                await self._usage_ledger.kept()
            for author, day, rows in counted:
                self.exchange.settle(author, day, rows)

    async def _recount_day(self, author: NodeId, day: str) -> bool:
        """False when pages of the day arrived meanwhile, or cannot be read: the next recount includes it again."""
        if author == self._own:
            return True
        pages, found = self.exchange.pages_of_day(author, day), dict[tuple[str, AccountId], UsageBucket]()
        for some in batched(pages, READ_TOGETHER, strict=False):
            raws = await self._reader.read(some)
            if len(raws) < len(some):
                return False
            for raw in raws.values():
                for incarnation, account, bucket in _said(raw).rows:
                    found[incarnation, account] = highest(
                        found.get((incarnation, account), EMPTY_BUCKET), bucket
                    )
                await asyncio.sleep(0)
        if pages != self.exchange.pages_of_day(author, day):
            return False
        self._usage_ledger.recount(author, day, [(*key, bucket) for key, bucket in found.items()])
        self._on_usage_changed()
        return True

    def _recognise(self, page: Page, said: Content) -> None:
        """Handle a page of our own. If another incarnation wrote it, it is merged. If it is newer than our ledger,
        the ledger was restored from a backup: a new incarnation starts, so that no usage is counted in buckets that
        already exist elsewhere."""
        if isinstance(said, PageContent):
            self._pages.adopt(page, said)
            if self._takes_in:
                self._pages.take_in(page, said.rows)
                for cover in said.covers:
                    self._pages.past.cover(*cover)
        is_later = incarnation_rank(page.incarnation) > incarnation_rank(self._pages.incarnation)
        # A copy of this node's disk writes in another machine: a later incarnation there says nothing about our records,
        # and each of the two would answer the other's with one more.
        theirs = incarnation_machine(page.incarnation)
        is_later &= not (self._machine and theirs and theirs != self._machine)
        is_unknown = page.incarnation == self._pages.incarnation and page.seq > self._reserved
        if is_later or is_unknown:
            self._usage_ledger.outlive(page.incarnation)
        self._booked.set()

    def _follow(self) -> None:
        """The ledger has started a new incarnation: continue with its pages."""
        incarnation = self._usage_ledger.incarnation
        if not incarnation or incarnation == self._pages.incarnation:
            return
        self._pages, self._reserved, self._read_all = (
            UsagePages(self._key, self._community, incarnation),
            0,
            True,
        )
        self._takes_in = False

    def _take_in_all(self) -> None:
        """Merge all earlier incarnations when there are too many in parallel."""
        incarnations = {*self.exchange.incarnations_of(self._own), self._pages.incarnation}
        if self._takes_in or len(incarnations) <= OWN_STREAMS_MAX:
            return
        self._takes_in = True
        for page, said in self._own_pages():
            self._pages.take_in(page, said.rows)
            for cover in said.covers:
                self._pages.past.cover(*cover)

    def _own_pages(self) -> Iterator[tuple[Page, PageContent]]:
        """All held pages of our own, of all incarnations."""
        for raw in self.exchange.held_of(self._own):
            page = decode(raw)
            if isinstance(page, Page):
                yield page, _said(raw)

    def _published(self) -> dict[BucketKey, UsageBucket]:
        """Usage already published by pages of our own, by incarnation, day and account."""
        found: dict[BucketKey, UsageBucket] = {}
        for page, said in self._own_pages():
            for incarnation, account, bucket in said.rows:
                key = incarnation, page.period, account
                found[key] = highest(found.get(key, EMPTY_BUCKET), bucket)
        return found

    async def _incarnation(self) -> str:
        while True:
            if self._usage_ledger.incarnation:
                return self._usage_ledger.incarnation
            await asyncio.sleep(LEDGER_AGAIN_S)

    async def _write_when_booked(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PUBLISH_REST_S):
                    await self._booked.wait()
            async with self._writing:
                await self._write_pages()
            await asyncio.sleep(PUBLISH_EVERY_S)

    async def _write_pages(self) -> None:
        self._booked.clear()
        self._schedule.published()
        self._follow()
        self._take_in_all()
        await self._note_buckets()
        await self._reserve(self._pages.seq + self._pages.changed_count)
        for page in self._pages.write():
            self._offer(page)
            await asyncio.sleep(0)
        await self._write_node_page()
        if self._pages.changed_count:  # covers, published only after this write
            self._booked.set()

    async def _write_node_page(self) -> None:
        if self._node_body is None:
            return
        await self._reserve(self._pages.seq + 1)
        body, self._node_body = self._node_body, None
        self._offer(self._pages.write_other(NODE_KIND.name, NOW, body))

    async def _write_registry(self) -> None:
        while True:
            self._registry_changed.clear()
            now_s = asyncio.get_running_loop().time()
            for _ in self._registry.tick(now_s):
                await asyncio.sleep(0)
            parts = [(REGISTRY_KIND.name, part, body) for part, body in self._registry.due(now_s)]
            parts += self._lists.due(now_s)
            if parts and self._shared_records is not None:  # a node that was killed knows what it told
                await self._shared_records.kept()
            for kind, part, body in parts:
                await self._write_part(kind, part, body)
            await asyncio.sleep(PUBLISH_EVERY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AT_REGISTRY_S):
                    await self._registry_changed.wait()

    async def _write_part(self, kind: str, part: int, body: bytes) -> None:
        async with self._writing:
            self._follow()
            await self._reserve(self._pages.seq + 1)
            self._offer(self._pages.write_other(kind, NOW, body, part))
        await asyncio.sleep(0)

    def _offer(self, page: Page) -> None:
        # Rows of a page just written are already in the ledger and in our pages.
        self._act(tuple(e for e in self.exchange.offer(page) if not isinstance(e, PageAccepted)))
        if self.exchange.holds(page):
            self._unstored[page.name] = page.raw
            if kind_named(page.kind).limit == "rows":
                self._unbooked.merged(page.name)  # its rows may not be on the disk yet

    async def _note_buckets(self) -> None:
        noted, self._noted = self._noted, {}
        await self._note_in_turns((*key, bucket) for key, bucket in noted.items())
        if self._read_all:
            self._read_all = False
            published, own = self._published(), await self._usage_ledger.own_buckets()
            await self._note_in_turns(each for each in own if self._is_unpublished(each, published))

    async def _note_in_turns(self, buckets: Iterable[OwnBucket]) -> None:
        """Notes them one by one, so that the event loop runs other tasks in between however many they are."""
        for number, (incarnation, day, account, bucket) in enumerate(buckets, start=1):
            self._pages.note_past(day, incarnation, account, bucket)
            if number % BUCKETS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _is_unpublished(self, own: OwnBucket, published: Mapping[BucketKey, UsageBucket]) -> bool:
        incarnation, day, account, bucket = own
        before = published.get((incarnation, day, account), EMPTY_BUCKET)
        return incarnation == self._pages.incarnation or highest(before, bucket) != before

    async def _reserve(self, seq: int) -> None:
        """Make sequence numbers up to `seq` available; after a power failure they are not used again."""
        if seq > self._reserved:
            self._reserved = seq + SEQ_BLOCK
            record = reservation(self._pages.incarnation, self._reserved)
            await self._save({RESERVED: record})

    async def _store_now_and_then(self) -> None:
        while True:
            for further in reversed(range(round(PERSIST_USAGE_EVERY_S / PERSIST_EVERY_S))):
                await asyncio.sleep(PERSIST_EVERY_S)
                await self._look_after_cache()
                waiting = sum(len(raw or b"") for name, raw in self._unstored.items() if is_about_usage(name))
                await self.persist_pages(with_usage=not further or waiting > UNSTORED_BYTES_MAX)

    async def _save(self, records: Mapping[str, bytes | None]) -> bool:
        """Store records; None deletes one. False if this failed."""
        kept = [(name, record) for name, record in records.items() if record is not None]
        try:
            await self._page_cache.save(kept, [name for name, record in records.items() if record is None])
        except StorageTrouble as trouble:
            self._not_kept(trouble)
            return False
        self._warnings.pop("page cache", None)
        return True

    def _not_kept(self, trouble: StorageTrouble) -> None:
        self._warnings["page cache"] = kept_in_memory(trouble)


def _said(raw: bytes) -> PageContent:
    """Content of a held page, which was parsed before."""
    page = decode(raw)
    said = page_content(page) if isinstance(page, Page) else page
    assert isinstance(said, PageContent), said
    return said

"""This node's copy of everybody's pages: writes our own, takes in others', and keeps all of them on the shelf."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping

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
from mesh.messages import Page, PageContent, PastRow, decode, page_content
from mesh.pages import UsagePages, changes_record, read_changes, read_reservation, reservation
from mesh.ports import PageCache, Roster, UsageLedger
from node.accounting.ledger import EMPTY_BUCKET, UsageBucket, highest
from node.accounting.lives import life_rank
from node.errors import StorageTrouble
from node.identity import human_form, own_node_id
from node.units import AccountId, NodeId

PUBLISH_EVERY_S = 1.0
SHELVE_EVERY_S = 60.0
"""Shelved pages only save neighbours from sending them again: flash memory matters more."""
CHANGES = "changes"
"""The name of the record in the page cache of what a crash may leave in the books."""
SEQ_BLOCK = 1000
"""Numbers reserved on the shelf ahead of use, so that none is used twice after a power cut."""
RECOUNT_EVERY_S = 60.0
"""What pages say no longer may stand in others that are on their way: a round is shorter."""
CELLS_PER_TURN = 500
"""Cells noted before others may run: about 1 ms."""
BOOKS_AGAIN_S = 0.1
LIVES_APART_MAX = 4
"""Streams of ours that may stand beside each other before the newest takes the others in: each start of the machine
begins a life, and taking in sends everything once more."""

type OwnCell = tuple[str, str, AccountId, UsageBucket]
"""The life of our books, the day, the account, and how much."""


class Replicator:
    """Feeds `exchange` with our cells and the books with others'; `woken` is called when frames may be waiting."""

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        community: str,
        roster: Roster,
        books: UsageLedger,
        page_cache: PageCache,
        woken: Callable[[], None],
        on_usage_changed: Callable[[], None],
    ) -> None:
        self.exchange = Exchange(community, roster)
        self._key, self._own = key, own_node_id(key)
        self._community = community
        self._roster = roster
        self._books = books
        self._page_cache = page_cache
        self._woken = woken
        self._on_usage_changed = on_usage_changed
        self._pages = UsagePages(key, community, "")
        self._reserved = 0
        self._unshelved: dict[str, bytes | None] = {}
        """By name; None for a page that is not held any more."""
        self._changes_too_much, self._recounting = asyncio.Event(), asyncio.Lock()
        self._shelved_changes: set[tuple[NodeId, str]] = set()
        self._booked = asyncio.Event()
        self._booked.set()
        self._noted: dict[tuple[str, str, AccountId], UsageBucket] = {}
        self._read_all = True
        self._takes_in = False
        self._warnings: dict[str, str] = {}

    def warnings(self) -> tuple[str, ...]:
        """What keeps pages from being kept or believed."""
        return tuple(self._warnings.values())

    def publish(self, changed: Iterable[OwnCell] | None) -> None:
        """Own cells were booked; None reads all own cells of the books again."""
        if changed is None:
            self._read_all = True
        else:
            self._noted.update({(life, day, account): cell for life, day, account, cell in changed})
        self._booked.set()

    def receive(self, neighbour: NodeId, frame: bytes) -> None:
        """Take in one frame of a greeted neighbour."""
        self._act(self.exchange.receive(neighbour, decode(frame)))

    async def restore(self) -> None:
        """Take the pages back from the shelf, once the books know which life this is."""
        incarnation = await self._incarnation()
        self._pages = UsagePages(self._key, self._community, incarnation)
        records = self._records()
        reserved = [read_reservation(record, incarnation) for record in records]
        self._pages.seq = self._reserved = max((seq for seq in reserved if seq is not None), default=0)
        for record in records:
            page, changes = decode(record), read_changes(record)
            for author, day in changes:
                if author in self._roster():
                    self.exchange.recount_later(author, day)
            self._shelved_changes |= changes
            if isinstance(page, Page):
                self._act(self.exchange.restore(page))
                if page.author in self._roster() and not self.exchange.holds(page):
                    self._unshelved[page.name] = None
            await asyncio.sleep(0)
        self._unshelved = {name: None for name, page in self._unshelved.items() if page is None}

    async def run(self) -> None:
        """Write our pages as cells are booked, and shelve now and then; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_when_booked())
            tasks.create_task(self._shelve_now_and_then())
            tasks.create_task(self._recount_now_and_then())

    async def shelve(self) -> None:
        """Keep what came since the last time; what cannot be kept now is tried again."""
        changes = {(author, day) for author, day, _ in self.exchange.changed()}
        unshelved, self._unshelved = self._unshelved, {}
        if changes != self._shelved_changes:
            unshelved[CHANGES] = changes_record(changes) if changes else None
        if unshelved and not await self._save(unshelved):
            unshelved.pop(CHANGES, None)
            self._unshelved = unshelved | self._unshelved
            return
        self._shelved_changes = changes

    def _act(self, events: tuple[Event, ...]) -> None:
        for event in events:
            match event:
                case PageAccepted(page, said):
                    self._accept(page, said)
                    self._on_usage_changed()
                case PagesEvicted(author, names, is_full):
                    self._unshelved |= dict.fromkeys(names)
                    if is_full:
                        self._warn(author, TOO_MUCH)
                case PageRefused(author, reason) if author is not None and reason in {
                    TOO_MUCH,
                    CHANGES_TOO_MUCH,
                }:
                    self._warn(author, reason)
                    self._changes_too_much.set()
                case Equivocated(author, _, _):
                    self._warnings[f"two pages {author}"] = (
                        f"node {human_form(author)} signed two different pages with one number: "
                        "look whether its key is in use on two devices"
                    )
                case _:
                    pass
        self._woken()

    def _accept(self, page: Page, said: PageContent) -> None:
        if self.exchange.holds(page):
            self._unshelved[page.name] = page.raw
        self._books.merge_page(page.author, page.period, said.rows)
        if page.author == self._own:
            self._pages.adopt(page, said)
            self._recognise(page, said.rows)
            for cover in said.covers if self._takes_in else ():
                self._pages.past.cover(*cover)

    def _warn(self, author: NodeId, reason: str) -> None:
        who = "this node" if author == self._own else f"node {human_form(author)}"
        self._warnings[f"{reason} {author}"] = f"{who} {reason}"

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
        """What members' pages do not say any more is taken back from the books. Returns when that is stored: an author
        who takes back more than `CHANGED_ROWS_MAX` meanwhile has to wait."""
        async with self._recounting:
            counted = [each for each in self.exchange.changed() if await self._recount_day(each[0], each[1])]
            if any(author != self._own for author, _, _ in counted):
                await self._books.kept()
            for author, day, rows in counted:
                self.exchange.settle(author, day, rows)

    async def _recount_day(self, author: NodeId, day: str) -> bool:
        """False when pages of the day came meanwhile: the next recount has it again."""
        if author == self._own:
            return True
        pages, found = self.exchange.held_of_day(author, day), dict[tuple[str, AccountId], UsageBucket]()
        for raw in pages:
            for life, account, cell in _said(raw).rows:
                found[life, account] = highest(found.get((life, account), EMPTY_BUCKET), cell)
            await asyncio.sleep(0)
        if pages != self.exchange.held_of_day(author, day):
            return False
        self._books.recount(author, day, [(*key, cell) for key, cell in found.items()])
        self._on_usage_changed()
        return True

    def _recognise(self, page: Page, rows: Iterable[PastRow]) -> None:
        """A page of ours. One that this life of our books did not write is taken in; one that was written after what
        our books know tells that they are a copy of before: then another life begins, so that nothing is counted in
        cells that are elsewhere already."""
        if self._takes_in:
            self._pages.take_in(page, rows)
        is_later = life_rank(page.incarnation) > life_rank(self._pages.incarnation)
        is_unknown = page.incarnation == self._pages.incarnation and page.seq > self._reserved
        if is_later or is_unknown:
            self._books.outlive(page.incarnation)
        self._booked.set()

    def _follow(self) -> None:
        """The books have begun another life: its pages take in all that were before."""
        life = self._books.incarnation
        if not life or life == self._pages.incarnation:
            return
        self._pages, self._reserved, self._read_all = UsagePages(self._key, self._community, life), 0, True
        self._takes_in = False

    def _take_in_all(self) -> None:
        """Once there are too many lives beside each other."""
        lives = {*self.exchange.lives_of(self._own), self._pages.incarnation}
        if self._takes_in or len(lives) <= LIVES_APART_MAX:
            return
        self._takes_in = True
        for page, said in self._own_pages():
            self._pages.take_in(page, said.rows)
            for cover in said.covers:
                self._pages.past.cover(*cover)

    def _own_pages(self) -> Iterator[tuple[Page, PageContent]]:
        """Every page of ours that is held, of all lives."""
        for raw in self.exchange.held_of(self._own):
            page = decode(raw)
            if isinstance(page, Page):
                yield page, _said(raw)

    def _told(self) -> dict[tuple[str, str, AccountId], UsageBucket]:
        """By life, day and account, what pages of ours say of earlier lives."""
        found: dict[tuple[str, str, AccountId], UsageBucket] = {}
        for page, said in self._own_pages():
            for life, account, cell in said.rows:
                key = life, page.period, account
                found[key] = highest(found.get(key, EMPTY_BUCKET), cell)
        return found

    async def _incarnation(self) -> str:
        while True:
            if self._books.incarnation:
                return self._books.incarnation
            await asyncio.sleep(BOOKS_AGAIN_S)

    async def _write_when_booked(self) -> None:
        while True:
            await self._booked.wait()
            await self._write_pages()
            await asyncio.sleep(PUBLISH_EVERY_S)

    async def _write_pages(self) -> None:
        self._booked.clear()
        self._follow()
        self._take_in_all()
        await self._note_cells()
        await self._reserve(self._pages.seq + self._pages.changed_count)
        for page in self._pages.write():
            self._offer(page)
            await asyncio.sleep(0)
        if self._pages.changed_count:  # what is said only once this writing is on its way
            self._booked.set()

    def _offer(self, page: Page) -> None:
        # What is accepted of our own is in the books and in our pages already.
        self._act(tuple(e for e in self.exchange.offer(page) if not isinstance(e, PageAccepted)))
        if self.exchange.holds(page):
            self._unshelved[page.name] = page.raw

    async def _note_cells(self) -> None:
        noted, self._noted = self._noted, {}
        cells = [(life, day, account, cell) for (life, day, account), cell in noted.items()]
        if self._read_all:
            self._read_all = False
            told = self._told()
            for life, day, account, cell in await self._books.own_cells():
                before = told.get((life, day, account), EMPTY_BUCKET)
                if life == self._pages.incarnation or highest(before, cell) != before:
                    cells.append((life, day, account, cell))
        for number, (life, day, account, cell) in enumerate(cells, start=1):
            self._pages.note_past(day, life, account, cell)
            if number % CELLS_PER_TURN == 0:
                await asyncio.sleep(0)

    async def _reserve(self, seq: int) -> None:
        """Numbers up to `seq` may be used after this, and are never used again after a power cut."""
        if seq > self._reserved:
            self._reserved = seq + SEQ_BLOCK
            record = reservation(self._pages.incarnation, self._reserved)
            await self._save({"reserved": record})

    async def _shelve_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SHELVE_EVERY_S)
            await self.shelve()

    def _records(self) -> list[bytes]:
        try:
            return list(self._page_cache.load())
        except StorageTrouble as trouble:
            self._not_kept(trouble)
            return []

    async def _save(self, records: Mapping[str, bytes | None]) -> bool:
        """None for a page that is not kept any more."""
        kept = [(name, record) for name, record in records.items() if record is not None]
        try:
            await self._page_cache.save(kept, [name for name, record in records.items() if record is None])
        except StorageTrouble as trouble:
            self._not_kept(trouble)
            return False
        self._warnings.pop("shelf", None)
        return True

    def _not_kept(self, trouble: StorageTrouble) -> None:
        self._warnings["shelf"] = f"neighbours' pages are kept in memory only: {trouble}"


def _said(raw: bytes) -> PageContent:
    """What a page says that is held, and so was read before."""
    page = decode(raw)
    said = page_content(page) if isinstance(page, Page) else page
    assert isinstance(said, PageContent), said
    return said

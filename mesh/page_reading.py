"""Reads pages in the page cache again, and in which order a start reads all of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import batched, groupby

from mesh.exchange import Exchange
from mesh.messages import decode
from mesh.page_format import Page, page_digest
from mesh.page_versions import StoredPage, day_rank
from mesh.ports import PageCache
from node.accounting.ledger import incarnation_rank
from node.errors import StorageSlow, StorageTrouble
from node.units import NodeId

READ_TOGETHER = 64
"""Pages in one call of the page cache."""
SLOW_TRIES = 20
"""How often a start asks a page cache that does not answer in time."""


class PageReader:
    """Finds the bytes of the pages that `exchange` holds."""

    def __init__(self, page_cache: PageCache, exchange: Exchange) -> None:
        self._page_cache, self._exchange = page_cache, exchange
        self.trouble = ""
        """Why pages could not be read the last time."""

    async def names(self) -> AsyncIterator[list[str]]:
        """Names of what is stored: those of one author together, and each record that is no page. The last one is empty if
        they can be read to the end."""
        waiting: list[str] = []
        while (more := await self._patiently(partial(self._page_cache.names, *waiting[-1:]))) is not None:
            names = waiting + more
            groups = [list(group) for _, group in groupby(names, key=lambda name: name.partition("/")[0])]
            waiting = groups.pop() if more and groups else []
            for group in groups:
                yield group
            if not more:
                yield []
                return

    async def records(self, names: Iterable[str]) -> list[bytes] | None:
        """What is stored under these names; None if that cannot be read."""
        wanted = tuple(names)
        found = await self._patiently(partial(self._page_cache.read, wanted))
        return None if found is None else list(found.values())

    async def _patiently[T](self, call: Callable[[], Awaitable[T]]) -> T | None:
        for _ in range(SLOW_TRIES):
            try:
                found = await call()
            except StorageSlow as slow:
                self.trouble = str(slow)
                continue
            except StorageTrouble as trouble:
                self.trouble = str(trouble)
                return None
            self.trouble = ""
            return found
        return None

    async def read(self, pages: Sequence[StoredPage]) -> dict[StoredPage, bytes]:
        """Those that can be read. One that the page cache does not have is no longer held: neighbours send it again."""
        found = {page: raw for page in pages if (raw := self._exchange.bytes_of(page)) is not None}
        missing = [page for page in pages if page not in found]
        if not missing:
            return found
        try:
            records = await self._page_cache.read([page.name for page in missing])
        except StorageTrouble as trouble:
            self.trouble = str(trouble)
            return found
        self.trouble = ""
        for page in missing:
            raw = records.get(page.name)
            if raw is not None and is_that_page(raw, page):
                found[page] = raw
                self._exchange.read(page, raw)
            else:
                self._exchange.forget(page)
        return found

    async def of_author(self, author: NodeId) -> list[bytes]:
        """The pages of one author about usage that can be read."""
        found: list[bytes] = []
        for some in batched(self._exchange.pages_of(author), READ_TOGETHER, strict=False):
            found += (await self.read(some)).values()
        return found

    async def check_all(self) -> bool:
        """Forget the pages that the page cache does not have. False if it cannot be read."""
        for author in self._exchange.authors():
            for some in batched(self._exchange.pages_of(author), READ_TOGETHER, strict=False):
                await self.read(some)
                if self.trouble:
                    return False
        return True


def is_that_page(raw: bytes | None, wanted: StoredPage) -> bool:
    """Whether these bytes are the page that is held, in this version."""
    if raw is None:
        return False
    page = decode(raw)
    return isinstance(page, Page) and (page.name, page.seq, page_digest(page)) == (
        wanted.name,
        wanted.seq,
        wanted.digest,
    )


def highest_first(names: Iterable[str]) -> list[str]:
    """Names of pages of one author: in this order none is evicted for another, and nothing is taken back."""
    return sorted((name for name in names if name.count("/") == 4), key=_rank, reverse=True)


def _rank(name: str) -> tuple[str, tuple[int, str], str]:
    _, incarnation, label = name.split("/", 2)
    return day_rank(label.split("/")[1]), incarnation_rank(incarnation), label

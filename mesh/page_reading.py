"""Reads pages in the page cache again, and in which order a start reads all of them."""

from collections.abc import Iterable

from mesh.messages import decode
from mesh.page_format import Page, page_digest
from mesh.page_versions import StoredPage, day_rank
from node.accounting.ledger import incarnation_rank

READ_TOGETHER = 64
"""Pages in one call of the page cache."""


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


def in_order(names: Iterable[str]) -> list[str]:
    """Names of pages, of each author the highest first: then none is evicted for another, and nothing is taken back."""
    return sorted((name for name in names if name.count("/") == 4), key=_rank, reverse=True)


def _rank(name: str) -> tuple[str, str, tuple[int, str], str]:
    author, incarnation, label = name.split("/", 2)
    return author, day_rank(label.split("/")[1]), incarnation_rank(incarnation), label

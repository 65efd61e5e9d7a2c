"""The pages that are held, for what connects a kind of page with the rest of the node."""

from typing import Protocol

from mesh.messages import decode
from mesh.page_format import Page
from node.units import NodeId


class HeldPages(Protocol):
    """Pages of other kinds than usage."""

    def other_of(self, author: NodeId, label: str) -> bytes | None:
        """The page of one author with this label."""


class AllHeldPages(HeldPages, Protocol):
    """As `HeldPages`, and all at once."""

    def others_of(self, author: NodeId) -> list[bytes]:
        """The pages of one author of other kinds than usage."""


def held_page(held: HeldPages, author: NodeId, label: str) -> Page | None:
    """The page of one author with this label, decoded."""
    raw = held.other_of(author, label)
    page = decode(raw) if raw is not None else None
    return page if isinstance(page, Page) else None

"""What the fence needs from the house."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from node.accounting.ledger import UsageBucket
from node.units import AccountId, NodeId


@dataclass(frozen=True, slots=True)
class PeerView:
    """A neighbouring node, as status pages show it."""

    node: NodeId
    name: str
    state: str
    addresses: tuple[str, ...]
    heard_seconds_ago: int | None


class UsageLedger(Protocol):
    """Usage cells: ours to publish, others' to merge."""

    @property
    def incarnation(self) -> str:
        """Name of this life of our books, 1 to 32 letters, digits, ``-`` or ``_``; empty until the books know it."""

    async def own_cells(self) -> Iterable[tuple[str, str, AccountId, UsageBucket]]:
        """(life, day, account, cell) of this node's books that neighbours may know, earlier lives included."""

    def outlive(self, life: str) -> None:
        """Neighbours know that our books had come further in this life: another one begins, with a greater number."""

    def merge_page(
        self, author: NodeId, day: str, cells: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        """Cells (life, account, cell) of a member whose signature was checked; ours too, when they come back from a
        neighbour."""

    def recount(self, author: NodeId, day: str, cells: Iterable[tuple[str, AccountId, UsageBucket]]) -> None:
        """All that another member says of that day now; what it said before and does not say any more counts no
        longer. No cells where its pages of the day are not kept any more: then what counts in no period of today may
        stay."""

    async def kept(self) -> None:
        """Returns when all that `merge_page` and `recount` were told until now is on the disk."""


class PageCache(Protocol):
    """Signed pages as received, kept over restarts and passed on unchanged."""

    def load(self) -> Iterable[bytes]: ...

    async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
        """(page name, bytes); a newer page of the same name replaces the older. Those whose names are `gone` are not
        kept any more."""


Roster = Callable[[], frozenset[NodeId]]
"""The node keys that the community's list holds now, ours included."""

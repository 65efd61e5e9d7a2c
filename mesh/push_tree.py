"""Along which connections pages are pushed: a tree that forms itself (Plumtree: Leitao, Pereira, Rodrigues, SRDS 2007).

A page goes at once to neighbours on the tree, and by its digest a second later to the others. A page that comes a second
time takes its connection off the tree; a digest of which the page does not come puts one on it again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mesh.messages import NAMES_PER_MESSAGE_MAX
from node.units import NodeId

RECENT_MAX = 8_192
"""Digests of pages that were received last."""
MISSING_MAX = 4_096
WAIT_TICKS = 2
"""Seconds after which a page that was only named is asked for; then the next neighbour that named it is."""


@dataclass(slots=True)
class _Branch:
    """One neighbour that understands the tree."""

    is_eager: bool = True
    names: dict[str, None] = field(default_factory=dict)
    """To be told with the next tick."""


@dataclass(slots=True)
class _Missing:
    named_by: list[NodeId]
    ticks: int = 0


class PushTree[Name]:
    """Decides for each neighbour whether it gets a page or its digest. `Name` is how the caller calls a page."""

    def __init__(self) -> None:
        self._sides: dict[NodeId, _Branch] = {}
        self._recent: dict[str, Name] = {}
        """Oldest first."""
        self._missing: dict[str, _Missing] = {}

    def join(self, neighbour: NodeId) -> None:
        """A neighbour that understands the tree has connected. It is on the tree until a page comes twice."""
        self._sides[neighbour] = _Branch()

    def leave(self, neighbour: NodeId) -> None:
        """Its connection has ended."""
        self._sides.pop(neighbour, None)

    def is_eager(self, neighbour: NodeId) -> bool:
        """Whether pages are pushed to it; always to one that does not understand the tree."""
        side = self._sides.get(neighbour)
        return side is None or side.is_eager

    def received(self, digest: str, name: Name, heard_from: NodeId | None) -> None:
        """A new page was accepted; `heard_from` None for one of our own."""
        self._recent.pop(digest, None)
        self._recent[digest] = name
        if len(self._recent) > RECENT_MAX:
            del self._recent[next(iter(self._recent))]
        self._missing.pop(digest, None)
        if heard_from in self._sides:
            self._sides[heard_from].is_eager = True
        for neighbour, side in self._sides.items():
            if neighbour != heard_from and not side.is_eager and len(side.names) < MISSING_MAX:
                side.names[digest] = None

    def repeated(self, neighbour: NodeId, digest: str) -> bool:
        """A page came that was held already. True if the neighbour is to be told that it leaves the tree."""
        side = self._sides.get(neighbour)
        if side is None:
            return False
        side.names.pop(digest, None)
        was_eager, side.is_eager = side.is_eager, False
        return was_eager

    def pruned(self, neighbour: NodeId) -> None:
        """The neighbour wants names only."""
        if neighbour in self._sides:
            self._sides[neighbour].is_eager = False

    def named(self, neighbour: NodeId, digests: Iterable[str]) -> None:
        """The neighbour holds these pages."""
        for digest in digests:
            if digest in self._recent:
                continue
            missing = self._missing.get(digest)
            if missing is None and len(self._missing) < MISSING_MAX:
                self._missing[digest] = _Missing([neighbour])
            elif missing is not None and neighbour not in missing.named_by:
                missing.named_by.append(neighbour)

    def name_of(self, digest: str) -> Name | None:
        """The page with this digest, if it was received lately."""
        return self._recent.get(digest)

    def grafted(self, neighbour: NodeId, digests: Iterable[str]) -> Iterator[Name]:
        """The neighbour wants these pages and the next ones: those that were received lately."""
        if neighbour in self._sides:
            self._sides[neighbour].is_eager = True
        for digest in digests:
            if digest in self._recent:
                yield self._recent[digest]

    def tick(self) -> tuple[dict[NodeId, list[str]], dict[NodeId, list[str]]]:
        """Once a second: digests to tell, and pages to ask for, by neighbour."""
        names: dict[NodeId, list[str]] = {}
        for neighbour, side in self._sides.items():
            if side.names:
                names[neighbour] = list(side.names)[:NAMES_PER_MESSAGE_MAX]
                for digest in names[neighbour]:
                    del side.names[digest]
        return names, self._grafts()

    def _grafts(self) -> dict[NodeId, list[str]]:
        grafts: dict[NodeId, list[str]] = {}
        for digest, missing in tuple(self._missing.items()):
            missing.ticks += 1
            if missing.ticks < WAIT_TICKS:
                continue
            missing.ticks = 0
            here = [each for each in missing.named_by if each in self._sides]
            if not here:
                del self._missing[digest]
                continue
            missing.named_by = here[1:]
            asked = grafts.setdefault(here[0], [])
            if len(asked) < NAMES_PER_MESSAGE_MAX:
                asked.append(digest)
                self._sides[here[0]].is_eager = True
        return grafts

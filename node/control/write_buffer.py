"""Cells that are still to be stored, and what is to go from the disk for them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.accounting.ledger import EMPTY_BUCKET, UsageBucket, UsageKey, highest
from node.accounting.periods import is_since
from node.control.remote_usage import Recounts
from node.units import AccountId, NodeId


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """To be stored together, or to be given back."""

    cells: dict[UsageKey, UsageBucket]
    recounted: frozenset[tuple[NodeId, str]]
    """Nodes and days of which what is stored goes first."""
    outlived: frozenset[NodeId]
    """Nodes whose pages of a closed day are not kept any more."""
    waiting: tuple[Callable[[], None], ...]


class WriteBuffer:
    """Waits here however long the data folder cannot be used."""

    def __init__(self) -> None:
        self.cells: dict[UsageKey, UsageBucket] = {}
        self._recounted: set[tuple[NodeId, str]] = set()
        self._outlived: set[NodeId] = set()
        self._being_stored: frozenset[tuple[NodeId, str]] = frozenset()
        self.waiting: list[Callable[[], None]] = []
        """To be called when all that is here now is stored."""

    def keep(self, key: UsageKey, cell: UsageBucket) -> None:
        self.cells[key] = highest(self.cells.get(key, EMPTY_BUCKET), cell)

    def drop(self, is_gone: Callable[[UsageKey], bool]) -> None:
        self.cells = {key: cell for key, cell in self.cells.items() if not is_gone(key)}

    def recount(self, said: Recounts, is_open: Callable[[str], bool]) -> None:
        """What waits of these days is not said any more; what is, is to be kept after this. Where that is nothing, the
        pages of the day are not kept any more; of a closed day what is stored stays, as long as it is not too much."""
        if said:
            self.drop(lambda key: (key.node, key.day) in said)
        for (node, day), cells in said.items():
            if cells or is_open(day):
                self._recounted.add((node, day))
            else:
                self._outlived.add(node)

    def without_recounted(
        self, stored: Iterable[tuple[UsageKey, UsageBucket]]
    ) -> dict[UsageKey, UsageBucket]:
        """Of what is stored, what stays there."""
        going = self._recounted | self._being_stored
        return {key: cell for key, cell in stored if (key.node, key.day) not in going}

    def take(self) -> WriteBatch:
        """Everything; cells wait on until they are `stored`."""
        taken = WriteBatch(
            dict(self.cells), frozenset(self._recounted), frozenset(self._outlived), tuple(self.waiting)
        )
        self._being_stored = taken.recounted
        self._recounted, self._outlived, self.waiting = set(), set(), []
        return taken

    def give_back(self, taken: WriteBatch) -> None:
        """It could not be stored."""
        self._being_stored = frozenset()
        self._recounted |= taken.recounted
        self._outlived |= taken.outlived
        self.waiting += taken.waiting

    def stored(self, taken: WriteBatch) -> None:
        """What was counted again meanwhile waits on: what was just stored of it goes with the next writing."""
        again, self._being_stored = self._recounted, frozenset()
        self.cells = {
            key: cell
            for key, cell in self.cells.items()
            if taken.cells.get(key) != cell or (key.node, key.day) in again
        }
        for tell in taken.waiting:
            tell()


def joined(
    found: dict[UsageKey, UsageBucket],
    more: Iterable[tuple[UsageKey, UsageBucket]],
    since: str,
    node: NodeId | None,
    account: AccountId | None,
) -> dict[UsageKey, UsageBucket]:
    """`found`, raised to what `more` says of that day and later, of one node's books, of one account, or of all."""
    for key, cell in more:
        if node in {None, key.node} and account in {None, key.account} and is_since(key.day, since):
            found[key] = highest(found.get(key, EMPTY_BUCKET), cell)
    return found

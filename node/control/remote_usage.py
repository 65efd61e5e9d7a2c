"""What other nodes have said since the last reading."""

from collections.abc import Callable, Iterator, Mapping

from node.accounting.ledger import UsageBucket, UsageKey, highest
from node.units import NodeId

type Recounts = Mapping[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]]
"""By node and day: all that the node says of that day."""


class RemoteUsage:
    """Cells to merge, and days that were counted again; of each cell what is highest waits, however often it came."""

    def __init__(self) -> None:
        self._recounts: dict[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]] = {}
        self._merges: dict[tuple[NodeId, str], dict[UsageKey, UsageBucket]] = {}
        self.waiting: list[Callable[[], None]] = []
        """To be called when all of it is stored."""

    @property
    def recounts(self) -> Recounts:
        """To be taken before what is to be merged."""
        return self._recounts

    def merges(self) -> Iterator[tuple[UsageKey, UsageBucket]]:
        return (item for cells in self._merges.values() for item in cells.items())

    def merge(self, key: UsageKey, cell: UsageBucket) -> None:
        cells = self._merges.setdefault((key.node, key.day), {})
        known = cells.get(key)
        cells[key] = cell if known is None else highest(known, cell)

    def recount(self, node: NodeId, day: str, cells: Mapping[UsageKey, UsageBucket]) -> None:
        """What came before of the day is in these cells, or was taken back."""
        self._recounts[node, day] = cells
        self._merges.pop((node, day), None)

    def without(self, is_erased: Callable[[UsageKey], bool]) -> "RemoteUsage":
        """What is left of it."""
        left = RemoteUsage()
        left.waiting = self.waiting
        for (node, day), cells in self._recounts.items():
            left.recount(node, day, {key: cell for key, cell in cells.items() if not is_erased(key)})
        for key, cell in self.merges():
            if not is_erased(key):
                left.merge(key, cell)
        return left

    def give_back(self, earlier: "RemoteUsage") -> None:
        """What could not be taken, and is older than what is here."""
        for key, cell in earlier.merges():
            if (key.node, key.day) not in self._recounts:
                self.merge(key, cell)
        self._recounts = {**earlier.recounts, **self._recounts}
        self.waiting = [*earlier.waiting, *self.waiting]

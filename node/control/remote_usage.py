"""Usage that other nodes have sent since the last reading."""

from collections.abc import Callable, Iterator, Mapping

from node.accounting.ledger import UsageBucket, UsageKey, highest
from node.units import NodeId

type Recounts = Mapping[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]]
"""By node and day: the complete usage buckets of that node on that day."""


class RemoteUsage:
    """Usage buckets to merge, and complete days that replace earlier ones. Keeps only the highest value of each bucket."""

    def __init__(self) -> None:
        self._recounts: dict[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]] = {}
        self._merges: dict[tuple[NodeId, str], dict[UsageKey, UsageBucket]] = {}
        self.waiting: list[Callable[[], None]] = []
        """Called when all of it is stored."""

    @property
    def recounts(self) -> Recounts:
        """Complete days; to be applied before `merges`."""
        return self._recounts

    def merges(self) -> Iterator[tuple[UsageKey, UsageBucket]]:
        return (item for cells in self._merges.values() for item in cells.items())

    def merge(self, key: UsageKey, cell: UsageBucket) -> None:
        cells = self._merges.setdefault((key.node, key.day), {})
        known = cells.get(key)
        cells[key] = cell if known is None else highest(known, cell)

    def recount(self, node: NodeId, day: str, cells: Mapping[UsageKey, UsageBucket]) -> None:
        """Replaces everything received of that day: these buckets are complete."""
        self._recounts[node, day] = cells
        self._merges.pop((node, day), None)

    def without(self, is_erased: Callable[[UsageKey], bool]) -> "RemoteUsage":
        """A copy without erased accounts."""
        left = RemoteUsage()
        left.waiting = self.waiting
        for (node, day), cells in self._recounts.items():
            left.recount(node, day, {key: cell for key, cell in cells.items() if not is_erased(key)})
        for key, cell in self.merges():
            if not is_erased(key):
                left.merge(key, cell)
        return left

    def give_back(self, earlier: "RemoteUsage") -> None:
        """Queues earlier usage again that could not be applied; newer values take precedence."""
        for key, cell in earlier.merges():
            if (key.node, key.day) not in self._recounts:
                self.merge(key, cell)
        self._recounts = {**earlier.recounts, **self._recounts}
        self.waiting = [*earlier.waiting, *self.waiting]

"""The budgets of connections by the neighbour's key: one that connects again goes on with what it had left."""

from mesh.link_budget import LinkBudget
from node.units import Monotonic, NodeId

KEPT_MAX = 1024
"""As many as there may be nodes in a community."""


class LinkBudgets:
    """Those of connections now, and of those before. `now` never goes back."""

    def __init__(self) -> None:
        self._last: dict[NodeId, LinkBudget] = {}

    def begin(self, node: NodeId, now: Monotonic) -> LinkBudget:
        """For a new connection of this neighbour."""
        before = self._last.pop(node, None)
        made = before.successor(now) if before is not None else LinkBudget(now)
        self._last[node] = made
        if len(self._last) > KEPT_MAX:
            del self._last[next(iter(self._last))]
        return made

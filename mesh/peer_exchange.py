"""Members' nodes beyond one hop that may be called, from the addresses in their node pages.

What a page says is not proven, and a hostile one may name any host. So candidates are few and far between: one at a time for
this node as a whole, and for each member ever more seldom while no call proves its key, whatever addresses its pages name.
"""

from collections.abc import Callable, Iterable

from mesh.announcement import Address
from mesh.call_backoff import CallBackoff
from mesh.callable_address import is_callable
from mesh.node_kind import NodeFacts
from node.units import Milliseconds, Monotonic, NodeId

CANDIDATE_EVERY_S = 30.0
"""Between two candidates of this node."""
LINKS_ENOUGH = 4
"""A node with so many connections calls no candidates."""
AGAIN_MIN = Milliseconds(600_000)
AGAIN_MAX = Milliseconds(86_400_000)
"""Until the same member is called again: doubled with each call in vain, up to this."""
PAGES_PER_LOOK = 16
"""Pages read to find one candidate, so that a look stays short."""


class PeerExchange:
    """The candidates of one node."""

    def __init__(self) -> None:
        self._backoff: CallBackoff[NodeId] = CallBackoff(AGAIN_MIN, AGAIN_MAX)

    def candidate(
        self, members: Iterable[NodeId], page_of: Callable[[NodeId], NodeFacts | None], now: Monotonic
    ) -> tuple[NodeId, Address] | None:
        """One of `members`, in their order, with an address to call it; it counts as called in vain until `proved`."""
        looks = 0
        for node in members:
            if not self._backoff.is_due(node, now):
                continue
            looks += 1
            if looks > PAGES_PER_LOOK:
                return None
            addresses = _callable(page_of(node))
            if addresses:
                count = self._backoff.count(node)
                self._backoff.call(node, now)
                return node, addresses[count % len(addresses)]
        return None

    def proved(self, node: NodeId) -> None:
        """A connection to this member proved its key."""
        self._backoff.answered(node)


def _callable(facts: NodeFacts | None) -> list[Address]:
    return [each for each in facts.addresses if is_callable(each)] if facts is not None else []

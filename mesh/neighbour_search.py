"""Which of the hosts next to this one are called, to see whether they are nodes: for links on which announcements do not
arrive, and for networks in which a routing daemon knows the neighbours.

Most of them are no nodes and any host can appear as many, so calls are few, and ever more seldom at an address that does not
answer as a node.
"""

from collections.abc import Container, Iterable

from mesh.call_backoff import CallBackoff
from node.units import Milliseconds, Monotonic

SEARCH_EVERY_S = 15.0
"""Between two calls of this node."""
AGAIN_MIN, AGAIN_MAX = Milliseconds(300_000), Milliseconds(86_400_000)
"""Until the same address is called again: doubled with each call in vain, up to this."""


class NeighbourSearch:
    """The addresses of one node's neighbours."""

    def __init__(self) -> None:
        self._backoff: CallBackoff[str] = CallBackoff(AGAIN_MIN, AGAIN_MAX)

    def candidate(self, hosts: Iterable[str], known: Container[str], now: Monotonic) -> str | None:
        """The first of `hosts` to call now, not among the `known`: one that was never called, else one whose time has come.
        It counts as called in vain until `answered`."""
        due = [host for host in hosts if host not in known and self._backoff.is_due(host, now)]
        if not due:
            return None
        host = min(due, key=self._backoff.count)
        self._backoff.call(host, now)
        return host

    def answered(self, host: str) -> None:
        """A node of the community answered there."""
        self._backoff.answered(host)

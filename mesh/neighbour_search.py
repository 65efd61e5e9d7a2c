"""Which of the hosts next to this one are called, to see whether they are nodes: for links on which announcements do not
arrive, and for networks in which a routing daemon knows the neighbours.

Most of them are no nodes and any host can appear as many, so calls are few, and ever more seldom at an address that does not
answer as a node.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from node.units import Milliseconds, Monotonic

SEARCH_EVERY_S = 15.0
"""Between two calls of this node."""
AGAIN_MIN, AGAIN_MAX = Milliseconds(300_000), Milliseconds(86_400_000)
"""Until the same address is called again: doubled with each call in vain, up to this."""
TRIED_MAX = 1_024
"""Addresses remembered; the one called longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Tried:
    count: int
    again_at: Monotonic


class NeighbourSearch:
    """The addresses of one node's neighbours."""

    def __init__(self) -> None:
        self._tried: dict[str, _Tried] = {}
        """The one called longest ago first."""

    def candidate(self, hosts: Iterable[str], known: Container[str], now: Monotonic) -> str | None:
        """The first of `hosts` to call now, not among the `known`: one that was never called, else one whose time has come.
        It counts as called in vain until `answered`."""
        waiting = [host for host in hosts if host not in known]
        due = [host for host in waiting if host not in self._tried or now >= self._tried[host].again_at]
        if not due:
            return None
        host = min(due, key=lambda each: self._tried[each].count if each in self._tried else 0)
        self._try(host, now)
        return host

    def answered(self, host: str) -> None:
        """A node of the community answered there."""
        self._tried.pop(host, None)

    def _try(self, host: str, now: Monotonic) -> None:
        tried = self._tried.pop(host, None)
        count = tried.count if tried is not None else 0
        if len(self._tried) >= TRIED_MAX:
            del self._tried[next(iter(self._tried))]
        wait = min(AGAIN_MAX, AGAIN_MIN * 2 ** min(count, 16))
        self._tried[host] = _Tried(count + 1, Monotonic(now + wait))

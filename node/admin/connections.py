"""Limits on connections of the admin listener, and eviction: no client can lock admins out by keeping
connections open."""

from collections import Counter
from collections.abc import Hashable

from node.client_network import client_network


class AdminConnectionLimiter[Connection: Hashable]:
    """At most `total_max` at once, `per_address_max` of each IPv4 address or IPv6 /64. Above either, a new
    connection replaces the one that has been idle longest; a connection with a request in progress is never
    closed."""

    def __init__(self, total_max: int, per_address_max: int) -> None:
        self._total_max, self._per_address_max = total_max, per_address_max
        self._of: dict[Connection, str] = {}
        self._idle: dict[Connection, None] = {}
        """The longest idle first."""
        self._count: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._of)

    def enter(self, connection: Connection, address: str) -> tuple[bool, Connection | None]:
        """Whether the connection may stay, and which other one must be closed for it."""
        party, gone = client_network(address), None
        if self._count[party] >= self._per_address_max:
            gone = self._longest_idle(party)
        elif len(self._of) >= self._total_max:
            gone = self._longest_idle(self._largest_party())
        else:
            self._add(connection, party)
            return True, None
        if gone is None:
            return False, None
        self.leave(gone)
        self._add(connection, party)
        return True, gone

    def begin(self, connection: Connection) -> None:
        """A request of the connection is in progress."""
        self._idle.pop(connection, None)

    def end(self, connection: Connection) -> None:
        """The request is answered."""
        if connection in self._of:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def leave(self, connection: Connection) -> None:
        """The connection is closed, or about to be; calling it twice is harmless."""
        party = self._of.pop(connection, None)
        self._idle.pop(connection, None)
        if party is not None:
            self._count[party] -= 1
            if not self._count[party]:
                del self._count[party]

    def _add(self, connection: Connection, party: str) -> None:
        self._of[connection] = party
        self._idle[connection] = None
        self._count[party] += 1

    def _longest_idle(self, party: str | None) -> Connection | None:
        return next((each for each in self._idle if party in {self._of[each], None}), None)

    def _largest_party(self) -> str | None:
        """The party with the most connections, of those with an idle one; among equals, the one idle
        longest."""
        idle = dict.fromkeys(self._of[each] for each in self._idle)
        return max(idle, key=lambda party: self._count[party], default=None)

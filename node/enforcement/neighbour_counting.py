"""Lets the kernel count what passes the mesh interfaces, and reads it."""

import logging
import secrets
import socket
from collections.abc import Callable, Collection, Mapping

from node.accounting.link_days import NOT_COUNTED, NeighbourReading
from node.enforcement import neighbour_counters
from node.enforcement.libnftables import Nftables
from node.errors import KernelRefused

log = logging.getLogger(__name__)

REDIRECTING = "ifb"
"""Names of such interfaces begin like this. What another program sends through one, as SQM does with downloads, leaves
without passing the hook for packets that leave: neighbours would seem to have been sent less than they used."""


class NeighbourCounting:
    """Keeps the chains on the interfaces that are there. `say` runs one transaction, or raises KernelRefused."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._links: Mapping[str, int] | None = None
        """Where it counts, by name and index; None while that is not known."""
        self._is_refused = False

    def keep(self, interfaces: Collection[str]) -> None:
        """Counting goes on where it stands. In transactions of its own: a kernel without the hook for packets that leave
        (before Linux 5.16) still gets the other rules."""
        links = _indexes(interfaces)
        if links == self._links or self._is_refused or (self._links is None and not links):
            return
        try:
            if self._links is None:
                self._begin(links)
            else:
                self._say(neighbour_counters.chains(self._links, links))
        except KernelRefused as refused:
            self._is_refused = self._links is None
            log.warning("what neighbouring nodes send and get is not counted: %s", refused.message)
        else:
            self._links = links

    def forget(self) -> None:
        """Another program may have changed the ruleset."""
        self._links, self._is_refused = None, False

    def _begin(self, links: Mapping[str, int]) -> None:
        try:
            self._say(neighbour_counters.chains((), links))
        except KernelRefused:
            self._say(
                neighbour_counters.sets(secrets.randbelow(2**31 - 1) + 1)
                + neighbour_counters.chains((), links)
            )


def read_neighbours() -> NeighbourReading:
    """The counters now. Opens its own nftables context, so it may run in any thread."""
    if any(name.startswith(REDIRECTING) for _, name in socket.if_nameindex()):
        return NOT_COUNTED
    reader = Nftables()
    try:
        listed = reader.run(f"list table {neighbour_counters.TABLE}")
        return neighbour_counters.counted(listed, {name: index for index, name in socket.if_nameindex()})
    except KernelRefused:
        return NOT_COUNTED  # there is no mesh interface, or the kernel cannot count there
    finally:
        reader.close()


def _indexes(interfaces: Collection[str]) -> dict[str, int]:
    """Of those that exist."""
    here = {name: index for index, name in socket.if_nameindex()}
    return {name: here[name] for name in sorted(interfaces) if name in here}

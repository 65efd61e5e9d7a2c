"""What changed since a neighbour and this node last held the same pages, so that after a split both list only that (as in
Scuttlebutt's EBT, which skips what was said in the session before)."""

from collections.abc import Hashable

from mesh.messages import NAMES_PER_MESSAGE_MAX
from node.units import NodeId

CHANGES_MAX = 4_096
"""Pages remembered as changed, the latest. With more, whole lists are compared."""
NEIGHBOURS_MAX = 64
"""With an agreement; the one made longest ago is forgotten first. It outlasts the connection."""
ROOTS_MAX = 4
"""Agreements kept with one neighbour: it may not have heard of the last one."""


class Agreements[Name: Hashable]:
    """`Name` is how the caller calls a page."""

    def __init__(self) -> None:
        self._serial = self._forgotten = 0
        self._changes: dict[Name, int] = {}
        """The number of the last change of each page, oldest first."""
        self._agreed: dict[NodeId, dict[str, int]] = {}
        """By neighbour and root: the number of the last change before; the latest agreement last."""

    def changed(self, name: Name) -> None:
        """This page is held now, in this version."""
        self._serial += 1
        self._changes.pop(name, None)
        self._changes[name] = self._serial
        if len(self._changes) > CHANGES_MAX:
            oldest = next(iter(self._changes))
            self._forgotten = self._changes.pop(oldest)

    def agreed(self, neighbour: NodeId, root: str) -> None:
        """Both hold the pages with this root now."""
        roots = self._agreed.pop(neighbour, {})
        roots.pop(root, None)
        roots[root] = self._serial
        if len(roots) > ROOTS_MAX:
            del roots[next(iter(roots))]
        self._agreed[neighbour] = roots
        if len(self._agreed) > NEIGHBOURS_MAX:
            del self._agreed[next(iter(self._agreed))]

    def clear(self) -> None:
        """Pages were lost: what was agreed is not held any longer."""
        self._agreed.clear()

    def last(self, neighbour: NodeId) -> str | None:
        """The root of the latest agreement with this neighbour."""
        roots = self._agreed.get(neighbour)
        return next(reversed(roots)) if roots else None

    def since(self, neighbour: NodeId, root: str) -> list[Name] | None:
        """The pages that changed here since this root was agreed on; None if that is not known, or they are more than fit
        into one message."""
        agreed = self._agreed.get(neighbour, {}).get(root)
        if agreed is None or agreed < self._forgotten:
            return None
        found: list[Name] = []
        for name, serial in reversed(self._changes.items()):
            if serial <= agreed:
                break
            found.append(name)
        return found if len(found) <= NAMES_PER_MESSAGE_MAX else None

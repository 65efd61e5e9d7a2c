"""Notices for all nodes: this node's go to the others, and theirs are shown here with the name of their node."""

from collections.abc import Callable, Iterable

from node.accounts.notices import Notice
from node.accounts.registry import AccountRegistry
from node.accounts.told_notices import is_over, is_told
from node.app.shared_registry import SharedRegistry
from node.control.ports import Clock
from node.units import Monotonic, NodeId

NAMES_LOOK_MS = 60_000


class NoticeSharing:
    """Implements `mesh.ports.SharedNotices`. Used only from the event loop's thread."""

    def __init__(self, registry: AccountRegistry, shared: SharedRegistry, clock: Clock) -> None:
        self._board, self._heard, self._shared = registry.notices, registry.heard_notices, shared
        self.woken: Callable[[], None] = lambda: None
        self._board.stored = self._stored
        self._names: dict[NodeId, tuple[Monotonic, str]] = {}
        self._clock = clock
        self._heard.name_of = self._name_of

    @property
    def generation(self) -> int:
        return self._shared.generation

    def today(self) -> str:
        return self._shared.today()

    def own(self) -> Iterable[Notice]:
        today = self.today()
        return (each for each in self._board.all() if is_told(each) and not is_over(each, today))

    def hear(self, author: NodeId, part: int, notice: Notice | None) -> None:
        self._heard.hear(author, part, notice)

    def drop(self, author: NodeId) -> None:
        self._heard.drop(author)
        self._names.pop(author, None)

    def _stored(self) -> None:
        self.woken()

    def _name_of(self, node: NodeId) -> str:
        """Every page of the portal asks, so it is looked up now and then."""
        found, now = self._names.get(node), self._clock.monotonic()
        if found is None or now - found[0] >= NAMES_LOOK_MS:
            found = self._names[node] = now, self._shared.name_of_node(node)
        return found[1]

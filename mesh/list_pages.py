"""What a node lists for others beside its records: its vouchers, its notices and its gateways."""

from collections.abc import Callable, Iterable, Iterator

from mesh.batch_kind import BATCH_KIND
from mesh.batch_pages import BatchPages
from mesh.gateway_pages import GatewayPages
from mesh.held_pages import AllHeldPages
from mesh.notice_kind import NOTICE_KIND
from mesh.notice_pages import NoticePages
from mesh.page_format import Page
from mesh.ports import Roster, SharedRecords
from node.units import NodeId


class ListPages:
    """`woken` is called when there may be something to publish."""

    def __init__(
        self,
        own: NodeId,
        shared: SharedRecords | None,
        held: AllHeldPages,
        roster: Roster,
        woken: Callable[[], None],
    ) -> None:
        batches = shared.batches if shared is not None else None
        notices = shared.notices if shared is not None else None
        self._batches = BatchPages(own, batches, held, roster)
        self._notices = NoticePages(own, notices, held, roster)
        self._gateways = GatewayPages(own, shared, held, roster, woken)
        if batches is not None:
            batches.woken = _both(self._batches.changed, woken)
        if notices is not None:
            notices.woken = _both(self._notices.changed, woken)

    def accept(self, page: Page) -> None:
        """A page that is held now."""
        self._batches.accept(page)
        self._notices.accept(page)
        self._gateways.accept(page)

    def evicted(self, author: NodeId, names: Iterable[str]) -> None:
        """Pages with these names are not held any longer."""
        self._notices.evicted(author, names)

    def due(self, now_s: float) -> Iterator[tuple[str, int, bytes]]:
        """Exhaust this now and then: kind, part and body of each page to publish at this monotonic time."""
        self._batches.tick()
        self._notices.tick(now_s)
        self._gateways.tick()
        notices, batches = list(self._notices.due()), list(self._batches.due(now_s))
        if notices:
            self._batches.changed()  # they have another room from now on, for the next time
        yield from ((NOTICE_KIND.name, part, body) for part, body in notices)
        yield from ((BATCH_KIND.name, part, body) for part, body in batches)
        for part, body in self._gateways.due():
            yield self._gateways.kind, part, body

    def warnings(self) -> tuple[str, ...]:
        """What is not published."""
        return (*self._batches.warnings(), *self._gateways.warnings())


def _both(first: Callable[[], None], then: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        first()
        then()

    return call

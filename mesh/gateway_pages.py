"""Gateway pages: this node's to publish, and what those of other nodes say."""

from collections.abc import Callable, Iterator

from mesh.gateway_kind import GATEWAY_PARTS, GATEWAYS_KIND, GatewaysContent, gateways_body, gateways_label
from mesh.held_pages import HeldPages, held_page
from mesh.page_format import Page
from mesh.page_kinds import page_content
from mesh.ports import Roster, SharedGateways, SharedRecords
from node.units import NodeId


class GatewayPages:
    """Connects the pages that are held with the gateways of this node."""

    kind = GATEWAYS_KIND.name

    def __init__(
        self,
        own: NodeId,
        shared: SharedRecords | None,
        held: HeldPages,
        roster: Roster,
        woken: Callable[[], None],
    ) -> None:
        """`woken` is called when this node has something else to say."""
        self._own, self._held, self._roster = own, held, roster
        self._shared, self._woken = shared, woken
        self._known: frozenset[NodeId] = frozenset()
        """The other nodes whose pages were read."""

    @property
    def _gateways(self) -> SharedGateways | None:
        """They are connected when the node is complete."""
        return self._shared.gateways if self._shared is not None else None

    def accept(self, page: Page) -> None:
        """A page that is held now."""
        gateways = self._gateways
        if page.kind == GATEWAYS_KIND.name and page.author in self._known and gateways is not None:
            gateways.take([_told(page)])

    def tick(self) -> None:
        """Call now and then: reads the pages of nodes that are new in the community, and forgets those of nodes that are
        gone, and what waited too long for them."""
        gateways = self._gateways
        if gateways is None or not gateways.is_ready:
            return
        gateways.woken = self._woken
        roster = self._roster() - {self._own}
        gone, new, self._known = self._known - roster, roster - self._known, roster
        for author in sorted(gone):
            gateways.drop(author)
        labels = [(author, gateways_label(part)) for author in sorted(new) for part in range(GATEWAY_PARTS)]
        found = (held_page(self._held, *name) for name in labels)
        if pages := [_told(page) for page in found if page is not None]:
            gateways.take(pages)
        gateways.settle_overdue()

    def due(self) -> Iterator[tuple[int, bytes]]:
        """Part and body of each page to publish now."""
        gateways = self._gateways
        if gateways is None or not gateways.is_ready:
            return
        for part, content in gateways.own().items():
            body, raw = gateways_body(content), self._held.other_of(self._own, gateways_label(part))
            if (raw is not None or content != GatewaysContent()) and not _says(raw, body):
                yield part, body

    def warnings(self) -> tuple[str, ...]:
        """What is not told to other nodes."""
        gateways = self._gateways
        return tuple(gateways.warnings()) if gateways is not None else ()


def _told(page: Page) -> tuple[NodeId, int, GatewaysContent]:
    """A page that cannot be read says nothing."""
    said = page_content(page)
    return page.author, page.part, said if isinstance(said, GatewaysContent) else GatewaysContent()


def _says(raw: bytes | None, body: bytes) -> bool:
    return raw is not None and raw.split(b"\n")[1] == body

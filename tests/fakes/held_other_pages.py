"""Pages of other kinds than usage, held in memory."""

from mesh.page_format import Page
from node.units import NodeId
from tests.fakes.mesh_exchange import an_other_page


class HeldOtherPages:
    """By author and label. Implements `mesh.held_pages.AllHeldPages`."""

    def __init__(self, kind: str) -> None:
        """`kind`: of the pages that are made here, unless `hold` is told another one."""
        self._kind = kind
        self.pages: dict[tuple[NodeId, str], bytes] = {}

    def other_of(self, author: NodeId, label: str) -> bytes | None:
        return self.pages.get((author, label))

    def others_of(self, author: NodeId) -> list[bytes]:
        return [raw for (node, _), raw in self.pages.items() if node == author]

    def hold(self, name: str, part: int, body: bytes, seq: int = 1, kind: str = "") -> Page:
        """A page of the node with this name says this now."""
        page = an_other_page(kind=kind or self._kind, period="now", part=part, body=body, name=name, seq=seq)
        self.pages[page.author, page.label] = page.raw
        return page

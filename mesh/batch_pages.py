"""Batch pages: this node's to publish, and what those of other nodes say."""

from collections.abc import Iterator

from mesh.batch_kind import (
    BATCH_KIND,
    BATCH_PARTS,
    NAME,
    BatchContent,
    batch_body,
    batch_label,
    batches_by_part,
)
from mesh.held_pages import AllHeldPages, held_page
from mesh.other_pages import OTHER_BYTES_MAX, OTHER_PAGES_MAX
from mesh.page_age import is_to_be_said_again
from mesh.page_format import Page
from mesh.page_kinds import page_content
from mesh.ports import Roster, SharedBatches
from node.translator import ngettext_lazy
from node.units import NodeId

RESERVED_BYTES = 8 * 1024
"""Of the limit for pages of other kinds than usage: room in which those of other kinds may grow."""
LOOK_EVERY_S = 6 * 3600.0
"""Between two looks for vouchers that ended, and for pages that have to be said again."""
PAGE_BYTES_MIN = OTHER_BYTES_MAX // OTHER_PAGES_MAX


class BatchPages:
    """Connects the pages that are held with the vouchers of this node."""

    def __init__(
        self, own: NodeId, batches: SharedBatches | None, held: AllHeldPages, roster: Roster
    ) -> None:
        self._own, self._batches, self._held, self._roster = own, batches, held, roster
        self._generation = 0
        self._left_out = 0
        self._changed, self._look_at_s = True, 0.0
        self._known: frozenset[NodeId] = frozenset()
        """The nodes whose pages were read."""

    def accept(self, page: Page) -> None:
        """A page that is held now."""
        if page.kind == BATCH_KIND.name and page.author in self._known and self._batches is not None:
            self._take(self._batches, page)

    def changed(self) -> None:
        """This node may have other batches to say."""
        self._changed = True

    def tick(self) -> None:
        """Call now and then: reads the pages of nodes that are new in the community, and all when they have to be read
        again."""
        batches, roster = self._batches, self._roster()
        if batches is None or not batches.generation:
            return
        if batches.generation != self._generation:
            self._generation, self._known, self._changed = batches.generation, frozenset(), True
        new, self._known = roster - self._known, roster
        # This node's own first: its pages say which batches are its own.
        for author in sorted(new, key=lambda node: (node != self._own, node)):
            for part in range(BATCH_PARTS):
                page = held_page(self._held, author, batch_label(part))
                if page is not None:
                    self._take(batches, page)

    def due(self, now_s: float) -> Iterator[tuple[int, bytes]]:
        """Part and body of each page to publish at this monotonic time."""
        batches = self._batches
        if batches is None or not self._generation or not (self._changed or now_s >= self._look_at_s):
            return
        self._changed, self._look_at_s = False, now_s + LOOK_EVERY_S
        parts, self._left_out = batches_by_part(batches.own(), self._room(), PAGE_BYTES_MIN)
        for part in range(BATCH_PARTS):
            listed, said = parts.get(part, ()), self._said(part)
            if said is None and not listed:
                continue
            today = batches.today()
            if said is None or said.batches != listed or is_to_be_said_again(said.day, today):
                yield part, batch_body(BatchContent(today, listed))

    def warnings(self) -> tuple[str, ...]:
        """What is not published."""
        beyond = tuple(self._batches.warnings()) if self._batches is not None else ()
        if not self._left_out:
            return beyond
        return (
            *beyond,
            ngettext_lazy(
                "{number} batch of vouchers is not told to other nodes, because this node tells as much as it may: issue "
                "vouchers in fewer, larger batches, or at another node",
                "{number} batches of vouchers are not told to other nodes, because this node tells as much as it may: issue "
                "vouchers in fewer, larger batches, or at another node",
                self._left_out,
            ),
        )

    def _room(self) -> int:
        """Bytes for batches beside the pages of other kinds."""
        others = (raw for raw in self._held.others_of(self._own) if not _is_batch_page(raw))
        return OTHER_BYTES_MAX - RESERVED_BYTES - sum(max(len(raw), PAGE_BYTES_MIN) for raw in others)

    def _said(self, part: int) -> BatchContent | None:
        page = held_page(self._held, self._own, batch_label(part))
        said = page_content(page) if page is not None else None
        return said if isinstance(said, BatchContent) else None

    @staticmethod
    def _take(batches: SharedBatches, page: Page) -> None:
        said = page_content(page)
        if isinstance(said, BatchContent):
            batches.take(page.author, said)


def _is_batch_page(raw: bytes) -> bool:
    """Of a page that was verified; its head is canonical."""
    return b'"kind":"' + NAME.encode() + b'"' in raw.split(b"\n", 1)[0]

"""Registry pages: this node's to publish, and what those of other nodes say."""

from collections.abc import Callable, Iterable, Iterator

from mesh.held_pages import HeldPages, held_page
from mesh.page_format import Malformed, Page
from mesh.page_kinds import Content, page_content
from mesh.ports import Roster, SharedRecords
from mesh.registry_kind import (
    REGISTRY_KIND,
    REGISTRY_PARTS,
    RegistryContent,
    part_of_label,
    registry_body,
    registry_label,
)
from node.units import NodeId

REST_EVERY_S = 60.0
"""Between two looks for what this node does not need to say any longer."""
ADOPT_AFTER_S = 30.0, 300.0
"""How long a record may be said by no node before one that knows it says it again: random, so that mostly one node does."""


class RegistryPages:
    """Connects the pages that are held with the records of this node. Times are monotonic seconds."""

    def __init__(
        self,
        own: NodeId,
        records: SharedRecords | None,
        held: HeldPages,
        roster: Roster,
        chance: Callable[[float, float], float],
    ) -> None:
        """`chance`: a random number between two."""
        self._own, self._records, self._held, self._roster = own, records, held, roster
        self._chance = chance
        self._generation = 0
        self._known: frozenset[NodeId] = frozenset()
        """The nodes whose pages were read."""
        self._adopt_at_s: dict[int, float] = {}
        self._rest_at_s = 0.0

    def accept(self, page: Page, said: Content) -> None:
        """A page that is held now."""
        if page.kind == REGISTRY_KIND.name and self._is_reading(page.author):
            self._take(page.author, part_of_label(page.label), said)

    def evicted(self, author: NodeId, names: Iterable[str]) -> None:
        """Pages with these names are not held any longer."""
        if self._is_reading(author):
            for name in names:
                label = name.split("/", 2)[2]  # after author and incarnation
                part = part_of_label(label)
                if part is not None and self._held.other_of(author, label) is None:
                    self._take(author, part, None)

    def tick(self, now_s: float) -> Iterator[None]:
        """Exhaust this now and then: which nodes are of the community, and which records no node says. It yields after each
        page, so that others may run between them."""
        if self._records is not None and self._records.generation:
            yield from self._follow_roster(self._records)
            self._adopt(self._records, now_s)

    def due(self, now_s: float) -> Iterator[tuple[int, bytes]]:
        """Part and body of each page to publish now."""
        if self._records is None or not self._generation:
            return
        is_all = now_s >= self._rest_at_s
        if is_all:
            self._rest_at_s = now_s + REST_EVERY_S
        for part in self._records.changed_parts(is_all=is_all):
            raw = self._held.other_of(self._own, registry_label(part))
            body = self._records.body(part) or (registry_body(()) if raw is not None else None)
            if body is not None and (raw is None or raw.split(b"\n")[1] != body):
                yield part, body

    def warnings(self) -> tuple[str, ...]:
        """What is not published."""
        return self._records.warnings() if self._records is not None else ()

    def _is_reading(self, author: NodeId) -> bool:
        return author in self._known

    def _take(self, author: NodeId, part: int | None, said: Content | Malformed | None) -> None:
        if part is not None and self._records is not None:
            self._records.take(author, part, said.records if isinstance(said, RegistryContent) else ())

    def _follow_roster(self, records: SharedRecords) -> Iterator[None]:
        """Read the pages of nodes that are new in the community, and of all when they have to be read again."""
        roster = self._roster()
        if records.generation != self._generation:
            self._generation, self._known = records.generation, frozenset()
            records.read_again()
        if roster == self._known:
            return
        for gone in self._known - roster:
            records.drop(gone)
        new = roster - self._known
        self._known = roster
        for author in sorted(new):
            for part in range(REGISTRY_PARTS):
                page = held_page(self._held, author, registry_label(part))
                if page is not None:
                    self._take(author, part, page_content(page))
                    yield

    def _adopt(self, records: SharedRecords, now_s: float) -> None:
        orphans = records.orphans()
        self._adopt_at_s = {part: at for part, at in self._adopt_at_s.items() if part in orphans}
        for part, names in orphans.items():
            if now_s >= self._adopt_at_s.setdefault(part, now_s + self._chance(*ADOPT_AFTER_S)):
                del self._adopt_at_s[part]
                records.adopt(names)

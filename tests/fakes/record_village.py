"""Nodes that tell each other registry records, with pages that are kept as the exchange keeps them, and no network."""

from dataclasses import dataclass, field

from mesh.page_format import NUMBER_MAX
from mesh.registry_kind import RegistryContent, registry_body, registry_content
from mesh.registry_records import RegistryRecords
from node.accounts.registry_record import RecordRow, RegistryRecord, Value
from node.units import NodeId

SEQ_BLOCK = 3

type PageVersion = tuple[int, int, bytes]
"""Incarnation, seq and body: the greatest is the newest."""


def earliest(one: Value, other: Value) -> Value:
    """A join of its own: the least number of each field."""
    return {name: min(v[name] for v in (one, other) if name in v) for name in {*one, *other}}


JOINS = {"fact": None, "start": earliest}


@dataclass(frozen=True, slots=True)
class RecordDisk:
    """What a node has on its disk."""

    rows: tuple[RecordRow, ...] = ()
    pages: tuple[tuple[tuple[NodeId, int], PageVersion], ...] = ()
    incarnation: int = 1
    reserved: int = 0


@dataclass
class RecordNode:
    """One node."""

    node: NodeId
    roster: frozenset[NodeId]
    disk: RecordDisk = field(default_factory=RecordDisk)
    today: str = ""
    version_max: int = NUMBER_MAX

    def __post_init__(self) -> None:
        self.start(self.disk)

    def start(self, disk: RecordDisk) -> None:
        self.records = RegistryRecords(self.node, JOINS)
        self.records.load(disk.rows, self.version_max)
        self.pages: dict[tuple[NodeId, int], PageVersion] = {}
        self.incarnation, self.seq, self.reserved = disk.incarnation, disk.reserved, disk.reserved
        for name, page in disk.pages:
            self.hear(name, page)

    def saved(self) -> RecordDisk:
        return RecordDisk(
            tuple(self.records.rows()), tuple(self.pages.items()), self.incarnation, self.reserved
        )

    def hear(self, name: tuple[NodeId, int], page: PageVersion) -> None:
        author, part = name
        if author not in self.roster or (name in self.pages and self.pages[name] >= page):
            return
        self.pages[name] = page
        if author == self.node and (
            page[0] > self.incarnation or page[:2] > (self.incarnation, self.reserved)
        ):
            self.incarnation, self.seq, self.reserved = page[0] + 1, 0, 0
        said = registry_content(page[2])
        assert isinstance(said, RegistryContent)
        self.records.take(author, part, said.records, self.today, self.version_max)

    def raise_to(self, version_max: int) -> None:
        """Admins decided about a node: all pages are read again."""
        self.version_max = version_max
        self.records.read_again()
        for (author, part), page in self.pages.items():
            said = registry_content(page[2])
            assert isinstance(said, RegistryContent)
            self.records.take(author, part, said.records, self.today, self.version_max)

    def publish(self) -> None:
        for part in self.records.changed_parts(is_all=True):
            held, body = self.pages.get((self.node, part)), self.records.body(part)
            body = body or (registry_body(()) if held is not None else None)
            if body is None or (held is not None and held[2] == body):
                continue
            self.seq += 1
            if self.seq > self.reserved:
                self.reserved = self.seq + SEQ_BLOCK
            page = self.incarnation, self.seq, body
            if held is None or page > held:
                self.pages[self.node, part] = page

    def talk(self, other: "RecordNode") -> None:
        """Each gets the pages of the other."""
        for one, two in ((self, other), (other, self)):
            for name, page in tuple(one.pages.items()):
                two.hear(name, page)

    def remove(self, gone: NodeId) -> None:
        self.roster -= {gone}
        self.pages = {name: page for name, page in self.pages.items() if name[0] != gone}
        self.records.drop(gone)

    def adopt(self) -> None:
        for names in self.records.orphans().values():
            self.records.adopt(names, self.today)

    def knows(self) -> dict[tuple[str, str], RegistryRecord]:
        return {(each.kind, each.key): each for kind in JOINS for each in self.records.all(kind)}


def settle(nodes: list[RecordNode]) -> None:
    """Everything is said to everybody, and what nobody says is adopted by all who know it."""
    for _ in range(4):
        for _ in range(2 * len(nodes)):
            for one in nodes:
                one.publish()
                for other in nodes:
                    one.talk(other)
        for each in nodes:
            each.adopt()

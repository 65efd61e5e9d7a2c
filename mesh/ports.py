"""Interfaces of the mesh to the rest of the node."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.batch_kind import BatchContent, BatchSaid
from mesh.gateway_kind import GatewaysContent
from mesh.publishing import OpenAllowance
from node.accounting.ledger import UsageBucket
from node.accounts.notices import Notice
from node.accounts.registry_record import RegistryRecord
from node.units import AccountId, NodeId


@dataclass(frozen=True, slots=True)
class PeerView:
    """A neighbour, as status pages show it."""

    node: NodeId
    name: str
    state: str
    """As `mesh.peering.name_of` returns it; ``stranger`` for a key that is not on the community's node list."""
    addresses: tuple[str, ...]
    heard_seconds_ago: int | None


class UsageLedger(Protocol):
    """Usage buckets: our own to publish, others' to merge."""

    @property
    def incarnation(self) -> str:
        """Name of this incarnation of our ledger, 1 to 32 letters, digits, ``-`` or ``_``; empty until it is loaded."""

    async def own_buckets(self) -> Iterable[tuple[str, str, AccountId, UsageBucket]]:
        """(incarnation, day, account, bucket) of this node's ledger to publish, including earlier incarnations."""

    def open_allowance(self, account: AccountId) -> OpenAllowance | None:
        """The account's allowances by volume that are not used up; None if it has none."""

    def outlive(self, incarnation: str) -> None:
        """Neighbours have newer data of this incarnation than our ledger: start a new incarnation with a greater
        number."""

    def merge_page(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        """Merge buckets (incarnation, account, bucket) of a member, whose signature was verified; also our own when a
        neighbour returns them."""

    def recount(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        """Replace another member's usage of that day by `buckets`; usage that is not among them no longer counts. Usage
        outside all current periods may stay, because some of its pages may be evicted."""

    @property
    def has_room(self) -> bool:
        """Whether more can be merged now; False while too much of it is not on disk. Nothing is lost that is merged all the
        same."""

    async def kept(self) -> None:
        """Wait until all earlier calls of `merge_page` and `recount` are on disk."""


class PageCache(Protocol):
    """Signed pages as received, kept across restarts and forwarded unchanged."""

    @property
    def generation(self) -> int:
        """Another number when another database has taken its place, which may lack any page."""

    async def names(self, after: str = "") -> list[str]:
        """Of what was saved: the first names after this one, sorted; none at the end. Raises StorageTrouble."""

    async def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """What was saved under these names, without those that are not there. Raises StorageTrouble."""

    async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
        """Store (page name, bytes) pairs; a page replaces the older one with the same name. Delete the pages named in
        `gone`. The record `mesh.unbooked_pages.BOOKED` is true only beside the usage of the database that was loaded
        from: another one gets none."""


class NetworkTime(Protocol):
    """This node's clock, as its neighbours need it and serve it."""

    def told(self) -> tuple[int, int] | None:
        """The Unix time in seconds, and through how many nodes it came here; None while it is not known for certain."""

    @property
    def is_needed(self) -> bool:
        """Whether neighbours are asked: the clock of this node was never set."""

    def learn(self, unix_s: int, hops: int) -> None:
        """The time as neighbours say it. Never sets an earlier one than before."""


class StatementStore(Protocol):
    """What admins signed about the community, kept across restarts."""

    def load(self) -> Iterable[bytes]: ...

    async def save(self, rows: Iterable[tuple[str, bytes]], gone: Iterable[str]) -> None:
        """Store (name, row) pairs and delete the rows named in `gone`; on disk when this returns. Raises StorageTrouble."""


class SecretStore(Protocol):
    """The community's secrets after the first, kept across restarts."""

    def load(self) -> Iterable[bytes]: ...

    def make(self) -> bytes:
        """A new random secret, which is not stored yet."""

    async def save(self, secrets: Iterable[bytes]) -> None:
        """Store exactly these; on disk when this returns. Raises StorageTrouble."""


class SharedRecords(Protocol):
    """The registry records of this node, as its pages say them and other nodes' pages change them."""

    woken: Callable[[], None]
    """Called when this node has something new to say."""
    batches: "SharedBatches | None"
    """The vouchers of this node; None: they are not told."""
    gateways: "SharedGateways | None"
    """The gateways of this node; None: they are not told."""
    notices: "SharedNotices | None"
    """Its notices; None: they are not told."""

    @property
    def generation(self) -> int:
        """Another number than before: all pages have to be read again. 0: not yet, the database was not read."""

    def take(self, author: NodeId, part: int, records: Iterable[RegistryRecord]) -> None:
        """A page of a node of the community says exactly these in that part."""

    def drop(self, author: NodeId) -> None:
        """The node is not of the community any longer."""

    def read_again(self) -> None:
        """All pages are about to be read."""

    def changed_parts(self, *, is_all: bool) -> tuple[int, ...]:
        """Parts of this node that may differ from its pages; without `is_all`, those that say something new."""

    def body(self, part: int) -> bytes | None:
        """What this node says in that part; None: nothing."""

    def orphans(self) -> Mapping[int, Iterable[tuple[str, str]]]:
        """By part: kind and key of the records that no page says."""

    def adopt(self, names: Iterable[tuple[str, str]]) -> None:
        """Say these if no other node does."""

    async def kept(self) -> None:
        """Wait until what this node says now is on the disk; not longer than a try takes. While the disk cannot be written,
        other nodes are where it is kept."""

    def warnings(self) -> tuple[str, ...]:
        """What is not said to other nodes."""


class SharedBatches(Protocol):
    """The vouchers of this node, as its pages say them and other nodes' pages change them."""

    woken: Callable[[], None]
    """Called when this node has other batches to say."""

    @property
    def generation(self) -> int:
        """Another number than before: all pages have to be read again. 0: not yet, the database was not read."""

    def warnings(self) -> tuple[str, ...]:
        """What is not valid at this node."""

    def today(self) -> str:
        """Empty while the date is not known."""

    def own(self) -> Iterable[BatchSaid]:
        """What this node says."""

    def take(self, author: NodeId, content: BatchContent) -> None:
        """What a page of a node of the community says; of this node too, when others give its pages back."""


class SharedGateways(Protocol):
    """The gateways of this node that another one serves too, and what the two ask each other about counters."""

    woken: Callable[[], None]
    """Called when this node has something else to say."""

    @property
    def is_ready(self) -> bool:
        """False until the database is read."""

    def own(self) -> Mapping[int, GatewaysContent]:
        """What this node says, by part; an empty content takes back what was said there."""

    def settle_overdue(self) -> None:
        """Books and forgets what waited too long for another node. Call now and then, before `own`."""

    def take(self, pages: Sequence[tuple[NodeId, int, GatewaysContent]]) -> None:
        """Author, part and content: other nodes of the community say exactly this in those parts, none before the others."""

    def drop(self, author: NodeId) -> None:
        """The node is not of the community any longer."""

    def warnings(self) -> Iterable[str]:
        """What is not told, or not served."""


class SharedNotices(Protocol):
    """The notices for all nodes: this node's to say, and those that other nodes say."""

    woken: Callable[[], None]
    """Called when this node has other notices to say."""

    @property
    def generation(self) -> int:
        """As that of `SharedRecords`."""

    def today(self) -> str:
        """Empty while the date is not known."""

    def own(self) -> Iterable[Notice]:
        """What this node says."""

    def hear(self, author: NodeId, part: int, notice: Notice | None) -> None:
        """Another node of the community says exactly this in that part of its pages."""

    def drop(self, author: NodeId) -> None:
        """The node is not of the community any longer."""


Roster = Callable[[], frozenset[NodeId]]
"""The node keys on the community's node list now, including our own."""

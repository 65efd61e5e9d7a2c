"""What a mesh needs from its node, in memory: a ledger, a page cache, and keys that are the same in each run."""

import hashlib
import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.publishing import OpenAllowance
from node.accounting.ledger import Ledger, UsageBucket, UsageKey, incarnation_name, incarnation_number
from node.errors import StorageTrouble
from node.identity import key_from_raw, own_node_id
from node.units import AccountId, Bytes, NodeId, Usage

NAMES_TOGETHER = 3
TODAY = "2026-11-24"


def key_of(name: str) -> Ed25519PrivateKey:
    """The key of the node called `name`; only tests may derive keys like this."""
    return key_from_raw(hashlib.sha256(name.encode()).digest())


def id_of(name: str) -> NodeId:
    return own_node_id(key_of(name))


def bucket(down: int, up: int = 0) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(up)), Usage(Bytes(0), Bytes(0)))


class FakeUsageLedger:
    """Implements `mesh.ports.UsageLedger` on a ledger in memory."""

    def __init__(self, node: NodeId, incarnation: str = "life-1") -> None:
        self.node = node
        self.incarnation = incarnation
        self.ledger = Ledger()
        self.pages_merged = 0
        self.has_room = True

    def book(self, account: str, used: Usage, day: str = TODAY) -> None:
        self.ledger.add(UsageKey(self.node, self.incarnation, AccountId(account), day), used, busy=False)

    async def own_buckets(self) -> Iterable[tuple[str, str, AccountId, UsageBucket]]:
        mine = ((key, found) for key, found in self.ledger.buckets() if key.node == self.node)
        return [(key.incarnation, key.day, key.account, found) for key, found in mine]

    def buckets_now(self) -> Iterable[tuple[str, AccountId, UsageBucket]]:
        """Buckets of this incarnation."""
        own = self.node, self.incarnation
        return [
            (key.day, key.account, bucket)
            for key, bucket in self.ledger.buckets()
            if (key.node, key.incarnation) == own
        ]

    def open_allowance(self, _account: AccountId) -> OpenAllowance | None:
        """So small that everything is published at once."""
        return OpenAllowance(1, 1)

    def outlive(self, incarnation: str) -> None:
        number = max(map(incarnation_number, (incarnation, self.incarnation))) + 1
        self.incarnation = incarnation_name(number, secrets.token_hex(4))

    def merge_page(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        self.pages_merged += 1
        for incarnation, account, found in buckets:
            self.ledger.merge(UsageKey(author, incarnation, account, day), found)

    def recount(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        said = {UsageKey(author, incarnation, account, day): found for incarnation, account, found in buckets}
        self.ledger.recount({(author, day): said})

    async def kept(self) -> None:
        """This fake stores nothing."""

    def used(self, account: str, period: str = TODAY) -> int:
        return self.ledger.total(AccountId(account), period).uplink.total

    def used_by_own(self, account: str) -> int:
        return sum(found.uplink.total for _, owner, found in self.buckets_now() if owner == account)


class FakeNetworkTime:
    """Implements `mesh.ports.NetworkTime`: a clock that stands still, known from the start or learned."""

    def __init__(self, unix_s: int | None = None) -> None:
        self.unix_s, self.hops, self.is_needed = unix_s, 0, unix_s is None
        self.asked = 0
        """How often it was."""

    def told(self) -> tuple[int, int] | None:
        self.asked += 1
        return None if self.unix_s is None else (self.unix_s, self.hops)

    def learn(self, unix_s: int, hops: int) -> None:
        self.unix_s, self.hops = unix_s, hops


class FakePageCache:
    """Implements `mesh.ports.PageCache` in memory."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.full = False
        self.generation = 0

    async def names(self, after: str = "") -> list[str]:
        return sorted(name for name in self.records if name > after)[:NAMES_TOGETHER]

    async def read(self, names: Iterable[str]) -> dict[str, bytes]:
        return {name: self.records[name] for name in names if name in self.records}

    async def save(self, pages: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()) -> None:
        if self.full:
            raise StorageTrouble("the disk is full", "make room")
        self.records.update(pages)
        for name in gone:
            self.records.pop(name, None)

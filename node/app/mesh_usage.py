"""The usage ledger as the mesh sees it."""

from collections.abc import Iterable
from datetime import date, timedelta

from mesh.announcement import Address, ConfiguredPeer
from mesh.page_versions import DAYS_MAX
from mesh.publishing import STEP_PERMILLE, OpenAllowance
from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.config import MeshSection
from node.control.reconciler import Reconciler
from node.units import AccountId, NodeId


def configured_peers(settings: MeshSection) -> tuple[ConfiguredPeer, ...]:
    return tuple(ConfiguredPeer(Address(peer.address, peer.port), peer.node) for peer in settings.peers)


class MeshUsage:
    """Implements `mesh.ports.UsageLedger`."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler

    @property
    def incarnation(self) -> str:
        """This node's incarnation; empty until the database has been read."""
        return self._reconciler.persistence.writer.incarnation

    async def own_buckets(self) -> Iterable[tuple[str, str, AccountId, UsageBucket]]:
        persistence, today = self._reconciler.persistence, self._reconciler.today()
        since = "" if today == DAY_UNKNOWN else str(date.fromisoformat(today) - timedelta(days=DAYS_MAX))
        buckets = await persistence.buckets(since, node=persistence.writer.node)
        return [
            (key.incarnation, key.day, key.account, bucket)
            for key, bucket in buckets.items()
            if persistence.may_be_published(key)
        ]

    def open_allowance(self, account: AccountId) -> OpenAllowance | None:
        quotas = [
            (quota.allowed, quota.allowed - quota.used)
            for quota in self._reconciler.allowance(account).quotas
            if quota.used < quota.allowed
        ]
        if not quotas:
            return None
        step = min(allowed for allowed, _ in quotas) * STEP_PERMILLE // 1000
        return OpenAllowance(max(1, step), min(left for _, left in quotas))

    def outlive(self, incarnation: str) -> None:
        self._reconciler.persistence.outlive(incarnation)

    def merge_page(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        for incarnation, account, bucket in buckets:
            self._reconciler.merge(UsageKey(author, incarnation, account, day), bucket)

    def recount(
        self, author: NodeId, day: str, buckets: Iterable[tuple[str, AccountId, UsageBucket]]
    ) -> None:
        said = {
            UsageKey(author, incarnation, account, day): bucket for incarnation, account, bucket in buckets
        }
        self._reconciler.recount(author, day, said)

    @property
    def has_room(self) -> bool:
        return not self._reconciler.persistence.write_buffer.is_full

    async def kept(self) -> None:
        await self._reconciler.kept()

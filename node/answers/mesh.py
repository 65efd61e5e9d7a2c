"""The ledger as the fence sees it."""

from collections.abc import Iterable
from datetime import date, timedelta

from mesh.collection import DAYS_MAX
from node.accounting.ledger import Cell, CellKey
from node.accounting.periods import DAY_UNKNOWN
from node.reconcile.loop import Reconcile
from node.units import AccountId, NodeId


class LedgerBooks:
    """Implements `mesh.ports.UsageBooks`."""

    def __init__(self, reconcile: Reconcile) -> None:
        self._reconcile = reconcile

    @property
    def incarnation(self) -> str:
        """Name of this life of our books; empty until the memory has been read."""
        return self._reconcile.keeper.writer.incarnation

    async def own_cells(self) -> Iterable[tuple[str, str, AccountId, Cell]]:
        keeper, today = self._reconcile.keeper, self._reconcile.today()
        since = "" if today == DAY_UNKNOWN else str(date.fromisoformat(today) - timedelta(days=DAYS_MAX))
        cells = await keeper.cells(since, node=keeper.writer.node)
        return [
            (key.incarnation, key.day, key.account, cell)
            for key, cell in cells.items()
            if keeper.may_be_told(key)
        ]

    def outlive(self, life: str) -> None:
        self._reconcile.keeper.outlive(life)

    def merge_page(
        self, author: NodeId, incarnation: str, day: str, cells: Iterable[tuple[AccountId, Cell]]
    ) -> None:
        for account, cell in cells:
            self._reconcile.merge(CellKey(author, incarnation, account, day), cell)

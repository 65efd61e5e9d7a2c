"""The ledger as the fence sees it."""

from collections.abc import Iterable

from node.accounting.ledger import Cell, CellKey
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
        keeper = self._reconcile.keeper
        return [
            (key.incarnation, key.day, key.account, cell)
            for key, cell in self._reconcile.ledger.cells_of(keeper.writer.node)
            if keeper.may_be_told(key)
        ]

    def outlive(self, life: str) -> None:
        self._reconcile.keeper.outlive(life)

    def merge_page(
        self, author: NodeId, incarnation: str, day: str, cells: Iterable[tuple[AccountId, Cell]]
    ) -> None:
        for account, cell in cells:
            self._reconcile.merge(CellKey(author, incarnation, account, day), cell)

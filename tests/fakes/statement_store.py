"""Where tests keep what admins signed about a community."""

from collections.abc import Iterable

from node.errors import StorageTrouble


class FakeStatementStore:
    """Implements `mesh.ports.StatementStore` in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.is_full = False

    def load(self) -> Iterable[bytes]:
        return list(self.rows.values())

    async def save(self, rows: Iterable[tuple[str, bytes]], gone: Iterable[str]) -> None:
        if self.is_full:
            raise StorageTrouble("the disk is full", "delete something")
        for name in gone:
            self.rows.pop(name, None)
        self.rows.update(rows)

"""Backups in memory, for the admin pages."""

from dataclasses import replace
from datetime import datetime
from io import BytesIO

from node.backup.age import recipient_of
from node.backup.ports import BackupFile, BackupState
from node.errors import NodeError

CONTENT = b"age-encryption.org/v1\n..."


class FakeBackups:
    """Implements `node.backup.ports.BackupPort`."""

    def __init__(self) -> None:
        self.known = BackupState()
        self.trouble: NodeError | None = None
        self.now = datetime.fromisoformat("2027-03-01T12:00:00+01:00")
        self.secrets: list[bytes] = []

    async def state(self) -> BackupState:
        return self.known

    async def replace_key(self, secret: bytes) -> None:
        self._fail()
        self.secrets.append(secret)
        self.known = replace(self.known, recipients=(recipient_of(secret),), since=self.now, trouble="")

    async def create(self) -> BackupFile:
        self._fail()
        self.known = replace(self.known, last=self.now)
        return BackupFile("square-2027-03-01.backup", BytesIO(CONTENT))

    def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble

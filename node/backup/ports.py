"""What the admin pages need of backups of a running node."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Protocol

OVERDUE = timedelta(days=30)
"""After so long without a backup the overview asks for one, if there is a key."""


@dataclass(frozen=True, slots=True)
class BackupState:
    """What is known of backups of this node."""

    recipients: tuple[str, ...] = ()
    """Public parts of the recovery keys; empty without one."""
    trouble: str = ""
    """Why the file with them cannot be used."""
    since: datetime | None = None
    """When the key was made."""
    last: datetime | None = None
    """When the last backup was made; None if none was, or that is not known."""

    def is_overdue(self, now: datetime) -> bool:
        """Whether there is a key, and no backup since OVERDUE. With a clock that was wrong, only the past counts."""
        begun = self.last or self.since
        return bool(self.recipients) and begun is not None and now - begun > OVERDUE


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A complete backup; `content` is closed by its reader."""

    name: str
    content: IO[bytes]


class BackupPort(Protocol):
    """Backups of this node. Every method may raise NodeError."""

    async def state(self) -> BackupState: ...

    async def replace_key(self, secret: bytes) -> None:
        """Backups are for this recovery key alone from now on."""

    async def create(self) -> BackupFile: ...

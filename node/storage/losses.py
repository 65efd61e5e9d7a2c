"""What tells that there was a database, and what was lost of one: two small files that do not depend on it."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from node.storage.journal import sync_folder

MARKER = "procomu.database"
"""Beside the node's key."""
LOSSES = "procomu.losses"
"""Beside the database."""
LOSSES_MAX = 5
FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Marker:
    """That there is a database, for the day when there is none."""

    database: int
    """Its random number; 0 is none."""
    since: str
    """ISO 8601, by the clock of then."""
    form: int
    """Migrations that were applied."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something happened to the database, and somebody should know. Times are local, as people read them."""

    noticed: str
    cause: str
    """Goes on from "the database"."""
    lost: str
    """A sentence."""
    set_aside: str = ""
    """Where the damaged file is."""

    @property
    def text(self) -> str:
        aside = f" The damaged file is kept for 30 days as {self.set_aside}." if self.set_aside else ""
        return f"On {self.noticed} the database {self.cause}. {self.lost}{aside}"


def read_marker(path: Path) -> Marker | None:
    """None where there is none, or it cannot be read."""
    try:
        fields = json.loads(_read(path))
        return Marker(int(fields["database"]), str(fields["since"]), int(fields["form"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_marker(path: Path, marker: Marker) -> None:
    """Raises OSError."""
    _replace(path, json.dumps(asdict(marker)))


def read_losses(path: Path) -> tuple[Loss, ...]:
    """Those that nobody has acknowledged, the oldest first."""
    try:
        return tuple(
            Loss(**{key: str(value) for key, value in each.items()}) for each in json.loads(_read(path))
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return ()


def write_loss(path: Path, loss: Loss) -> None:
    """Keeps it with the others until it is acknowledged. Raises OSError."""
    told = (*read_losses(path), loss)[-LOSSES_MAX:]
    _replace(path, json.dumps([asdict(each) for each in told]))


def acknowledge(path: Path) -> None:
    """Somebody has read it. Raises OSError."""
    path.unlink(missing_ok=True)


def at(seconds: float) -> str:
    """Seconds since 1970, as people read them here; empty for 0."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M") if seconds else ""


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX).decode()


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w"
    ) as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)

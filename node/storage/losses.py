"""Two small files independent of the database: a marker that a database exists, and the losses to report."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from node.synced_files import replace_synced

MARKER = "procomu.database"
"""In the folder of the node's key."""
LOSSES = "procomu.losses"
"""In the folder of the database."""
LOSSES_MAX = 5
FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Marker:
    """Records that a database exists, so that its loss is noticed."""

    database: int
    """Random number of the database; 0 for none."""
    since: str
    """Local time of creation, by the clock at that time."""
    form: int
    """Schema version: number of migrations applied."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Damage to the database that an operator must know about. Times are local time, formatted for people."""

    noticed: str
    cause: str
    """Continues the sentence "the database ..."."""
    lost: str
    """One or more sentences."""
    set_aside: str = ""
    """Path of the damaged file."""

    @property
    def text(self) -> str:
        aside = f" The damaged file is kept for 30 days as {self.set_aside}." if self.set_aside else ""
        return f"On {self.noticed} the database {self.cause}. {self.lost}{aside}"


def read_marker(path: Path) -> Marker | None:
    """None if there is none or it cannot be read."""
    try:
        fields = json.loads(_read(path))
        return Marker(int(fields["database"]), str(fields["since"]), int(fields["form"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_marker(path: Path, marker: Marker) -> None:
    """Raises OSError."""
    replace_synced(path, f"{json.dumps(asdict(marker))}\n".encode(), 0o600)


def read_losses(path: Path) -> tuple[Loss, ...]:
    """Losses not yet acknowledged, oldest first."""
    try:
        return tuple(
            Loss(**{key: str(value) for key, value in each.items()}) for each in json.loads(_read(path))
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return ()


def write_loss(path: Path, loss: Loss) -> None:
    """Add a loss; it is kept until acknowledged. Raises OSError."""
    losses = (*read_losses(path), loss)[-LOSSES_MAX:]
    replace_synced(path, f"{json.dumps([asdict(each) for each in losses])}\n".encode(), 0o600)


def acknowledge(path: Path) -> None:
    """Delete the losses. Raises OSError."""
    path.unlink(missing_ok=True)


def at(seconds: float) -> str:
    """Format Unix time in seconds as local time; empty for 0."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M") if seconds else ""


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX).decode()

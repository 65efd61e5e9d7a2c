"""Files that are complete and on the disk when a function returns, also if the power fails at any moment."""

import os
from pathlib import Path


def write_synced(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """A new file with exactly this mode, and with this user and group where they are given; one of this name is deleted
    first. Its name may still be lost with the power: see `sync_folder`. Raises OSError."""
    path.unlink(missing_ok=True)
    # Nobody else may read it before it has its mode and owner.
    created = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(created, "wb") as file:
        file.write(content)
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.flush()
        os.fsync(file.fileno())


def replace_synced(path: Path, content: bytes, mode: int) -> None:
    """Writes a file whole or not at all: beside it first, then under its name. Raises OSError."""
    unfinished = path.with_name(f".{path.name}.new")
    write_synced(unfinished, content, mode)
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Syncs the folder's entries: files created, renamed or deleted in it. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

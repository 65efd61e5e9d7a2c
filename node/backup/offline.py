"""What is changed while the node is stopped: the lock of a node, and changes of several files that a power cut does not
leave half done.

`FileChanges.commit` writes all of them down beside the settings; from then on they happen, even if this process is
killed: the next command or start finishes them.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from node.errors import NodeError
from node.synced_files import sync_folder, write_synced

RUN_DIR_MODE = 0o755
"""Of the folder of the control socket; the socket has a mode of its own."""
RECORD = "unfinished.json"
"""In the folder of the settings."""
RECORD_BYTES_MAX = 64 * 1024
SUFFIX = ".restored"
"""Of complete files that are not in place yet."""
_FORMAT = "procomu-file-changes-1"

ChangeKind = Literal["restore", "reset"]
Holder = Literal["node", "set-up"]
HOLDER_CHARS_MAX = 20
TRY_AGAIN_S = 0.1


def claim(run_dir: Path, holder: Holder = "node", *, patience_s: float = 0) -> IO[str]:
    """Locks the folder, so that no other node starts with it; the kernel releases the lock when the process ends. Waits
    `patience_s` for a set-up, which ends by itself once there are settings. Raises NodeError."""
    try:
        if not run_dir.exists():
            run_dir.mkdir(parents=True)
            run_dir.chmod(RUN_DIR_MODE)
        lock = (run_dir / "lock").open("a+")
    except OSError as error:
        raise NodeError(f"{run_dir} cannot be used: {error.strerror}", "run this as root") from error
    ends = time.monotonic() + patience_s
    while not _is_locked(lock):
        lock.seek(0)
        is_setup = lock.read(HOLDER_CHARS_MAX) == "set-up"
        if is_setup and time.monotonic() < ends:
            time.sleep(TRY_AGAIN_S)
            continue
        lock.close()
        if is_setup:
            raise NodeError(
                "the set-up of this node is running", "end it first: systemctl stop procomu-setup"
            )
        raise NodeError(
            f"another node runs with {run_dir}", "stop it first, or give this one its own node.run_dir"
        )
    lock.truncate(0)
    lock.write(holder)
    lock.flush()
    return lock


def _is_locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Files to delete, then files to rename, in this order. Each step can be repeated."""

    kind: ChangeKind
    removals: tuple[Path, ...]
    moves: tuple[tuple[Path, Path], ...] = ()
    """(complete and synced file, path that it gets), in one folder each."""

    def commit(self, config_path: Path) -> None:
        """Writes the changes down; afterwards they happen. Raises OSError, and then they do not."""
        record = config_path.with_name(RECORD)
        text = json.dumps(
            {
                "format": _FORMAT,
                "kind": self.kind,
                "removals": [str(path.absolute()) for path in self.removals],
                "moves": [[str(each.absolute()) for each in move] for move in self.moves],
            }
        )
        assert len(text) <= RECORD_BYTES_MAX, "a node has few files"
        unfinished = _record_unfinished(config_path)
        try:
            write_synced(unfinished, text.encode(), 0o600)
            unfinished.replace(record)
            sync_folder(record.parent)
        except OSError:
            for path in (unfinished, record):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            raise

    def perform(self) -> None:
        """Raises OSError; then it can be called again."""
        for path in self.removals:
            path.unlink(missing_ok=True)
        for complete, path in self.moves:
            with suppress(FileNotFoundError):  # renamed before
                complete.replace(path)
        for folder in {path.parent for path in (*self.removals, *(path for _, path in self.moves))}:
            if folder.exists():
                sync_folder(folder)


def is_unfinished(config_path: Path) -> bool:
    """Whether changes beside these settings were committed and are not finished."""
    return config_path.with_name(RECORD).exists()


def _record_unfinished(config_path: Path) -> Path:
    return config_path.with_name(f".{RECORD}.new")


def staged(path: Path) -> Path:
    """Where a file is written that is to replace `path`."""
    return path.with_name(f".{path.name}{SUFFIX}")


def discard_staged(config_path: Path, *folders: Path) -> None:
    """Deletes files of a restore that was killed before it was committed, with the logs of its database. Raises
    OSError."""
    if is_unfinished(config_path):
        return
    _record_unfinished(config_path).unlink(missing_ok=True)
    for folder in {config_path.parent, *folders}:
        for path in folder.glob(f".*{SUFFIX}*"):
            path.unlink(missing_ok=True)


def finish_changes(config_path: Path) -> ChangeKind | None:
    """Finishes changes that were committed beside these settings, and returns of what kind they were. Raises NodeError
    where that is not possible; no node can be started then."""
    record = config_path.with_name(RECORD)
    try:
        with _locked(record) as text:
            if text is None:
                return None
            changes = _read(record, text)
            changes.perform()
            record.unlink()
            sync_folder(record.parent)
            return changes.kind
    except OSError as error:
        raise NodeError(
            f"{record} lists changes of files that cannot be finished: {error}",
            "make room, or make the folders writable, and start again",
        ) from error


@contextmanager
def _locked(record: Path) -> Iterator[bytes | None]:
    """Content of the record, which no other process finishes meanwhile; None without one."""
    try:
        file = record.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        is_there = os.fstat(file.fileno()).st_nlink > 0
        yield file.read(RECORD_BYTES_MAX + 1) if is_there else None


def _read(record: Path, text: bytes) -> FileChanges:
    try:
        fields = json.loads(text)
        if fields["format"] != _FORMAT or fields["kind"] not in {"restore", "reset"}:
            raise ValueError("it was made by another version")
        moves = tuple((Path(complete), Path(path)) for complete, path in fields["moves"])
        return FileChanges(fields["kind"], tuple(map(Path, fields["removals"])), moves)
    except (ValueError, LookupError, TypeError) as error:
        raise NodeError(
            f"{record} cannot be read: {error}",
            "restore the backup again after removing this file: the files of the node may be of two kinds",
        ) from error

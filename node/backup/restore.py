"""Puts the files of a backup in place, or deletes those of a node, while it is stopped.

Nothing is changed before the whole backup was read and found good. Then the files are written beside those that they
replace, and `FileChanges` puts all of them in place.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from node.backup.age import AgeReader, UnreadableBackup
from node.backup.contents import (
    COMMUNITY_KEY,
    DATABASE,
    MEMBERS,
    NODE_KEY,
    OPTIONAL,
    RECIPIENTS,
    RULES,
    SETTINGS,
    Description,
    FileContent,
    read_backup,
)
from node.backup.offline import FileChanges, claim, discard_staged, finish_changes, staged
from node.backup.service import LAST, BackupRead, files_of, inspect_backup
from node.config import NodeConfig, parse_config
from node.control.active_ruleset import EARLIER, REJECTED
from node.errors import NodeError
from node.identity import key_from_pem, own_node_id
from node.keyring import Keyring, community_key_from, open_keyring
from node.storage.history_file import FILE as HISTORY
from node.storage.losses import LOSSES, MARKER
from node.storage.opening import prepare_restored
from node.synced_files import write_synced

ROOM_BYTES = 16_000_000
"""Left free beside what a restore writes."""
MODES: Mapping[str, int] = {SETTINGS: 0o644, RULES: 0o644, MEMBERS: 0o640, RECIPIENTS: 0o644}
"""Of files that others than root may read; of all others 0600."""
_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore put in place."""

    description: Description
    config: NodeConfig


def restore(
    file: IO[bytes], secret: bytes, config_path: Path, confirm: Callable[[BackupRead, bool], None]
) -> RestoreResult:
    """Restores a backup as the node with these settings. `confirm` gets what is in it, and whether it replaces a
    database; it raises to refuse. Raises NodeError; then nothing was changed, or the next start finishes it."""
    finish_changes(config_path)
    found = inspect_backup(file, secret)
    config = _settings(found)
    targets = files_of(config_path, config)
    _check_owner(found, targets)
    with _stopped(config_path, config):
        _check_room(found, targets[DATABASE])
        confirm(found, targets[DATABASE].exists())
        try:
            _put_in_place(file, secret, targets, config_path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NodeError(
                f"{error.filename or targets[DATABASE].parent} cannot be written: {reason}",
                "run it as root, and make room if the disk is full",
            ) from error
        except sqlite3.Error as error:
            raise UnreadableBackup(
                f"the database in the backup cannot be used: {error}", "use an older backup"
            ) from error
    return RestoreResult(found.description, config)


def _settings(found: BackupRead) -> NodeConfig:
    try:
        config, findings = parse_config(found.files[SETTINGS].decode())
    except UnicodeDecodeError:
        config, findings = None, ()
    if config is None:
        first = f": {findings[0]}" if findings else ""
        raise UnreadableBackup(
            f"the settings in the backup have errors{first}",
            f"install the version that made it, {found.description.version}, or a newer one",
        )
    return config


def _check_owner(found: BackupRead, targets: Mapping[str, Path]) -> None:
    """Raises UnreadableBackup unless the keys in the backup are those that its description names, and those here."""
    description = found.description
    try:
        node = key_from_pem(found.files[NODE_KEY])
        community = community_key_from(found.files[COMMUNITY_KEY])
    except ValueError as error:
        raise UnreadableBackup(
            f"a key in the backup cannot be used: {error}", "use an older backup"
        ) from error
    if (Keyring(community, node).community_id, own_node_id(node)) != (
        description.community_id,
        description.node_id,
    ):
        raise UnreadableBackup("the keys in the backup are not those of its node", "use an older backup")
    if not targets[COMMUNITY_KEY].exists() or not targets[NODE_KEY].exists():
        return
    here = open_keyring(targets[COMMUNITY_KEY], targets[NODE_KEY])
    whose = f"of the node {description.node} in {description.community}"
    if here.community_id != description.community_id:
        raise UnreadableBackup(
            f"this is a backup {whose}, and this machine has a node of another community",
            "restore it on a machine without a node, or remove this node first with 'procomu reset'",
        )
    if own_node_id(here.node) != description.node_id:
        raise UnreadableBackup(
            f"this is a backup {whose}, and this machine is another node",
            "restore it on a machine without a node, or remove this node first with 'procomu reset'",
        )


@contextlib.contextmanager
def _stopped(config_path: Path, *configs: NodeConfig) -> Iterator[None]:
    """Holds the locks of the nodes with these settings, and with those that are there now. Raises NodeError while one
    of them runs."""
    now = _settings_here(config_path)
    folders = {each.node.run_dir for each in (*configs, *((now,) if now is not None else ()))}
    with contextlib.ExitStack() as held:
        for folder in sorted(folders):
            held.enter_context(claim(Path(folder)))
        yield


def _settings_here(config_path: Path) -> NodeConfig | None:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return parse_config(config_path.read_text())[0]
    return None


def _check_room(found: BackupRead, database: Path) -> None:
    folder = next(each for each in database.parents if each.exists())
    free, needed = shutil.disk_usage(folder).free, found.database_bytes + ROOM_BYTES
    if free < needed:
        raise NodeError(
            f"{folder} has {free // 1_000_000} MB free, and the backup needs {needed // 1_000_000} MB",
            "make room, or give node.data_dir another disk",
        )


def _put_in_place(file: IO[bytes], secret: bytes, targets: Mapping[str, Path], config_path: Path) -> None:
    complete = {name: staged(path) for name, path in targets.items()}
    written: list[str] = []

    def take(name: str, _size: int, content: FileContent) -> None:
        written.append(name)
        targets[name].parent.mkdir(parents=True, exist_ok=True)
        if name != DATABASE:
            write_synced(complete[name], content.read(), MODES.get(name, 0o600))
        else:
            _write_database(complete[name], content)

    try:
        targets[DATABASE].parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.seek(0)
        read_backup(AgeReader(file, secret), take)
        absent = [targets[name] for name in OPTIONAL if name not in written]
        removals = (*absent, *database_files(targets[DATABASE], targets[NODE_KEY]))
        # The settings come last: without them no node starts on a new machine.
        order = [*(name for name in written if name != SETTINGS), SETTINGS]
        FileChanges("restore", removals, tuple((complete[name], targets[name]) for name in order)).commit(
            config_path
        )
    except BaseException:
        with contextlib.suppress(OSError):
            discard_staged(config_path, *(path.parent for path in targets.values()))
        raise
    finish_changes(config_path)


def _write_database(path: Path, content: FileContent) -> None:
    write_synced(path, b"", 0o600)
    with path.open("wb") as file:
        while part := content.read(_PIECE_BYTES):
            file.write(part)
    prepare_restored(path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def database_files(database: Path, node_key: Path) -> tuple[Path, ...]:
    """What belongs to a database beside it, and must not be taken for a part of another one. The log is the first: it
    must be gone before a database of the same name is there."""
    names = (
        f"{database.name}-wal",
        f"{database.name}-shm",
        f"{database.name}.copy",
        f"{database.stem}.journal",
        f"{database.stem}.counts",
        LOSSES,
    )
    return (*(database.with_name(name) for name in names), node_key.with_name(MARKER))


# --- Factory reset ----------------------------------------------------------------------------


def reset(config_path: Path, config: NodeConfig, before: Callable[[], None]) -> tuple[str, ...]:
    """Deletes everything of this node: settings, rules, members, keys, database. `before` is called while the node is
    known to be stopped, and raises to refuse. Returns the paths. Raises NodeError; then nothing was deleted, or the next
    start finishes it."""
    with _stopped(config_path, config):
        # Before `before`, which may make a backup in one of the folders.
        paths = tuple(dict.fromkeys(_files_of_a_node(config_path, config)))
        before()
        try:
            FileChanges("reset", paths).commit(config_path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NodeError(f"{config_path.parent} cannot be written: {reason}", "run it as root") from error
        there = tuple(str(path) for path in paths if path.exists())
        finish_changes(config_path)
    return there


def _files_of_a_node(config_path: Path, config: NodeConfig) -> Iterable[Path]:
    files = files_of(config_path, config)
    database, data_dir = files[DATABASE], Path(config.node.data_dir)
    yield from database_files(database, files[NODE_KEY])
    for pattern in (
        f"{DATABASE}*",
        f"{staged(database).name}*",
        f"{database.stem}.corrupt-*",
        f"{database.stem}.replaced-*",
        f"{database.stem}.damaged-*",
        f"{HISTORY}*",
    ):
        yield from sorted(data_dir.glob(pattern))
    yield from (data_dir / LAST, data_dir / "dhcp.leases")
    yield from (staged(path) for path in files.values())
    for path in (files[RULES], files[MEMBERS]):
        yield from (path.with_name(path.name + ending) for ending in (EARLIER, REJECTED))
    yield from (path for name, path in files.items() if name != SETTINGS)
    yield config_path  # the last one: without it no node starts

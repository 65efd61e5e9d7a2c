"""Makes backups of a node, running or stopped, and reads them. `restore.py` puts one back."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO

from node.backup.age import (
    RECIPIENTS_BYTES_MAX,
    AgeReader,
    AgeWriter,
    read_recipients,
    recipient_of,
    recipient_text,
)
from node.backup.contents import (
    ADMIN_CERTIFICATE,
    COMMUNITY_KEY,
    COMMUNITY_SECRETS,
    DATABASE,
    FILES,
    MEMBERS,
    NODE_KEY,
    OPTIONAL,
    RECIPIENTS,
    RULES,
    SETTINGS,
    BackupWriter,
    Description,
    FileContent,
    read_backup,
)
from node.backup.ports import BackupFile, BackupState
from node.config import NodeConfig
from node.control.active_ruleset import MEMBERS_COPY, RULES_COPY
from node.errors import NodeError
from node.identity import own_node_id
from node.keyring import open_keyring
from node.storage.copies import Snapshot
from node.storage.integrity import UNREADABLE
from node.storage.journal import read_journal
from node.synced_files import replace_synced

log = logging.getLogger(__name__)

LAST = "procomu.last-backup"
"""In the data folder: when the last backup was made. No name that somebody gives a backup."""
LAST_BYTES_MAX = 4_096
TRIES = 2
"""A change that is being written while the snapshot begins is in the next one."""
_READABLE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class BackupMade:
    """A complete backup."""

    description: Description
    size: int
    recipients: int


def files_of(config_path: Path, config: NodeConfig) -> Mapping[str, Path]:
    """Where the files of a backup are on this machine, in the order of FILES."""
    data_dir, community = Path(config.node.data_dir), Path(config.community.key_file)
    return {
        SETTINGS: config_path,
        RULES: Path(config.rules.file),
        MEMBERS: Path(config.members.file),
        COMMUNITY_KEY: community,
        NODE_KEY: Path(config.node.key_file),
        RECIPIENTS: community.with_name(RECIPIENTS),
        RULES_COPY: data_dir / RULES_COPY,
        MEMBERS_COPY: data_dir / MEMBERS_COPY,
        ADMIN_CERTIFICATE: data_dir / ADMIN_CERTIFICATE,
        COMMUNITY_SECRETS: data_dir / COMMUNITY_SECRETS,
        DATABASE: data_dir / DATABASE,
    }


# --- The key ----------------------------------------------------------------------------------


def new_secret() -> bytes:
    """Of a recovery key; only its public part is ever written to a disk of the node."""
    return secrets.token_bytes(32)


def save_recipient(path: Path, secret: bytes, made: datetime) -> None:
    """Keeps the public part of a recovery key; backups are for this key alone from now on. Raises NodeError."""
    text = f"# Public key of backups, made {made:%Y-%m-%d %H:%M}. The recovery key is on paper.\n{recipient_of(secret)}\n"
    try:
        replace_synced(path, text.encode(), _READABLE_MODE)
    except OSError as error:
        raise _unwritable(path, error) from error


def load_recipients(path: Path) -> tuple[bytes, ...]:
    """Public keys that backups are encrypted for. Raises NodeError when there are none."""
    try:
        text = _read(path, RECIPIENTS_BYTES_MAX).decode()
        return read_recipients(text)
    except FileNotFoundError as error:
        raise NodeError(
            "there is no key for backups yet", "make one with 'procomu backup key --print SHEET.html'"
        ) from error
    except (OSError, ValueError) as error:
        raise NodeError(
            f"{path} has no key for backups that can be used: {error}",
            "correct it, or make a new one with 'procomu backup key --replace'",
        ) from error


# --- Making -----------------------------------------------------------------------------------


def make_backup(
    config_path: Path, config: NodeConfig, out: IO[bytes], *, version: str, now: datetime
) -> BackupMade:
    """Writes a backup; of the database one moment, while the node runs on. Raises NodeError, also for a full disk; what
    was written is no backup then."""
    files = files_of(config_path, config)
    recipients = load_recipients(files[RECIPIENTS])
    keys = open_keyring(files[COMMUNITY_KEY], files[NODE_KEY])
    with _snapshot(files[DATABASE]) as snapshot:
        description = Description(
            made=now.isoformat(timespec="seconds"),
            community=config.community.name,
            community_id=keys.community_id,
            node=config.node.name,
            node_id=own_node_id(keys.node),
            schema=snapshot.schema,
            version=version,
        )
        try:
            writer = BackupWriter(AgeWriter(out, recipients, secrets.token_bytes), description)
            for name, path in files.items():
                if name == DATABASE:
                    writer.add(name, snapshot.size, snapshot)
                elif path.exists() or name not in OPTIONAL:
                    content = _read(path, FILES[name])
                    writer.add(name, len(content), BytesIO(content))
            writer.finish()
            out.flush()
            return BackupMade(description, out.tell(), len(recipients))
        except OSError as error:
            raise NodeError(
                f"the backup cannot be written: {(error.strerror or str(error)).lower()}",
                "make room, or write it to another disk",
            ) from error
        except UNREADABLE as error:
            raise _unreadable(files[DATABASE], error) from error


@contextlib.contextmanager
def _snapshot(path: Path) -> Iterator[Snapshot]:
    if not path.exists():
        raise NodeError(f"there is no database {path} yet", "start the node once, then make the backup")
    journal = path.with_name(f"{path.stem}.journal")
    for _ in range(TRIES):
        owed = max((entry.commit for entry in read_journal(journal).entries), default=0)
        try:
            snapshot = Snapshot(path)
        except (*UNREADABLE, OSError) as error:
            raise _unreadable(path, error) from error
        if snapshot.commit >= owed:
            break
        snapshot.close()
    else:
        raise NodeError(
            f"the database lacks changes that are in {journal}",
            "make room on the disk if it is full, and start the node, which writes them into the database",
        )
    try:
        yield snapshot
    finally:
        snapshot.close()


def note_made(config: NodeConfig, made: BackupMade) -> None:
    """Remembers that a backup was made, so that the admin pages do not ask for one. Where that is not possible, the
    backup is good all the same."""
    path = Path(config.node.data_dir) / LAST
    text = json.dumps({"made": made.description.made, "size": made.size})
    try:
        replace_synced(path, text.encode(), 0o600)
    except OSError as error:
        reason = error.strerror or str(error)
        log.warning("%s cannot be written: %s; the admin pages may ask for a backup too early", path, reason)


def last_made(config: NodeConfig) -> datetime | None:
    """When the last backup was made; None if that is not known."""
    try:
        made = json.loads(_read(Path(config.node.data_dir) / LAST, LAST_BYTES_MAX))["made"]
        return datetime.fromisoformat(made)
    except (OSError, ValueError, LookupError, TypeError, NodeError):
        return None


# --- Reading ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BackupRead:
    """A backup that is complete and undamaged, without its database."""

    description: Description
    files: Mapping[str, bytes]
    database_bytes: int


def inspect_backup(file: IO[bytes], secret: bytes) -> BackupRead:
    """Reads the whole backup and writes nothing. Raises UnreadableBackup."""
    file.seek(0)
    files: dict[str, bytes] = {}
    sizes: dict[str, int] = {}

    def take(name: str, size: int, content: FileContent) -> None:
        sizes[name] = size
        if name != DATABASE:
            files[name] = content.read()
            return
        while content.read(65_536):
            pass

    description = read_backup(AgeReader(file, secret), take)
    return BackupRead(description, files, sizes[DATABASE])


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise NodeError(f"{path} has more than {limit} bytes", "make it shorter")
    return content


def _unwritable(path: Path, error: OSError) -> NodeError:
    reason = (error.strerror or os.strerror(error.errno or 0)).lower()
    return NodeError(
        f"{path} cannot be written: {reason}", "run it as root, and make room if the disk is full"
    )


def _unreadable(path: Path, error: Exception) -> NodeError:
    if isinstance(error, sqlite3.OperationalError):
        return NodeError(f"the database {path} cannot be read: {error}", "run it as root")
    return NodeError(
        f"the database {path} is damaged: {error}", "start the node, which repairs it, then try again"
    )


# --- For the admin pages ----------------------------------------------------------------------


class NodeBackups:
    """Backups of a running node. Implements `node.backup.ports.BackupPort`, which has its descriptions."""

    def __init__(self, config_path: Path, config: NodeConfig, version: str) -> None:
        self._config_path, self._config, self._version = config_path, config, version
        self._recipients = files_of(config_path, config)[RECIPIENTS]

    async def state(self) -> BackupState:
        return await asyncio.to_thread(self.read_state)

    async def replace_key(self, secret: bytes) -> None:
        await asyncio.to_thread(save_recipient, self._recipients, secret, _now())

    async def create(self) -> BackupFile:
        return await asyncio.to_thread(self._create)

    def read_state(self) -> BackupState:
        """As `state`, for a thread of its own."""
        last = last_made(self._config)
        try:
            since = datetime.fromtimestamp(self._recipients.stat().st_mtime, UTC).astimezone()
            keys = tuple(map(recipient_text, load_recipients(self._recipients)))
        except FileNotFoundError:
            return BackupState(last=last)
        except OSError as error:
            return BackupState(trouble=error.strerror or str(error), last=last)
        except NodeError as error:
            return BackupState(trouble=error.message, last=last)
        return BackupState(keys, since=since, last=last)

    def _create(self) -> BackupFile:
        now, folder = _now(), Path(self._config.node.data_dir)
        with contextlib.ExitStack() as opened:
            try:
                # Without a name, so that it disappears when it is closed.
                file = opened.enter_context(tempfile.TemporaryFile(dir=folder))
            except OSError as error:
                raise _unwritable(folder, error) from error
            made = make_backup(self._config_path, self._config, file, version=self._version, now=now)
            file.seek(0)
            opened.pop_all()
        note_made(self._config, made)
        name = "".join(each if each.isascii() and each.isalnum() else "-" for each in self._config.node.name)
        return BackupFile(f"{name.strip('-') or 'node'}-{now:%Y-%m-%d}.backup", file)


def _now() -> datetime:
    return datetime.now(UTC).astimezone()

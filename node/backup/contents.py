"""Contents of a backup: a tar archive of a description and the node's files, compressed, then encrypted.

FORMAT.md describes it for other programs.
"""

import json
import lzma
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Protocol

from node.backup.age import RECIPIENTS_BYTES_MAX, AgeReader, AgeWriter, UnreadableBackup
from node.control.active_ruleset import MEMBERS_COPY, RULES_COPY
from node.secret_file import FILE_BYTES_MAX, SECRETS_FILE

FORMAT = "procomu-backup-1"
DESCRIPTION, DATABASE = "backup.json", "procomu.db"
DESCRIPTION_BYTES_MAX = 16_384
SETTINGS, RULES, MEMBERS = "node.toml", "rules.toml", "members.toml"
COMMUNITY_KEY, NODE_KEY, RECIPIENTS = "community.key", "node.key", "backup.pub"
COMMUNITY_SECRETS = SECRETS_FILE
"""Those after the first."""
ADMIN_CERTIFICATE = "admin-certificate.pem"
"""Self-signed, with its key: browsers of admins have accepted it."""
FILES: Mapping[str, int] = {
    SETTINGS: 1_000_000,
    RULES: 1_000_000,
    MEMBERS: 4_000_000,
    COMMUNITY_KEY: 4_096,
    NODE_KEY: 4_096,
    RECIPIENTS: RECIPIENTS_BYTES_MAX,
    RULES_COPY: 1_000_000,
    MEMBERS_COPY: 4_000_000,
    ADMIN_CERTIFICATE: 65_536,
    COMMUNITY_SECRETS: FILE_BYTES_MAX,
    DATABASE: 4_000_000_000,
}
"""Every file, in this order, and the most bytes that it can have. All but `OPTIONAL` must be there."""
OPTIONAL = frozenset({RULES, MEMBERS, RULES_COPY, MEMBERS_COPY, ADMIN_CERTIFICATE, COMMUNITY_SECRETS})
COMPRESSION = 0
"""Preset of xz: half as large as with gzip in the same time, with 4 MB of memory; a higher one takes three times as long."""
MEMORY_MAX = 32 * 1024 * 1024
"""To decompress; presets up to 5 need less."""
_PIECE_BYTES = 64 * 1024
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Description:
    """What a backup is a backup of."""

    made: str
    """Local time, as in ISO 8601."""
    community: str
    community_id: str
    node: str
    node_id: str
    schema: int
    """Form of the database: number of migrations applied."""
    version: str
    """Of the program that made it."""


class FileContent(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


Take = Callable[[str, int, FileContent], None]
"""Called for each file with its name, its size, and its content, which must be read completely."""


class BackupWriter:
    """Writes the description and the files, in the order of FILES, into an encrypted backup."""

    def __init__(self, out: AgeWriter, description: Description) -> None:
        self._out, self._compressor = out, lzma.LZMACompressor(preset=COMPRESSION)
        text = json.dumps({"format": FORMAT, **asdict(description)}, ensure_ascii=False, indent=1) + "\n"
        self.add(DESCRIPTION, len(text.encode()), BytesIO(text.encode()))

    def add(self, name: str, size: int, content: FileContent) -> None:
        """`content` has exactly `size` bytes."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, _MODE
        self._write(entry.tobuf(tarfile.PAX_FORMAT))
        rest = size
        while rest and (part := content.read(min(rest, _PIECE_BYTES))):
            self._write(part)
            rest -= len(part)
        assert not rest, "the size of the content is known"
        self._write(bytes(-size % tarfile.BLOCKSIZE))

    def finish(self) -> None:
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._out.write(self._compressor.flush())
        self._out.finish()

    def _write(self, data: bytes) -> None:
        self._out.write(self._compressor.compress(data))


def read_backup(reader: AgeReader, take: Take) -> Description:
    """Reads a backup to its end, and gives each file to `take`. Raises UnreadableBackup; what `take` got must not be used
    then. Everyone who has the public key can make a backup, so that names and sizes are checked."""
    plain = _Decompressing(reader)
    try:
        description, found = _description(plain), set[str]()
        while (entry := _next_entry(plain)) is not None:
            _check(entry, found)
            found.add(entry.name)
            content = _Content(plain, entry.size)
            take(entry.name, entry.size, content)
            content.finish()
        plain.finish()
    except (tarfile.TarError, EOFError, lzma.LZMAError) as error:
        raise _strange(f"its archive cannot be read ({error})") from error
    missing = FILES.keys() - OPTIONAL - found
    if missing:
        raise _strange(f"{min(missing)} is not in it")
    return description


class _Decompressing:
    def __init__(self, reader: AgeReader) -> None:
        self._reader = reader
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_MAX)

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0 and not self._decompressor.eof:
            sealed = self._reader.read(_PIECE_BYTES) if self._decompressor.needs_input else b""
            part = self._decompressor.decompress(sealed, size)
            if not part and not sealed and self._decompressor.needs_input:
                raise EOFError("it ends too early")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def finish(self) -> None:
        """Reads to the end, which says that nothing is missing; after the archive, only its padding may follow."""
        while self.read(_PIECE_BYTES):
            pass
        if self._decompressor.unused_data or self._reader.read(_PIECE_BYTES):
            raise EOFError("something follows its end")


class _Content:
    """One file of the archive."""

    def __init__(self, archive: _Decompressing, size: int) -> None:
        self._archive, self._rest, self._padding = archive, size, -size % tarfile.BLOCKSIZE

    def read(self, size: int = -1) -> bytes:
        wanted = self._rest if size < 0 else min(size, self._rest)
        self._rest -= wanted
        return _read_exactly(self._archive, wanted)

    def finish(self) -> None:
        assert not self._rest, "it is read completely"
        _read_exactly(self._archive, self._padding)


def _read_exactly(archive: _Decompressing, size: int) -> bytes:
    data = archive.read(size)
    if len(data) != size:
        raise EOFError("it ends too early")
    return data


def _next_entry(archive: _Decompressing) -> tarfile.TarInfo | None:
    """None at the end. `tarfile.open` would read headers of any size into memory, such as those of long names."""
    block = _read_exactly(archive, tarfile.BLOCKSIZE)
    return tarfile.TarInfo.frombuf(block, "utf-8", "replace") if any(block) else None


def _check(entry: tarfile.TarInfo, found: set[str]) -> None:
    if not entry.isreg() or entry.name not in FILES or entry.name in found:
        raise _strange(f"{entry.name[:40]!r} is in it")
    if entry.size > FILES[entry.name]:
        raise _strange(f"{entry.name} has more than {FILES[entry.name]} bytes")


def _description(archive: _Decompressing) -> Description:
    entry = _next_entry(archive)
    if entry is None or entry.name != DESCRIPTION or not entry.isreg() or entry.size > DESCRIPTION_BYTES_MAX:
        raise _strange(f"it does not begin with {DESCRIPTION}")
    content = _Content(archive, entry.size)
    text = content.read()
    content.finish()
    try:
        fields = json.loads(text)
        if fields.pop("format") != FORMAT:
            raise UnreadableBackup(
                "the backup is of another kind: a newer version made it", "install the newest version first"
            )
        known = {name: fields[name] for name in Description.__dataclass_fields__}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _strange(f"{DESCRIPTION} cannot be read") from error
    wrong = [name for name, value in known.items() if type(value) is not (int if name == "schema" else str)]
    if wrong:
        raise _strange(f"{wrong[0]} is wrong in {DESCRIPTION}")
    return Description(**known)


def _strange(why: str) -> UnreadableBackup:
    return UnreadableBackup(f"this is no backup of a node: {why}", "give a file that 'procomu backup' made")

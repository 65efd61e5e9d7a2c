"""The community's secrets after the first, in a file of the data folder: one line each, in hexadecimal."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from secrets import token_bytes

from mesh.community_secret import LATER_SECRET_BYTES
from node.errors import NodeError, StorageTrouble
from node.synced_files import replace_synced

SECRETS_FILE = "community.secrets"
FILE_BYTES_MAX = 65_536
_SECRET = re.compile(r"[0-9a-f]{64}")


def is_secret(line: str) -> bool:
    return _SECRET.fullmatch(line) is not None


class SecretFile:
    """Implements `mesh.ports.SecretStore`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Iterable[bytes]:
        """A line that is damaged is left out: neighbours give its secret again. Raises NodeError."""
        try:
            with self._path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise NodeError(
                f"{self._path} cannot be read: {error.strerror}", "look at the disk, and run this as root"
            ) from error
        lines = content.decode("ascii", "replace").split()
        return [bytes.fromhex(line) for line in lines if is_secret(line)]

    def make(self) -> bytes:
        return token_bytes(LATER_SECRET_BYTES)

    async def save(self, secrets: Iterable[bytes]) -> None:
        try:
            await asyncio.to_thread(self.write, tuple(secrets))
        except OSError as error:
            raise StorageTrouble(
                f"{self._path} cannot be written: {error.strerror}", "look at the node's disk"
            ) from error

    def write(self, secrets: Iterable[bytes]) -> None:
        """Exactly these; no file where there are none. Raises OSError."""
        content = b"".join(secret.hex().encode() + b"\n" for secret in secrets)
        if content:
            replace_synced(self._path, content, 0o600)
        else:
            self._path.unlink(missing_ok=True)

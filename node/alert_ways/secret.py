"""A password, token or key in a file of its own, which only the node can read."""

import os
import stat
from pathlib import Path

from node.errors import NodeError

SECRET_BYTES_MAX = 4_096


def read_secret(path: Path) -> str:
    """The first line of the file. Raises NodeError when there is none, or others could read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            content = file.read(SECRET_BYTES_MAX + 1) if stat.S_ISREG(found.st_mode) else None
    except OSError as error:
        raise NodeError(f"{path} cannot be read: {error.strerror}", "write the secret there") from error
    if content is None or stat.S_IMODE(found.st_mode) & 0o077:
        raise NodeError(f"others can read {path}, or it is no file", f"run chmod 600 {path}")
    line = content.decode("utf-8", "replace").partition("\n")[0].strip()
    if not line or len(content) > SECRET_BYTES_MAX or not line.isprintable():
        raise NodeError(f"{path} holds no secret", "write it as one line of text")
    return line

"""What is compiled from a file at a start is kept in ``__pycache__`` beside it for later starts, as Python does with
modules.

A kept file begins with a digest of its key and its content. So one that a power cut or another process left incomplete,
or that was compiled from another text or by another version, is not used, and the text is compiled again.
"""

import contextlib
import hashlib
from pathlib import Path


def load_compiled(source: Path, key: str) -> bytes | None:
    """What `save_compiled` kept for the same key; None without it."""
    try:
        kept = _kept(source).read_bytes()
    except OSError:
        return None
    digest, compiled = kept[: hashlib.sha256().digest_size], kept[hashlib.sha256().digest_size :]
    return compiled if digest == _digest(key, compiled) else None


def save_compiled(source: Path, key: str, compiled: bytes) -> None:
    """Keeps what was compiled from `source`. `key` changes with its text and with what compiles it.

    Does nothing where the folder can only be read, as under the systemd unit.
    """
    with contextlib.suppress(OSError):
        _kept(source).parent.mkdir(exist_ok=True)
        _kept(source).write_bytes(_digest(key, compiled) + compiled)


def _kept(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.name}.compiled"


def _digest(key: str, compiled: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + compiled).digest()

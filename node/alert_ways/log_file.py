"""Alerts as lines of JSON at the end of a file, for other programs of this machine."""

import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from node.alert_ways.own_thread import in_own_thread
from node.alerts.message import AlertMessage
from node.errors import NodeError

FILE_BYTES_MAX = 1_000_000
"""A larger file gets the ending ``.1`` and takes the place of the one before."""


class AlertFile:
    """Implements `AlertWay`. A line that is there twice has the same id."""

    def __init__(self, path: Path, document: Callable[[AlertMessage], Mapping[str, object]]) -> None:
        self._path, self._document = path, document

    async def send(self, message: AlertMessage) -> None:
        line = json.dumps(self._document(message), ensure_ascii=False).encode() + b"\n"
        await in_own_thread(partial(self._append, line), "alerts to a file")

    def _append(self, line: bytes) -> None:
        try:
            self._refuse_other_files()
            self._rotate()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self._path, flags, 0o600)
            try:
                append_whole(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NodeError(
                f"{self._path} cannot be written: {error.strerror}",
                "name a file in a folder that the node can write, such as its data folder",
            ) from error

    def _refuse_other_files(self) -> None:
        """Raises NodeError for what is no file of such lines: a path that was typed wrong must spoil no other file."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            return
        try:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            begin = os.pread(descriptor, 1, 0) if is_file else b""
        finally:
            os.close(descriptor)
        if not is_file or begin not in {b"", b"{"}:
            raise NodeError(f"{self._path} is no file of alerts", "name one that is not there yet")

    def _rotate(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size >= FILE_BYTES_MAX:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))


def append_whole(descriptor: int, line: bytes) -> None:
    """The whole line on the disk, or nothing of it. Raises OSError. What a power cut left of a line is ended first."""
    size = os.fstat(descriptor).st_size
    is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    content = (b"\n" if is_torn else b"") + line
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise

"""The rule file and the members file on disk: watched, saved whole, and every version kept that was in force."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from node.errors import Finding, InvalidFile, NodeError
from node.governance.roll import Roll, parse_roll
from node.reconcile.loop import Reconcile
from node.reconcile.rulebook import Rulebook, consider, fingerprint, open_rulebook

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
FILE_BYTES_MAX = 256 * 1024

Keep = Callable[[Rulebook, str], Awaitable[None]]


class RuleFiles:
    """Both files. A bad one never replaces what is in force."""

    def __init__(self, rules: Path, members: Path) -> None:
        self.rules, self.members = rules, members
        self.members_findings: tuple[Finding, ...] = ()
        self._seen = (_stamp(rules), _stamp(members))

    def open(self) -> tuple[Rulebook, Roll]:
        """What a starting node begins with. Raises InvalidFile with every error of both files."""
        roll, findings = parse_roll(read(self.members) if self.members.exists() else "")
        if roll is None:
            raise InvalidFile(str(self.members), findings)
        book = open_rulebook(read(self.rules), roll)
        if not isinstance(book, Rulebook):
            raise InvalidFile(str(self.rules), book)
        return book, roll

    async def watch(self, reconcile: Reconcile, keep: Keep) -> None:
        """Until cancelled: what changes on disk is in force within a second, or named as wrong."""
        await keep(reconcile.rulebook, "the node's start")
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            stamp = await asyncio.to_thread(lambda: (_stamp(self.rules), _stamp(self.members)))
            if stamp != self._seen:
                await self.look(reconcile, keep, "an edit of the file")

    async def look(self, reconcile: Reconcile, keep: Keep, by: str) -> None:
        """Read both files now and put in force what is good."""
        self._seen = await asyncio.to_thread(lambda: (_stamp(self.rules), _stamp(self.members)))
        try:
            text, roll = await asyncio.to_thread(self._read, reconcile.roll)
        except NodeError as trouble:
            log.error("%s", trouble)
            return
        before = reconcile.rulebook
        book = await asyncio.to_thread(consider, before, text, roll)
        if book.rejected and roll is not reconcile.roll:
            book = consider(book, before.text, roll)
        await reconcile.adopt(book, roll)
        for finding in book.rejected:
            log.error("%s keeps its old rules: %s", self.rules, finding)
        if book.fingerprint != before.fingerprint:
            log.info("rules %s are in force", book.fingerprint)
            await keep(book, by)

    async def save(self, text: str) -> None:
        """Replace the rule file whole: after a crash it is the old one or the new one."""
        await asyncio.to_thread(_replace, self.rules, text)

    def _read(self, roll: Roll) -> tuple[str, Roll]:
        wanted, findings = parse_roll(read(self.members) if self.members.exists() else "")
        self.members_findings = findings if wanted is None else ()
        for finding in self.members_findings:
            log.error("%s keeps its old members: %s", self.members, finding)
        return read(self.rules), roll if wanted is None or wanted == roll else wanted


def read(path: Path) -> str:
    """A text that a person wrote. Raises NodeError when it is missing, too long or not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise NodeError(
            f"{path} cannot be read: {error.strerror}", "write it, or name another in node.toml"
        ) from error
    if len(data) > FILE_BYTES_MAX:
        raise NodeError(f"{path} is longer than {FILE_BYTES_MAX} bytes", "shorten it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NodeError(f"{path} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o640)
    temporary.replace(path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


__all__ = ["RuleFiles", "fingerprint", "read"]

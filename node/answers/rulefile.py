"""The rule file and the members file on disk: watched, saved whole, and every version kept that was in force."""

import asyncio
import logging
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from node.errors import Finding, InvalidFile, NodeError
from node.governance.roll import FILE_BYTES_MAX as MEMBERS_BYTES_MAX
from node.governance.roll import Roll, parse_roll
from node.reconcile.loop import Reconcile
from node.reconcile.rulebook import Rulebook, consider, fingerprint, open_rulebook

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.3
FILE_BYTES_MAX = 256 * 1024

Stamp = tuple[int, int, int] | None
Keep = Callable[[Rulebook, str], Awaitable[None]]
Edit = Callable[[str], str | tuple[Finding, ...]]
"""A text to a better one, or all that is wrong with the wish."""


class RuleFiles:
    """Both files. A bad one never replaces what is in force."""

    def __init__(self, rules: Path, members: Path) -> None:
        self.rules, self.members = rules, members
        self.members_findings: tuple[Finding, ...] = ()
        self.members_fingerprint = ""
        """Of the members file that is in force."""
        self._seen = self._stamps()
        self._looking, self._editing = asyncio.Lock(), asyncio.Lock()

    def open(self) -> tuple[Rulebook, Roll]:
        """What a starting node begins with. Raises InvalidFile with every error of both files."""
        # A community that begins has no members file yet; one that cannot be read is another matter.
        text = self._members_text() if os.path.lexists(self.members) else ""
        roll, findings = parse_roll(text)
        if roll is None:
            raise InvalidFile(str(self.members), findings)
        self.members_fingerprint = fingerprint(text)
        book = open_rulebook(read(self.rules), roll)
        if not isinstance(book, Rulebook):
            raise InvalidFile(str(self.rules), book)
        return book, roll

    async def watch(self, reconcile: Reconcile, keep: Keep) -> None:
        """Until cancelled: what changes on disk is in force within two seconds, or named as wrong. A file is read
        when it has stood still for one look, so that one half written is never taken for what was meant."""
        await keep(reconcile.rulebook, "the node's start")
        before = self._seen
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            stamps = await asyncio.to_thread(self._stamps)
            if stamps not in {self._seen, before}:
                before = stamps
            elif stamps != self._seen:
                await self.look(reconcile, keep, "an edit of the file")

    async def look(self, reconcile: Reconcile, keep: Keep, by: str) -> None:
        """Read both files now and put in force what is good."""
        async with self._looking:
            await self._look(reconcile, keep, by)

    async def _look(self, reconcile: Reconcile, keep: Keep, by: str) -> None:
        self._seen = await asyncio.to_thread(self._stamps)
        before = reconcile.rulebook
        roll = await asyncio.to_thread(self._read_members, reconcile.roll)
        book = await asyncio.to_thread(self._read_rules, before, roll)
        await reconcile.adopt(book, roll)
        for finding in book.rejected:
            log.error("%s keeps its old rules: %s", self.rules, finding)
        if book.fingerprint != before.fingerprint:
            log.info("rules %s are in force", book.fingerprint)
            await keep(book, by)

    async def save(self, text: str) -> None:
        """Replace the rule file whole: after a crash it is the old one or the new one."""
        await asyncio.to_thread(_replace, self.rules, text)

    async def edit_members(self, replacing: str, edit: Edit) -> tuple[Finding, ...] | None:
        """Replace the members file by what `edit` makes of it, when it is still the one of fingerprint `replacing`;
        else None, and nothing is changed. Raises NodeError when it cannot be read or written."""
        async with self._editing:
            return await asyncio.to_thread(self._edit_members, replacing, edit)

    def _edit_members(self, replacing: str, edit: Edit) -> tuple[Finding, ...] | None:
        text = self._members_text() if os.path.lexists(self.members) else ""
        if fingerprint(text) != replacing:
            return None
        edited = edit(text)
        if not isinstance(edited, str):
            return edited
        try:
            _replace(self.members, edited)
        except OSError as error:
            raise NodeError(
                f"the members file cannot be written: {error.strerror}",
                "make room or make its folder writable",
            ) from error
        return ()

    def _members_text(self) -> str:
        return read(self.members, MEMBERS_BYTES_MAX)

    def _read_members(self, roll: Roll) -> Roll:
        """The roll of the file, or the one before: a file that is gone or broken moves nobody out of a household."""
        try:
            text = self._members_text() if os.path.lexists(self.members) or roll.units else ""
            wanted, findings = parse_roll(text)
            if wanted is not None:
                self.members_fingerprint = fingerprint(text)
        except NodeError as trouble:
            wanted, findings = None, (unreadable(trouble),)
        self.members_findings = findings if wanted is None else ()
        for finding in self.members_findings:
            # The whole finding may name people and devices, and is for 'procomu status' alone.
            log.error("%s, line %d: %s; the old members hold", self.members, finding.line, finding.code)
        return roll if wanted is None or wanted == roll else wanted

    def _read_rules(self, book: Rulebook, roll: Roll) -> Rulebook:
        """The rules of the file, or those before and why; checked against the roll that holds now."""
        try:
            considered = consider(book, read(self.rules), roll)
        except NodeError as trouble:
            return replace(book, rejected=(unreadable(trouble),), rejected_fingerprint="")
        return considered

    def _stamps(self) -> tuple[Stamp, Stamp]:
        return _stamp(self.rules), _stamp(self.members)


def unreadable(trouble: NodeError) -> Finding:
    """A file that cannot even be read, as a finding about the whole of it."""
    return Finding("file-unreadable", 0, trouble.message, trouble.mend)


def read(path: Path, bytes_max: int = FILE_BYTES_MAX) -> str:
    """A text that a person wrote. Raises NodeError when it is missing, too long or not UTF-8."""
    try:
        # Opened without waiting: a pipe that nobody writes to must not hold the node up.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NodeError(f"{path} is not a file", "put an ordinary text file there")
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise NodeError(
            f"{path} cannot be read: {error.strerror}", "write it, or name another in node.toml"
        ) from error
    if len(data) > bytes_max:
        raise NodeError(f"{path} is longer than {bytes_max} bytes", "shorten it")
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
    # The new name, too: whoever was told that it is saved finds it after a power cut.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


__all__ = ["RuleFiles", "fingerprint", "read"]

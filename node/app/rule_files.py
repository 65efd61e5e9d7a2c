"""The rule file and the members file: watched, replaced atomically, with a history of every version in force.

The data folder has a copy of each as last in force. A node starts from these copies: neither new members nor an error
in a file keeps it from running.
"""

import asyncio
import itertools
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path

from node.config import NodeConfig, parse_config
from node.control.active_ruleset import (
    EARLIER,
    MEMBERS_COPY,
    REJECTED,
    RULES_COPY,
    consider,
    fingerprint,
    load_active_ruleset,
    reload_active_ruleset,
    strained,
)
from node.control.reconciler import Reconciler
from node.errors import Finding, InvalidFile, KernelRefused, NodeError
from node.governance.members import FILE_BYTES_MAX as MEMBERS_BYTES_MAX
from node.governance.members import MemberDirectory, parse_members
from node.governance.rules import ActiveRuleset
from node.synced_files import replace_synced
from node.translator import N_, gettext_lazy

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.3
COPY_EVERY_LOOKS = 100
"""A copy that could not be written is retried after this many looks."""
FILE_BYTES_MAX = 256 * 1024
BY_START, BY_EDIT = N_("the node's start"), N_("an edit of the file")
"""How a rule version came into force, as it is stored."""

Stamp = tuple[int, int, int] | None
Keep = Callable[[ActiveRuleset, str], Awaitable[None]]
Edit = Callable[[str], str | tuple[Finding, ...]]
"""Returns the edited text, or the findings if the edit is refused."""


class RuleFiles:
    """Both files. An invalid one never replaces what is in force."""

    def __init__(
        self,
        rules: Path,
        members: Path,
        copies: Path | None = None,
        recorded: Callable[[], str | None] = lambda: None,
        uplink: str = "",
    ) -> None:
        """`copies`: folder for what was last in force; None keeps no copies, and a start then needs valid files.
        `recorded`: returns the last rules of the admins' history, for a node that has no copy yet. `uplink`: the line of
        this node, as its settings say."""
        self.rules, self.members, self._copies, self._recorded = rules, members, copies, recorded
        self._uplink = uplink
        self.members_findings: tuple[Finding, ...] = ()
        self.members_fingerprint = ""
        """Fingerprint of the members file in force."""
        self.members_in_force = ""
        """Its text."""
        self._owed: dict[str, str] = {}
        """Copies still to be written: text by file name."""
        self._is_copy_told = False
        """Whether the log already says that they cannot be written."""
        self._confirmed: ActiveRuleset | None = None
        """The rules confirmed last, while others are on trial."""
        self._seen = self._stamps()
        self._looking, self._editing = asyncio.Lock(), asyncio.Lock()

    def open(self) -> tuple[ActiveRuleset, MemberDirectory]:
        """Rules and members for a starting node: the files, or what was last in force where a file is invalid. Raises
        NodeError (InvalidFile with every finding) only where nothing was in force before."""
        member_directory = self._first_members()
        active = self._first_rules(member_directory)
        self._owed[RULES_COPY] = active.text
        for finding in active.rejected:
            log.error("%s is not in force, the rules adopted before it are: %s", self.rules, finding)
        self._log_strained(active)
        return active, member_directory

    def _first_members(self) -> MemberDirectory:
        before = self._copy(MEMBERS_COPY)
        known = None if before is None else parse_members(before)[0]
        try:
            # A new community has no members file; a file that was deleted or cannot be read is an error.
            is_new = not os.path.lexists(self.members) and not (known and known.units)
            text = "" if is_new else self._members_text()
            member_directory, findings = parse_members(text)
            if member_directory is None:
                raise InvalidFile(str(self.members), findings)
        except NodeError as trouble:
            if known is None or before is None:
                raise
            self._refuse_members(
                trouble.findings if isinstance(trouble, InvalidFile) else (unreadable(trouble),)
            )
            self._note_members(before)
            return known
        self._note_members(text)
        self._owed[MEMBERS_COPY] = text
        return member_directory

    def _first_rules(self, member_directory: MemberDirectory) -> ActiveRuleset:
        before = self._copy(RULES_COPY)
        adopted = None if before is None else self._adopted(before, member_directory)
        if adopted is not None:
            return self._read_rules(adopted, member_directory)
        try:
            active = load_active_ruleset(read(self.rules), member_directory, self._uplink)
            if not isinstance(active, ActiveRuleset):
                raise InvalidFile(str(self.rules), active)
        except NodeError:
            recorded = self._recorded()
            adopted = None if recorded is None else self._adopted(recorded, member_directory)
            if adopted is None:
                raise
            return self._read_rules(adopted, member_directory)
        return active

    def _adopted(self, text: str, member_directory: MemberDirectory) -> ActiveRuleset | None:
        return reload_active_ruleset(text, member_directory, self._uplink)

    def _copy(self, name: str) -> str | None:
        """The text last in force; None when there is no readable copy."""
        return None if self._copies is None else read_copy(self._copies, name)

    def _write_copies(self) -> None:
        """Writes the copies; those that cannot be written now stay queued."""
        folder = self._copies
        if folder is None:
            return
        for name, text in tuple(self._owed.items()):
            try:
                if read_copy(folder, name) != text:
                    _replace(folder / name, text, mode=0o600)
            except OSError as error:
                if not self._is_copy_told:
                    log.warning("the copy of what is in force cannot be written: %s", error.strerror)
                self._is_copy_told = True
                return
            self._is_copy_told = False
            if self._owed.get(name) == text:
                del self._owed[name]

    async def watch(self, reconciler: Reconciler, keep: Keep) -> None:
        """Runs until cancelled: a change on disk is in force, or reported as invalid, within two seconds. A file is
        read when it has not changed between two looks, so that a half-written one is not taken."""
        await keep(self.confirmed(reconciler), BY_START)
        await asyncio.to_thread(self._write_copies)
        before = self._seen
        for number in itertools.count(1):
            await asyncio.sleep(LOOK_EVERY_S)
            if self._owed and number % COPY_EVERY_LOOKS == 0:
                await asyncio.to_thread(self._write_copies)
            stamps = await asyncio.to_thread(self._stamps)
            if stamps not in {self._seen, before}:
                before = stamps
            elif stamps != self._seen:
                await self.look(reconciler, keep, BY_EDIT)

    async def look(self, reconciler: Reconciler, keep: Keep, by: str) -> None:
        """Reads both files now and puts the valid ones in force. An edit of the rules ends a trial. Raises KernelRefused
        when the kernel refuses; they are in force as soon as it does not."""
        refused: KernelRefused | None = None
        async with self._looking:
            active, edited = await self._read_both(reconciler)
            try:
                await reconciler.adopt(*active)
            except KernelRefused as error:
                refused = error
        if edited is not None:
            log.info("rules %s are in force", edited.fingerprint)
            await keep(edited, by)
        if refused is not None:
            raise refused

    async def _read_both(
        self, reconciler: Reconciler
    ) -> tuple[tuple[ActiveRuleset, MemberDirectory], ActiveRuleset | None]:
        """What is to be in force, and the rules of the file if they are others than those confirmed last."""
        self._seen = await asyncio.to_thread(self._stamps)
        before = reconciler.active_ruleset
        confirmed = self.confirmed(reconciler)
        member_directory = await asyncio.to_thread(self._read_members, reconciler.member_directory)
        active = await asyncio.to_thread(self._read_rules, confirmed, member_directory)
        for finding in active.rejected:
            log.error("%s keeps its old rules: %s", self.rules, finding)
        self._owed[RULES_COPY] = active.text
        await asyncio.to_thread(self._write_copies)
        edited = active if active.fingerprint != confirmed.fingerprint else None
        if self._confirmed is not None:
            self._confirmed = active if edited is None else None
        if self._confirmed is not None:
            trial = await asyncio.to_thread(strained, before, member_directory)
            active = replace(
                trial, rejected=active.rejected, rejected_fingerprint=active.rejected_fingerprint
            )
        if active.strained != before.strained:
            self._log_strained(active)
        return (active, member_directory), edited

    @property
    def is_on_trial(self) -> bool:
        """Whether the rules in force are others than those confirmed last."""
        return self._confirmed is not None

    def confirmed(self, reconciler: Reconciler) -> ActiveRuleset:
        """The rules confirmed last: those in force, or those that come back after a trial."""
        return self._confirmed or reconciler.active_ruleset

    # --- rules on trial: in force, while the file has those confirmed last ---

    async def begin_trial(self, reconciler: Reconciler, text: str) -> None:
        """Puts rules in force that were checked before, instead of those in force. Raises KernelRefused as `look`."""
        async with self._looking:
            trial = await asyncio.to_thread(self._adopted, text, reconciler.member_directory)
            assert trial is not None, "checked before"
            self._confirmed = self.confirmed(reconciler)
            await reconciler.adopt(trial, reconciler.member_directory)

    async def end_trial(self, reconciler: Reconciler) -> None:
        """Puts the rules confirmed last in force again; without a trial it does nothing. Raises KernelRefused as
        `look`."""
        async with self._looking:
            if self._confirmed is None:
                return
            active = await asyncio.to_thread(strained, self._confirmed, reconciler.member_directory)
            self._confirmed = (
                None  # not before: a caller that is cancelled meanwhile leaves a trial that can be ended
            )
            await reconciler.adopt(active, reconciler.member_directory)

    async def keep_trial(self, reconciler: Reconciler) -> bool:
        """Makes the rules on trial those of the file, atomically: after a crash it has the old ones or the new ones.
        False without a trial, as after an edit of the file. Raises NodeError when it cannot be written, or was edited
        and not read since."""
        async with self._looking:
            if self._confirmed is None:
                return False
            text = reconciler.active_ruleset.text
            confirmed = self._confirmed.fingerprint
            rejected = {self._confirmed.seen, reconciler.active_ruleset.seen} - {confirmed}
            try:
                await asyncio.to_thread(self._replace_rules, text, confirmed, rejected)
            except OSError as error:
                raise NodeError(
                    gettext_lazy("the rule file cannot be written: {english}", english=error.strerror),
                    gettext_lazy("free some space or make its folder writable"),
                ) from error
            self._confirmed = None
            self._owed[RULES_COPY] = text
            await asyncio.to_thread(self._write_copies)
            return True

    def _replace_rules(self, text: str, confirmed: str, rejected: Collection[str]) -> None:
        """`confirmed`, `rejected`: fingerprints of a file that may be replaced; one with errors, which was rejected, is kept
        beside it. Raises NodeError for another one, and OSError."""
        try:
            before = read(self.rules)
        except NodeError:
            _replace(self.rules, text)  # missing or unreadable: nobody's rules are lost
            return
        mark = fingerprint(before)
        if mark not in {confirmed, *rejected}:
            raise NodeError(
                gettext_lazy("the rule file was edited at the same time"),
                gettext_lazy("look at the rules in force, and try again"),
            )
        if mark != confirmed and before != text:
            kept = self.rules.with_name(self.rules.name + REJECTED)
            _replace(kept, before)
            log.warning("the edit of %s that had errors is kept as %s", self.rules, kept)
        _replace(self.rules, text)

    async def edit_members(self, replacing: str, edit: Edit) -> tuple[Finding, ...] | None:
        """Replaces the members file by the result of `edit` if its fingerprint is still `replacing`; else returns None
        and changes nothing. Raises NodeError when it cannot be read or written."""
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
            raise _unwritable_members(error) from error
        return ()

    async def members_after(self, replacing: str, edit: Edit) -> MemberDirectory | None:
        """The member directory after `edit`; None when `edit_members` would refuse it."""
        return await asyncio.to_thread(self._members_after, replacing, edit)

    def _members_after(self, replacing: str, edit: Edit) -> MemberDirectory | None:
        try:
            text = self._members_text() if os.path.lexists(self.members) else ""
        except NodeError:
            return None
        edited = edit(text) if fingerprint(text) == replacing else ()
        return parse_members(edited)[0] if isinstance(edited, str) else None

    def _members_text(self) -> str:
        return read(self.members, MEMBERS_BYTES_MAX)

    def _read_members(self, member_directory: MemberDirectory) -> MemberDirectory:
        """The member directory of the file, or the current one: a deleted or invalid file changes nobody's account."""
        try:
            text = self._members_text() if os.path.lexists(self.members) or member_directory.units else ""
            wanted, findings = parse_members(text)
            if wanted is not None:
                self._note_members(text)
                self._owed[MEMBERS_COPY] = text
        except NodeError as trouble:
            wanted, findings = None, (unreadable(trouble),)
        self._refuse_members(findings if wanted is None else ())
        return member_directory if wanted is None or wanted == member_directory else wanted

    def _note_members(self, text: str) -> None:
        self.members_fingerprint, self.members_in_force = fingerprint(text), text

    async def replace_members(self, text: str, *, keeps_earlier: bool) -> None:
        """Makes a checked text the members file. A file with errors that is there is kept beside it, and with
        `keeps_earlier` also a good one. Raises NodeError when it cannot be written, or was edited and not read since."""
        async with self._editing, self._looking:
            try:
                await asyncio.to_thread(self._replace_members, text, keeps_earlier=keeps_earlier)
            except OSError as error:
                raise _unwritable_members(error) from error

    def _replace_members(self, text: str, *, keeps_earlier: bool) -> None:
        if self._stamps()[1] != self._seen[1]:
            raise NodeError(
                gettext_lazy("the members file was edited at the same time"),
                gettext_lazy("look at the members in force, and try again"),
            )
        ending = REJECTED if self.members_findings else EARLIER if keeps_earlier else ""
        if ending and self.members.is_file():
            kept = self.members.with_name(self.members.name + ending)
            _replace(kept, self.members.read_bytes())
            log.warning("the members file of before is kept as %s", kept)
        _replace(self.members, text)

    def _refuse_members(self, findings: tuple[Finding, ...]) -> None:
        self.members_findings = findings
        for finding in findings:
            # Findings may name people and devices, so the full text is shown only by 'procomu status'.
            log.error("%s, line %d: %s; the old members hold", self.members, finding.line, finding.code)

    def _log_strained(self, active: ActiveRuleset) -> None:
        for finding in active.strained:
            log.warning("the rules are in force and no longer fit the members or this node: %s", finding)

    def _read_rules(self, active: ActiveRuleset, member_directory: MemberDirectory) -> ActiveRuleset:
        """The rules of the file, or the current ones with the reasons; checked against the current members."""
        try:
            considered = consider(active, read(self.rules), member_directory)
        except NodeError as trouble:
            return replace(active, rejected=(unreadable(trouble),), rejected_fingerprint="")
        return considered

    def _stamps(self) -> tuple[Stamp, Stamp]:
        return _stamp(self.rules), _stamp(self.members)


def _unwritable_members(error: OSError) -> NodeError:
    return NodeError(
        gettext_lazy("the members file cannot be written: {english}", english=error.strerror),
        gettext_lazy("free some space or make its folder writable"),
    )


def unreadable(trouble: NodeError) -> Finding:
    """A finding about a file that cannot be read."""
    return Finding("file-unreadable", 0, trouble.message, trouble.fix)


def read(path: Path, bytes_max: int = FILE_BYTES_MAX) -> str:
    """Reads a text file. Raises NodeError when it is missing, too long or not UTF-8."""
    try:
        # Opened without blocking: a pipe without a writer must not block the node.
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


def read_copy(folder: Path, name: str) -> str | None:
    """A text last in force, from a node's data folder; None when there is no readable copy."""
    try:
        return read(folder / name, MEMBERS_BYTES_MAX)
    except NodeError:
        return None


def _replace(path: Path, text: str | bytes, mode: int = 0o640) -> None:
    """Replaces a file; `mode` is for one that did not exist."""
    content = text if isinstance(text, bytes) else text.encode()
    replace_synced(path, content, path.stat().st_mode & 0o777 if path.exists() else mode)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


__all__ = ["RuleFiles", "fingerprint", "read"]


def load_config(path: Path) -> NodeConfig:
    """The node's settings. Raises NodeError when the file cannot be read, InvalidFile with every error in it."""
    config, findings = parse_config(read(path))
    if config is None:
        raise InvalidFile(str(path), findings)
    return config

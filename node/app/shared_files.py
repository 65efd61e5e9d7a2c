"""The rules and the members of the community, as its admins signed them: this node follows them, without a restart.

A version is adopted in the same way as one that an admin of this node saves, but without a trial and without waiting: it
was decided where it was signed. Nothing is shared that no admin signed.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from mesh.community_service import CommunityService
from mesh.file_version import FILES, FileName, text_hash, unpacked, votes_needed
from mesh.file_versions import HeldVersion
from node.app.file_standing import (
    STATE,
    FileStanding,
    Followed,
    StandingKind,
    read_followed,
    standing_of,
    write_followed,
)
from node.app.rule_adoption import RuleAdoption
from node.app.rule_files import BY_EDIT, RuleFiles
from node.control.active_ruleset import fingerprint
from node.control.ports import Clock, StateArchive
from node.control.reconciler import Reconciler
from node.errors import Finding, NodeError, StorageTrouble
from node.governance.members import parse_members
from node.translator import gettext_lazy

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""For edits of the files; what arrives is looked at once."""
DECIDED = frozenset({"active", "fallback", "superseded"})
"""States of versions of the rules that were in force without a trial at last."""
AGAIN_MS_MIN, AGAIN_MS_MAX = 5_000, 3_600_000
"""Until what could not be adopted is tried again; each time twice as long, because each try is in the log."""

type Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Failed:
    """A version that this node could not adopt."""

    key: Key
    """The version, and the texts here: with others it is tried at once."""
    findings: tuple[Finding, ...]
    english: str
    """Why the disk or the kernel did not let it; empty for a text that does not pass the checks."""
    wait_ms: int
    again_ms: int


@dataclass(frozen=True, slots=True)
class FoundText:
    """A text that can be shared."""

    text: str
    hash: str
    is_own: bool
    """Whether this node has it now."""


class SharedFiles:
    """Both files of one node. `adopt` and `take` change one file at a time."""

    def __init__(
        self,
        community: CommunityService,
        reconciler: Reconciler,
        files: RuleFiles,
        adoption: RuleAdoption,
        *,
        archive: StateArchive,
        clock: Clock,
    ) -> None:
        self._community, self._reconciler, self._files = community, reconciler, files
        self._adoption, self._archive, self._clock = adoption, archive, clock
        self._followed: Followed | None = None
        self._is_owed = False
        """Whether `_followed` is to be stored."""
        self._failed: dict[FileName, _Failed] = {}
        self._changed, self._busy = asyncio.Event(), asyncio.Lock()
        community.on_files = self._changed.set

    # --- what is the case ---

    @property
    def is_shared(self) -> bool:
        """Whether the node belongs to a community with other nodes, or follows a record."""
        return self._community.state is not None or len(self._community.roster()) > 1

    def today(self) -> str:
        """For the decision."""
        return self._clock.today()

    def text(self, file: FileName) -> str:
        """The text here: the rules confirmed last, or the members in force."""
        if file == "rules":
            return self._files.confirmed(self._reconciler).text
        return self._files.members_in_force

    def standing(self, file: FileName) -> FileStanding:
        return standing_of(
            file, text_hash(self.text(file)), self._community.state, self._followed or Followed()
        )

    def kind(self, file: FileName) -> StandingKind | None:
        """How the text here stands to the community's; None for a node without others."""
        return self.standing(file).kind if self.is_shared else None

    def text_of(self, file: FileName, wanted: str) -> str | None:
        """The text with this hash: that here, or that of a version that admins signed."""
        if text_hash(self.text(file)) == wanted:
            return self.text(file)
        held = self.standing(file).view.held
        return next((unpacked(each.version) for each in held if each.version.hash == wanted), None)

    async def find(self, file: FileName, wanted: str, number: int = 0) -> "FoundText | Finding":
        """A text that can be shared: by its hash, or an earlier version of the rules by its number, and then also by its
        hash unless that is empty."""
        text = await self.earlier_text(number) if number else self.text_of(file, wanted)
        if text is None or (number and file != "rules"):
            return no_such_text()
        found = text_hash(text)
        if wanted not in {"", found}:
            return no_such_text()
        return FoundText(text, found, is_own=found == text_hash(self.text(file)))

    async def earlier_text(self, number: int) -> str | None:
        """The text of a version of the rules here that was in force; one that was never decided is shared by nobody."""
        version = self._adoption.version(number)
        if version is None or version.state not in DECIDED:
            return None
        return await self._adoption.version_text(number)

    def votes_missing(self, held: HeldVersion) -> int:
        """Votes that the version needs to count."""
        state = self._community.state
        if state is None or state.head is None:
            return 0
        return max(0, votes_needed(held.version.file, state.head) - held.votes(state.head))

    def refused(self, file: FileName) -> tuple[Finding, ...]:
        """Why the community's version does not pass the checks of this node."""
        failed, standing = self._failed.get(file), self.standing(file)
        return failed.findings if failed is not None and _is_of(failed, standing) else ()

    def trouble(self, file: FileName) -> str:
        """Why it could not be put in force, in English; empty if it could."""
        failed, standing = self._failed.get(file), self.standing(file)
        return failed.english if failed is not None and _is_of(failed, standing) else ""

    def warnings(self) -> tuple[str, ...]:
        """What a person has to decide, or to put right."""
        return tuple(text for file in FILES for text in self._warnings(file))

    def _warnings(self, file: FileName) -> Iterator[str]:
        is_rules, kind = file == "rules", self.standing(file).kind
        if kind == "split":
            yield (
                gettext_lazy(
                    "Admins signed several versions of the rules while nodes were apart: choose one on the page “Rules”."
                )
                if is_rules
                else gettext_lazy(
                    "Admins signed several versions of the members while nodes were apart: choose one on the page “Members”."
                )
            )
        if kind == "differs":
            yield (
                gettext_lazy(
                    "The rules differ from what the community signed: share them, or take theirs, on the page “Rules”."
                )
                if is_rules
                else gettext_lazy(
                    "The members differ from what the community signed: share them, or take theirs, on the page “Members”."
                )
            )
        for finding in self.refused(file):
            yield (
                gettext_lazy(
                    "The community’s rules are not in force on this node: {finding}", finding=finding.text
                )
                if is_rules
                else gettext_lazy(
                    "The community’s members are not in force on this node: {finding}", finding=finding.text
                )
            )
        if english := self.trouble(file):
            yield (
                gettext_lazy(
                    "The community’s rules could not be put in force on this node: {english}", english=english
                )
                if is_rules
                else gettext_lazy(
                    "The community’s members could not be put in force on this node: {english}",
                    english=english,
                )
            )

    # --- what is done ---

    async def run(self) -> None:
        """Runs until cancelled: what admins signed is in force, or said not to be."""
        while True:
            self._changed.clear()
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()

    async def look(self) -> None:
        """Adopts what is to be adopted now. Members come first: rules are checked against them."""
        async with self._busy:
            await self._recall()
            if self._followed is None:
                return
            for file in ("members", "rules"):
                standing = self.standing(file)
                if standing.kind == "same":
                    self._follow(file, standing)
                elif standing.kind == "behind" and standing.head is not None and self._is_due(file, standing):
                    await self._adopt(file, standing.head)
            await self._store()

    async def take(self, file: FileName, version: str) -> tuple[Finding, ...]:
        """The community's version, whose statement has this hash, in place of the text here. Findings if it was refused.
        Raises NodeError."""
        async with self._busy:
            await self._recall()
            standing = self.standing(file)
            if standing.head is None or standing.head.statement.hash != version:
                return (_changed(),)
            if standing.kind == "same":
                return ()
            self._failed.pop(file, None)
            await self._adopt(file, standing.head)
            await self._store()
            if english := self.trouble(file):
                raise NodeError(english, gettext_lazy("look at the node’s disk, then try again"))
            return self.refused(file)

    async def begin_as_newcomer(self) -> None:
        """The first versions of the community that come are adopted, whatever the texts here are. Raises StorageTrouble."""
        async with self._busy:
            followed = Followed(newcomer=frozenset(FILES))
            await self._archive.save_state(STATE, write_followed(followed))
            self._followed, self._is_owed = followed, False
        self._changed.set()

    # --- inside ---

    def _follow(self, file: FileName, standing: FileStanding) -> None:
        """The text here is the community's."""
        assert self._followed is not None
        assert standing.head is not None
        self._failed.pop(file, None)
        if self._followed.versions.get(file) != standing.head.statement.hash:
            self._followed = self._followed.with_version(file, standing.head.statement.hash)
            self._is_owed = True

    def _key(self, file: FileName, standing: FileStanding) -> Key:
        others = (fingerprint(self.text(each)) for each in FILES)
        return standing.head.statement.hash if standing.head else "", file, *others

    def _is_due(self, file: FileName, standing: FileStanding) -> bool:
        failed = self._failed.get(file)
        if failed is None or failed.key != self._key(file, standing):
            return True
        return self._clock.monotonic() >= failed.again_ms

    async def _adopt(self, file: FileName, held: HeldVersion) -> None:
        findings, english = await self._put_in_force(file, held)
        standing = self.standing(file)
        if standing.kind == "same":
            self._follow(file, standing)
            log.info("the community's %s are in force: version %d", file, held.version.number)
            return
        if standing.head is None or standing.head.statement.hash != held.statement.hash:
            self._changed.set()  # another one came meanwhile
            return
        key, before = self._key(file, standing), self._failed.get(file)
        wait_ms = AGAIN_MS_MIN
        if before is not None and before.key == key:
            wait_ms = min(AGAIN_MS_MAX, 2 * before.wait_ms)
        elif findings or english:
            log.error("the community's %s are not in force: %s", file, english or findings[0].code)
        self._failed[file] = _Failed(key, findings, english, wait_ms, self._clock.monotonic() + wait_ms)

    async def _put_in_force(self, file: FileName, held: HeldVersion) -> tuple[tuple[Finding, ...], str]:
        """Errors of the check, and what went wrong; both empty if it is in force."""
        text = unpacked(held.version)
        assert text is not None, "it was read when it was taken in"
        text = text.replace("\r\n", "\n")
        try:
            if file == "members":
                return await self._put_members(text, held), ""
            by = held.version.decision.by
            outcome = await self._adoption.adopt_signed(text, by)
            if outcome.kind == "same" and self._adoption.trial() is not None:
                await self._adoption.confirm(by, outcome.number)  # on trial here, and decided elsewhere
        except NodeError as trouble:
            return (), f"{trouble.message} ({trouble.fix})"
        return tuple(each for each in outcome.findings if each.is_error) if outcome.is_refused else (), ""

    async def _put_members(self, text: str, held: HeldVersion) -> tuple[Finding, ...]:
        directory, findings = await asyncio.to_thread(parse_members, text)
        if directory is None:
            return findings
        is_known = held.version.has_replaced(text_hash(self.text("members")))
        await self._files.replace_members(text, keeps_earlier=not is_known)
        await self._files.look(self._reconciler, self._adoption.record, BY_EDIT)
        return ()

    async def _recall(self) -> None:
        if self._followed is None:
            with suppress(StorageTrouble):  # reported by the control loop; tried again at the next look
                self._followed = read_followed(await self._archive.state(STATE))

    async def _store(self) -> None:
        if self._is_owed and self._followed is not None:
            with suppress(StorageTrouble):  # as above
                await self._archive.save_state(STATE, write_followed(self._followed))
                self._is_owed = False


def _is_of(failed: _Failed, standing: FileStanding) -> bool:
    """Whether it is about the version that nodes follow now, and that is not in force here."""
    head = standing.head
    return standing.kind != "same" and head is not None and failed.key[0] == head.statement.hash


def no_such_text() -> Finding:
    """Of a form whose text is not here any longer."""
    return Finding(
        "version",
        0,
        gettext_lazy("Nobody signed this version, or it was replaced meanwhile."),
        gettext_lazy("look at the versions again, and choose one"),
    )


def _changed() -> Finding:
    return Finding(
        "version",
        0,
        gettext_lazy("Meanwhile the community has another version."),
        gettext_lazy("look at it, and choose again"),
    )

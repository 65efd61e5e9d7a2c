"""The log of adoptions, as it is read and appended to: once from storage, and then in memory beside it."""

import logging
from collections.abc import Callable
from contextlib import suppress

from node.app.adoption_events import events_of
from node.app.ports import RuleLog
from node.control.active_ruleset import fingerprint
from node.control.ports import Clock
from node.errors import StorageSlow, StorageTrouble
from node.governance.adoption import RECORDS_MAX, AdoptionRecord, AdoptionState, Reason, RecordKind
from node.governance.rule_history import RuleHistory, RuleVersion

log = logging.getLogger(__name__)

FORGET_EVERY = RECORDS_MAX // 2
"""After how many records the log is read again, to forget versions that it has no longer."""


def new_record(
    clock: Clock,
    kind: RecordKind,
    by: str,
    text: str = "",
    *,
    subject: int = 0,
    reason: Reason = "",
    due: str = "",
    trial_s: int = 0,
    meaning: str = "",
    waits_s: int = 0,
) -> AdoptionRecord:
    """A record of this moment."""
    return AdoptionRecord(
        kind,
        clock.civil().isoformat(timespec="seconds"),
        by,
        fingerprint(text) if text else "",
        text,
        subject,
        reason,
        due,
        trial_s,
        meaning=meaning,
        waits_s=waits_s,
    )


class AdoptionLog:
    """The caller makes one change at a time."""

    def __init__(self, records: RuleLog, replaced: Callable[[AdoptionState], None]) -> None:
        """`replaced` is called with what the log says when the database was replaced by another one."""
        self._records, self._replaced = records, replaced
        self.history: RuleHistory | None = None
        """None while the log could not be read yet."""
        self.damaged = 0
        """Number of the first damaged record of the log; 0 if it is whole."""
        self._owed: list[AdoptionRecord] = []
        """Records that could not be stored yet."""
        self._is_uncertain = False
        """Whether a record may be in the log although nobody was told so."""

    @property
    def is_owed(self) -> bool:
        """Whether records could not be stored yet."""
        return bool(self._owed)

    def versions(self) -> tuple[RuleVersion, ...]:
        """The newest first."""
        return () if self.history is None else self.history.versions()

    def version(self, number: int) -> RuleVersion | None:
        return None if self.history is None else self.history.version(number)

    def by(self, number: int) -> str:
        """The label of the version's admin; empty if there is no such version."""
        version = self.version(number)
        return "" if version is None else version.by

    def fingerprint(self, number: int) -> str:
        """Of the version's text; empty if there is no such version."""
        version = self.version(number)
        return "" if version is None else version.fingerprint

    def last_ended(self) -> RuleVersion | None:
        """The newest version, if its trial was ended or its schedule withdrawn by the node."""
        newest = None if self.history is None else self.history.newest()
        is_ended = newest is not None and newest.reason not in {"", "admin", "newer"}
        return newest if is_ended else None

    async def text(self, number: int) -> str | None:
        """The text of a version; None if there is none. Raises StorageTrouble."""
        return await self._records.version_text(number)

    async def read(self) -> RuleHistory:
        """Reads the log, also again. Raises StorageTrouble."""
        self.history, self.damaged = await self._records.history()
        return self.history

    async def settle(self) -> AdoptionState | None:
        """What the log says after a slow disk, if a record may have been stored that nobody was told of; else None. Raises
        StorageTrouble, and is to be called again."""
        if not self._is_uncertain:
            return None
        await self.store_owed()
        found = await self.read()
        self._is_uncertain = False
        return found.state

    async def append(self, record: AdoptionRecord) -> AdoptionRecord:
        """Raises StorageTrouble: then it is not in the log; or StorageSlow: then it may be, see `settle`."""
        await self.store_owed()
        return await self._store(record)

    async def append_later(self, record: AdoptionRecord) -> None:
        """Appends the record now, or as soon as it can be stored."""
        self._owed.append(record)
        try:
            await self.store_owed()
        except StorageTrouble as trouble:
            log.warning("the log of adoptions is written later: %s", trouble)

    async def store_owed(self) -> None:
        """Raises StorageTrouble."""
        while self._owed:
            await self._store(self._owed[0])
            del self._owed[0]

    async def _store(self, record: AdoptionRecord) -> AdoptionRecord:
        try:
            number = 0 if self.history is None else self.history.length + 1
            made = await self._records.append(record, events_of(record, number))
        except StorageSlow:
            self._is_uncertain = True
            raise
        if self.history is None:
            return made
        if made.number != self.history.length + 1:  # the database was replaced by an older one
            self._replaced((await self.read()).state)
        else:
            self.history.add(made)
            if made.number % FORGET_EVERY == 0:
                with suppress(StorageTrouble):  # the record is stored all the same
                    await self.read()
        return made

"""Port of the application services: the log of adopted rules."""

from collections.abc import Iterable
from typing import Protocol

from node.accounts.events import Event
from node.control.ports import StateArchive
from node.governance.adoption import AdoptionRecord
from node.governance.rule_history import RuleHistory


class RuleLog(Protocol):
    """The log of adoptions in the database. Every method raises StorageTrouble while the data folder cannot be used."""

    async def append(self, record: AdoptionRecord, events: Iterable[Event] = ()) -> AdoptionRecord:
        """Appends a record, with its events in the same transaction; they are on the disk when this returns. Returns the
        record as it stands there."""

    async def history(self) -> tuple[RuleHistory, int]:
        """What the log says, and the number of its first damaged record; 0 if it is whole."""

    async def version_text(self, number: int) -> str | None:
        """The text of a version; None if there is none."""


class AdoptionArchive(RuleLog, StateArchive, Protocol):
    """The log, and the node state beside it."""

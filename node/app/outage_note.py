"""What an admin tells people while the line is down: who knows about it, and until when it may last."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from node.app.views import Outage
from node.control.ports import Clock, StateArchive
from node.errors import Finding, StorageTrouble
from node.translator import gettext_lazy

STATE = "outage_note"
"""Name in the node state."""
WRONG_TIME = "outage-time"
KNOWN_TO_CHARS_MAX = 60
UNTIL_MAX = timedelta(days=60)
GONE_AFTER_MS = 120_000
"""When the line has answered for so long, the note is gone."""


@dataclass(frozen=True, slots=True)
class OutageNote:
    """Shown to people while the line is down."""

    known_to: str
    """Empty if only the time is told."""
    until: datetime | None = None


class OutageNotes:
    """The note about the present outage. `tell` is called with each note, and with None when there is none."""

    def __init__(
        self,
        archive: StateArchive,
        clock: Clock,
        outage: Callable[[], Outage | None],
        tell: Callable[[OutageNote | None], None],
    ) -> None:
        self._archive, self._clock, self.outage, self._tell = archive, clock, outage, tell
        self.note: OutageNote | None = None
        self._up_since: int | None = None
        self._is_recalled = False

    async def look(self) -> None:
        """Reads what was stored, the first time; ends a note that is over. Raises StorageTrouble."""
        if not self._is_recalled:
            found = _read(await self._archive.state(STATE))
            self._is_recalled = True
            if self.note is None and found is not None:
                self._set(found)
        now = self._clock.monotonic()
        if self.outage() is not None:
            self._up_since = None
        elif self._up_since is None:
            self._up_since = now
        if self.note is None:
            return
        if self._up_since is not None and now - self._up_since >= GONE_AFTER_MS:
            await self.clear()
        elif self.note.until is not None and self._is_past(self.note.until):
            self._set(replace(self.note, until=None) if self.note.known_to else None)

    async def save(self, known_to: str, until: str) -> Finding | None:
        """`until`: local time as ``2026-11-30T20:00``, or empty. None when people are told now. Raises StorageTrouble."""
        name = " ".join(known_to.split())
        if not name.isprintable() or len(name) > KNOWN_TO_CHARS_MAX:
            return Finding(
                "outage",
                0,
                gettext_lazy("This cannot be shown."),
                gettext_lazy("write at most {number} characters", number=KNOWN_TO_CHARS_MAX),
            )
        at = _moment(until.strip())
        if until.strip() and (at is None or not self._is_plausible(at)):
            return Finding(
                WRONG_TIME,
                0,
                gettext_lazy("This is no time to come within the next 60 days."),
                gettext_lazy("write it as 2027-01-31T20:00, or nothing"),
            )
        if not name and at is None:
            return Finding(
                "outage",
                0,
                gettext_lazy("There is nothing to tell."),
                gettext_lazy("write who knows about it, or until when it may last"),
            )
        self._is_recalled = True
        self._set(OutageNote(name, at))
        await self._archive.save_state(STATE, _text(self.note))
        return None

    async def clear(self) -> None:
        """People are told nothing beside the outage itself."""
        self._is_recalled = True
        self._set(None)
        try:
            await self._archive.save_state(STATE, "")
        except StorageTrouble:
            return  # it is gone from the pages; after a restart it ends when the line answers

    def _set(self, note: OutageNote | None) -> None:
        self.note = note
        self._tell(note)

    def _is_past(self, at: datetime) -> bool:
        return self._clock.state() != "unknown" and at <= self._clock.civil()

    def _is_plausible(self, at: datetime) -> bool:
        now = self._clock.civil()
        return self._clock.state() == "unknown" or now < at <= now + UNTIL_MAX


def _moment(text: str) -> datetime | None:
    """In local time."""
    try:
        return datetime.strptime(text[:40], "%Y-%m-%dT%H:%M").astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _text(note: OutageNote | None) -> str:
    if note is None:
        return ""
    until_s = None if note.until is None else int(note.until.timestamp())
    return json.dumps({"known_to": note.known_to, "until_s": until_s}, ensure_ascii=False)


def _read(text: str) -> OutageNote | None:
    """None where there is none, or it was damaged."""
    try:
        kept = json.loads(text or "null")
        known_to, until_s = kept["known_to"], kept["until_s"]
        until = None if until_s is None else datetime.fromtimestamp(until_s).astimezone()
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return None
    is_name = isinstance(known_to, str) and len(known_to) <= KNOWN_TO_CHARS_MAX and known_to.isprintable()
    return OutageNote(known_to, until) if is_name else None

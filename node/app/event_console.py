"""Control socket command about events."""

from collections.abc import Mapping
from typing import Any

from node.accounts.events import EVENTS_DAYS, EventQuery
from node.app.admin_events import AdminEventsService, EventRow
from node.app.event_words import WHAT, by_text
from node.console import Answer
from node.errors import NodeError

ROWS_MAX = 500
SEARCH_CHARS_MAX = 100
_DAY_S = 86_400


class EventCommands:
    """Raises NodeError when the question cannot be answered."""

    def __init__(self, events: AdminEventsService) -> None:
        self._events = events

    def all(self) -> Mapping[str, Answer]:
        return {"events": self.events}

    async def events(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """The newest first, of the last ``seconds`` by whole days, with ``search`` those that match; at most ROWS_MAX, and
        whether there are ``more``."""
        search, seconds = question.get("search") or "", question.get("seconds", EVENTS_DAYS * _DAY_S)
        if type(seconds) is not int or seconds <= 0:
            raise NodeError("that is no length of time", "write it as 12h, 30d or 2w")
        if not isinstance(search, str) or len(search) > SEARCH_CHARS_MAX:
            raise NodeError("that is no search", f"write at most {SEARCH_CHARS_MAX} characters")
        query = EventQuery(text=search, since=self._events.day_before(seconds))
        found = await self._events.find(query, size=ROWS_MAX)
        return {"events": [_row(row) for row in found.rows], "more": bool(found.before)}


def _row(row: EventRow) -> Mapping[str, object]:
    event = row.found.event
    return {
        "at": "" if row.at is None else row.at.isoformat(" ", "minutes"),
        "by": by_text(event.by),
        "kind": event.kind,
        "what": WHAT.get(event.kind, event.kind),
        "account": event.account,
        "about": event.about,
        "reason": event.text,
        "count": event.count,
    }

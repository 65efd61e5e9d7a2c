"""Application service of the admin pages for events: who did what, and when."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from node.accounts.events import ACCOUNT_KINDS, Event, EventFound, EventQuery
from node.app.event_words import kinds_with
from node.characters import plain
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import StorageTrouble
from node.translator import ENGLISH, Translator
from node.units import AccountId

EVENTS_A_PAGE = 50
ACCOUNTS_MEANT_MAX = 500
"""People whose names a search can mean."""
OWN_EVENTS_MAX = 50
"""Events about one account that its people see on the page; the file of their data has all of them."""


class EventArchive(Protocol):
    """The stored events."""

    async def events(self, query: EventQuery) -> tuple[EventFound, ...]:
        """The newest first. Raises StorageTrouble while the data folder cannot be read."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, with the present name of its account."""

    found: EventFound
    name: str
    at: datetime | None
    """In the node's time zone; None if the clock was unknown."""


@dataclass(frozen=True, slots=True)
class EventsFound:
    """Some events, and where the next page begins; 0 for the last page."""

    rows: tuple[EventRow, ...]
    before: int = 0


class AdminEventsService:
    """`days`: how long events are kept."""

    def __init__(self, reconciler: Reconciler, archive: EventArchive, clock: Clock, days: int) -> None:
        self._reconciler, self._archive, self._clock, self.days = reconciler, archive, clock, days

    async def find(
        self, query: EventQuery, translator: Translator = ENGLISH, *, size: int = EVENTS_A_PAGE
    ) -> EventsFound:
        """The events that match. Text is looked for in names of people and in the words for what was done too. Raises
        StorageTrouble."""
        if query.text:
            meant = self._accounts_named(query.text)
            query = replace(query, accounts=meant, kinds=kinds_with(query.text, translator))
        found = await self._archive.events(replace(query, limit=size + 1))
        names = self._reconciler.member_directory.names
        zone = self._clock.civil().tzinfo
        rows = tuple(
            EventRow(each, names.get(each.event.account, ""), moment_of(each.event, zone))
            for each in found[:size]
        )
        return EventsFound(rows, found[size - 1].place if len(found) > size else 0)

    def day_before(self, seconds: int) -> str:
        """The local day so long ago; empty while the clock is unknown, and before there were days."""
        if self._clock.state() == "unknown":
            return ""
        try:
            return (self._clock.civil() - timedelta(seconds=seconds)).date().isoformat()
        except OverflowError:
            return ""

    def _accounts_named(self, text: str) -> tuple[AccountId, ...]:
        sought = plain(text)
        names = self._reconciler.member_directory.names.items()
        return tuple(account for account, name in names if sought in plain(name))[:ACCOUNTS_MEANT_MAX]


def moment_of(event: Event, zone: tzinfo | None) -> datetime | None:
    """When it was, in this time zone; None if the clock was unknown."""
    return datetime.fromtimestamp(event.at_s, UTC).astimezone(zone) if event.at_s else None


async def events_about(archive: EventArchive, account: AccountId, limit: int) -> tuple[EventFound, ...]:
    """What was done to the account, the newest first; none while the data folder cannot be read."""
    try:
        return await archive.events(EventQuery(account=account, only=ACCOUNT_KINDS, limit=limit))
    except StorageTrouble:
        return ()  # reported by the control loop, which uses the same folder each minute

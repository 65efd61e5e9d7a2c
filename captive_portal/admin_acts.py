"""The page with what admins did to the reader's account, who did it and why."""

from dataclasses import dataclass
from datetime import datetime

from captive_portal.request_context import PageContext, RequestContext
from node.app.event_words import WHAT, about_words, by_text
from node.translator import in_a_row

PATH = "/my-data/admins"


@dataclass(frozen=True, slots=True)
class Act:
    """One event about the account."""

    at: datetime | None
    """None if the clock was unknown."""
    what: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class AdminActs:
    """What was done to the account, the newest first."""

    template = "acts.html"
    place: PageContext
    acts: tuple[Act, ...]
    days: int
    """How long it is kept."""


async def admin_acts(context: RequestContext) -> AdminActs:
    """Nothing for a device without a session."""
    backend = context.backend
    found = await backend.admin_acts(context.device)
    acts = tuple(
        Act(
            backend.moment_of(each.event),
            in_a_row(WHAT[each.event.kind], *about_words(each.event), between=" · "),
            by_text(each.event.by),
            each.event.text,
        )
        for each in found
    )
    return AdminActs(context.place(), acts, backend.events_days)

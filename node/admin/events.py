"""Events: who did what, and when, with a search."""

from dataclasses import dataclass
from urllib.parse import urlencode

from node.accounts.events import EVENT_KINDS, EventQuery
from node.admin.fields import FormView, TypedForm
from node.admin.routes import (
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    number_in,
    page_layout,
)
from node.app.admin import AdminService
from node.app.admin_events import EventRow, EventsFound
from node.app.admin_sessions import ADMIN, label_text
from node.app.event_words import WHAT, about_words, by_text
from node.translator import gettext_lazy, in_a_row
from node.units import AccountId

PATH = "/events"
TEXT_CHARS_MAX = 100
ACCOUNT_CHARS_MAX = 64
LABEL_CHARS_MAX = 60
_FIELDS = ("q", "kind", "by", "since", "until", "account")


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Events, the newest first."""

    template = "events.html"
    frame: PageLayout
    form: FormView
    found: EventsFound
    account: str
    """Whose events are shown; empty for those of everybody."""
    name: str
    """Of that account."""
    by: tuple[tuple[str, str], ...]
    days: int
    older: str
    """URL of the next page; empty on the last."""
    is_first: bool
    kinds: tuple[tuple[str, str], ...]

    @property
    def is_search(self) -> bool:
        return any(self.form.value(name) for name in _FIELDS)

    def what(self, row: EventRow) -> str:
        event = row.found.event
        return in_a_row(WHAT.get(event.kind, event.kind), *about_words(event), between=" · ")

    def who(self, row: EventRow) -> str:
        return by_text(row.found.event.by)


class EventsViews:
    """View of events."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", PATH, self._show),)

    async def _show(self, request: AdminRequest) -> AdminResponse:
        form = TypedForm(request.query)
        query = read_query(form, number_in(request.query, "before"))
        events, found = self._backend.events, EventsFound(())
        if not form.errors:
            found = await events.find(query, request.translations)
        kept = {name: form.values[name] for name in _FIELDS if form.values.get(name)}
        older = f"{PATH}?{urlencode({**kept, 'before': found.before})}" if found.before else ""
        account = query.account or ""
        page = EventsPage(
            frame=page_layout(request, self._backend.site(), PATH),
            form=form.view(),
            found=found,
            account=account,
            name=next((row.name for row in found.rows), "") if account else "",
            by=self._people(query.by),
            days=events.days,
            older=older,
            is_first=not query.before,
            kinds=(("", gettext_lazy("Everything")), *((kind, WHAT[kind]) for kind in EVENT_KINDS)),
        )
        return AdminResponse(page, 422 if form.errors else 200)

    def _people(self, chosen: str) -> tuple[tuple[str, str], ...]:
        """Labels of those who can act, with words."""
        labels = [each.signed.label for each in self._backend.access.accounts()]
        offered = dict.fromkeys((*labels, ADMIN.label, chosen))
        offered.pop("", None)
        return (("", gettext_lazy("Everybody")), *((label, label_text(label)) for label in offered))


def read_query(form: TypedForm, before: int) -> EventQuery:
    """The search that was typed; what is wrong is in the form."""
    account = form.line("account", ACCOUNT_CHARS_MAX)
    return EventQuery(
        text=form.line("q", TEXT_CHARS_MAX),
        kind=form.choice("kind", ("", *EVENT_KINDS), ""),
        by=form.line("by", LABEL_CHARS_MAX),
        since=form.day("since"),
        until=form.day("until"),
        account=AccountId(account) if account else None,
        before=before,
    )

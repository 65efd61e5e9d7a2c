"""Makes the event of a use case, to be stored in the same change."""

from node.accounts.events import Event, EventKind
from node.app.admin_sessions import Signed
from node.control.reconciler import Reconciler


def event_of(
    reconciler: Reconciler,
    by: Signed | str,
    kind: EventKind,
    *,
    account: str = "",
    about: str = "",
    text: str = "",
    count: int = 1,
) -> Event:
    """`by`: the person who is signed in, or a label as in `Event.by`."""
    label = by if isinstance(by, str) else by.label
    at = reconciler.persistence.instant()
    return reconciler.registry.events.record(
        label, kind, at, account=account, about=about, text=text, count=count
    )

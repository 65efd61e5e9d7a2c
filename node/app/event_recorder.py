"""Makes the event of a use case, to be stored in the same change, or before it where that is a file."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from node.accounts.events import Event, EventGone, EventKind
from node.app.admin_sessions import Signed
from node.control.reconciler import Reconciler
from node.errors import NodeError, StorageTrouble


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


@dataclass(slots=True)
class RecordedAct:
    """An act that is not stored in the database of the node: `is_refused` is set when it was not done."""

    is_refused: bool = False


class ActRecorder(Protocol):
    """`recorded` for one node."""

    def __call__(
        self, by: Signed | str, kind: EventKind, *, account: str = "", about: str = ""
    ) -> AbstractAsyncContextManager[RecordedAct]: ...


@asynccontextmanager
async def recorded(
    reconciler: Reconciler,
    by: Signed | str,
    kind: EventKind,
    *,
    account: str = "",
    about: str = "",
) -> AsyncIterator[RecordedAct]:
    """For an act that writes a file, or a record of the community: its event is stored first, and deleted if the act was
    refused. So a power cut may leave an event without its act, and never the other way round."""
    event = event_of(reconciler, by, kind, account=account, about=about)
    await reconciler.remember((event,))
    act = RecordedAct()
    try:
        yield act
    except StorageTrouble:
        raise  # it is done, and will be stored later
    except NodeError:
        act.is_refused = True
        raise
    finally:
        if act.is_refused:
            await reconciler.remember((EventGone(event.key),))

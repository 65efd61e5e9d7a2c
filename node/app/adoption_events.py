"""The event of a record in the log of adoptions: who proposed, approved or ended which rules."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from node.accounts.events import ABOUT_CHARS_MAX, BY_CHARS_MAX, KEY_BYTES, Event, EventKind
from node.governance.adoption import AdoptionRecord, RecordKind
from node.units import AccountId

_KINDS: Mapping[RecordKind, EventKind] = {
    "edited": "rules-adopted",
    "adopted": "rules-adopted",
    "scheduled": "rules-proposed",
    "draft": "rules-proposed",
    "approved": "rules-approved",
    "confirmed": "rules-confirmed",
    "reverted": "rules-ended",
    "withdrawn": "rules-withdrawn",
}
_FIRST_YEAR = 2024
"""Before that, the clock was not known."""


def events_of(record: AdoptionRecord, number: int) -> tuple[Event, ...]:
    """The event to store with the record. `number`: that which a version gets; 0 if it is not known. The same record has
    the same event, so that one that is stored again is not counted twice."""
    kind = _KINDS.get(record.kind)
    if kind is None:
        return ()
    version = record.subject or number
    at = datetime.fromisoformat(record.adopted)
    is_known = at.year >= _FIRST_YEAR
    said = "\0".join((record.kind, record.adopted, record.by, record.fingerprint, str(record.subject)))
    return (
        Event(
            hashlib.sha256(said.encode()).hexdigest()[: 2 * KEY_BYTES],
            int(at.timestamp()) if is_known else 0,
            at.date().isoformat() if is_known else "",
            record.by[:BY_CHARS_MAX],
            kind,
            AccountId(""),
            str(version)[:ABOUT_CHARS_MAX] if version else "",
        ),
    )

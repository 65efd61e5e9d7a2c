"""The alerts as one text in the node state: one row, so that a change and its messages are stored together or not at all."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from node.alerts.alert_list import AlertKey, AlertName
from node.alerts.digest import CHANGES_MAX, DigestState
from node.alerts.message import TEXT_CHARS_MAX, AlertMessage
from node.alerts.outbox import WAITING_MAX, WAYS, Outbox
from node.alerts.states import AlertChange, AlertState
from node.units import Milliseconds

SUBJECT_CHARS_MAX = 500
_NAMES = frozenset(get_args(AlertName))
_STATES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class StoredAlerts:
    """Everything that a restart must not lose."""

    states: Mapping[AlertKey, AlertState] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=Outbox)
    digest: DigestState = field(default_factory=DigestState)


def to_text(alerts: StoredAlerts) -> str:
    kept = {
        "states": [[*key, asdict(state)] for key, state in alerts.states.items()],
        "waiting": {way: [asdict(each) for each in line] for way, line in alerts.outbox.waiting.items()},
        "left_out": dict(alerts.outbox.left_out),
        "last_day": alerts.digest.last_day,
        "changes": [asdict(each) for each in alerts.digest.changes],
    }
    return json.dumps(kept, ensure_ascii=False)


def from_text(text: str) -> StoredAlerts:
    """What of it can be read; nothing of a text that is damaged."""
    try:
        kept = json.loads(text or "{}")
        return _read(kept) if isinstance(kept, dict) else StoredAlerts()
    except (ValueError, TypeError, KeyError, AttributeError):
        return StoredAlerts()


def _read(kept: Mapping[str, Any]) -> StoredAlerts:
    states = {
        (name, str(subject)): _state(state)
        for name, subject, state in kept.get("states", ())[:_STATES_MAX]
        if name in _NAMES
    }
    waiting = {
        way: tuple(_message(each) for each in kept.get("waiting", {}).get(way, ())[-WAITING_MAX:])
        for way in WAYS
    }
    left_out = {way: int(number) for way, number in kept.get("left_out", {}).items() if way in WAYS}
    changes = tuple(
        _change(each) for each in kept.get("changes", ())[-CHANGES_MAX:] if each["name"] in _NAMES
    )
    outbox = Outbox({way: line for way, line in waiting.items() if line}, left_out)
    return StoredAlerts(states, outbox, DigestState(str(kept.get("last_day", ""))[:10], changes))


def _state(kept: Mapping[str, Any]) -> AlertState:
    return AlertState(
        is_raised=bool(kept["is_raised"]),
        opposed=Milliseconds(int(kept["opposed"])),
        since_s=_moment(kept["since_s"]),
        subject_name=str(kept["subject_name"])[:SUBJECT_CHARS_MAX],
    )


def _message(kept: Mapping[str, Any]) -> AlertMessage:
    return AlertMessage(
        id=str(kept["id"])[:SUBJECT_CHARS_MAX],
        subject=str(kept["subject"])[:SUBJECT_CHARS_MAX],
        text=str(kept["text"])[:TEXT_CHARS_MAX],
        kind=str(kept["kind"]),
        name=str(kept["name"]),
        node=str(kept["node"]),
        at_s=_moment(kept["at_s"]),
        since_s=_moment(kept["since_s"]),
        is_urgent=bool(kept["is_urgent"]),
    )


def _change(kept: Mapping[str, Any]) -> AlertChange:
    return AlertChange(
        name=kept["name"],
        subject=str(kept["subject"]),
        subject_name=str(kept["subject_name"])[:SUBJECT_CHARS_MAX],
        is_raised=bool(kept["is_raised"]),
        at_s=_moment(kept["at_s"]),
        since_s=_moment(kept["since_s"]),
    )


_LATEST_S = 253_000_000_000
"""In the year 9987: later times cannot be written as dates."""


def _moment(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= _LATEST_S else None

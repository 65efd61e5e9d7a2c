"""Events: who did what to the node and its people, and when. An event is stored in the transaction of what it is about."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from node.characters import plain
from node.units import AccountId, Monotonic, Now

EVENTS_DAYS = 90
"""How long they are kept, unless the node's settings say otherwise."""
EVENTS_MAX = 20_000
"""At most; the oldest are deleted first."""
BY_CHARS_MAX = 60
ABOUT_CHARS_MAX = 120
TEXT_CHARS_MAX = 300
KEY_BYTES = 8
MERGED_MS = 3_600_000
"""Equal events within an hour of the first are one event with a count."""
WRITTEN_EVERY_MS = 600_000
"""How often a count that grows is stored."""
MERGED_MAX = 64
"""Events whose count may grow; beyond that the oldest is final."""
LAST_DAY = "9999-12-31"
BY_NODE = ""
"""The node itself, by its rules or its clock."""
BY_SOMEBODY = "?"
"""Somebody who is not signed in."""

AccountKind = Literal[
    "blocked",
    "paused",
    "unblocked",
    "extended",
    "extension-undone",
    "voucher-revoked",
    "voucher-restored",
    "member-added",
    "member-changed",
    "member-removed",
    "passphrase-given",
    "card-made",
    "cards-voided",
    "objection-answered",
    "case-opened",
    "case-answered",
    "case-lifted",
    "message-sent",
    "message-withdrawn",
]
"""What is done to an account: its people may read it."""
OtherKind = Literal[
    "vouchers-issued",
    "batch-revoked",
    "batch-restored",
    "notice-saved",
    "notice-removed",
    "outage-told",
    "outage-untold",
    "terms-saved",
    "appearance-changed",
    "rules-adopted",
    "rules-proposed",
    "rules-approved",
    "rules-confirmed",
    "rules-withdrawn",
    "rules-ended",
    "file-shared",
    "node-invited",
    "invite-closed",
    "node-suspended",
    "node-removed",
    "node-restored",
    "admin-added",
    "admin-removed",
    "key-made",
    "key-replaced",
    "secret-made",
    "record-begun",
    "recovery-key-made",
    "link-made",
    "signed-in",
    "sign-in-failed",
    "passphrase-chosen",
    "session-ended",
    "access-removed",
    "token-made",
    "token-revoked",
    "backup-made",
    "losses-read",
]
EventKind = AccountKind | OtherKind
ACCOUNT_KINDS: tuple[AccountKind, ...] = get_args(AccountKind)
EVENT_KINDS: tuple[EventKind, ...] = (*ACCOUNT_KINDS, *get_args(OtherKind))


@dataclass(frozen=True, slots=True)
class Event:
    """One row. Of people it holds the account, never a name: names are looked up when it is read."""

    key: str
    at_s: int
    """Unix time; 0 while the clock was unknown."""
    day: str
    """Local ISO date, from which its retention counts; empty while the clock was unknown."""
    by: str
    """As `Signed.label`, BY_NODE or BY_SOMEBODY."""
    kind: EventKind
    account: AccountId
    """Empty without one, and after its data was erased."""
    about: str = ""
    """What it concerns: the number of a batch or version, the name of a node, device or file."""
    text: str = ""
    """The reason, as it was written."""
    count: int = 1


@dataclass(frozen=True, slots=True)
class EventGone:
    """The event did not happen after all."""

    key: str


@dataclass(frozen=True, slots=True)
class EventsErased:
    """Every event about the account loses it and all words; that somebody did something remains."""

    account: AccountId
    until_day: str = LAST_DAY
    """Only those until this day, and of an unknown one."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted, the newest first. What is empty does not matter."""

    text: str = ""
    """Part of the reason, of what it concerns, of the name of an admin, or of an account."""
    accounts: tuple[AccountId, ...] = ()
    """Accounts that the text means too, such as by a person's name."""
    kinds: tuple[str, ...] = ()
    """Kinds that the text means too."""
    kind: str = ""
    by: str = ""
    since: str = ""
    """ISO dates, both inclusive."""
    until: str = ""
    account: AccountId | None = None
    only: tuple[str, ...] = ()
    """Only events of these kinds."""
    before: int = 0
    """Place of the last event of the page before; 0 for the first page."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class EventFound:
    """An event, and its place in the log: later events have greater ones."""

    place: int
    event: Event


@dataclass(frozen=True, slots=True)
class _Repeated:
    event: Event
    since: Monotonic
    written: Monotonic


class EventLog:
    """Makes events. They are read from the database, so none are kept here but those whose count may grow."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        """`random(n)` returns so many random bytes."""
        self._random = random
        self._repeated: dict[tuple[str, str, str], _Repeated] = {}

    def record(
        self,
        by: str,
        kind: EventKind,
        at: Now,
        *,
        account: str = "",
        about: str = "",
        text: str = "",
        count: int = 1,
    ) -> Event:
        """The event to store together with what it is about."""
        return Event(
            self._random(KEY_BYTES).hex(),
            at.wall_s or 0,
            at.today,
            by[:BY_CHARS_MAX],
            kind,
            AccountId(account),
            about[:ABOUT_CHARS_MAX],
            text[:TEXT_CHARS_MAX],
            count,
        )

    def repeated(self, by: str, kind: EventKind, at: Now, *, about: str = "") -> Event | None:
        """As `record`, for what can happen very often: within MERGED_MS it is the same event with a greater count, and to
        be stored only every WRITTEN_EVERY_MS. None when there is nothing to store now."""
        key = by, kind, plain(about)[:ABOUT_CHARS_MAX]
        before = self._repeated.pop(key, None)
        if before is None or at.now - before.since >= MERGED_MS:
            made = _Repeated(self.record(by, kind, at, about=about), at.now, at.now)
            self._repeated[key] = made
            while len(self._repeated) > MERGED_MAX:
                del self._repeated[next(iter(self._repeated))]
            return made.event
        event = replace(before.event, count=before.event.count + 1)
        is_due = at.now - before.written >= WRITTEN_EVERY_MS
        self._repeated[key] = _Repeated(event, before.since, at.now if is_due else before.written)
        return event if is_due else None

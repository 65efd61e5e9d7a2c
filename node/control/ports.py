"""Ports of the control loop: the clock and the repository."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from node.accounting.intervals import Intervals
from node.accounting.ledger import Booking, ErasureNote, UsageBucket, UsageKey
from node.accounting.meter import Baseline, Tally
from node.accounts.changes import Change, Event, Forgotten, StoredAccounts
from node.governance.allowance import ClockState
from node.sessions.stored import SavedSession
from node.units import AccountId, MacAddress, Monotonic, NodeId
from node.uplink.line import Sample


class Clock(Protocol):
    """Monotonic and civil time. Nothing else in the node reads a clock."""

    @property
    def boot(self) -> str:
        """Id of this boot; with another id monotonic time has started again."""

    def monotonic(self) -> Monotonic: ...

    def civil(self) -> datetime:
        """Local time with its time zone; only as reliable as `state` says."""

    def state(self) -> ClockState: ...

    def today(self) -> str:
        """The civil day as named in `node.accounting.periods`; DAY_UNKNOWN while the clock is not known."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """Everything that the node stored, as read at start."""

    buckets: Iterable[tuple[UsageKey, UsageBucket]] = ()
    """Usage buckets of the day `buckets_since` and later."""
    buckets_since: str = ""
    incarnations: tuple[tuple[NodeId, str], ...] = ()
    """Nodes, each with an incarnation, of which there are usage buckets."""
    baseline: Baseline | None = None
    tally: Tally | None = None
    """The note beside the database about the counters booked last; None when it is missing."""
    facts: tuple[tuple[str, str], ...] = ()
    minors: tuple[tuple[AccountId, int], ...] = ()
    marks: tuple[tuple[int, MacAddress, AccountId], ...] = ()
    sessions: tuple[SavedSession, ...] = ()
    registry: StoredAccounts = field(default_factory=StoredAccounts)
    erased: tuple[ErasureNote, ...] = ()
    """The latest last; at most `ERASED_MAX`."""
    intervals: Intervals = field(default_factory=dict)
    """The latest interval of usage."""


class Prober(Protocol):
    """Observes the uplink. No call waits."""

    def observe(self, target: int, pace_us: int) -> Sample:
        """What was seen since the last call, of the target with this number; sends a probe when the last one was sent so
        long ago."""

    def close(self) -> None:
        """Stops probing; `observe` may be called again."""


class Repository(Protocol):
    """The database as the control loop sees it. Calls are executed in order. Every method raises StorageTrouble while
    the data folder cannot be used."""

    @property
    def generation(self) -> int:
        """Changes when the database file was replaced; the caller must write everything again."""

    async def recall(self, buckets_since: str = "") -> StoredState:
        """Reads everything; of usage buckets only those of that day and later, and of the day booked last."""

    async def buckets(
        self, *, since: str, node: NodeId | None = None, account: AccountId | None = None
    ) -> tuple[tuple[UsageKey, UsageBucket], ...]:
        """Usage buckets of that day, later days and unknown days; of one node, of one account, or of all."""

    async def begin_counters(self, counters_id: str) -> None:
        """Notes beside the database that counters with this id start at zero and none of them is stored. Works while
        the data folder cannot be used; never raises StorageTrouble."""

    async def book(self, booking: Booking) -> None:
        """Stores a booking in one transaction, without the usage buckets that `ErasureNote.bars`."""

    async def save_sessions(
        self,
        sessions: Iterable[SavedSession],
        minors: Iterable[tuple[AccountId, int]],
        day: str,
        changes: Iterable[Change] = (),
    ) -> None:
        """Stores sessions and registry changes in one transaction; they are on the disk when it returns."""

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        """Deletes everything about the device, and the account's usage in earlier months and in intervals; its usage until
        `until_day` follows when that month is over. `mac` None leaves the device, an empty `until_day` the account. The
        erasure is recorded, so that pages that arrive late do not restore the data."""

    async def forget(
        self, *, ended_before: str, used_before: str, today: str, intervals: tuple[int, int] | None = None
    ) -> Forgotten:
        """Retention: deletes what ended or was used before these days. Rows stored on an
        unknown day count as `today`. `intervals`: usage in intervals that begin outside of these times is deleted too;
        None for all of it."""


class StateArchive(Protocol):
    """Node state in the database. Both methods raise StorageTrouble while the data folder cannot be used."""

    async def state(self, name: str) -> str:
        """A value of the node state; empty if it is not set."""

    async def save_state(self, name: str, value: str, events: Iterable[Event] = ()) -> None:
        """Stores the value, and the events in the same transaction."""


class StatesArchive(StateArchive, Protocol):
    """With many values of one kind."""

    async def states(self, beginning: str) -> dict[str, str]:
        """All values of the node state whose names begin so. Raises StorageTrouble."""


@dataclass(slots=True)
class Troubles:
    """Current warnings about storage and kernel; an empty text means no problem."""

    storage: str = ""
    kernel: str = ""

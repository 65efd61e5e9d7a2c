"""What the loop needs from the world: a clock, a memory, a source of rules."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from node.accounting.booking import Booking
from node.accounting.erasures import ErasureNote
from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Baseline, Tally
from node.accounts.ports import Change, Forgotten, StoredAccounts
from node.governance.allowance import ClockState
from node.sessions.stored import SavedSession
from node.units import AccountId, MacAddress, Monotonic, NodeId


class Clock(Protocol):
    """Time in its two kinds. Nothing else in the node reads a clock."""

    @property
    def boot(self) -> str:
        """Name of this boot; another name means that monotonic time began again."""

    def monotonic(self) -> Monotonic: ...

    def civil(self) -> datetime:
        """Local and aware; only as good as `state` says."""

    def state(self) -> ClockState: ...

    def today(self) -> str:
        """The civil day as `node.accounting.periods` names it; unknown while the clock is."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """Everything that the node knew when it last wrote."""

    cells: tuple[tuple[UsageKey, UsageBucket], ...] = ()
    """Of the day `cells_since` and later."""
    cells_since: str = ""
    lives: tuple[tuple[NodeId, str], ...] = ()
    """Of whose books there are cells, and of which lives of them."""
    baseline: Baseline | None = None
    tally: Tally | None = None
    """What is noted beside the database of the counters that were booked last; None where that is not known."""
    facts: tuple[tuple[str, str], ...] = ()
    minors: tuple[tuple[AccountId, int], ...] = ()
    marks: tuple[tuple[int, MacAddress, AccountId], ...] = ()
    sessions: tuple[SavedSession, ...] = ()
    registry: StoredAccounts = field(default_factory=StoredAccounts)
    erased: tuple[ErasureNote, ...] = ()
    """The latest last; at most `ERASED_MAX`."""


class Repository(Protocol):
    """Storage as the loop sees it. What is asked is done in the order of asking. Everything raises StorageTrouble
    while the data folder cannot be used."""

    @property
    def life(self) -> int:
        """Another number than before means that what was stored earlier may be gone and must be stored again."""

    async def recall(self, cells_since: str = "") -> StoredState:
        """Everything; of cells only those of that day and later, and of the day that was booked last."""

    async def cells(
        self, *, since: str, node: NodeId | None = None, account: AccountId | None = None
    ) -> tuple[tuple[UsageKey, UsageBucket], ...]:
        """Cells of that day and later, and of unknown days; of one node's books, of one account, or of all."""

    async def begin_counters(self, counters_id: str) -> None:
        """Counters of this name begin at zero, and nothing of them is stored. Noted beside the database, also while the
        data folder cannot be used; never raises StorageTrouble."""

    async def book(self, booking: Booking) -> None:
        """All or nothing; of cells what `ErasureNote.bars` is left out."""

    async def save_sessions(
        self,
        sessions: Iterable[SavedSession],
        minors: Iterable[tuple[AccountId, int]],
        day: str,
        changes: Iterable[Change] = (),
    ) -> None:
        """Sessions and what changed in the register: all or none, on the disk when it returns."""

    async def erase(self, mac: MacAddress | None, account: AccountId, until_day: str) -> None:
        """Everything about the device goes, and what its account used in earlier months; when the month of
        `until_day` is over, also what it used until that day. None leaves the device, an empty day the account. It is
        remembered after that, so that no late page brings back what went."""

    async def forget(self, *, ended_before: str, used_before: str, today: str) -> Forgotten:
        """Retention; a day that was not known when it was written counts as `today`."""

"""One accounting cycle (RFC 2866, interim accounting): reads, books and evaluates. Runs in the reader thread."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from node.accounting.ledger import Ledger, Recounts, UsageBucket, UsageKey, highest
from node.accounting.meter import Baseline
from node.accounting.periods import DAY_UNKNOWN
from node.accounting.undated import Dated, Dating, date_usage
from node.control.rates import MeanRates, Unrated, mean_rates
from node.control.usage_booking import LedgerWriter, UsageDelta, book
from node.enforcement.plan import Kernel
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.rule_evaluation import Evaluator
from node.sessions.state import Authorized, DeviceSession
from node.sessions.table import SessionEntry
from node.units import NO_USAGE, AccountId, MacAddress, NodeId, Usage


class RemoteUsage:
    """Usage counted elsewhere since the last reading. Of other nodes: buckets to merge, of which only the highest values
    stay, and complete days that replace earlier ones. Of gateways: bytes to add to this node's own buckets."""

    def __init__(self) -> None:
        self._recounts: dict[tuple[NodeId, str], Mapping[UsageKey, UsageBucket]] = {}
        self._merges: dict[tuple[NodeId, str], dict[UsageKey, UsageBucket]] = {}
        self.waiting: list[Callable[[], None]] = []
        """Called when all of it is stored."""
        self.metered: dict[AccountId, Usage] = {}
        """Bytes that gateways counted."""
        self.notes: dict[str, str] = {}
        """Node state that is stored together with them: up to where gateways' counters are booked."""
        self._noting: dict[str, Callable[[], Callable[[], str]]] = {}
        self._drafts: dict[str, Callable[[], str]] = {}

    def meter(
        self, account: AccountId, usage: Usage, name: str, note: Callable[[], Callable[[], str]]
    ) -> None:
        """Adds bytes that a gateway counted. `note` is called once for all reports until the next reading, and takes a
        snapshot of the node state that includes them; what it returns writes that out, in the reader thread."""
        if usage != NO_USAGE:
            self.metered[account] = self.metered.get(account, NO_USAGE) + usage
        self._noting[name] = note

    def write_notes(self) -> None:
        """Writes out the snapshots that `without` took."""
        self.notes = self.notes | {name: draft() for name, draft in self._drafts.items()}
        self._drafts = {}

    @property
    def with_storage(self) -> tuple[list[Callable[[], None]], dict[str, str]]:
        """Arguments of `WriteBuffer.stored_with`."""
        return self.waiting, self.notes

    @property
    def recounts(self) -> Recounts:
        """Complete days; to be applied before `merges`."""
        return self._recounts

    def merges(self) -> Iterator[tuple[UsageKey, UsageBucket]]:
        return (item for buckets in self._merges.values() for item in buckets.items())

    def merge(self, key: UsageKey, bucket: UsageBucket) -> None:
        buckets = self._merges.setdefault((key.node, key.day), {})
        known = buckets.get(key)
        buckets[key] = bucket if known is None else highest(known, bucket)

    def recount(self, node: NodeId, day: str, buckets: Mapping[UsageKey, UsageBucket]) -> None:
        """Replaces everything received of that day: these buckets are complete."""
        self._recounts[node, day] = buckets
        self._merges.pop((node, day), None)

    def without(
        self,
        is_erased: Callable[[UsageKey], bool],
        erased: Collection[tuple[AccountId, str, str]] = (),
        booked_day: str = DAY_UNKNOWN,
    ) -> "RemoteUsage":
        """A copy without erased accounts. `erased`: arguments of `Ledger.erase` since the last reading; what gateways
        counted of these accounts, to be booked on `booked_day`, may be from before."""
        gone = {
            account
            for account, kept_since, later in erased
            if not later and (booked_day == DAY_UNKNOWN or booked_day < kept_since)
        }
        left = RemoteUsage()
        left.waiting, left.notes = self.waiting, self.notes
        left.metered = {account: usage for account, usage in self.metered.items() if account not in gone}
        left._drafts = {name: note() for name, note in self._noting.items()}
        for (node, day), buckets in self._recounts.items():
            left.recount(node, day, {key: bucket for key, bucket in buckets.items() if not is_erased(key)})
        for key, bucket in self.merges():
            if not is_erased(key):
                left.merge(key, bucket)
        return left

    def give_back(self, earlier: "RemoteUsage") -> None:
        """Queues earlier usage again that could not be applied; newer values take precedence."""
        earlier.write_notes()
        for key, bucket in earlier.merges():
            if (key.node, key.day) not in self._recounts:
                self.merge(key, bucket)
        self._recounts = {**earlier.recounts, **self._recounts}
        self.waiting = [*earlier.waiting, *self.waiting]
        self.metered = {
            account: self.metered.get(account, NO_USAGE) + earlier.metered.get(account, NO_USAGE)
            for account in earlier.metered | self.metered
        }
        self.notes = earlier.notes | self.notes


@dataclass(frozen=True, slots=True)
class CycleInput:
    """Input of one cycle: a snapshot taken on the event loop. Only the ledger is changed by the cycle."""

    remote_usage: RemoteUsage
    baseline: Baseline | None
    session_entries: Mapping[int, SessionEntry]
    """By ct mark: every session that may still have uncounted bytes."""
    guests: Mapping[MacAddress, DeviceSession]
    unit: Callable[[AccountId, Moment], Unit]
    evaluator: Evaluator
    moment: Moment
    day: str
    """The current day."""
    booked_day: str
    """The day to which the bytes of this reading are booked."""
    writer: LedgerWriter
    busy: bool
    unrated: Unrated
    elapsed_ms: int
    """Milliseconds since `unrated` began."""
    forget_before: str = ""
    """Retention: usage of earlier days is removed from the ledger; empty for none."""
    opened: tuple[str, tuple[tuple[UsageKey, UsageBucket], ...]] | None = None
    """The first day to load again, and all stored usage buckets since then; None for nothing to load."""
    open_since: str = ""
    """Usage of earlier days is removed from memory after the cycle; it stays in the database."""
    erased: tuple[tuple[AccountId, str, str], ...] = ()
    """Erased accounts, each with the other arguments of `Ledger.erase`."""
    dating: Dating | None = None
    """The days of what was counted while the date was not known; None for nothing to date."""
    undated: frozenset[AccountId] = frozenset()
    """Accounts whose usage now is booked to the unknown day; see `ErasureNotes.undated`."""


@dataclass(frozen=True, slots=True)
class CycleResult:
    """Result of one cycle."""

    booked: UsageDelta
    merged: Mapping[UsageKey, UsageBucket]
    dated: Dated | None
    """None if nothing was to be dated."""
    allowances: dict[AccountId, Allowance]
    """Without remaining quotas. Equal to the result of an earlier cycle if no traffic class changes."""
    unrated: Unrated
    rates: MeanRates | None
    """None when the interval was too short."""
    evaluator: Evaluator
    """The evaluator that was used; the rules may have changed during the cycle."""


def run_cycle(kernel: Kernel, ledger: Ledger, question: CycleInput) -> CycleResult:
    """Read the counters once, book the difference, evaluate the rules for all authorized
    sessions. Raises KernelRefused."""
    question.remote_usage.write_notes()
    if question.opened is not None:
        ledger.open(*question.opened)
    if question.forget_before:
        ledger.forget_before(question.forget_before)
    moved = dict[UsageKey, UsageBucket]()
    for account, day, later in question.erased:
        moved |= ledger.erase(account, day, later)
    reading = kernel.read()  # before anything is booked: if this raises, no usage has changed
    ledger.recount(question.remote_usage.recounts)
    merged = moved | {key: ledger.merge(key, bucket) for key, bucket in question.remote_usage.merges()}
    dated = date_usage(ledger, question.writer.node, question.dating) if question.dating is not None else None
    accounts = {mark: session_entry.account for mark, session_entry in question.session_entries.items()}
    booked = book(
        ledger,
        reading,
        question.baseline,
        accounts.get,
        writer=question.writer,
        day=question.booked_day,
        busy=question.busy,
        undated=question.undated,
        metered=question.remote_usage.metered,
    )
    allowances = evaluate(ledger, question)
    ledger.close_before(question.open_since)
    unrated = question.unrated.plus(booked)
    return CycleResult(
        booked=booked,
        merged=merged,
        dated=dated,
        allowances=allowances,
        unrated=unrated,
        rates=mean_rates(unrated, question.elapsed_ms),
        evaluator=question.evaluator,
    )


def evaluate(ledger: Ledger, question: CycleInput) -> dict[AccountId, Allowance]:
    """The allowance of every account with an authorized session. Accounts with equal rights share one object."""
    guests, evaluator = question.guests, question.evaluator
    here = {
        session_entry.account
        for session_entry in question.session_entries.values()
        if isinstance(guests.get(session_entry.mac), Authorized)
    }
    ledger.follow(here)
    return {
        account: evaluator.policy_for(
            question.unit(account, question.moment),
            question.moment,
            evaluator.quotas_used(ledger, account, question.day),
        )
        for account in here
    }

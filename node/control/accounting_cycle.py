"""One turn of reading, booking and evaluating, from values to values; runs in the reading thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.accounting.ledger import Ledger, UsageBucket, UsageKey
from node.accounting.meter import Baseline
from node.accounting.periods import period_name
from node.control.rates import MeanRates, Unrated, mean_rates
from node.control.remote_usage import RemoteUsage
from node.control.usage_delta import LedgerWriter, UsageDelta, book
from node.enforcement.ports import Kernel
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.evaluate import Evaluator
from node.governance.rules import Quota, Ruleset
from node.sessions.state import Authorized, DeviceSession
from node.sessions.table import SessionEntry
from node.units import AccountId, Bytes, MacAddress


@dataclass(frozen=True, slots=True)
class CycleInput:
    """Everything that one turn needs to know; the ledger is the turn's own to change."""

    remote_usage: RemoteUsage
    baseline: Baseline | None
    session_entries: Mapping[int, SessionEntry]
    """By mark: everyone who may still have bytes to be booked."""
    guests: Mapping[MacAddress, DeviceSession]
    unit: Callable[[AccountId], Unit]
    ruleset: Ruleset
    evaluator: Evaluator
    moment: Moment
    day: str
    """Today."""
    booked_day: str
    """The day that the bytes of this reading belong to."""
    writer: LedgerWriter
    busy: bool
    unrated: Unrated
    elapsed_ms: int
    """Since `unrated` began."""
    forget_before: str = ""
    """Retention: days before this one leave the ledger; empty for none."""
    opened: tuple[str, tuple[tuple[UsageKey, UsageBucket], ...]] | None = None
    """Days that are open again, and all that is stored of them."""
    open_since: str = ""
    """Days before this one leave memory after the turn."""
    erased: tuple[tuple[AccountId, str], ...] = ()
    """Accounts whose people asked for it, and the day before which what they used leaves the ledger."""


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What the turn found."""

    booked: UsageDelta
    merged: Mapping[UsageKey, UsageBucket]
    allowances: dict[AccountId, Allowance]
    """Without what is left of quotas: equal to an earlier turn's when no class in the kernel can differ."""
    unrated: Unrated
    rates: MeanRates | None
    """None when it was too soon."""
    evaluator: Evaluator
    """The one that was asked: rules may have changed meanwhile."""


def run_cycle(kernel: Kernel, ledger: Ledger, question: CycleInput) -> CycleResult:
    """Read the counters once, book the difference, evaluate the rules for everyone here."""
    if question.opened is not None:
        ledger.open(*question.opened)
    if question.forget_before:
        ledger.forget_before(question.forget_before)
    for account, day in question.erased:
        ledger.erase(account, day)
    reading = kernel.read()  # before anything is booked: a refusal leaves the counts as they were
    ledger.recount(question.remote_usage.recounts)
    merged = {key: ledger.merge(key, cell) for key, cell in question.remote_usage.merges()}
    accounts = {mark: session_entry.account for mark, session_entry in question.session_entries.items()}
    booked = book(
        ledger,
        reading,
        question.baseline,
        accounts.get,
        writer=question.writer,
        day=question.booked_day,
        busy=question.busy,
    )
    allowances = evaluate(ledger, question)
    ledger.close_before(question.open_since)
    unrated = question.unrated.plus(booked)
    return CycleResult(
        booked=booked,
        merged=merged,
        allowances=allowances,
        unrated=unrated,
        rates=mean_rates(unrated, question.elapsed_ms),
        evaluator=question.evaluator,
    )


def evaluate(ledger: Ledger, question: CycleInput) -> dict[AccountId, Allowance]:
    """The standing of everyone who is here: accounts of equal rights get one and the same object."""
    guests, standing = question.guests, question.evaluator.policy_for
    here = {
        session_entry.account
        for session_entry in question.session_entries.values()
        if isinstance(guests.get(session_entry.mac), Authorized)
    }
    return {
        account: standing(
            question.unit(account),
            question.moment,
            quotas_used(question.ruleset, ledger, account, question.day),
        )
        for account in here
    }


def quotas_used(ruleset: Ruleset, ledger: Ledger, account: AccountId, day: str) -> dict[str, Bytes]:
    """What counts against each quota rule in the period of today; nothing does while the day is not known."""
    used: dict[str, Bytes] = {}
    for rule in ruleset.rules:
        if not isinstance(rule.effect, Quota):
            continue
        period = period_name(rule.effect.period, day)
        if period is not None:
            cell = ledger.total(account, period)
            counted = cell.busy if rule.effect.counts == "uplink while busy" else cell.uplink
            used[rule.id] = counted.total
    return used
